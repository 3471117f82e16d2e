"""The summary of any sweep, from records alone: a table, and a CSV file."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import csv
import dataclasses
import io
import math
import os
import pathlib
from typing import Any

import numpy as np

from experiments import summary
from experiments.config import experiment as configs
from experiments.config import grids
from experiments.config import methods
from experiments.config import serialization as config_records
from ssnn_jax.runs import files
from ssnn_jax.runs import records

FILE = 'summary.csv'
_FIELDS = [
  field.name
  for field in dataclasses.fields(configs.ExperimentConfig)
  if field.name != 'seed'
]
_HEADINGS = (
  *('accuracy', 'by potential', 'read as ANN', 'minus ANN (95 %)'),
  *('update error', 'quantisation error', 'seeds'),
)


def identity(recorded: Mapping[str, Any]) -> str:
  """Tells a configuration, recorded in whole or in part, but for its seed."""
  config = config_records.complete(recorded)
  del config['seed']
  return repr(config)


def is_ann(setting: summary.Setting) -> bool:
  """Tells whether a setting is of the ANN."""
  return setting.config['method'] == methods.ANN


def part(
  settings: Iterable[summary.Setting],
) -> tuple[list[summary.Setting], list[summary.Setting]]:
  """Parts settings of the ANN from all others."""
  settings = list(settings)
  others = [setting for setting in settings if not is_ann(setting)]
  return [setting for setting in settings if is_ann(setting)], others


def group(runs: Iterable[records.Run]) -> list[summary.Setting]:
  """Groups finished runs by configuration.

  Args:
    runs: recorded runs; those without a final line are left out.

  Returns:
    The settings, the ANN's first, in order of the varied fields; their values
    hold `train_seconds` too, the share of a run in its program's.
  """
  runs = [run for run in runs if run.final is not None]
  settings = summary.group(runs)
  add_values(settings, runs, lambda run: {'train_seconds': _share(run.final)})
  fields = varied(settings)

  def place(setting):
    values = [_sortable(setting.config[name]) for name in fields]
    return not is_ann(setting), values

  return sorted(settings, key=place)


def add_values(
  settings: Iterable[summary.Setting],
  runs: Iterable[records.Run],
  tell: Callable[[records.Run], Mapping[str, float]],
) -> None:
  """Adds what else their runs tell to the values of settings, seed by seed.

  Args:
    settings: those of the runs; they are changed.
    runs: finished runs.
    tell: makes the quantities of a run, the same ones for all runs of a
      setting.
  """
  told = {(identity(run.config), run.final['seed']): tell(run) for run in runs}
  for setting in settings:
    key = identity(setting.config)
    each = [told[key, seed] for seed in setting.seeds]
    setting.values.update(
      {name: np.array([own[name] for own in each]) for name in each[0]}
    )


def varied(settings: Sequence[summary.Setting]) -> list[str]:
  """Lists the fields in which settings differ, as a configuration has them."""
  return [
    name
    for name in _FIELDS
    if len({repr(setting.config[name]) for setting in settings}) > 1
  ]


def value(config: dict[str, Any], field: str) -> str:
  """Writes the value of a field; empty where it makes no difference."""
  is_of_use = methods.concerns(config['method'], field)
  return grids.write(config[field]) if is_of_use else ''


def baseline(
  setting: summary.Setting, settings: Iterable[summary.Setting]
) -> summary.Setting | None:
  """Finds the ANN that a setting is to be compared with.

  Args:
    setting: the setting of spiking networks.
    settings: all settings of the sweep.

  Returns:
    The ANN that shares all that concerns it and has seeds in common; where
    several do, that which shares most of the rest. None where none does.
  """

  def differing(ann):
    names = [n for n in _FIELDS if ann.config[n] != setting.config[n]]
    return [name for name in names if name != 'method']

  candidates = [
    ann
    for ann in settings
    if is_ann(ann)
    and methods.SPIKING_FIELDS.issuperset(differing(ann))
    and not set(ann.seeds).isdisjoint(setting.seeds)
  ]
  return min(candidates, key=lambda ann: len(differing(ann)), default=None)


def table(settings: Sequence[summary.Setting]) -> str:
  """Lays out the settings of a sweep as text, a line each.

  Args:
    settings: those of `group`.

  Returns:
    The table: varied fields, then means and standard deviations over seeds;
    accuracies in percent, differences in points, paired by seed.
  """
  fields = varied(settings) or ['method']
  rows = [(*fields, *_HEADINGS)]
  for setting in settings:
    labels = (value(setting.config, name) for name in fields)
    rows.append((*labels, *_results(setting, settings)))
  return summary.layout(rows)


def _results(setting, settings):
  """Writes what came out of a setting; the ANN has one accuracy, no errors."""
  percent = [
    summary.spread(setting, quantity, 100, 2) for quantity in summary.ACCURACIES
  ]
  difference, errors = '', [''] * len(summary.ERRORS)
  if is_ann(setting):
    percent[1:] = [''] * len(percent[1:])
  else:
    ann = baseline(setting, settings)
    if ann is not None:
      difference = summary.points(
        *summary.paired_difference(setting, ann, summary.ACCURACIES[0])
      )
    errors = [summary.spread(setting, name, 1, 3) for name in summary.ERRORS]
  return (*percent, difference, *errors, str(len(setting.seeds)))


def csv_text(
  runs: Iterable[records.Run], workdir: str | os.PathLike[str]
) -> str:
  """Writes the finished runs of a sweep as CSV, a row each.

  Args:
    runs: recorded runs.
    workdir: the folder that the column `folder` starts from.

  Returns:
    The varied fields of each run, its seed, the single values of its final
    line, and its folder; by order of the table's settings, then of seeds.
  """
  runs = [run for run in runs if run.final is not None]
  settings = group(runs)
  fields = varied(settings)
  places = {identity(s.config): place for place, s in enumerate(settings)}
  runs.sort(
    key=lambda run: (
      places[identity(run.config)],
      run.final['seed'],
      str(run.folder),
    )
  )
  rows = []
  for run in runs:
    config = config_records.complete(run.config)
    rows.append(
      {name: value(config, name) for name in fields}
      | {'seed': run.final['seed']}
      | {k: v for k, v in _scalars(run.final) if k not in fields}
      | {'folder': os.path.relpath(run.folder, workdir)}
    )
  names = dict.fromkeys(name for row in rows for name in row)
  names.pop('folder', None)
  text = io.StringIO()
  writer = csv.DictWriter(text, [*names, 'folder'], lineterminator='\n')
  writer.writeheader()
  writer.writerows(rows)
  return text.getvalue()


def write_csv(
  runs: Iterable[records.Run], workdir: str | os.PathLike[str]
) -> pathlib.Path:
  """Writes `csv_text` to the folder of a sweep, atomically.

  Args:
    runs: recorded runs.
    workdir: the folder of the sweep.

  Returns:
    The file.

  Raises:
    UserError: if the folder cannot be written.
  """
  path = pathlib.Path(workdir, FILE)
  files.write_atomically(path, csv_text(runs, workdir))
  return path


def _share(final):
  """A run's share, in seconds, of the program that trained it with others."""
  return final.get('train_seconds', math.nan) / final.get('seeds_at_once', 1)


def _sortable(value):
  """Orders values of a field: none, then numbers, then lists, then names."""
  if value is None:
    return 0, 0
  if isinstance(value, list):
    value = [len(value), *value]  # shallow networks first
  kinds = (int | float, list, str)
  return next(
    (n, value) for n, k in enumerate(kinds, 1) if isinstance(value, k)
  )


def _scalars(final):
  return [
    (name, value)
    for name, value in final.items()
    if name != 'event' and not isinstance(value, list | dict)
  ]
