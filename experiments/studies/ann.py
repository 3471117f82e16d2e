"""The ANN that spikes are compared with, beside conventional ANNs."""

from matplotlib import figure
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import statistics
from experiments.analysis.study import Study
from experiments.config.grids import Sweep
from experiments.studies import datasets
from experiments.studies import tuning

_HELD_OUT = {'hold_out': 0.2}
_ACTIVATIONS = {'bp': 'clip', 'relu': 'ReLU'}  # by method
_KINDS = ('bp', 'sgd'), ('bp', 'adam'), ('relu', 'adam')
_REGULARIZED = 'learning_rate', 'dropout', 'weight_decay'
_AXIS = 'activation and optimizer'
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
    'method': tuple(_ACTIVATIONS),
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


def _compare(runs):
  """Yields each kind, its runs, and their difference to those of SGD."""
  groups = dict(list(runs.groupby(['method', 'optimizer'])))
  for kind in _KINDS:
    own = groups[kind]
    yield kind, own, statistics.paired_difference(own, groups[_KINDS[0]])


def _table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  rows = []
  for kind, own, difference in _compare(runs):
    row = {'activation': _ACTIVATIONS[kind[0]], 'optimizer': kind[1]}
    for name in _REGULARIZED:
      row[name.replace('_', ' ')] = f'{own[name].iloc[0]:g}'
    row['accuracy (%)'] = statistics.write(statistics.percent(own))
    is_first = kind == _KINDS[0]
    row['minus first row'] = '' if is_first else statistics.write(difference)
    rows.append(row | {'seeds': str(len(own))})
  return [pd.DataFrame(rows)]


def _draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws the accuracy of each kind."""
  name = lambda method, optimizer: f'{_ACTIVATIONS[method]}, {optimizer}'
  kinds = [name(*kind) for kind in _KINDS]
  named = runs.assign(
    **{_AXIS: list(map(name, runs['method'], runs['optimizer']))}
  )
  fig, (axes,) = figures.make(1)
  figures.plot_metric(
    axes,
    named,
    figures.GridAxis(_AXIS, kinds, is_numeric=False),
    'method',
    comparisons.ACCURACY,
    'test accuracy (%)',
    runs,
  )
  figures.finish(fig, [axes], figures.describe(runs))
  return fig


def _numbers(records):
  found = {}
  for name, runs in records.items():
    for (method, optimizer), own, difference in _compare(runs):
      key = f'{name}_{method}_{optimizer}'
      found |= {key: statistics.percent(own), f'{key}_minus_sgd': difference}
  return found


STUDY = Study(
  question='Is the ANN that spikes are compared with as good as other ANNs?',
  sweeps={name: _make_sweeps(name) for name in _ADAM},
  table=_table,
  figure=_draw,
  numbers=_numbers,
  parts={
    'tuning': Study(
      sweeps={name: _make_tuning(name) for name in _ADAM},
      table=tuning.table,
      figure=tuning.draw,
    )
  },
  text="""
Spikes are compared with an ANN that has the same clipped activation, and learns
by SGD with the settings that were tuned for it: it is what long spike trains
converge to. A conventional ANN has rectified linear units (ReLU) and learns
with Adam. Here both activations were tuned with Adam over `12` pairs of
learning rate and dropout on a fifth of the training images, held out, with two
seeds (part `tuning`); batches and epochs are as before, without weight decay.

The conventional ANN classifies {fashion_mnist_relu_adam} % of Fashion-MNIST,
{fashion_mnist_relu_adam_minus_sgd} points from the ANN that spikes are compared
with, {fashion_mnist_bp_sgd} %, and {mnist_relu_adam} % of MNIST,
{mnist_relu_adam_minus_sgd} from {mnist_bp_sgd} %. Adam alone, with the clipped
activation, changes accuracy by {fashion_mnist_bp_adam_minus_sgd} and
{mnist_bp_adam_minus_sgd} points. "Within a margin of the ANN" therefore means
the ANN of the same neurons; a conventional ANN of as many weights is better.
""",
)
