"""Frames of runs: a row for each run, read from folders and CSV files.

A frame of runs has the fields of the configuration as text, empty where the
method ignores a field, the seed, and numbers. A *setting* is the runs that
differ in their seed only.
"""

from collections.abc import Iterable
import json
import math
import pathlib
import re
from typing import Any

import pandas as pd

from experiments.runs import config as config_lib
from experiments.runs import records
from experiments.studies import studies
import ssnn_jax
from ssnn_jax.datasets import catalog

FOLDER = pathlib.Path(__file__).parent.parent / 'results'
README = 'README'
METRICS = {
  'test_accuracy': 'accuracy',
  'test_accuracy_winner': 'winners',
  'test_accuracy_rate': 'ANN readout',
  studies.LOSS: 'loss, nats',
  'additions': 'additions a product, forward',
  'learning_additions': 'additions a product, with learning',
  'update_error': 'update error',
  'cosine': 'cosine',
  'length': 'length',
  'quantisation_error': 'quantization error',
  'ratio_to_bp': 'time, in steps of BP',
  'luts': 'LUTs',
  'block_rams': 'block RAMs',
  'multipliers': 'DSPs',
  'max_mhz': 'MHz, best seed',
  'median_mhz': 'median',
  'min_mhz': 'worst',
  'clock_mhz': 'MHz used',
  'clocks_at_first': 'clocks a sample at first',
  'clocks_per_sample': 'after an epoch',
  'samples_per_second': 'samples a second, core',
  'memory_samples_per_second': 'from SDRAM',
  'line_samples_per_second': 'over the line',
}
_OTHERS = ('test_accuracy_potential', 'flip_flops')
_OTHERS += ('median_ms', 'peak_mib', 'rounds', 'num_eval_samples')
_OTHERS += ('train_seconds', 'seeds_at_once')
_NUMBERS = ('seed', *METRICS, *_OTHERS)
# What a run was made of, which is no setting.
DIGESTS = 'params_sha256', 'data_sha256'
# Fields that change no weight, or whose values are seeds.
_UNVARIED = {'dataset', 'method', 'seed', 'diagnostics', 'eval_every'}


def read(workdir: pathlib.Path) -> pd.DataFrame:
  """Reads the finished runs of the folder of a run or sweep.

  The path may also be the file of a measurement: of JSON lines, or report.json
  of a board. Copies of a run are counted once.

  Raises:
    UserError: if there is no finished run, or two runs of the same
      configuration and seed have other weights.
  """
  if workdir.suffix == '.json':  # the report of a board
    return to_frame([json.loads(workdir.read_text())])
  if workdir.is_file():  # the last line may not be complete
    lines = workdir.read_text().rpartition('\n')[0].splitlines()
    return to_frame(x for x in map(json.loads, lines) if 'event' not in x)
  runs = {}
  for file in sorted(workdir.rglob(records.METRICS)):
    recorded = json.loads((file.parent / records.CONFIG).read_text())
    config = config_lib.DEFAULTS | recorded
    config.pop('num_seeds', None)
    for line in records.read_lines(file.parent, 'final'):
      key = json.dumps(config | {'seed': line['seed']}, sort_keys=True)
      known = runs.setdefault(key, config | line)
      if known.get('params_sha256') != line.get('params_sha256'):
        raise ssnn_jax.UserError(
          f'two runs of seed {line["seed"]} in {workdir} have the same '
          'configuration, but other weights (params_sha256); remove one.'
        )
  if not runs:
    raise ssnn_jax.UserError(
      f'{workdir} holds no finished run; wait for one, or continue it by its '
      'command.'
    )
  return to_frame(runs.values())


def to_frame(runs: Iterable[dict[str, Any]]) -> pd.DataFrame:
  """Makes the frame of runs, with fields that have an effect as text.

  The rates of a recording depend on T, which its ANN keeps.
  """
  rows = []
  for run in runs:
    method, is_recorded = run['method'], catalog.is_recorded(run['dataset'])
    row = dict(run)
    for name in run.keys() - {*_NUMBERS}:
      is_used = config_lib.concerns(method, name)
      is_used |= name == 'num_steps' and is_recorded
      row[name] = write(name, run[name] if is_used else None)
    rows.append(row)
  return _to_numbers(pd.DataFrame(rows, dtype=object))


def write(name: str, value: Any) -> str:
  """Writes the value of a field as a cell."""
  if name == 'dataset' and catalog.is_file(value):
    return pathlib.Path(value).stem
  if name in DIGESTS:
    return value[:8]  # hexadecimal digits
  if isinstance(value, list | tuple):
    return ','.join(map(str, value))
  return '' if value is None else str(value)


