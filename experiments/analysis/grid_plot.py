"""Generic figure of a sweep: accuracy and update error against one field."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from matplotlib import figure
import numpy as np
import pandas as pd

from experiments.analysis import frames
from experiments.analysis import grid_axis
from experiments.analysis import panels
from experiments.analysis import style
from experiments.config import methods

_LINES = ('-', '-.', ':', (0, (6, 2, 1, 2, 1, 2)))
_ANN_LINES = ('--', (0, (8, 3)), (0, (2, 2)), (0, (8, 2, 2, 2)))
_ANN_MARKERS = ('*', 'p', 'd', 'h')


class _Curve(NamedTuple):
  """Settings along the abscissa.

  Attributes:
    label: the values of the other varied fields.
    settings: the runs of each setting, in order of the abscissa.
    look: options of the curve.
  """

  label: str
  settings: list[pd.DataFrame]
  look: dict[str, Any]


def draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws accuracy and update error of a sweep against its most varied field.

  Args:
    runs: the runs of the sweep.

  Returns:
    The figure: a curve for each combination of the other varied fields, and
    the ANN in black; without update errors if there is no spiking network.
  """
  axis = grid_axis.choose(frames.settings(runs))
  ann, spiking = frames.split_baseline(runs)
  anns = _curves(ann, axis, _look if spiking.empty else _ann_look)
  curves = _curves(spiking, axis, _look)
  fig, (accuracies, *errors) = style.make(1 if spiking.empty else 2)
  if axis.field == 'method' or methods.concerns(methods.ANN, axis.field):
    curves_of_accuracy = [*anns, *curves]
  else:
    curves_of_accuracy = curves
    _plot_across(accuracies, anns)
  _plot(accuracies, curves_of_accuracy, axis, 'test_accuracy', 100)
  accuracies.set_ylabel(panels.label_accuracy(runs))
  accuracies.set_title('accuracy, by winner counts', fontsize=style.TITLE)
  for axes in errors:
    _plot(axes, curves, axis, 'update_error', 1)
    _set_errors(axes, spiking)
  for axes in (accuracies, *errors):
    grid_axis.label(axes, axis)
    if axis.is_numeric:
      axes.margins(x=0.08)  # for curves that were shifted
  style.legend_below(fig, [accuracies])
  style.set_title(fig, _describe(runs, spiking), panels.describe_bars(runs))
  return fig


def _curves(
  subset: pd.DataFrame,
  axis: grid_axis.GridAxis,
  look: Callable[[int], dict[str, Any]],
) -> list[_Curve]:
  """Splits runs by the varied fields other than the abscissa."""
  used = set(subset['method'])
  fields = [
    name
    for name in frames.varied(subset)
    if name not in (axis.field, *axis.followers)
    and any(methods.concerns(method, name) for method in used)
  ]
  parts = {}
  for setting in frames.settings(subset) if used else []:
    values = {name: frames.describe_value(setting, name) for name in fields}
    words = [
      f'{name} = {value}'
      for name, value in values.items()
      if value not in ('', 'none')
    ]
    is_ann = frames.field(setting, 'method') == methods.ANN
    if is_ann:
      words.insert(0, 'ANN')
    label = style.escape_mathtext(', '.join(words) or 'SSNN')
    parts.setdefault(label, []).append(setting)
  return [
    _Curve(
      label,
      sorted(part, key=lambda setting: grid_axis.place(axis, setting)),
      look(index),
    )
    for index, (label, part) in enumerate(parts.items())
  ]


def _look(index):
  """Varies colour and marker, and after six curves the line as well."""
  return {
    'color': style.COLORS[index % len(style.COLORS)],
    'marker': style.MARKERS[index % len(style.MARKERS)],
    'linestyle': _LINES[index // len(style.COLORS) % len(_LINES)],
  }


def _ann_look(index):
  return {
    'color': style.BLACK,
    'marker': _ANN_MARKERS[index % len(_ANN_MARKERS)],
    'linestyle': _ANN_LINES[index % len(_ANN_LINES)],
  }


def _plot(axes, curves: Sequence[_Curve], axis, metric, scale):
  """Plots a metric of each curve; categories are not connected."""
  is_spread = not axis.is_numeric and len(curves) > 1
  shifts = (
    np.linspace(-0.2, 0.2, len(curves)) if is_spread else [0] * len(curves)
  )
  for index, (curve, shift) in enumerate(zip(curves, shifts)):
    places = [grid_axis.place(axis, x) + shift for x in curve.settings]
    look = curve.look if axis.is_numeric else curve.look | {'linestyle': 'none'}
    drawn = panels.plot_settings(
      axes, places, curve.settings, metric, scale, label=curve.label, **look
    )
    if axis.is_numeric:
      style.shift_curve(drawn, index, len(curves))


def _plot_across(axes, curves):
  """Plots the ANN across the panel if the abscissa does not concern it."""
  for curve in curves:
    look = {'linestyle': curve.look['linestyle']}
    for setting in curve.settings:
      panels.plot_across(axes, setting, curve.label, alpha=0.08, **look)


def _set_errors(axes, spiking):
  errors = spiking['update_error'].dropna() if 'update_error' in spiking else []
  if len(errors) and min(errors) > 0:
    panels.set_errors(axes)
  axes.set_ylabel(panels.ERROR_LABEL)
  axes.set_title('update error', fontsize=style.TITLE)


def _describe(runs, spiking):
  names = sorted(map(style.dataset_name, set(runs['dataset'])))
  steps = set(spiking['num_steps'])
  ticks = f', T = {steps.pop()}' if len(steps) == 1 else ''
  return f'{", ".join(names)}{ticks}'
