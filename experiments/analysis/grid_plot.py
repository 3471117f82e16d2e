"""Draws the results of any sweep."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib import figure
import numpy as np

from experiments import figures
from experiments import grid_axes
from experiments import grid_summary
from experiments import sheets
from experiments import summary
from experiments.config import methods

_COLORS = (
  *(figures.BLUE, figures.ORANGE, figures.GREEN),
  *(figures.VERMILION, figures.PURPLE, figures.SKY),
)
_MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')
_LINES = ('-', '-.', ':', (0, (6, 2, 1, 2, 1, 2)))
_ANN_LINES = ('--', (0, (8, 3)), (0, (2, 2)), (0, (8, 2, 2, 2)))
_ANN_MARKERS = ('*', 'p', 'd', 'h')
_QUANTITIES = {
  'accuracy': ('test_accuracy', 100),
  'update_error': ('update_error', 1),
}


class _Curve(NamedTuple):
  label: str
  settings: list[summary.Setting]
  look: dict
  shift: float = 0.0  # along the axis, where that is of categories


def draw_grid(settings: Sequence[summary.Setting]) -> figure.Figure:
  """Draws accuracy and update error of a sweep against what it varies most.

  Args:
    settings: those of `grid_summary.group`.

  Returns:
    The figure: a curve for each combination of the other varied fields, the
    ANN in black; without update errors where there is no spiking network.
  """
  axis = grid_axes.choose(settings)
  anns, spiking = grid_summary.part(settings)
  curves = _curves(spiking, axis, _look)
  anns = _curves(anns, axis, _ann_look if spiking else _look)
  is_along = axis.field == 'method' or methods.concerns(methods.ANN, axis.field)
  sheet, panels = sheets.make(2 if spiking else 1)
  accuracies, *errors = panels
  if is_along:
    _plot(accuracies, _side_by_side([*anns, *curves], axis), axis, 'accuracy')
  else:
    _plot_across(accuracies, anns)
    _plot(accuracies, _side_by_side(curves, axis), axis, 'accuracy')
  accuracies.set_ylabel(figures.judged_on(settings))
  accuracies.set_title('accuracy, by winner counts', fontsize=sheets.TITLE)
  for axes in errors:
    _plot(axes, _side_by_side(curves, axis), axis, 'update_error')
    _set_errors(axes, spiking)
  for axes in panels:
    grid_axes.label(axes, axis)
    if axis.is_numeric:
      axes.margins(x=0.08)  # for curves that were moved
  sheets.explain_below(sheet, [accuracies])
  sheets.set_title(
    sheet, _describe(settings, spiking), summary.describe_bars(settings)
  )
  return sheet


def _curves(settings, axis, look):
  """Parts settings by the fields that vary beside the axis."""
  fields = [
    field
    for field in grid_summary.varied(settings)
    if field not in (axis.field, *axis.followers)
    and any(methods.concerns(s.config['method'], field) for s in settings)
  ]
  parts = {}
  for setting in settings:
    told = {f: grid_summary.value(setting.config, f) for f in fields}
    words = [f'{field} = {value}' for field, value in told.items() if value]
    if grid_summary.is_ann(setting):
      words.insert(0, 'ANN')
    label = sheets.as_it_is(', '.join(words) or 'SSNN')
    parts.setdefault(label, []).append(setting)
  return [
    _Curve(label, sorted(part, key=axis.place), look(index))
    for index, (label, part) in enumerate(parts.items())
  ]


def _look(index):
  """Curves differ in colour and marker, and after six in their line too."""
  return {
    'color': _COLORS[index % len(_COLORS)],
    'marker': _MARKERS[index % len(_MARKERS)],
    'linestyle': _LINES[index // len(_COLORS) % len(_LINES)],
  }


def _ann_look(index):
  return {
    'color': figures.BLACK,
    'marker': _ANN_MARKERS[index % len(_ANN_MARKERS)],
    'linestyle': _ANN_LINES[index % len(_ANN_LINES)],
  }


def _side_by_side(curves, axis):
  """Keeps curves over categories apart."""
  if axis.is_numeric or len(curves) < 2:
    return curves
  shifts = np.linspace(-0.2, 0.2, len(curves))
  return [curve._replace(shift=shift) for curve, shift in zip(curves, shifts)]


def _plot(axes, curves, axis, name):
  """Plots a quantity of each curve; categories are not connected."""
  quantity, scale = _QUANTITIES[name]
  for index, curve in enumerate(curves):
    look = (
      curve.look if axis.is_numeric else {**curve.look, 'linestyle': 'none'}
    )
    drawn = axes.errorbar(
      [axis.place(setting) + curve.shift for setting in curve.settings],
      [scale * setting.mean(quantity) for setting in curve.settings],
      [scale * setting.deviation(quantity) for setting in curve.settings],
      capsize=3,
      markersize=5,
      label=curve.label,
      **look,
    )
    if axis.is_numeric:
      sheets.move_beside(drawn, index, len(curves))


def _plot_across(axes, curves):
  """Draws the ANN across the panel, where the axis does not concern it."""
  for label, settings, look, _ in curves:
    for setting in settings:
      look = {**look, 'marker': None, 'linewidth': None}
      figures.plot_across(axes, setting, label, alpha=0.08, **look)


def _set_errors(axes, settings):
  errors = np.array([setting.mean('update_error') for setting in settings])
  if np.all(errors[~np.isnan(errors)] > 0):
    figures.set_errors(axes)
  axes.set_ylabel(figures.ERROR_LABEL)
  axes.set_title('update error', fontsize=sheets.TITLE)


def _describe(settings, spiking):
  names = sorted({sheets.name(s.config['dataset']) for s in settings})
  steps = {setting.num_steps for setting in spiking}
  ticks = f', T = {steps.pop()}' if len(steps) == 1 else ''
  return f'{", ".join(names)}{ticks}'
