"""Measured pulse responses: curves of conductance over pulses, and their files.

A file has the columns `pulse` and `conductance`, and optionally `direction` (up
or down, or potentiation or depression), `cycle` and `device`, separated by
commas, with one row a reading, in the order of the pulses. Without `direction`,
the curves of a device alternate, up first.
"""

from collections.abc import Iterable
import os
import pathlib
import re
from typing import NamedTuple

import numpy as np

from ssnn_jax import checks
from ssnn_jax.types import UserError

_COLUMNS, _OPTIONAL = ('pulse', 'conductance'), ('direction', 'cycle', 'device')
_IS_UP = {'up': True, 'potentiation': True, 'down': False, 'depression': False}
_MIN_CHANGES = 4  # between readings of each direction of a device
_MAX_PULSES = 2**15  # of a curve
_MIN_READINGS = 20  # of a device, among which write noise makes no outlier
_CHECK_ROWS = (
  'check that the rows are in the order of the measurement, without wrong '
  'pulse numbers,'
)


class PulseCurve(NamedTuple):
  """Readings of the conductance of a device between pulses of one direction."""

  pulses: np.ndarray  #: [N] number of pulses before each reading; increasing
  conductances: np.ndarray  #: [N], in any unit
  is_up: bool  #: whether the pulses increase the conductance
  device: str = '1'  #: name of the device


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
  checks.check_file(path)
  curves, counts = [], {}
  try:
    table = pd.read_csv(path, skipinitialspace=True, dtype=str)
    # A name may be followed by a unit, as in `conductance (uS)`.
    found = [re.match('[a-z]*|$', name.strip().lower())[0] for name in table]
    is_known = set(_COLUMNS) <= set(found) <= {*_COLUMNS, *_OPTIONAL}
    if not is_known or len(set(found)) < len(found):
      raise UserError(
        f'the columns are {", ".join(table)}; expected '
        f'{" and ".join(_COLUMNS)}, and optionally {", ".join(_OPTIONAL)}, '
        'separated by commas, and numbers with decimal points.'
      )
    table.columns = found
    table['pulse'] = pd.to_numeric(table['pulse'])
    table['conductance'] = pd.to_numeric(table['conductance'])
    labels = table.reindex(columns=_OPTIONAL, fill_value='1').fillna('')
    labels = labels.apply(lambda column: column.str.strip())
    begins = (labels != labels.shift()).any(axis=1)
    begins |= table['pulse'].diff() < 0
    for _, rows in table.groupby(begins.cumsum()):
      word, _, device = labels.loc[rows.index[0]]
      counts[device] = counts.get(device, 0) + 1
      is_up = _IS_UP.get(word.lower(), counts[device] % 2 == 1)
      if 'direction' in table and word.lower() not in _IS_UP:
        raise UserError(
          f'direction is {word}; expected one of {", ".join(_IS_UP)}.'
        )
      numbers = (rows[name].to_numpy(np.float64) for name in _COLUMNS)
      curves.append(PulseCurve(*numbers, is_up, device))
    by_device(curves)
    if 'direction' not in table and not all(map(_moves, curves)):
      raise UserError(
        'curves, which begin where the pulse number restarts, do not alternate '
        f'between up and down; {_CHECK_ROWS} or, if both are right, add a '
        'column direction.'
      )
    return tuple(curves)
  except pd.errors.ParserError as error:
    raise UserError(
      f'{path} is no table of comma-separated values ({str(error).strip()}); '
      f'expected the columns {" and ".join(_COLUMNS)}, and optionally '
      f'{", ".join(_OPTIONAL)}.'
    ) from None
  except (OSError, ValueError) as error:
    raise UserError(f'{path}: {" ".join(str(error).split())}') from None


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
        'conductances in the order of the measurement, and pulse numbers that '
        f'are whole and increase, by at most {_MAX_PULSES}.'
      )
    curve = curve._replace(pulses=pulses, conductances=conductances)
    devices.setdefault(curve.device, []).append(curve)
  if not devices:
    raise UserError('there is no curve; expected up and down pulses.')
  for name, device in devices.items():
    values = np.sort(np.concatenate([curve.conductances for curve in device]))
    outlier, low, high = values[-1], values[0], values[-2]
    if values[1] - values[0] > values[-1] - values[-2]:
      outlier, low, high = values[0], values[1], values[-1]
    is_far = max(low - outlier, outlier - high) > high - low
    if is_far and len(values) >= _MIN_READINGS:
      raise UserError(
        f'device {name} has a reading of {outlier:g}, and all other readings '
        f'lie within [{low:g}, {high:g}]; correct or remove this row.'
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
          f'{word} pulses; {_CHECK_ROWS} and, only if both are right, whether '
          'up and down are exchanged.'
        )
  return devices


def _moves(curve):
  """Returns whether the conductance moves in the direction of the pulses."""
  change = np.median(curve.conductances) - curve.conductances[0]
  return change > 0 if curve.is_up else change < 0