def _to_numbers(frame):
  """Makes numbers of the columns of numbers, and texts of all others.

  If the ANNs of a data set have one T, networks of all T are compared with it.
  """
  for name in frame:
    cells = frame[name]
    is_number = name in _NUMBERS
    frame[name] = pd.to_numeric(cells) if is_number else cells.fillna('')
  for _, anns in frame[frame['method'] == config_lib.ANN].groupby('dataset'):
    if 'num_steps' in frame and anns['num_steps'].nunique() == 1:
      frame.loc[anns.index, 'num_steps'] = ''
  return frame


def path(name: str, suffix: str = 'csv') -> pathlib.Path:
  """Returns a file of the results of a study, or the README of the project."""
  folder = FOLDER.parent.parent if name == README else FOLDER
  return folder / f'{name}.{suffix}'


def list_recorded() -> list[str]:
  """Lists the studies that have a CSV file."""
  return [name for name in studies.STUDIES if path(name).exists()]


def read_csv(name: str) -> pd.DataFrame:
  """Reads the frame of the runs of a study."""
  return _to_numbers(pd.read_csv(path(name), dtype=str, keep_default_na=False))


def to_csv(runs: pd.DataFrame, study: studies.Study) -> str:
  """Writes the runs of a study as CSV, a row for each run.

  It has the fields of its setting, its seed, its numbers, seconds to a tenth,
  and the first digits of the digests of its weights and of its data.

  Raises:
    UserError: if runs differ in a field that is no column of the study, or two
      of them have the same settings and seed.
  """
  settings = setting_fields(study)
  runs = runs.reindex(columns=list(dict.fromkeys([*settings, *runs])))
  if hidden := differing(runs, settings):
    raise ssnn_jax.UserError(
      f'runs differ in {", ".join(hidden)}, which is no column of the study; '
      'export the runs of its sweeps alone.'
    )
  seeded = runs.reindex(columns=[*settings, 'seed']).dropna(subset='seed')
  if seeded.duplicated().any():
    first = seeded[seeded.duplicated()].iloc[0]
    cells = ', '.join(f'{x}={own}' for x, own in first.items() if own != '')
    raise ssnn_jax.UserError(
      f'two runs have the same settings and seed ({cells}); leave one out.'
    )
  runs = sort(runs, study).round({'train_seconds': 1})
  numbers = [name for name in _NUMBERS if name in runs and runs[name].count()]
  digests = [x for x in DIGESTS if x in runs and runs[x].fillna('').any()]
  rows = runs[[*settings, *numbers, *digests]]
  return rows.to_csv(index=False, float_format='%.10g')


def sort(runs: pd.DataFrame, study: studies.Study) -> pd.DataFrame:
  """Sorts runs by data set, the ANN first, then by the columns of a study."""
  places = {name: place for place, name in enumerate(study.sweeps)}

  def of_row(index):
    row = runs.loc[index].fillna('')
    is_ann = row['method'] == config_lib.ANN
    cells = [order(row.get(name, '')) for name in setting_fields(study)[1:]]
    place, seed = places.get(row['dataset'], math.inf), row.get('seed', '')
    return place, row['dataset'], not is_ann, cells, seed == '', seed

  return runs.loc[sorted(runs.index, key=of_row)]


def differing(runs: pd.DataFrame, settings: list[str]) -> list[str]:
  """Lists the fields in which the runs of one setting differ."""
  known = {*settings, *_UNVARIED}
  fields = [x for x in config_lib.FIELDS if x in runs and x not in known]
  numbers = runs.groupby(settings)[fields].nunique().max() if fields else {}
  return [name for name in fields if numbers[name] > 1]


def order(cell: str) -> tuple:
  """Orders cells: empty ones, numbers by value, shorter lists first, words."""
  parts = re.split(r'(\d+(?:\.\d+)?)', cell)
  numbers = [float(x) if i % 2 else x for i, x in enumerate(parts)]
  return bool(cell), cell[:1].isalpha(), cell.count(','), numbers


def run_seconds(runs: pd.DataFrame) -> pd.Series:
  """Returns the time of training of each run, a share of that of its seeds."""
  times = runs.reindex(columns=['train_seconds', 'seeds_at_once'])
  return times['train_seconds'] / times['seeds_at_once'].fillna(1)


def setting_fields(study: studies.Study) -> list[str]:
  """Lists the fields of a setting; a study may have `method` as a column."""
  names = ['dataset', 'method', *study.columns]
  return names[:1] + names[2:] if 'method' in study.columns else names
