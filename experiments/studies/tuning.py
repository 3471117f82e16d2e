"""Learning rates and regularizers, chosen on held-out training samples."""

from collections.abc import Sequence

from matplotlib import figure
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis import statistics
from experiments.analysis.study import Study
from experiments.config import methods
from experiments.config.grids import Sweep

# Tuned fields, by short names.
_TUNED = {
  'rate': 'learning_rate',
  'dropout': 'dropout',
  'decay': 'weight_decay',
}
_FIELDS = tuple(_TUNED.values())
_NOT_OF_CURVES = (*_FIELDS, 'eval_every')
_SHOWN = 0.06  # drawn accuracies are at most this far below the best
_MOST_CURVES = 5  # of the ANN in a panel
_HELD_OUT = {'hold_out': 0.2}
_METHODS = ('bp', 'bp_stdp', 'surrogate_gradient')
_RATES = (0.1, 0.2, 0.5, 1.0, 2.0)
_THREE_RATES = (0.2, 0.5, 1.0)
_LAYERS = (
  (784, 256, 10),
  (784, 204, 204, 10),
  (784, 177, 177, 177, 10),
  (784, 159, 159, 159, 159, 10),
)
_WIDE = (784, 800, 10)
_CONV = ('conv16k5s2', 'conv32k5s2', '10')
_OTHERS = ('mnist', 'emnist47', 'n_mnist')


def _make_grid(rates, dropouts, decays):
  """Makes a grid of learning rates and regularizers of the ANN."""
  return {
    'method': ('bp',),
    'dropout': dropouts,
    'weight_decay': decays,
    'learning_rate': rates,
  }


_EMNIST = Sweep(
  _make_grid((0.2, 0.5, 1.0, 2.0), (0.0, 0.1, 0.2), (0.0, 1e-4)),
  num_seeds=2,
  base={**_HELD_OUT, 'batch_size': 128, 'num_epochs': 10},
)


def choose(settings: Sequence[pd.DataFrame]) -> pd.DataFrame:
  """Chooses the setting of highest mean accuracy, then lowest learning rate."""

  def rank(setting):
    return -setting['test_accuracy'].mean(), _rate(setting)

  return min(settings, key=rank)


def best_rates(runs: pd.DataFrame) -> dict[str, float]:
  """Returns the learning rate of the best setting of each method."""
  return {
    method: _rate(choose(frames.settings(own)))
    for method, own in runs.groupby('method')
  }


def _rate(setting):
  return frames.field(setting, 'learning_rate')


def table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes the table of held-out accuracies, with the best settings marked."""
  groups = figures.name_curves(runs, *_NOT_OF_CURVES).groupby('curve')
  best = {choose(frames.settings(own)).index[0] for _, own in groups}
  made = grid_table.make(runs)
  fields = [name for name in made if name in frames.FIELDS]
  made = made[[*fields, 'accuracy', 'seeds']]
  networks = [name for name in ('layer_sizes', 'layers') if name in fields]
  if networks:
    cells = made[networks].replace('none', '').agg(''.join, axis='columns')
    made = made.drop(columns=networks)
    made.insert(1, 'network', cells)
  short = {name: heading for heading, name in _TUNED.items()}
  made = made.rename(columns=short | {'num_epochs': 'epochs'})
  marks = [
    'best' if setting.index[0] in best else ''
    for setting in frames.settings(runs)
  ]
  return [made.assign(best=marks)]


def draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws held-out accuracy, by the best regularizers at each learning rate."""
  named = figures.name_curves(runs, *_NOT_OF_CURVES)
  is_ann = named['method'] == methods.ANN
  group = pd.Series('other methods', named.index).where(~is_ann, 'ANN')
  if named[is_ann]['curve'].nunique() > _MOST_CURVES:
    epochs = ', ' + named['num_epochs'].map(str) + ' epochs'
    group = group.where(~is_ann, group + epochs)
  groups = named.groupby(group)
  rates = sorted(set(named['learning_rate']))
  axis = figures.GridAxis('learning_rate', rates)
  keys = sorted(set(named['curve']), key=frames.sortable)
  over = 'folds' if runs['folds'].notna().all() else 'seeds'
  fig, grid = figures.make(groups.ngroups, sharex=True)
  for axes, (name, own) in zip(grid, groups):
    title = f'{name}: mean ± standard deviation over {over}'
    _draw_curves(axes, axis, own, keys, title)
  figures.finish(
    fig,
    grid,
    figures.describe(runs),
    'best dropout and weight decay at each rate; rings: chosen rates; '
    f'more than {100 * _SHOWN:.0f} points below the best: not shown',
  )
  return fig


