"""Measured pulse responses: curves of conductance over pulses, and their files.

A file has the columns `pulse` and `conductance`, and optionally `direction` (up
or down, or potentiation or depression), `cycle` and `device`, with one row a
reading, in the order of the pulses. Without `direction`, the curves of a device
alternate, up first.
"""

from collections.abc import Iterable
from collections.abc import Sequence
import os
import pathlib
import re
from typing import NamedTuple

import numpy as np

from ssnn_jax.types import UserError

MIN_READINGS = 5  # of each direction of a device
_MAX_BYTES, _MAX_PULSES = 2**26, 2**15  # of a file, and of a curve
_COLUMNS = ('pulse', 'conductance')
_OPTIONAL = ('direction', 'cycle', 'device')
_IS_UP = {'up': True, 'potentiation': True, 'down': False, 'depression': False}
_DIRECTIONS = {True: 'up', False: 'down'}


class PulseCurve(NamedTuple):
  """Readings of the conductance of a device between pulses of one direction."""

  pulses: np.ndarray  # [N] number of pulses before each reading; increasing
  conductances: np.ndarray  # [N], in any unit
  is_up: bool  # whether the pulses increase the conductance
  device: str = '1'  # name of the device


def read_pulse_csv(path: str | os.PathLike) -> tuple[PulseCurve, ...]:
  """Reads the curves of a CSV file.

  Args:
    path: the file, with the columns of this module.

  Returns:
    The curves, in the order of the file.

  Raises:
    UserError: if the file is missing, or its contents are no pulse response.
  """
  import pandas as pd  # imported late: half a second

  path = pathlib.Path(path).expanduser()
  try:
    if path.stat().st_size > _MAX_BYTES:
      raise ValueError(f'larger than {_MAX_BYTES >> 20} MiB')
    table = pd.read_csv(path, skipinitialspace=True, dtype=str)
  except (OSError, ValueError) as error:
    reason = getattr(error, 'strerror', None) or ' '.join(str(error).split())
    raise UserError(
      f'{path} cannot be read as CSV ({reason}); give a file with the columns '
      f'{" and ".join(_COLUMNS)}.'
    ) from None
  # A name may be followed by a unit, as in `conductance (uS)`.
  table.columns = [
    re.match('[a-z]*', str(name).strip().lower())[0] or name
    for name in table.columns
  ]
  names = list(table.columns)
  missing = [name for name in _COLUMNS if name not in names]
  unknown = [name for name in names if name not in _COLUMNS + _OPTIONAL]
  if missing or unknown or len(set(names)) < len(names):
    raise UserError(
      f'{path} has the columns {", ".join(names)}; expected '
      f'{" and ".join(_COLUMNS)}, and optionally {", ".join(_OPTIONAL)}.'
    )
  try:
    return check(_split(table, pd))
  except UserError as error:
    raise UserError(f'{path}: {error}') from None


def _split(table, pd):
  """Splits a table into curves where a pulse number restarts."""
  numbers = {
    name: pd.to_numeric(table[name], errors='coerce').to_numpy(np.float64)
    for name in _COLUMNS
  }
  for name, values in numbers.items():
    for row in np.flatnonzero(~np.isfinite(values)):
      raise UserError(
        f'{name} is {table[name][row]} in row {row + 1}; expected a number.'
      )
  labels = {name: _labels(table, name) for name in _OPTIONAL}
  pulses, directions = numbers['pulse'], labels['direction']
  for word in directions if 'direction' in table else ():
    if word.lower() not in _IS_UP:
      raise UserError(
        f'direction is {word}; expected up or down, or potentiation or '
        'depression.'
      )
  begins = np.ones(len(table), bool)
  begins[1:] = pulses[1:] < pulses[:-1]
  for values in labels.values():
    begins[1:] |= values[1:] != values[:-1]
  curves, counts = [], {}
  rows = np.split(np.arange(len(table)), np.flatnonzero(begins)[1:])
  for part in rows if len(table) else ():
    device, word = labels['device'][part[0]], directions[part[0]].lower()
    index = counts[device] = counts.get(device, -1) + 1
    is_up = _IS_UP.get(word, index % 2 == 0)
    conductances = numbers['conductance'][part]
    curves.append(PulseCurve(pulses[part], conductances, is_up, device))
  if 'direction' not in table:
    _check_alternation(curves)
  return curves


