"""Draws the results of any sweep."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib import figure
from matplotlib import ticker
import numpy as np

from experiments import figures
from experiments import grid_summary
from experiments import grids
from experiments import methods
from experiments import summary

# With those of `figures` Okabe and Ito's palette, but for its yellow, which is
# faint on white, and black, which is the ANN's.
_COLORS = (
  *(figures.BLUE, figures.ORANGE, figures.GREEN),
  *('#D55E00', '#CC79A7', '#56B4E9'),
)
_MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')
_LINES = ('-', '-.', ':', (0, (6, 2, 1, 2, 1, 2)))
_ANN_LINES = ('--', (0, (8, 3)), (0, (2, 2)), (0, (8, 2, 2, 2)))
_ANN_MARKERS = ('*', 'p', 'd', 'h')
_ROWS_OF_LEGEND = 16
_PANEL_WIDTH, _CHARACTER_WIDTH = 5.2, 0.075  # inches
_QUANTITIES = {
  'accuracy': ('test_accuracy', 100),
  'update_error': ('update_error', 1),
}
_UNITS = {
  'num_steps': 'spike-train length T (ticks)',
  'window': 'window n (ticks)',
  'tau': 'time constant of a membrane (ticks)',
  'gain': 'gain (error spikes per tick, for one unit of error)',
  'input_gain': 'input gain (factor)',
  'batch_size': 'batch size (samples)',
  'num_epochs': 'epochs',
  'learning_rate': 'learning rate, at first',
  'dropout': 'dropout (probability)',
  'weight_decay': 'weight decay (a step, times the learning rate)',
  'event_window': 'time cut into ticks (ms)',
  'hold_out': 'share of the training split held out',
}


class _Axis(NamedTuple):
  """The field along the abscissa, and where its values are."""

  field: str
  values: list  # in order
  is_numeric: bool

  def place(self, setting):
    value = setting.config[self.field]
    return _number(value) if self.is_numeric else self.values.index(value)


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
  axis = _choose_axis(settings)
  anns, spiking = grid_summary.part(settings)
  curves = _curves(spiking, axis, _look)
  anns = _curves(anns, axis, _ann_look)
  is_along = axis.field == 'method' or methods.concerns(methods.ANN, axis.field)
  sheet = figure.Figure(layout='constrained')
  num_panels = 2 if spiking else 1
  left, *right = sheet.subplots(ncols=num_panels, squeeze=False)[0]
  if is_along:
    _plot(left, _side_by_side([*anns, *curves], axis), axis, 'accuracy')
  else:
    _plot_across(left, anns)
    _plot(left, _side_by_side(curves, axis), axis, 'accuracy')
  left.set_ylabel(summary.judged_on(settings))
  left.set_title('accuracy, by winner counts')
  for axes in right:
    _plot(axes, _side_by_side(curves, axis), axis, 'update_error')
    _set_errors(axes, spiking)
  for axes in (left, *right):
    _set_axis(axes, axis)
  _explain(sheet, left, num_panels)
  sheet.suptitle(_title(settings, spiking))
  return sheet


def _choose_axis(settings):
  """Chooses the numeric field with most values, or else any field."""
  fields = [f for f in grid_summary.varied(settings) if f != 'method']
  found = {field: _values(settings, field) for field in fields}
  found = {field: values for field, values in found.items() if len(values) > 1}
  numeric = {
    field: sorted(values, key=_number)
    for field, values in found.items()
    if all(_number(value) is not None for value in values)
  }
  choice = numeric or found or {'method': _values(settings, 'method')}
  field = max(choice, key=lambda name: len(choice[name]))
  return _Axis(field, choice[field], bool(numeric))


def _values(settings, field):
  """Lists the values of a field where it makes a difference, each once."""
  values = []
  for setting in settings:
    value = setting.config[field]
    is_of_use = methods.concerns(setting.config['method'], field)
    if is_of_use and value not in values:
      values.append(value)
  return values


def _number(value):
  """Makes a number of a field's value, or None where it is not one."""
  if isinstance(value, list) and len(value) == 1:
    (value,) = value
  is_number = isinstance(value, int | float) and not isinstance(value, bool)
  return value if is_number else None


