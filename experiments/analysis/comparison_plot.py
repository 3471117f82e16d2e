"""Figures of settings compared with a baseline, with a metric in each panel."""

from collections.abc import Mapping
import pathlib
import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
import numpy as np
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis import grid_axis
from experiments.analysis import panels
from experiments.analysis import style

_WIDTH_OF_TITLE = 28  # letters in a line of the title of a panel


def draw(
  runs: pd.DataFrame,
  x: str | grid_axis.GridAxis,
  curve: str,
  metrics: comparisons.Metrics,
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
  axis, curves = _split_curves(frames.settings(drawn), x, curve)
  fig, grid = style.make(len(metrics), num_columns, sharex=num_columns == 1)
  for axes, (label, compute) in zip(grid, metrics.items()):
    _draw_panel(axes, axis, curves, runs, compute, margin)
    axes.set_ylabel(label)
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


def draw_side_by_side(
  records: Mapping[str, pd.DataFrame],
  x: str,
  curve: str,
  compute: comparisons.Metric,
  label: str,
  margins: Mapping[str, float],
) -> Figure:
  """Draws a metric of spiking networks, with a panel for each record.

  Args:
    records: the runs of each record, by its name.
    x: column of the abscissa.
    curve: column with one value a curve.
    compute: the metric.
    label: its label.
    margins: the equivalence margin of each record in points, drawn as a band.

  Returns:
    The figure; its ordinates are linear up to one point, and logarithmic above.
  """
  fig, grid = style.make(len(records), num_columns=2)
  for axes, (name, runs) in zip(grid, records.items()):
    _, spiking = frames.split_baseline(runs)
    axis, curves = _split_curves(frames.settings(spiking), x, curve)
    _draw_panel(axes, axis, curves, runs, compute, margins[name])
    style.set_signed_log(axes.yaxis)
    axes.set_ylabel(label)
    title = textwrap.fill(style.dataset_name(name), _WIDTH_OF_TITLE)
    axes.set_title(title, fontsize=style.LETTERS)
  style.legend_below(fig, grid)
  seeds = panels.describe_seeds(comparisons.join(records))
  style.set_title(
    fig,
    f'mean over {seeds}, paired with the ANN; 95 % interval; ordinates are '
    'linear up to 1 point, and logarithmic beyond',
  )
  return fig


def _draw_panel(axes: Axes, axis, curves, runs, compute, margin):
  """Draws one metric of the settings of all curves."""
  found = [
    [compute(own, frames.find_baseline(own, runs)) for own in listed]
    for listed in curves.values()
  ]
  _plot(axes, axis, curves, found)
  _set_ordinate(axes, sum(found, []), margin)
  grid_axis.label(axes, axis)
  axes.margins(x=0.1)  # for curves that are shifted


def _split_curves(settings, x, curve):
  """Returns the abscissa, and the settings of each curve in its order."""
  axis = x
  if isinstance(x, str):
    axis = _axis(x, [frames.field(own, x) for own in settings])
  curves = {}
  for own in sorted(settings, key=lambda own: grid_axis.place(axis, own)):
    curves.setdefault(frames.field(own, curve), []).append(own)
  name = 'T' if curve == 'num_steps' else curve
  return axis, {
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
    style.set_log(axes.yaxis)


def draw_lengths(runs: pd.DataFrame, margin: float) -> Figure:
  """Draws accuracy minus that of the ANN, and errors of updates, against T."""
  metrics = {'accuracy minus\nANN (points)': comparisons.minus()} | {
    name.replace('_', ' '): comparisons.mean(name) for name in frames.ERRORS
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
  metrics = {panels.label_accuracy(runs): comparisons.ACCURACY} | {
    f'{kind} / BP,\nenergies: {stem}': comparisons.mean(f'{kind}_over_bp')
    for kind in ('inference', 'learning')
  }
  return draw(
    comparisons.name_curves(spiking, 'num_steps'), 'num_steps', 'curve', metrics
  )
