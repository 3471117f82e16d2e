"""Measured pulse responses: curves of conductance over pulses, and their files.

A file has the columns `pulse` and `conductance`, and optionally `direction` (up
or down, or potentiation or depression), `cycle` and `device`, separated by
commas, with one row a reading, in the order of the pulses. Without `direction`,
the curves of a device alternate, up first.
"""

import collections
from collections.abc import Iterable
import csv
import os
import pathlib
import re
from typing import NamedTuple

import numpy as np

from ssnn_jax.types import UserError

_COLUMNS, _OPTIONAL = ('pulse', 'conductance'), ('direction', 'cycle', 'device')
_IS_UP = {'up': True, 'potentiation': True, 'down': False, 'depression': False}
_MIN_CHANGES = 4  # between readings of each direction of a device
_MAX_PULSES = 2**15  # of a curve
_MIN_READINGS = 20  # of a device, among which write noise makes no outlier
_CHECK = 'check that the rows are in the order of the measurement,'


class PulseCurve(NamedTuple):
  """Readings of the conductance of a device between pulses of one direction."""

  pulses: np.ndarray  #: [N] number of pulses before each reading; increasing
  conductances: np.ndarray  #: [N], in any unit
  is_up: bool  #: whether the pulses increase the conductance
  device: str = '1'  #: name of the device


def read_pulse_csv(path: str | os.PathLike) -> tuple[PulseCurve, ...]:
  """Reads the curves of a CSV file, with the columns of this module, in order.

  Raises a `UserError` if the file is missing, or is no pulse response.
  """
  path = pathlib.Path(path).expanduser()
  try:
    with path.open(newline='', encoding='utf-8-sig') as file:
      curves = _split_curves(csv.reader(file, skipinitialspace=True))
    by_device(curves)
  except (OSError, ValueError, csv.Error) as error:
    raise UserError(f'{path}: {error}') from None
  return curves


def _split_curves(reader):
  """Returns the curves of the rows of a file."""
  header, groups, last = next(reader, []), [], None
  # A name may be followed by a unit, as in `conductance (uS)`.
  names = [re.match('[a-z]*', name.strip().lower())[0] for name in header]
  is_known = set(_COLUMNS) <= set(names) <= {*_COLUMNS, *_OPTIONAL}
  if not is_known or len(set(names)) < len(names):
    raise UserError(
      f'the columns are {", ".join(header) or "missing"}; expected '
      f'{" and ".join(_COLUMNS)}, and optionally {", ".join(_OPTIONAL)}, '
      'separated by commas, and numbers with decimal points.'
    )
  for cells in filter(None, reader):
    try:
      row = dict(zip(names, map(str.strip, cells), strict=True))
      reading = [float(row[name]) for name in _COLUMNS]
    except ValueError:
      raise UserError(
        f'line {reader.line_num} is {",".join(cells)}; expected a value '
        f'of each column, and numbers of {" and ".join(_COLUMNS)}.'
      ) from None
    labels = [row.get(name, '') for name in _OPTIONAL]
    if not groups or labels != groups[-1][0] or reading[0] < last:
      groups.append((labels, []))
    groups[-1][1].append(reading)
    last = reading[0]
  curves, counts = [], collections.Counter()
  for (word, _, device), rows in groups:
    if 'direction' not in names:
      word = 'down' if counts[device] % 2 else 'up'
    if word.lower() not in _IS_UP:
      raise UserError(
        f'direction is {word}; expected one of {", ".join(_IS_UP)}.'
      )
    counts[device] += 1
    is_up = _IS_UP[word.lower()]
    curves.append(PulseCurve(*np.array(rows).T, is_up, device or '1'))
  if 'direction' not in names and not all(map(_moves, curves)):
    by_device(curves)
    raise UserError(
      'curves, which begin where the pulse number restarts, do not alternate '
      f'between up and down; {_CHECK} or add a column direction.'
    )
  return tuple(curves)


def by_device(curves: Iterable[PulseCurve]) -> dict[str, list[PulseCurve]]:
  """Returns the curves of each device by its name.

  Raises a UserError if they are too short, or no pulse response.
  """
  devices = {}
  for curve in curves:
    pulses, conductances = np.array(curve[:2], np.float64)
    gaps = np.diff(pulses)
    is_valid = np.isfinite(conductances).all() and not (pulses % 1).any()
    if not is_valid or not (gaps > 0).all() or gaps.sum() > _MAX_PULSES:
      raise UserError(
        f'device {curve.device} has a curve of the pulses {pulses[0]:g} to '
        f'{pulses[-1]:g} that is no pulse response; expected finite '
        'conductances, and pulse numbers that are whole and increase, by at '
        f'most {_MAX_PULSES}.'
      )
    curve = curve._replace(pulses=pulses, conductances=conductances)
    devices.setdefault(curve.device, []).append(curve)
  if not devices:
    raise UserError('there is no curve; expected up and down pulses.')
  for name, device in devices.items():
    values = np.sort(np.concatenate([curve.conductances for curve in device]))
    first, last = values[1] - values[0], values[-1] - values[-2]
    others = values[:-1] if last > first else values[1:]
    if max(first, last) > np.ptp(others) and len(values) >= _MIN_READINGS:
      raise UserError(
        f'device {name} has a reading far from all others, which lie within '
        f'[{others[0]:g}, {others[-1]:g}]; correct or remove this row.'
      )
    for is_up, word in ((True, 'up'), (False, 'down')):
      same = [curve for curve in device if curve.is_up == is_up]
      number = sum(len(curve.pulses) - 1 for curve in same)
      if number < _MIN_CHANGES:
        raise UserError(
          f'device {name} has curves of {number + len(same)} readings of '
          f'{word} pulses; expected {_MIN_CHANGES + 1} or more.'
        )
      if 2 * sum(map(_moves, same)) <= len(same):
        raise UserError(
          f'the conductance of device {name} does not move {word} during '
          f'{word} pulses; {_CHECK} and whether up and down are exchanged.'
        )
  return devices


def _moves(curve):
  """Returns whether the conductance moves in the direction of the pulses."""
  change = np.median(curve.conductances) - curve.conductances[0]
  return change > 0 if curve.is_up else change < 0