def _curves(settings, axis, look):
  """Parts settings by the fields that vary beside the axis."""
  fields = [
    field
    for field in grid_summary.varied(settings)
    if field != axis.field
    and any(methods.concerns(s.config['method'], field) for s in settings)
  ]
  parts = {}
  for setting in settings:
    told = {f: grid_summary.value(setting.config, f) for f in fields}
    words = [f'{field} = {value}' for field, value in told.items() if value]
    if grid_summary.is_ann(setting):
      words.insert(0, 'ANN')
    parts.setdefault(', '.join(words) or 'SSNN', []).append(setting)
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
  for curve in curves:
    look = (
      curve.look if axis.is_numeric else {**curve.look, 'linestyle': 'none'}
    )
    axes.errorbar(
      [axis.place(setting) + curve.shift for setting in curve.settings],
      [scale * setting.mean(quantity) for setting in curve.settings],
      [scale * setting.deviation(quantity) for setting in curve.settings],
      capsize=3,
      markersize=5,
      label=curve.label,
      **look,
    )


def _plot_across(axes, curves):
  """Draws the ANN across the panel, where the axis does not concern it."""
  for label, settings, look, _ in curves:
    for setting in settings:
      mean = 100 * setting.mean('test_accuracy')
      deviation = 100 * setting.deviation('test_accuracy')
      low, high = mean - deviation, mean + deviation
      axes.axhspan(low, high, color=figures.BLACK, alpha=0.08)
      axes.axhline(mean, label=label, **{**look, 'marker': None})


def _set_axis(axes, axis):
  axes.set_xlabel(_UNITS.get(axis.field, axis.field.replace('_', ' ')))
  axes.grid(alpha=0.3)
  labels = [grids.write(value) for value in axis.values]
  if not axis.is_numeric:
    axes.set_xticks(range(len(labels)), labels)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    return
  values = [_number(value) for value in axis.values]
  positive = [value for value in values if value > 0]
  if positive and max(positive) >= 10 * min(positive):
    if min(values) > 0:
      axes.set_xscale('log')
    else:
      axes.set_xscale('symlog', linthresh=min(positive))
  if len(values) <= 10:
    axes.set_xticks(values, [f'{value:g}' for value in values])
    axes.xaxis.set_minor_locator(ticker.NullLocator())


def _set_errors(axes, settings):
  errors = np.array([setting.mean('update_error') for setting in settings])
  if np.all(errors[~np.isnan(errors)] > 0):
    axes.set_yscale('log')
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ticker.FormatStrFormatter('%g'))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
  axes.set_ylabel("RMS distance from BP's gradient, relative")
  axes.set_title('update error')


def _explain(sheet, axes, num_panels):
  """Puts the legend beside the panels, where it hides nothing."""
  handles, labels = axes.get_legend_handles_labels()
  lines = [getattr(handle, 'lines', [handle])[0] for handle in handles]
  entries = dict(zip(labels, lines))
  num_columns = -(-len(entries) // _ROWS_OF_LEGEND)
  entry_width = 0.8 + _CHARACTER_WIDTH * max(map(len, labels))
  sheet.set_size_inches(
    num_panels * _PANEL_WIDTH + num_columns * entry_width, 4.6
  )
  sheet.legend(
    entries.values(),
    entries.keys(),
    loc='outside right center',
    fontsize=9,
    ncols=num_columns,
    handlelength=3.5,
  )


def _title(settings, spiking):
  names = sorted({setting.config['dataset'] for setting in settings})
  steps = {setting.num_steps for setting in spiking}
  ticks = f', T = {steps.pop()}' if len(steps) == 1 else ''
  return f'{", ".join(names)}{ticks}\n{summary.describe_bars(settings)}'
