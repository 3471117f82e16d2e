"""Numbers, tables and figures of settings compared with a baseline.

A metric is a function `(setting, baseline) -> number`. The baseline is the ANN,
or the setting that has other values of given fields. Frames may have
columns in addition to configuration fields, such as the name of a network.
"""

from collections.abc import Callable
from collections.abc import Mapping
import functools
import pathlib
import re
import string

from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import grid_axis
from experiments.analysis import grid_table
from experiments.analysis import panels
from experiments.analysis import statistics
from experiments.analysis import style
from experiments.config import grids
from experiments.config import methods
import ssnn_jax

Metric = Callable[[pd.DataFrame, pd.DataFrame], statistics.Number]
Metrics = Mapping[str, Metric]


def minus(column: str = 'test_accuracy') -> Metric:
  """Returns the paired difference of an accuracy, in points."""
  return functools.partial(_compare, statistics.paired_difference, column)


def ratio(column: str) -> Metric:
  """Returns the ratio of means of a column."""
  return functools.partial(_compare, statistics.ratio, column)


def _compare(compute, column, runs, base):
  if base is None:
    raise ssnn_jax.UserError(
      'there is no finished ANN to compare networks with; train the ANN.'
    )
  return compute(runs, base, column)


def mean(column: str, scale: float = 1) -> Metric:
  """Returns the mean of a column, of accuracies in percent with scale 100."""
  return lambda runs, base: statistics.over_seeds(runs, column, scale)


ACCURACY = mean('test_accuracy', 100)
DIFFERENCE = {'': minus()}


def last(values: np.ndarray) -> float:
  """Returns the last value."""
  return values[-1]


def over_epochs(
  quantity: str, choose: Callable[[np.ndarray], float] = last
) -> Metric:
  """Returns a quantity chosen over epochs, of the first layer if per layer."""

  def compute(runs, base):
    del base
    values = [
      choose(
        np.array(
          [np.ravel(value)[0] for value in curves.get(quantity, [np.nan])]
        )
      )
      for curves in runs['curves']
    ]
    return statistics.over_seeds(pd.DataFrame({quantity: values}), quantity)

  return compute


