"""Recordings of an event camera, real ones and simulated ones of all MNIST."""

from experiments.studies import Study
from experiments.studies import Sweep

_NUM_FOLDS = 10  # of recordings: each seed tests a tenth of them
# The rate of a sample was tuned for the ANN on 12,000 of the recordings.
_BASE = {'batch_size': 128, 'num_epochs': 5, 'learning_rate': 0.4}
_NEURONS = {'neuron': ('bipolar', 'stochastic')}

STUDY = Study(
  question='Do spikes match the ANN on recordings of an event camera?',
  sweeps={
    # The rates of a recording depend on T, and so does the ANN.
    'synthetic_events/mnist': (Sweep(_NEURONS, 5, {'num_steps': 64, **_BASE}),),
    'n_mnist': tuple(
      Sweep(_NEURONS, _NUM_FOLDS, {'folds': _NUM_FOLDS, 'num_steps': num_steps})
      for num_steps in (16, 64)
    ),
  },
  columns=('neuron', 'num_steps', 'folds'),
  rows=('neuron',),
  metrics=('test_accuracy', 'test_accuracy_rate'),
  margin=0.3,
)
