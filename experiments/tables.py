"""The tables of committed records, cell by cell, and what else they tell."""

from collections.abc import Sequence
import functools
import json
import pathlib
import re
from typing import NamedTuple

import numpy as np

from experiments import energy
from experiments import grid_summary
from experiments import listings
from experiments import plot
from experiments import summary
import ssnn_jax
from ssnn_jax.runs import records

FOLDER = pathlib.Path(__file__).parent / 'records'


class Table(NamedTuple):
  """A table, cell by cell."""

  header: tuple[str, ...]
  rows: list[tuple[str, ...]]


def folder(record: str) -> pathlib.Path:
  """Finds the folder of a record.

  Args:
    record: its name.

  Returns:
    The folder.

  Raises:
    UserError: if there is none.
  """
  path = FOLDER / record
  if not re.fullmatch(r'[\w-]+', record) or not path.is_dir():
    raise ssnn_jax.UserError(
      f'{record} is not a record; name a folder of experiments/records.'
    )
  return path


@functools.cache
def text(record: str) -> str:
  """Makes the table of a record.

  Args:
    record: its name; `NAME by ENERGIES` for what its runs take.

  Returns:
    The table, or tables, and what is told below them.

  Raises:
    UserError: if there is no such record.
  """
  name, _, energies = record.partition(' by ')
  path = folder(name)
  if energies:
    return energy.table(path, energies).partition('\n\n')[0]
  if name in listings.TABLES:
    return listings.TABLES[name](path)
  return plot.read_record(path)[0]


@functools.cache
def tables(record: str) -> Sequence[Table]:
  """Takes the tables of a record apart, as `summary.layout` lays them out.

  Args:
    record: as of `text`.

  Returns:
    The tables.
  """
  blocks = [block.splitlines() for block in text(record).split('\n\n')]
  parted = [
    _columns([lines[0], *lines[2:]])
    for lines in blocks
    if len(lines) > 2 and set(lines[1]) == {'-'}
  ]
  return [Table(rows[0], rows[1:]) for rows in parted]


def _columns(lines):
  """Parts lines where two or more blanks are in all of them."""
  width = max(map(len, lines))
  padded = [line.ljust(width) for line in lines]
  is_blank = [set(column) == {' '} for column in zip(*padded)]
  profile = ''.join(' ' if blank else 'x' for blank in is_blank)
  starts = [0, *(gap.end() for gap in re.finditer(' {2,}', profile))]
  spans = list(zip(starts, [*starts[1:], width]))
  return [
    tuple(line[start:end].strip() for start, end in spans) for line in padded
  ]


@functools.cache
def settings(record: str) -> Sequence[summary.Setting]:
  """Reads the settings of a record of runs; none where it is of other lines."""
  return grid_summary.group(records.find(folder(record)))


@functools.cache
def facts(record: str) -> dict[str, str]:
  """Collects what a record tells as a whole.

  Args:
    record: its name; `NAME by ENERGIES` is as good.

  Returns:
    `minutes` of training in all runs, the number of `runs` and that of `seeds`
    of a setting, `device` and version of `jax`, as far as there are such; and
    what lines `NAME: ...` below the table tell.
  """
  name = record.partition(' by ')[0]
  told = dict(re.findall(r'^([^:\n]+): (.+)$', text(record), re.MULTILINE))
  found = settings(name)
  headers = list(_headers(folder(name)))
  if found:
    seconds = [np.sum(setting.values['train_seconds']) for setting in found]
    told['runs'] = str(sum(len(setting.seeds) for setting in found))
    told['seeds'] = summary.seeds(found)
    if np.isfinite(np.sum(seconds)):
      told['minutes'] = f'{np.sum(seconds) / 60:.1f}'
  for key in ('device', 'jax'):
    values = {line[key] for line in headers if key in line}
    if values:
      told[key] = ', '.join(sorted(values))
  return told


def _headers(path):
  """Finds the lines that tell where something ran."""
  for run in records.find(path):
    header = run.events[0]
    yield {'device': header['device'], 'jax': header['versions']['jax']}
  for file in path.glob('*.jsonl'):
    yield from map(json.loads, file.read_text().splitlines())
