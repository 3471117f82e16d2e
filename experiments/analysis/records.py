"""Records as data frames, collected from sweeps and measurements.

The committed records of studies are `experiments/records/<study>/<name>.jsonl`.
"""

from collections.abc import Iterable
import os
import pathlib
import re
from typing import Any
from typing import NamedTuple

import pandas as pd

from experiments import record
from experiments import studies
from experiments.analysis import frames
from experiments.config import experiment
from experiments.config import titles
import ssnn_jax

FOLDER = pathlib.Path(__file__).parent.parent / 'records'
COLLECTED = 'record.jsonl'  # of a sweep, in its folder
# The path of an own file in a command; records keep its name.
_OWN_FILE = re.compile(r'(?<=[=,])[^=,]*?([^/=,]+\.(?:npz|json))')


class Record(NamedTuple):
  """A record.

  Attributes:
    header: its first line.
    runs: one row for each finished run, or for each case of a measurement.
  """

  header: dict[str, Any]
  runs: pd.DataFrame


def read(file: str | os.PathLike) -> Record:
  """Reads a record, or the lines that a measurement has printed.

  Raises:
    UserError: if the file is missing, or is no record.
  """
  header, lines = record.read(file)
  if 'shared' in header:
    return Record(header, frames.from_lines(record.distinct(lines)))
  return Record(header, pd.DataFrame(lines))


def read_folder(workdir: pathlib.Path) -> pd.DataFrame:
  """Returns the frame of the finished runs of a run or sweep.

  Raises:
    UserError: if there is none.
  """
  runs = frames.from_lines(record.find(workdir))
  if runs.empty:
    raise ssnn_jax.UserError(
      f'{workdir} holds no finished run; wait for one, or continue it by its '
      'command.'
    )
  return runs


def collect(workdir: pathlib.Path) -> pathlib.Path:
  """Collects the runs of a finished sweep into one record in its folder.

  The record has all epochs of loss, accuracies and the curves of the study, and
  the last value of other quantities.

  Returns:
    The file of the record, which can be committed as it is.

  Raises:
    UserError: if the folder holds no sweep, or an unfinished run.
  """
  lines, missing = record.find(workdir), record.unfinished(workdir)
  if missing:
    raise ssnn_jax.UserError(
      f'{workdir} holds {len(missing)} unfinished runs, as {missing[0].name}; '
      'repeat the command of the sweep to finish it.'
    )
  sweep = record.read_sweep(workdir)
  dataset = experiment.slug(lines[0]['config']['dataset'])
  header = {'study': sweep.get('study'), 'record': dataset}
  header['title'] = titles.title(dataset)
  if 'command' in sweep:
    header['command'] = _OWN_FILE.sub(r'\1', sweep['command'])
  curves = studies.load(header['study']).curves if header['study'] else ()
  file = workdir / COLLECTED
  record.write(file, header, record.keep_curves(lines, curves))
  return file


def collect_lines(
  paths: Iterable[pathlib.Path], study: str, name: str
) -> record.Record:
  """Collects the lines that measurements have printed.

  Args:
    paths: files of JSON lines, or of CSV.
    study: the study.
    name: name of the record.

  Returns:
    The header and the other lines of their record.

  Raises:
    UserError: if there is no such study, or a file is missing or damaged.
  """
  studies.load(study)
  header, lines = {'study': study, 'record': name}, []
  for file in paths:
    if file.suffix == '.csv':
      lines += pd.read_csv(file).to_dict('records')
      continue
    environment, own = record.read(file)
    environment['command'] = _OWN_FILE.sub(r'\1', environment['command'])
    header.setdefault('environments', []).append(environment)
    lines += own
  return record.Record(header, lines)


def commit(
  made: record.Record, *, overwrite: bool = False, add: bool = False
) -> pathlib.Path:
  """Writes a record to its study.

  Args:
    made: the record, whose header has its study and name.
    overwrite: whether it replaces a record of this name.
    add: whether its runs are added to a record of this name, in which they
      replace those of equal configuration and seed.

  Returns:
    The file of the record.

  Raises:
    UserError: if the record exists, and is neither replaced nor a sweep's.
  """
  header, lines = made
  if pathlib.Path(header['record']).name != header['record']:
    raise ssnn_jax.UserError(
      f'--record={header["record"]} is a path; give a name.'
    )
  target, is_sweep = path(header['study'], header['record']), 'shared' in header
  if add and (overwrite or not is_sweep):
    raise ssnn_jax.UserError(
      '--add is for the runs of a sweep, and excludes --lines and --overwrite; '
      'leave them out.'
    )
  if add:
    header, known = record.read(target)
    lines = list({record.key(line): line for line in (*known, *lines)}.values())
  elif target.exists() and not overwrite:
    raise ssnn_jax.UserError(
      f'{target} exists; give --overwrite to replace the record, --add to add '
      'runs to it, or another --record.'
    )
  if is_sweep:
    record.write(target, header, lines)
  else:
    record.write_lines(target, [header, *lines])
  return target


def path(study: str, name: str) -> pathlib.Path:
  """Returns the file of a committed record."""
  return FOLDER / study / f'{name}.jsonl'


def read_study(study: str) -> dict[str, Record]:
  """Reads all committed records of a study, by their names."""
  found = sorted((FOLDER / study).glob('*.jsonl'))
  return {file.stem: read(file) for file in found}


def minutes(runs: pd.DataFrame) -> float:
  """Returns the minutes of training of all runs, without compilation."""
  return float(runs['run_seconds'].sum()) / 60
