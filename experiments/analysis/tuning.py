"""Hyperparameters chosen on held-out samples: choice, table and figure."""

from collections.abc import Sequence

from matplotlib import figure
from matplotlib import ticker
from matplotlib.axes import Axes
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import panels
from experiments.analysis import statistics
from experiments.analysis import style

_METRIC = 'test_accuracy'
_TUNED = ('learning_rate', 'dropout', 'weight_decay')
_UNUSED = ('eval_every',)  # does not change the result of a run
_MOST_BELOW, _MOST_ABOVE = 6, 1  # points from the best that a panel shows
_OF_CURVES = ('method', 'layer_sizes', 'num_steps')


def is_tuning(runs: pd.DataFrame) -> bool:
  """Tells whether runs vary the learning rate and are evaluated held out."""
  return bool((runs['hold_out'] > 0).all()) and (
    'learning_rate' in frames.varied(runs)
  )


def pick(runs: pd.DataFrame) -> dict[str, float]:
  """Picks the learning rate of each method.

  Args:
    runs: the runs of a sweep that varies the learning rate.

  Returns:
    The learning rate of the setting with the highest mean accuracy over seeds;
    of equal ones the lowest.
  """
  found = {}
  for setting in frames.settings(runs):
    found.setdefault(frames.field(setting, 'method'), []).append(setting)
  return {
    method: frames.field(choose(settings), 'learning_rate')
    for method, settings in found.items()
  }


def choose(settings: Sequence[pd.DataFrame]) -> pd.DataFrame:
  """Chooses the setting of highest mean accuracy, then lowest learning rate."""

  def rank(setting):
    return -setting[_METRIC].mean(), frames.field(setting, 'learning_rate')

  return min(settings, key=rank)


def split(
  runs: pd.DataFrame, unused: Sequence[str] = _TUNED
) -> dict[tuple[str, ...], list[pd.DataFrame]]:
  """Splits settings by the method and all other fields that are not tuned.

  Args:
    runs: the runs of a sweep.
    unused: fields that do not split settings.

  Returns:
    The settings that compete with each other, by the values of the fields.
  """
  names = [name for name in _fields(runs) if name not in unused]
  found = {}
  for setting in frames.settings(runs):
    values = tuple(frames.describe_value(setting, name) for name in names)
    found.setdefault(values, []).append(setting)
  return found


def _fields(runs):
  fields = [name for name in frames.varied(runs) if name not in _UNUSED]
  return list(dict.fromkeys(['method', *fields]))


def table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes the table of held-out accuracies, with the best settings marked."""
  rows = []
  for settings in split(runs).values():
    best = choose(settings)
    for setting in settings:
      row = {
        name: frames.describe_value(setting, name) for name in _fields(runs)
      }
      accuracy = statistics.percent(setting)
      row['held-out accuracy'] = statistics.write(accuracy)
      row['best'] = 'best' if setting is best else ''
      rows.append(row | {'seeds': str(len(setting))})
  return [pd.DataFrame(rows)]


def draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws held-out accuracy against the learning rate.

  Args:
    runs: the runs of a sweep of which `is_tuning` holds.

  Returns:
    The figure: a panel for each value of fields such as the number of epochs,
    a curve for each method and network, best regularizers at each point.
  """
  shared = (*_OF_CURVES, *_TUNED)
  names = [name for name in _fields(runs) if name not in shared]
  groups = split(runs, shared)
  curves = [_curves(pd.concat(settings)) for settings in groups.values()]
  labels = list(dict.fromkeys(label for panel in curves for label in panel))
  looks = {label: _look(index) for index, label in enumerate(labels)}
  fig, grid = style.make(len(groups), height=3.2)
  for axes, values, panel in zip(grid, groups, curves):
    _plot(axes, panel, looks)
    title = ', '.join(f'{n} = {v}' for n, v in zip(names, values))
    axes.set_title(style.escape_mathtext(title), fontsize=style.TITLE)
    axes.set_ylabel(panels.label_accuracy(runs))
  style.legend_below(fig, grid)
  is_best = len(set(_TUNED) & set(frames.varied(runs))) > 1
  style.set_title(
    fig,
    f'{style.dataset_name(frames.field(runs, "dataset"))}, '
    f'{frames.field(runs, "hold_out"):.0%} of training held out',
    panels.describe_bars(runs),
    'circles: best rate' + is_best * '; best regularizers at each rate',
  )
  return fig


def _look(index):
  return {
    'color': (style.BLACK, *style.COLORS)[index % (len(style.COLORS) + 1)],
    'marker': style.MARKERS[index % len(style.MARKERS)],
  }


def _curves(runs: pd.DataFrame) -> dict[str, list[pd.DataFrame]]:
  """Returns the best setting at each learning rate, for each curve."""
  names = [name for name in _fields(runs) if name not in _TUNED]
  curves = {}
  for values, settings in split(runs).items():
    words = [
      f'T = {value}' if name == 'num_steps' else value
      for name, value in zip(names, values)
      if value not in ('', 'none')
    ]
    by_rate = {}
    for setting in settings:
      rate = frames.field(setting, 'learning_rate')
      by_rate.setdefault(rate, []).append(setting)
    curves[', '.join(words)] = [
      choose(by_rate[rate]) for rate in sorted(by_rate)
    ]
  return curves


def _plot(axes: Axes, curves, looks) -> None:
  """Plots the curves of a panel, and a circle around the best of each."""
  accuracies = []
  for index, (label, settings) in enumerate(curves.items()):
    rates = _rates(settings)
    curve = panels.plot_settings(
      axes, rates, settings, _METRIC, 100, label=label, **looks[label]
    )
    best = choose(settings)
    accuracies.append(statistics.percent(best).mean)
    (circle,) = axes.plot(
      frames.field(best, 'learning_rate'),
      accuracies[-1],
      'o',
      color=looks[label]['color'],
      markersize=14,
      fillstyle='none',
    )
    for drawn in (curve, circle):
      style.shift_curve(drawn, index, len(curves))
  axes.set_xscale('log')
  rates = sorted({x for listed in curves.values() for x in _rates(listed)})
  axes.set_xticks(rates, [f'{rate:g}' for rate in rates])
  axes.xaxis.set_minor_locator(ticker.NullLocator())
  axes.set_xlabel('initial learning rate')
  axes.margins(x=0.08)  # for curves that were shifted
  low, high = axes.get_ylim()
  lowest, highest = max(accuracies) - _MOST_BELOW, max(accuracies) + _MOST_ABOVE
  axes.set_ylim(max(low, lowest), min(high, highest))
  axes.grid(alpha=0.3)


def _rates(settings):
  return [frames.field(setting, 'learning_rate') for setting in settings]
