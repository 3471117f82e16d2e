"""The ANN that spikes are compared with, beside conventional ANNs."""

from experiments.studies import Study
from experiments.studies import Sweep
from experiments.studies.tuned import TUNED


def _sweeps(dataset, clipped, rectified):
  """Sweeps the tuned ANN, and ANNs with Adam of either activation.

  Args:
    dataset: the data set.
    clipped: settings with Adam of the ANN with the activation of the neurons.
    rectified: settings with Adam of the ANN of rectified linear units.
  """
  tuned = TUNED[dataset] | {'eval_every': 0}
  adam = tuned | {'optimizer': 'adam', 'weight_decay': 0.0}
  return (
    Sweep({'method': ('bp',)}, 10, tuned),
    Sweep({'method': ('bp',)}, 10, adam | clipped),
    Sweep({'method': ('relu',)}, 10, adam | rectified),
  )


STUDY = Study(
  question='Is the ANN that spikes are compared with as good as other ANNs?',
  # Learning rate and dropout were chosen on held-out samples.
  sweeps={
    'mnist': _sweeps(
      'mnist',
      {'learning_rate': 0.003, 'dropout': 0.1},
      {'learning_rate': 0.01, 'dropout': 0.2},
    ),
    'fashion_mnist': _sweeps(
      'fashion_mnist',
      {'learning_rate': 0.001, 'dropout': 0.0},
      {'learning_rate': 0.003, 'dropout': 0.0},
    ),
  },
  columns=('optimizer', 'learning_rate', 'dropout', 'weight_decay'),
  rows=('method', 'optimizer', 'learning_rate', 'dropout'),
  across='metric',
  baseline={
    'method': 'bp',
    'optimizer': 'sgd',
    'learning_rate': None,
    'dropout': None,
    'weight_decay': None,
  },
  margin=0.3,
  figure='points',
)
