"""Recordings of an event camera, real ones and simulated ones of all MNIST."""

from experiments.studies import Study
from experiments.studies import Sweep

_NUM_FOLDS = 10  # of recordings: each seed tests a tenth of them
# The rate of a sample was tuned for the ANN on 12,000 of the recordings.
_BASE = {'batch_size': 128, 'num_epochs': 5, 'learning_rate': 0.4}

STUDY = Study(
  question='Do spikes match the ANN on tens of thousands of recordings?',
  sweeps={
    # The rates of a recording depend on T, and so does the ANN.
    'synthetic_events/mnist': tuple(
      Sweep({'timing': (timing,)}, 5, {'num_steps': num_steps, **_BASE})
      for timing, num_steps in (
        ('buffered', 64),
        ('buffered', 256),
        ('realtime', 64),
      )
    ),
    'n_mnist': (
      Sweep(
        {'timing': ('buffered', 'realtime'), 'num_steps': (64,)},
        _NUM_FOLDS,
        {'folds': _NUM_FOLDS},
      ),
    ),
  },
  columns=('timing', 'num_steps', 'folds'),
  rows=('timing',),
  metrics=('test_accuracy', 'test_accuracy_rate'),
  margin=0.3,
)
