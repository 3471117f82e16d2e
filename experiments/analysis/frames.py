"""Data frames of results, with one row for each finished run.

A frame has a column for each field of a configuration, for each number of the
final line of a run, and `curves`: a dictionary of the quantities of its epochs.
Lists of a record are tuples in a frame. A *setting* is the runs of a frame that
differ only in their seed.
"""

from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import math
import re
from typing import Any

import numpy as np
import pandas as pd

from experiments.config import experiment
from experiments.config import grids
from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax.hardware import device_config

ERRORS = ('update_error', 'quantisation_error')
FIELDS = tuple(
  field.name
  for field in dataclasses.fields(experiment.ExperimentConfig)
  if field.name not in ('seed', 'diagnostics')  # which change no weight
)
_NOT_NUMBERS = {'event', 'config', 'environment', 'curves'}
# The line of a run has its layer sizes and window even if the configuration
# leaves them to the data set.
_RESOLVED = {'layer_sizes': 'resolved_layer_sizes', 'window': 'resolved_window'}


def from_lines(lines: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
  """Makes the frame of the lines of a record; unfinished runs are left out."""
  return from_rows(row(line) for line in lines if line['event'] == 'final')


def row(line: Mapping[str, Any]) -> dict[str, Any]:
  """Makes the row of a run.

  Args:
    line: its line in a record, with the fields that lines share.

  Returns:
    The row. `run_seconds` is the training time of the program that trained
    several runs, divided by their number.
  """
  config = experiment.complete(line['config'])
  numbers = {
    _RESOLVED.get(name, name): value
    for name, value in line.items()
    if name not in _NOT_NUMBERS and (name not in config or name in _RESOLVED)
  }
  num_seeds = max(1, line.get('seeds_at_once', 1))
  seconds = line.get('train_seconds', math.nan) / num_seeds
  values = config | numbers | {'run_seconds': seconds}
  values = {name: _hashable(value) for name, value in values.items()}
  return values | {'curves': dict(line['curves'])}


def from_rows(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
  """Makes a frame of rows; values keep their Python types where they differ."""
  rows = list(rows)
  names = {name: None for row in rows for name in row}
  columns = {name: [row.get(name) for row in rows] for name in names}
  # Names that are no Arrow strings are found several times as fast.
  return pd.DataFrame(
    {name: _series(name, values) for name, values in columns.items()},
    columns=pd.Index(list(names), dtype=object),
  )


def _series(name, values):
  series = pd.Series(values, dtype=object)
  is_numeric = name not in FIELDS + ('curves',) and all(map(_is_number, values))
  return pd.to_numeric(series) if is_numeric else series


def _is_number(value):
  return value is None or isinstance(value, int | float)


def varied(runs: pd.DataFrame) -> list[str]:
  """Lists the configuration fields in which runs differ.

  Parameters that differ only with the file of a device are left out.
  """
  columns = dict(zip(FIELDS, runs[list(FIELDS)].to_numpy(object).T))
  differing = [name for name in FIELDS if _differ(columns[name])]
  devices = columns['device']
  own_files = set(filter(device_config.is_device_path, devices))
  if not own_files:
    return differing
  # All devices without a file form one group.
  files = np.array([d if d in own_files else None for d in devices], object)
  groups = [files == file for file in (None, *own_files)]
  return [
    name
    for name in differing
    if name not in synapses.DEVICE_FIELDS
    or any(_differ(columns[name][group]) for group in groups)
  ]


def _differ(values):
  """Returns whether some values differ, as numbers or by their type."""
  distinct = dict(zip(map(id, values), values)).values()
  return len(set(map(repr, distinct))) > 1


def select(runs: pd.DataFrame, **values: Any) -> pd.DataFrame:
  """Selects runs by the values of their columns.

  Args:
    runs: a frame of runs.
    **values: the value of each column; lists of a record are tuples.

  Returns:
    The rows with these values; all rows if none is given.

  Raises:
    UserError: if no row has these values.
  """
  chosen = runs
  if values:
    rows = zip(*(runs[name] for name in values))
    own = tuple(values.values())
    chosen = runs[[row == own for row in rows]]
  if chosen.empty:
    listed = ', '.join(f'{name}={value}' for name, value in values.items())
    raise ssnn_jax.UserError(
      f'no finished run has {listed}; train this run, or give recorded values.'
    )
  return chosen


def split_baseline(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
  """Splits runs into the ANN and all others."""
  is_ann = runs['method'] == methods.ANN
  return runs[is_ann], runs[~is_ann]


def settings(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Splits runs by setting.

  Args:
    runs: a frame of runs.

  Returns:
    The runs of each setting, in order of their seeds: first the ANN, then in
    order of the varied fields.
  """
  fields = varied(runs)
  rows = zip(*(runs[name] for name in fields)) if fields else [()] * len(runs)
  positions = {}
  for position, values in enumerate(rows):
    positions.setdefault(values, []).append(position)
  seeds, chosen = runs['seed'].tolist(), runs['method'].tolist()

  def order(item):
    values, own = item
    is_ann = chosen[own[0]] == methods.ANN
    return not is_ann, [sortable(value) for value in values]

  return [
    runs.iloc[sorted(own, key=seeds.__getitem__)]
    for _, own in sorted(positions.items(), key=order)
  ]


def field(setting: pd.DataFrame, name: str) -> Any:
  """Returns the common value of a column in the runs of a setting."""
  return setting[name].iloc[0]


def describe_value(setting: pd.DataFrame, name: str) -> str:
  """Writes the value of a field, or nothing if the method ignores the field."""
  if not methods.concerns(field(setting, 'method'), name):
    return ''
  return grids.label(field(setting, name))


def find_baselines(
  compared: Iterable[pd.DataFrame], runs: pd.DataFrame
) -> list[pd.DataFrame | None]:
  """Finds the ANN that each of several settings is compared with.

  Args:
    compared: the runs of each setting.
    runs: all runs of the sweep.

  Returns:
    For each setting, the ANN with common seeds and equal values of all fields
    that affect the ANN; of several, the ANN with most equal fields. None if
    there is none.
  """
  anns = runs[runs['method'] == methods.ANN]
  rows = anns[list(FIELDS)].to_numpy(object).tolist()
  seeds, positions = anns['seed'].tolist(), {}
  for position, values in enumerate(map(tuple, rows)):
    positions.setdefault(values, []).append(position)
  found = []
  for setting in compared:
    row, own_seeds = setting.iloc[0].to_dict(), set(setting['seed'])
    own, nearest = [row[name] for name in FIELDS], (len(FIELDS) + 1, None)
    for values, chosen in positions.items():
      differing = {k for k, v, o in zip(FIELDS, values, own) if v != o}
      if (
        len(differing) < nearest[0]
        and methods.SPIKING_FIELDS.issuperset(differing - {'method'})
        and not own_seeds.isdisjoint(seeds[position] for position in chosen)
      ):
        nearest = len(differing), chosen
    chosen = nearest[1] and sorted(nearest[1], key=seeds.__getitem__)
    found.append(anns.iloc[chosen] if chosen else None)
  return found


def find_baseline(
  setting: pd.DataFrame, runs: pd.DataFrame
) -> pd.DataFrame | None:
  """Finds the ANN that a setting is compared with, as `find_baselines`."""
  (found,) = find_baselines([setting], runs)
  return found


def sortable(value: Any) -> tuple[Any, ...]:
  """Orders values of a field: None, then numbers, lists and names.

  Whole numbers within names are ordered as numbers.
  """
  if value is None:
    return 0, 0
  if isinstance(value, tuple):
    return 2, (len(value), *value)  # shallow networks first
  if isinstance(value, str):
    parts = re.split(r'(\d+)', value)
    return 3, [int(part) if part.isdigit() else part for part in parts]
  return 1, value


def _hashable(value):
  return tuple(map(_hashable, value)) if isinstance(value, list) else value
