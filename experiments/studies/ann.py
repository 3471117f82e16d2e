"""The ANN that spikes are compared with, beside conventional ANNs."""

from experiments.analysis import statistics
from experiments.analysis.study import Study
from experiments.config.grids import Sweep
from experiments.studies import datasets
from experiments.studies import tuning

_HELD_OUT = {'hold_out': 0.2}
_METHODS = ('bp', 'relu')
# Chosen on held-out samples, in the part `tuning`; all without weight decay.
_ADAM = {
  'fashion_mnist': {
    'bp': {'learning_rate': 1e-3, 'dropout': 0.0},
    'relu': {'learning_rate': 3e-3, 'dropout': 0.0},
  },
  'mnist': {
    'bp': {'learning_rate': 3e-3, 'dropout': 0.1},
    'relu': {'learning_rate': 1e-2, 'dropout': 0.2},
  },
}


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


def _make_sweeps(name):
  """Makes the sweeps of the ANN with SGD, and of both ANNs with Adam."""
  adam = _base(name) | {'optimizer': 'adam'}
  chosen = [('bp', datasets.TUNED[name] | _base(name))]
  chosen += [(method, adam | own) for method, own in _ADAM[name].items()]
  return tuple(
    Sweep({'method': (method,)}, 10, fields) for method, fields in chosen
  )


def _numbers(records):
  found = {}
  for name, runs in records.items():
    kinds = dict(list(runs.groupby(['method', 'optimizer'])))
    for (method, optimizer), own in kinds.items():
      key = f'{name}_{method}_{optimizer}'
      found[key] = statistics.percent(own)
      base = kinds['bp', 'sgd']
      found[f'{key}_minus_sgd'] = statistics.paired_difference(own, base)
  return found


STUDY = Study(
  question='Is the ANN that spikes are compared with as good as other ANNs?',
  sweeps={name: _make_sweeps(name) for name in _ADAM},
  numbers=_numbers,
  parts={
    'tuning': Study(
      sweeps={name: _make_tuning(name) for name in _ADAM},
      table=tuning.table,
      figure=tuning.draw,
    )
  },
)