def join(records: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
  """Joins the runs of all records of a study."""
  return pd.concat(list(records.values()), ignore_index=True)


def name_curves(runs: pd.DataFrame, *others: str) -> pd.DataFrame:
  """Adds a column `curve` with all varied fields except the others, as text."""
  fields = [name for name in frames.varied(runs) if name not in others]
  labels = []
  for index in runs.index:
    run = runs.loc[[index]]
    values = {name: frames.describe_value(run, name) for name in fields}
    words = [
      f'{name} = {value}'
      for name, value in values.items()
      if value not in ('', 'none')
    ]
    is_ann = frames.field(run, 'method') == methods.ANN
    text = ', '.join(words) or ('ANN' if is_ann else 'SSNN')
    labels.append(style.escape_mathtext(text))
  return runs.assign(curve=labels)


def numbers(
  runs: pd.DataFrame, name: str, metrics: Metrics = DIFFERENCE, **baseline
) -> dict[str, statistics.Number]:
  """Compares each setting with the ANN, or with the setting of other values.

  Args:
    runs: a frame of runs; the ANN is left out if there are other methods.
    name: the name of a number, with columns and `metric` in braces.
    metrics: metrics by their names; by default accuracy differences.
    **baseline: column values of the baseline, which shares all other columns of
      `name` with the setting; by default the baseline is the ANN.

  Returns:
    The numbers by their names, in which non-alphanumeric characters are `_`.
  """
  fields = [field for _, field, *_ in string.Formatter().parse(name) if field]
  _, chosen = frames.split_baseline(runs)
  found = {}
  for setting in frames.settings(runs if chosen.empty else chosen):
    values = {x: frames.field(setting, x) for x in fields if x != 'metric'}
    if baseline:
      base = frames.select(runs, **values | baseline)
    else:
      base = frames.find_baseline(setting, runs)
    texts = {field: _write(value) for field, value in values.items()}
    for metric, compute in metrics.items():
      key = re.sub(r'\W+', '_', name.format(**texts, metric=metric))
      found[key] = compute(setting, base)
  return found


def _write(value):
  if isinstance(value, tuple) and len(value) == 1:
    (value,) = value
  return f'{value:g}' if isinstance(value, float) else grids.write(value)


def table(runs: pd.DataFrame, metrics: Metrics) -> list[pd.DataFrame]:
  """Makes the generic table with a column for each further metric."""
  made = grid_table.make(runs)
  settings = frames.settings(runs)
  for title, compute in metrics.items():
    made[title.replace('\n', ' ')] = [
      _cell(compute(setting, frames.find_baseline(setting, runs)))
      for setting in settings
    ]
  made['seeds'] = made.pop('seeds')
  return [made]


def _cell(number):
  if number.is_difference:
    return statistics.write(number)
  return statistics.write(number, ',.0f' if number.mean >= 1000 else 'both .3g')


def draw(
  runs: pd.DataFrame,
  x: str | grid_axis.GridAxis,
  curve: str,
  metrics: Metrics,
  num_columns: int = 1,
  margin: float = 0,
  ann: str = '',
) -> Figure:
  """Draws metrics of settings, compared with the ANN.

  Args:
    runs: a frame of runs.
    x: abscissa, or its column, with numbers or names.
    curve: column with one value a curve.
    metrics: metrics by the labels of their panels.
    num_columns: the number of panels in a row.
    margin: equivalence margin of differences in points, drawn as a band.
    ann: 'curve' for a curve of the ANN, 'across' for a line across the first
      panel, whose metric is an accuracy.

  Returns:
    The figure.
  """
  anns, spiking = frames.split_baseline(runs)
  drawn = runs if ann == 'curve' else spiking
  settings = frames.settings(drawn)
  axis = x
  if isinstance(x, str):
    axis = _axis(x, [frames.field(own, x) for own in settings])
  curves = _split_curves(settings, axis, curve)
  fig, grid = style.make(len(metrics), num_columns, sharex=num_columns == 1)
  for axes, (label, compute) in zip(grid, metrics.items()):
    found = [
      [compute(own, frames.find_baseline(own, runs)) for own in listed]
      for listed in curves.values()
    ]
    _plot(axes, axis, curves, found)
    _set_ordinate(axes, sum(found, []), margin)
    axes.set_ylabel(label)
    grid_axis.label(axes, axis)
    axes.margins(x=0.1)  # for curves that are shifted
  for axes in grid[:-1] if num_columns == 1 else ():
    axes.set_xlabel('')
  for own in frames.settings(anns) if ann == 'across' else ():
    panels.plot_across(grid[0], own, 'ANN', alpha=0.08)
  style.legend_below(fig, grid[:1])
  steps = set(spiking['num_steps'])
  ticks = f', T = {steps.pop()}' if len(steps) == 1 else ''
  style.set_title(
    fig,
    style.dataset_name(frames.field(runs, 'dataset')) + ticks,
    f'{panels.describe_bars(runs)}; differences: 95 % interval',
  )
  return fig


def _split_curves(settings, axis, curve):
  """Returns the settings of each curve in order of the abscissa, by labels."""
  curves = {}
  for own in sorted(settings, key=lambda own: grid_axis.place(axis, own)):
    curves.setdefault(frames.field(own, curve), []).append(own)
  name = 'T' if curve == 'num_steps' else curve
  return {
    panels.TRAINS.get(key, key)
    if isinstance(key, str)
    else f'{name} = {key}': curves[key]
    for key in sorted(curves, key=frames.sortable)
  }


def _axis(x, values):
  """Makes the abscissa of the values of a column; names keep their order."""
  values = list(dict.fromkeys(values))
  is_numeric = not isinstance(values[0], str)
  ordered = sorted(values) if is_numeric else values
  return grid_axis.GridAxis(x, ordered, is_numeric, [])


def _plot(axes: Axes, axis, curves, found):
  """Plots curves next to each other; names are not connected."""
  lines = ('-', '--', ':') if axis.is_numeric else ('none',)
  for index, (label, settings) in enumerate(curves.items()):
    dashes, color = divmod(index, len(style.COLORS))
    curve = panels.plot_numbers(
      axes,
      [grid_axis.place(axis, setting) for setting in settings],
      found[index],
      label=label,
      color=style.BLACK if label == 'ANN' else style.COLORS[color],
      marker=style.MARKERS[color],
      linestyle=lines[dashes % len(lines)],
    )
    style.shift_curve(curve, index, len(curves))


def _set_ordinate(axes: Axes, found, margin):
  """Draws the ANN, and makes the scale of positive numbers logarithmic."""
  if found[0].is_difference and margin:
    panels.shade_margin(axes, margin)
  elif found[0].is_difference or found[0].num == 0:
    at = 0 if found[0].is_difference else 1
    axes.axhline(at, color=style.BLACK, linewidth=1, label='ANN (BP)')
  means = [number.mean for number in found]
  lowest = min(x.mean - np.nan_to_num(x.deviation) for x in found)
  if not found[0].is_difference and 0 < 5 * lowest < max(means):
    axes.set_yscale('log')
    style.set_log(axes.yaxis)


def draw_lengths(runs: pd.DataFrame, margin: float) -> Figure:
  """Draws accuracy minus that of the ANN, and errors of updates, against T."""
  metrics = {'accuracy minus\nANN (points)': minus()} | {
    name.replace('_', ' '): mean(name) for name in frames.ERRORS
  }
  return draw(runs, 'num_steps', 'sampler', metrics, margin=margin)


def draw_energies(runs: pd.DataFrame, table_name: str) -> Figure:
  """Draws accuracy and the energy of a presentation against T.

  Args:
    runs: a frame of `energy.add_energies`.
    table_name: the table of energies, or its file.

  Returns:
    The figure, with a curve for each combination of varied fields other than T.
  """
  _, spiking = frames.split_baseline(runs)
  stem = style.escape_mathtext(pathlib.Path(table_name).stem)
  metrics = {panels.label_accuracy(runs): ACCURACY} | {
    f'{kind} / BP,\nenergies: {stem}': mean(f'{kind}_over_bp')
    for kind in ('inference', 'learning')
  }
  return draw(name_curves(spiking, 'num_steps'), 'num_steps', 'curve', metrics)
