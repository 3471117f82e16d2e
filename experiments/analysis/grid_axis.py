"""Abscissa of the generic figure of a sweep: one of the varied fields."""

from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from matplotlib import ticker
from matplotlib.axes import Axes
import pandas as pd

from experiments.analysis import frames
from experiments.config import grids
from experiments.config import methods

_UNITS = {
  'num_steps': 'spike-train length T (ticks)',
  'window': 'window n (ticks)',
  'settle': 'ticks before votes',
  'tau': 'time constant of a membrane (ticks)',
  'gain': 'gain (error spikes per tick, for one unit of error)',
  'input_gain': 'input gain (factor)',
  'batch_size': 'batch size (samples)',
  'num_epochs': 'epochs',
  'learning_rate': 'initial learning rate',
  'dropout': 'dropout (probability)',
  'weight_decay': 'weight decay (per step, times learning rate)',
  'event_window': 'time cut into ticks (ms)',
  'hold_out': 'share of the training split held out',
  'layer_sizes': 'hidden layers (number × neurons)',
}
_MOST_LETTERS = 45  # of all horizontal tick labels


class GridAxis(NamedTuple):
  """The field along the abscissa.

  Attributes:
    field: its name.
    values: its values, in order.
    is_numeric: whether the values are numbers; otherwise categories.
    followers: other fields that are functions of this field.
  """

  field: str
  values: list[Any]
  is_numeric: bool
  followers: list[str]


def place(axis: GridAxis, setting: pd.DataFrame) -> float:
  """Returns the place of a setting along an axis."""
  value = frames.field(setting, axis.field)
  if axis.is_numeric:
    return _number(axis.field, value)
  return axis.values.index(value)


def choose(settings: Sequence[pd.DataFrame]) -> GridAxis:
  """Chooses the field of the abscissa, a numeric field if there is any.

  Priority has the depth of networks, or a field that determines other fields,
  such as a batch size with a proportional learning rate; then the field with
  most values.

  Args:
    settings: the runs of each setting of a sweep.

  Returns:
    The axis; of methods if no other field varies.
  """
  fields = [f for f in frames.varied(pd.concat(settings)) if f != 'method']
  found = {field: _values(settings, field) for field in fields}
  found = {field: values for field, values in found.items() if len(values) > 1}
  numeric = {
    field: sorted(values, key=lambda value: _number(field, value))
    for field, values in found.items()
    if _are_numbers(field, values)
  }
  choice = numeric or found or {'method': _values(settings, 'method')}
  followers = {field: _followers(settings, field, found) for field in choice}

  def rank(field):
    is_depth = field == 'layer_sizes' and len(choice[field]) > 2
    leads = bool(numeric) and (is_depth or bool(followers[field]))
    return leads, len(choice[field])

  field = max(choice, key=rank)
  return GridAxis(field, choice[field], bool(numeric), followers[field])


def _followers(settings, field, others):
  """Lists the other fields whose values are a function of a field's."""

  def follows(other):
    images = {}
    for setting in settings:
      concerned = [
        methods.concerns(frames.field(setting, 'method'), name)
        for name in (field, other)
      ]
      if concerned == [False, True]:
        return False
      if all(concerned):
        value, image = (
          repr(frames.field(setting, name)) for name in (field, other)
        )
        images.setdefault(value, set()).add(image)
    return all(len(image) == 1 for image in images.values())

  return [other for other in others if other != field and follows(other)]


def _values(settings, field):
  """Lists the distinct values of a field that affect their method."""
  values = []
  for setting in settings:
    value = frames.field(setting, field)
    is_used = methods.concerns(frames.field(setting, 'method'), field)
    if is_used and value not in values:
      values.append(value)
  return values


def _are_numbers(field, values):
  """Returns whether the values are distinct numbers."""
  numbers = [_number(field, value) for value in values]
  return None not in numbers and len(set(numbers)) == len(numbers)


def _number(field, value):
  """Returns the value of a field as a number, or None if it is none."""
  if field == 'layer_sizes' and value is not None:
    return len(value) - 2  # hidden layers
  if isinstance(value, tuple) and len(value) == 1:
    (value,) = value
  is_number = isinstance(value, int | float) and not isinstance(value, bool)
  return value if is_number else None


def _tick_label(field, value, is_numeric):
  if field == 'layer_sizes' and value is not None:
    hidden = value[1:-1]
    if len(hidden) > 1 and len(set(hidden)) == 1:
      return f'{len(hidden)} × {hidden[0]}'
    return grids.write(hidden) or '0'
  return f'{_number(field, value):g}' if is_numeric else grids.label(value)


def label(axes: Axes, axis: GridAxis) -> None:
  """Labels the abscissa of a panel, with a tick at each value.

  Args:
    axes: the panel.
    axis: its abscissa.
  """
  name = _UNITS.get(axis.field, axis.field.replace('_', ' '))
  if axis.followers:
    names = ', '.join(axis.followers).replace('_', ' ')
    name += f',\nwhich also sets the {names}'
  axes.set_xlabel(name)
  axes.grid(alpha=0.3)
  labels = [
    _tick_label(axis.field, value, axis.is_numeric) for value in axis.values
  ]
  if not axis.is_numeric:
    look = {}
    if sum(map(len, labels)) > _MOST_LETTERS:
      look = {'rotation': 30, 'ha': 'right', 'rotation_mode': 'anchor'}
    axes.set_xticks(range(len(labels)), labels, **look)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    return
  values = [_number(axis.field, value) for value in axis.values]
  positive = [value for value in values if value > 0]
  if positive and max(positive) >= 10 * min(positive):
    if min(values) > 0:
      axes.set_xscale('log')
    else:
      axes.set_xscale('symlog', linthresh=min(positive))
  if len(values) <= 10:
    axes.set_xticks(values, labels)
    axes.xaxis.set_minor_locator(ticker.NullLocator())