def _draw_curves(axes, axis, named, keys, title):
  """Draws curves, and a ring around the chosen setting of each."""
  curves = list(named.groupby('curve'))
  best = []
  for _, curve in curves:
    own = [
      choose(frames.settings(rate))
      for _, rate in curve.groupby('learning_rate')
    ]
    lowest = max(x['test_accuracy'].mean() for x in own) - _SHOWN
    best += [x for x in own if x['test_accuracy'].mean() > lowest]
  figures.plot_metric(
    axes,
    pd.concat(best),
    axis,
    'curve',
    comparisons.ACCURACY,
    'held-out accuracy (%)',
    named,
    keys=keys,
    title=title,
  )
  for index, (_, curve) in enumerate(curves):
    chosen = choose(frames.settings(curve))
    accuracy = statistics.percent(chosen).mean
    look = {'color': '0.3', 'fillstyle': 'none', 'markersize': 11}
    (ring,) = axes.plot(_rate(chosen), accuracy, 'o', **look)
    figures.shift_curve(ring, index, len(curves))


def _numbers(records):
  conv = {
    name: frames.select(records[name], layers=_CONV)
    for name in ('mnist', 'fashion_mnist')
  }
  records = {k: frames.select(v, layers=None) for k, v in records.items()}
  digits, fashion = records['digits'], records['fashion_mnist']
  plain = frames.select(digits, pixel_range=(0.0, 1.0))
  groups = {
    f'{name}_{method}': own
    for name, runs in (
      ('digits', plain),
      ('grey', frames.select(digits, pixel_range=(0.3, 0.7))),
      ('fashion', frames.select(fashion, num_epochs=10, layer_sizes=None)),
    )
    for method, own in runs.groupby('method')
  } | {
    '_'.join(map(str, sizes)): own
    for sizes, own in fashion.groupby('layer_sizes')
  }
  best = {name: choose(frames.settings(own)) for name, own in groups.items()}
  found = {
    f'{name}_rate': statistics.Number(_rate(setting))
    for name, setting in best.items()
  }
  long = frames.select(fashion, num_epochs=20, layer_sizes=None)
  tuned_on = {name: records[name] for name in _OTHERS}
  tuned_on |= {'fashion': long, 'synthetic': records['synthetic_events-mnist']}
  tuned_on |= {f'{name}_conv': runs for name, runs in conv.items()}
  for dataset, runs in tuned_on.items():
    tuned = choose(frames.settings(runs))
    for short, name in _TUNED.items():
      number = statistics.Number(frames.field(tuned, name))
      found[f'{dataset}_{short}'] = number
  own = best['digits_surrogate_gradient']
  of_ann = frames.select(
    plain,
    method='surrogate_gradient',
    learning_rate=_rate(best['digits_bp']),
  )
  name = 'digits_surrogate_own_minus_ann_rate'
  return found | {name: statistics.paired_difference(own, of_ann)}