def _labels(table, name):
  """Returns the texts of an optional column."""
  if name not in table:
    return np.full(len(table), '1', object)
  return table[name].fillna('').str.strip().to_numpy(object)


def _check_alternation(curves):
  """Checks that curves without a direction alternate, up first."""
  for curve in curves:
    numbers = sum(other.device == curve.device for other in curves)
    if numbers % 2 or not _moves(curve):
      raise UserError(
        'the curves of a device, which begin where the pulse number restarts, '
        'do not alternate between up and down; add a column direction.'
      )


def _moves(curve):
  """Returns whether the conductance moves in the direction of the pulses."""
  third = max(len(curve.pulses) // 3, 1)
  conductances = np.asarray(curve.conductances, np.float64)
  change = conductances[-third:].mean() - conductances[:third].mean()
  return change > 0 if curve.is_up else change < 0


def check(curves: Iterable[PulseCurve]) -> tuple[PulseCurve, ...]:
  """Checks that curves can be fitted.

  Args:
    curves: the curves of all devices.

  Returns:
    The curves, with NumPy arrays of int64 pulses and float64 conductances.

  Raises:
    UserError: if there are too few readings, or readings are no pulse response.
  """
  curves = tuple(_check_curve(curve) for curve in curves)
  if not curves:
    raise UserError('there is no curve; give readings of up and down pulses.')
  for device in by_device(curves).values():
    _check_device(device)
  return curves


def by_device(curves: Iterable[PulseCurve]) -> dict[str, list[PulseCurve]]:
  """Returns the curves of each device by its name."""
  found = {}
  for curve in curves:
    found.setdefault(curve.device, []).append(curve)
  return found


def _check_curve(curve):
  """Checks the numbers of a curve."""
  pulses = np.asarray(curve.pulses, np.float64)
  conductances = np.asarray(curve.conductances, np.float64)
  name = f'a curve of device {curve.device}'
  if pulses.ndim != 1 or pulses.shape != conductances.shape or not pulses.size:
    raise UserError(
      f'{name} has pulses of shape {pulses.shape} and conductances of shape '
      f'{conductances.shape}; expected two equal lengths, 1 or more.'
    )
  if not np.isfinite([pulses, conductances]).all():
    raise UserError(f'{name} has infinite values or NaN; leave them out.')
  if (pulses != np.round(pulses)).any() or np.ptp(pulses) > _MAX_PULSES:
    raise UserError(
      f'{name} has the pulse numbers {pulses.min():g} to {pulses.max():g}; '
      f'expected whole numbers that differ by at most {_MAX_PULSES}.'
    )
  if (np.diff(pulses) <= 0).any():
    where = int(np.argmax(np.diff(pulses) <= 0))
    raise UserError(
      f'{name} has pulse {pulses[where + 1]:g} after pulse {pulses[where]:g}; '
      'pulse numbers must increase, without repetition.'
    )
  pulses = pulses.astype(np.int64)
  return PulseCurve(pulses, conductances, bool(curve.is_up), curve.device)


def _check_device(curves: Sequence[PulseCurve]):
  """Checks that the curves of a device move up and down."""
  name = f'device {curves[0].device}'
  for is_up, word in _DIRECTIONS.items():
    same = [curve for curve in curves if curve.is_up == is_up]
    number = sum(len(curve.pulses) - 1 for curve in same)
    if number + len(same) < MIN_READINGS or number < MIN_READINGS - 1:
      raise UserError(
        f'{name} has {number + len(same)} readings of {word} pulses; expected '
        f'curves of {MIN_READINGS} or more.'
      )
    values = np.concatenate([curve.conductances for curve in same])
    if not np.ptp(values) > 1e-9 * np.abs(values).max():
      raise UserError(
        f'{name} has a constant conductance during {word} pulses; expected a '
        'conductance that changes.'
      )
    if 2 * sum(map(_moves, same)) <= len(same):
      raise UserError(
        f'{name} has a conductance that moves against its {word} pulses; '
        'exchange up and down.'
      )
