"""Compact records of sweeps and measurements: one JSON object per line.

The first line is a header: the command, versions, commit and device, and all
fields that the other lines share. Each further line is a finished run (fields
of its configuration, final numbers and curves), or a measured case.
"""

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import itertools
import json
import os
import pathlib
from typing import Any
from typing import NamedTuple

import pandas as pd

from experiments.analysis import frames
from experiments.config import field
from experiments.config import lines as run_lines
from experiments.config import serialization
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax.runs import files
from ssnn_jax.runs import records

FOLDER = pathlib.Path(__file__).parent.parent / 'records'
CURVES = ('loss', 'train_accuracy', 'test_accuracy', 'eval_epochs')
_PARTS = ('environment', 'config', 'final', 'curves')


class Record(NamedTuple):
  """A compact record.

  Attributes:
    header: its first line.
    runs: one row per run or measured case.
  """

  header: dict[str, Any]
  runs: pd.DataFrame


def path(study: str, name: str) -> pathlib.Path:
  """Returns the file of a committed record."""
  return FOLDER / study / f'{name}.jsonl'


def of_sweep(
  runs: Sequence[records.Run], header: Mapping[str, Any], names: Iterable[str]
) -> list[dict[str, Any]]:
  """Makes the lines of the record of a sweep.

  Args:
    runs: its finished runs.
    header: first fields of the header: the study and the command.
    names: quantities that are kept for all epochs; other quantities keep only
      the last value.

  Returns:
    The lines: the header, and one for each run.
  """
  return _compact(header, [_line(run, {*CURVES, *names}) for run in runs])


def add(
  file: str | os.PathLike, made: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
  """Adds the runs of a sweep to those of a record.

  Args:
    file: the record of a sweep.
    made: the lines of the other runs, which replace recorded runs of equal
      configuration.

  Returns:
    The lines of the record of all runs, with its study and command.

  Raises:
    UserError: if the file is missing, damaged or no record of a sweep.
  """
  header, *lines = read_lines(file)
  if 'shared' not in header:
    raise ssnn_jax.UserError(
      f'{file} is not the record of a sweep, to which runs can be added; give '
      'another --record.'
    )
  runs = _expand(file, header, lines) + _expand(file, made[0], made[1:])
  by_config = {_key(run['config']): run for run in runs}
  return _compact(header, list(by_config.values()))


def _key(config):
  """Identifies a configuration, whatever fields its version did not have."""
  return json.dumps(serialization.complete(config), sort_keys=True)


def _compact(header, lines):
  """Moves the fields that all lines share to the header."""
  shared = {part: _shared([line[part] for line in lines]) for part in _PARTS}
  own = [
    {
      part: {k: v for k, v in line[part].items() if k not in shared[part]}
      for part in _PARTS
    }
    for line in lines
  ]
  own = [{part: v for part, v in line.items() if v} for line in own]
  return [{**header, 'num_runs': len(lines), 'shared': shared}, *own]


def _expand(file, header, lines):
  """Adds the shared fields of the header to each line, and checks the lines."""
  expanded = []
  for line in lines:
    try:
      parts = {
        part: header['shared'][part] | line.get(part, {}) for part in _PARTS
      }
    except (KeyError, TypeError) as error:
      raise _damaged(file, repr(error)) from None
    for problem in itertools.chain(
      run_lines.config_problems(parts['config']),
      checks.problems(parts['final'], run_lines.Final),
      run_lines.curve_problems(parts['curves']),
    ):
      raise _damaged(file, problem)
    expanded.append(parts)
  return expanded


def _line(run, names):
  environment, final = dict(run.events[0]), dict(run.final)
  config = {
    name: pathlib.Path(value).name if field.is_own_file(value) else value
    for name, value in environment.pop('config').items()
  }
  for name in ('event', 'method', 'dataset', 'num_steps', 'sampler', 'seed'):
    environment.pop(name, None)
    final.pop(name, None)
  curves = {
    name: values if name in names else values[-1:]
    for name, values in frames.curves(run.events).items()
  }
  return {
    'environment': environment,
    'config': config,
    'final': final,
    'curves': curves,
  }


def _shared(parts):
  """Returns the fields that have the same value in all parts."""
  return {
    name: value
    for name, value in parts[0].items()
    if all(name in part and part[name] == value for part in parts)
  }


def write(file: str | os.PathLike, lines: Iterable[Mapping[str, Any]]) -> None:
  """Writes the lines of a record, atomically, or raises `RecordError`."""
  encode = json.JSONEncoder(separators=(',', ':')).encode
  with files.convert_os_errors(file):
    pathlib.Path(file).parent.mkdir(parents=True, exist_ok=True)
  files.write_atomically(file, ''.join(f'{encode(line)}\n' for line in lines))


def read(file: str | os.PathLike) -> Record:
  """Reads a compact record, or the lines that a measurement has printed.

  Args:
    file: the file.

  Returns:
    The record.

  Raises:
    UserError: if the file is missing or damaged.
  """
  header, *lines = read_lines(file)
  if 'shared' not in header:
    return Record(header, pd.DataFrame(lines))
  rows = [
    frames.row(line['config'], line['final'], line['curves'])
    for line in _expand(file, header, lines)
  ]
  return Record(header, frames.from_rows(rows))


def read_lines(file: str | os.PathLike) -> list[dict[str, Any]]:
  """Reads a file of JSON objects, one or more, of a line each.

  Raises:
    UserError: if the file is missing or damaged.
  """
  try:
    texts = pathlib.Path(file).read_text().splitlines() or ['']
    found = list(map(checks.parse, texts))
  except (OSError, ValueError) as error:
    raise _damaged(file, error) from None
  for line in found:
    if not isinstance(line, dict):
      raise _damaged(file, f'{line} is not an object')
  return found


def read_csv(file: str | os.PathLike) -> list[dict[str, Any]]:
  """Reads the rows of a CSV file; raises a UserError if it is damaged."""
  try:
    return pd.read_csv(file).to_dict('records')
  except (OSError, ValueError) as error:
    raise _damaged(file, error) from None


def _damaged(file, reason):
  reason = getattr(reason, 'strerror', None) or reason
  return ssnn_jax.UserError(
    f'{file} is not a record ({reason}); give a file of JSON lines that '
    'experiments.collect or a measurement wrote.'
  )


def read_study(study: str) -> dict[str, Record]:
  """Reads all committed records of a study, by their names."""
  found = sorted((FOLDER / study).glob('*.jsonl'))
  return {file.stem: read(file) for file in found}


def minutes(runs: pd.DataFrame) -> float:
  """Returns the minutes of training of all runs, without compilation."""
  return float(runs['run_seconds'].sum()) / 60