STUDY = Study(
  question=(
    'Which learning rates and regularizers are best on held-out training '
    'samples?'
  ),
  sweeps={
    'digits': (
      Sweep(
        {'method': _METHODS, 'learning_rate': _RATES},
        base={**_HELD_OUT, 'num_steps': 32},
      ),
      Sweep(
        {'method': ('bp',), 'learning_rate': (0.02, 0.05, *_RATES)},
        base={**_HELD_OUT, 'pixel_range': (0.3, 0.7)},
      ),
    ),
    'fashion_mnist': (
      Sweep(
        {'method': _METHODS, 'learning_rate': _RATES},
        num_seeds=3,
        base={**_HELD_OUT, 'num_steps': 16},
      ),
      Sweep(
        _make_grid(_THREE_RATES, (0.0, 0.1, 0.2, 0.3), (0.0, 1e-4, 1e-3)),
        num_seeds=3,
        base={**_HELD_OUT, 'num_epochs': 20},
      ),
      Sweep(
        {'method': ('bp',), 'learning_rate': _THREE_RATES},
        num_seeds=3,
        base={
          **_HELD_OUT,
          'layer_sizes': _WIDE,
          'num_epochs': 20,
          'dropout': 0.1,
          'weight_decay': 1e-4,
          'eval_every': 5,
        },
      ),
      Sweep(
        {
          'method': ('bp',),
          'layer_sizes': _LAYERS,
          'learning_rate': _THREE_RATES,
        },
        num_seeds=3,
        base=_HELD_OUT,
      ),
      Sweep(
        _make_grid(_THREE_RATES, (0.0, 0.1, 0.2), (0.0,)),
        num_seeds=2,
        base={**_HELD_OUT, 'layers': _CONV, 'num_epochs': 20},
      ),
    ),
    'mnist': (
      Sweep(
        _make_grid((0.5, 1.0, 2.0), (0.0, 0.1, 0.2), (0.0, 1e-4)),
        num_seeds=2,
        base=_HELD_OUT,
      ),
      Sweep(
        _make_grid(_THREE_RATES, (0.0, 0.1), (0.0,)),
        num_seeds=2,
        base={**_HELD_OUT, 'layers': _CONV, 'num_epochs': 6},
      ),
    ),
    'emnist47': (_EMNIST,),
    'emnist/balanced': (_EMNIST,),
    'n_mnist': (
      Sweep(
        _make_grid((0.05, 0.1, 0.2), (0.0, 0.2, 0.4), (0.0,)),
        num_seeds=10,
        base={**_HELD_OUT, 'folds': 10},
      ),
    ),
    'synthetic_events/mnist': (
      Sweep(
        {'method': ('bp',), 'learning_rate': (0.1, 0.2, 0.4, 0.8)},
        num_seeds=3,
        base={**_HELD_OUT, 'batch_size': 64, 'num_epochs': 10},
      ),
    ),
  },
  table=table,
  figure=draw,
  numbers=_numbers,
  text="""
All hyperparameters were chosen once, on a fifth of the training samples held
out; no choice used the test samples. The learning rate falls from its initial
value to 0. The figure shows the settings within 6 points of the best of their
curve.

The best rate of the ANN, {digits_bp_rate:g} on digits and {fashion_bp_rate:g}
on Fashion-MNIST, is used for `ssnn`, `rpu` and `feedback_alignment` at every T.
The two methods whose update does not estimate the gradient of BP were tuned
over the same rates. `bp_stdp` is best with the rates of the ANN
({digits_bp_stdp_rate:g} and {fashion_bp_stdp_rate:g}), `surrogate_gradient`
with {digits_surrogate_gradient_rate:g} on both data sets; on digits this rate
is {digits_surrogate_own_minus_ann_rate} points better than the rate of the ANN.
All methods thus use the rate of the ANN.

The four data sets of [datasets](datasets.md) use the best of
18, 36, 24 and 9 settings of the ANN:

| | epochs | learning rate | dropout | weight decay |
|---|---|---|---|---|
| MNIST | 10 | {mnist_rate:g} | {mnist_dropout:g} | {mnist_decay:g} |
| Fashion | 20 | {fashion_rate:g} | {fashion_dropout:g} | {fashion_decay:g} |
| EMNIST | 10 | {emnist47_rate:g} | {emnist47_dropout:g} | {emnist47_decay:g} |
| N-MNIST | 40 | {n_mnist_rate:g} | {n_mnist_dropout:g} | {n_mnist_decay:g} |

On N-MNIST a fifth of the training recordings of each of ten folds is held out,
and the setting is that of the highest mean accuracy. The held-out images of
EMNIST are drawn from its training images, which have unequal numbers of the
classes, unlike the test images. On synthetic recordings of MNIST the best of
four rates is {synthetic_rate:g} ([transfer](transfer.md)).

The small network of [convolution](convolution.md) has the best of 9 settings of
its ANN on Fashion-MNIST, trained for 20 epochs (learning rate
{fashion_mnist_conv_rate:g}, dropout {fashion_mnist_conv_dropout:g}), and of 6
on MNIST, for 6 epochs ({mnist_conv_rate:g} and {mnist_conv_dropout:g}).

With four hidden layers the best rate is {784_159_159_159_159_10_rate:g}
([depth](depth.md)); on grey digits it is {grey_bp_rate:g}
([grey_pixels](grey_pixels.md)).
""",
)
