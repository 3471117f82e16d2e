"""The ANN that spikes are compared with, beside conventional ANNs."""

from experiments.analysis.study import Study
from experiments.config.grids import Sweep
from experiments.studies import datasets
from experiments.studies import tuning

_NAMES = ('fashion_mnist', 'mnist')
_METHODS = ('bp', 'relu')
_HELD_OUT = {'hold_out': 0.2}


def _base(name):
  """Returns batch size and epochs of a data set, as of its tuned ANN."""
  tuned = datasets.TUNED[name]
  return {'batch_size': 128, 'num_epochs': tuned['num_epochs']}


def _make_tuning(name):
  """Makes the sweep of learning rates and dropout, on held-out samples."""
  grid = {
    'method': _METHODS,
    'optimizer': ('adam',),
    'learning_rate': (3e-4, 1e-3, 3e-3, 1e-2),
    'dropout': (0.0, 0.1, 0.2),
  }
  return (Sweep(grid, 2, _base(name) | _HELD_OUT),)


STUDY = Study(
  question='Is the ANN that spikes are compared with as good as other ANNs?',
  parts={
    'tuning': Study(
      sweeps={name: _make_tuning(name) for name in _NAMES},
      table=tuning.table,
      figure=tuning.draw,
    )
  },
)
