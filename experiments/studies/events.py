"""Recordings of all images of MNIST by a simulated event camera."""

from experiments.studies import Study
from experiments.studies import Sweep

# The rate of a sample was tuned for the ANN on 12,000 of the recordings.
_BASE = {'batch_size': 128, 'num_epochs': 5, 'learning_rate': 0.4}

STUDY = Study(
  question='Do spikes match the ANN on tens of thousands of recordings?',
  sweeps={
    # The rates of a recording depend on T, and so does the ANN.
    'synthetic_events/mnist': tuple(
      Sweep(base={'num_steps': num_steps, **_BASE}) for num_steps in (64, 256)
    ),
  },
  columns=('num_steps',),
  metrics=('test_accuracy', 'test_accuracy_rate'),
  margin=0.3,
)
