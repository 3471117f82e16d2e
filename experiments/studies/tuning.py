"""Learning rates and regularizers, chosen on held-out training samples."""

from collections.abc import Sequence

from matplotlib import figure
from matplotlib.axes import Axes
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import grid_axis
from experiments.analysis import grid_table
from experiments.analysis import panels
from experiments.analysis import statistics
from experiments.analysis import style
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_FIELDS = ('learning_rate', 'dropout', 'weight_decay')
_MOST_BELOW = 3  # points from the best rate of any curve that panels show
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


def choose(settings: Sequence[pd.DataFrame]) -> pd.DataFrame:
  """Chooses the setting of highest mean accuracy, then lowest learning rate."""

  def rank(setting):
    return -setting['test_accuracy'].mean(), _rate(setting)

  return min(settings, key=rank)


def _rate(setting):
  return frames.field(setting, 'learning_rate')


def _name_groups(runs):
  """Adds a column of panels and one of curves; settings of a curve compete."""
  fields = [
    name
    for name in ('method', *frames.varied(runs))
    if name not in (*_FIELDS, 'eval_every')
  ]
  of_panels = [x for x in fields if x in ('num_epochs', 'pixel_range')]
  of_curves = [x for x in dict.fromkeys(fields) if x not in of_panels]

  def describe(index, names):
    values = [frames.describe_value(runs.loc[[index]], name) for name in names]
    return ', '.join(value for value in values if value not in ('', 'none'))

  return runs.assign(
    panel=[describe(index, of_panels) for index in runs.index],
    curve=[describe(index, of_curves) for index in runs.index],
  )


def table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes the table of held-out accuracies, with the best settings marked."""
  groups = _name_groups(runs).groupby(['panel', 'curve'])
  best = {choose(frames.settings(own)).index[0] for _, own in groups}
  made = grid_table.make(runs)
  fields = [name for name in made if name in frames.FIELDS]
  made = made[[*fields, 'accuracy', 'seeds']]
  marks = [
    'best' if setting.index[0] in best else ''
    for setting in frames.settings(runs)
  ]
  return [made.assign(best=marks)]


def draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws held-out accuracy, by the best regularizers at each learning rate."""
  groups = _name_groups(runs).groupby('panel', sort=False)
  fig, grid = style.make(len(groups), height=3.2)
  for axes, (title, own) in zip(grid, groups):
    _plot(axes, dict(list(own.groupby('curve', sort=False))))
    axes.set_title(title, fontsize=style.TITLE)
    axes.set_ylabel(panels.label_accuracy(runs))
    rates = sorted(set(own['learning_rate']))
    grid_axis.label(axes, grid_axis.GridAxis('learning_rate', rates, True, []))
    axes.legend(fontsize=style.SMALL)
  style.set_title(
    fig,
    f'{style.dataset_name(frames.field(runs, "dataset"))}, '
    f'{frames.field(runs, "hold_out"):.0%} of training held out',
    panels.describe_bars(runs),
    'circles: best rate',
  )
  return fig


def _plot(axes: Axes, curves) -> None:
  """Plots the curves of a panel, and a circle around the best of each."""
  accuracies = []
  for index, (label, own) in enumerate(curves.items()):
    look = {
      'color': (style.BLACK, *style.COLORS)[index],
      'marker': style.MARKERS[index % len(style.MARKERS)],
    }
    settings = [
      choose(frames.settings(runs)) for _, runs in own.groupby('learning_rate')
    ]
    rates = list(map(_rate, settings))
    curve = panels.plot_settings(
      axes, rates, settings, 'test_accuracy', 100, label=label, **look
    )
    best = choose(settings)
    accuracies.append(statistics.percent(best).mean)
    (circle,) = axes.plot(
      _rate(best),
      accuracies[-1],
      'o',
      color=look['color'],
      markersize=14,
      fillstyle='none',
    )
    for drawn in (curve, circle):
      style.shift_curve(drawn, index, len(curves))
  low, _ = axes.get_ylim()
  axes.set_ylim(max(low, min(accuracies) - _MOST_BELOW))


def _numbers(records):
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
  tuned = choose(frames.settings(long))
  for name in _FIELDS:
    found[f'tuned_{name}'] = statistics.Number(frames.field(tuned, name))
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
        {
          'method': ('bp',),
          'dropout': (0.0, 0.1, 0.2, 0.3),
          'weight_decay': (0.0, 1e-4, 1e-3),
          'learning_rate': _THREE_RATES,
        },
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
    ),
  },
  table=table,
  figure=draw,
  numbers=_numbers,
  text="""
All hyperparameters were chosen once, on a fifth of the training samples held
out; no choice used the test samples. The learning rate falls from its initial
value to 0. The batch size, epochs, learning rate and input gain of event
recordings were chosen for the ANN with 64 ticks in the same way; their trials
are not recorded.

The best rate of the ANN, {digits_bp_rate:g} on digits and {fashion_bp_rate:g}
on Fashion-MNIST, serves `ssnn`, `rpu` and `feedback_alignment` at every T. The
two methods whose update does not estimate the gradient of BP had the same
trials. `bp_stdp` is best with the rates of the ANN ({digits_bp_stdp_rate:g} and
{fashion_bp_stdp_rate:g}), `surrogate_gradient` with
{digits_surrogate_gradient_rate:g} on both data sets; on digits this rate is
{digits_surrogate_own_minus_ann_rate} points better than the rate of the ANN. So
all methods use the rate of the ANN.

With 20 epochs on Fashion-MNIST, the best of 36 settings of the ANN has a rate
of {tuned_learning_rate:g}, dropout of {tuned_dropout:g} and a weight decay of
{tuned_weight_decay:g}; it is used in [headline](headline.md). With four hidden
layers the best rate is {784_159_159_159_159_10_rate:g}, with one to three
{784_256_10_rate:g} ([depth](depth.md)); on grey digits it is {grey_bp_rate:g}
([grey_pixels](grey_pixels.md)).
""",
)
