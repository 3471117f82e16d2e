"""Repetition of recorded runs of studies, in a given time.

A number is *equal* to the recorded one if all its digits are, and the digest of
the weights. Other processors and versions of jax round in other ways; then it
should be *within* the interval of a further seed of the setting: of S recorded
seeds, Student's

  mean +- t(S - 1) s sqrt(1 + 1 / S),

where s of accuracies is at least one test sample. If all numbers come from such
seeds, the probability that any is *outside* is 5 % (Bonferroni).
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import dataclasses
import math
import pathlib
import tempfile
import time
from typing import Any

import pandas as pd
from scipy import special

from experiments import config as config_lib
from experiments import results
from experiments import studies
from experiments import train
from experiments.config import ExperimentConfig
import ssnn_jax
from ssnn_jax import datasets

_LEVEL = 0.05
_GROUP = ['study', 'dataset']


def repeat(
  names: Iterable[str],
  list_settings: Callable[[str, str, str], list[ExperimentConfig]],
  given: Mapping[str, Any],
  options: config_lib.Options,
  seconds: float,
  seed: int,
) -> bool:
  """Trains recorded runs again, and prints their numbers and the new ones.

  Args:
    names: studies; their measurements are left out.
    list_settings: from a study, a data set, and its name or file to the
      configurations of the sweeps.
    given: values of columns that the runs have.
    options: of training.
    seconds: time in which runs are begun, if they would end by their record.
    seed: of the order in which runs are chosen.

  Returns:
    Whether no number is outside its interval.

  Raises:
    UserError: if no run is repeated.
  """
  runs = pd.concat([_read(name, given) for name in names], ignore_index=True)
  groups = dict.fromkeys(zip(*map(runs.get, _GROUP)))
  began, missing, pairs = time.monotonic(), set(), []
  for row in _order(runs, seconds, seed).to_dict('records'):
    group = row['study'], row['dataset']
    is_late = time.monotonic() - began + row['seconds'] > seconds
    if is_late or group in missing:
      continue
    try:
      new = _train(row, list_settings, options)
    except ssnn_jax.UserError as error:
      missing.add(group)
      print(f'{", ".join(group)}: {error}', flush=True)
      continue
    print(_describe(row), flush=True)
    for metric in studies.load(row['study']).metrics:
      if metric in new and pd.notna(row.get(metric)):
        pairs.append((row, new, metric))
  if not pairs:
    raise ssnn_jax.UserError(
      'no run was repeated; give more minutes by --quick, or flags of fields '
      'that runs with a recorded time have.'
    )
  level = 1 - _LEVEL / (2 * len(pairs))
  lines = pd.DataFrame([_compare(runs, *pair, level) for pair in pairs])
  done = {tuple(map(row.get, _GROUP)) for row, *_ in pairs}
  for group in groups:
    if group not in done | missing:
      print(f'{", ".join(group)}: not repeated in this time')
  print(results.write_table(lines))
  return not (lines['result'] == 'outside').any()


def list_cells(
  study: studies.Study,
  configs: Iterable[ExperimentConfig],
  dataset: datasets.Dataset,
) -> list[tuple[str, ...]]:
  """Lists the cells of settings in the CSV file of a study."""
  lines = []
  for config in configs:
    network = config_lib.network_config(config, dataset)
    lines.append(config_lib.to_json(config) | train.describe(config, network))
  fields = results.setting_fields(study)
  return [*results.to_frame(lines)[fields].itertuples(index=False, name=None)]


def _read(name, given):
  """Reads the runs of a study that have the given fields, and their times."""
  runs = results.read_csv(name)
  runs = runs.reindex(columns=[*dict.fromkeys([*runs, 'seed', *given])])
  for field, value in given.items():
    runs = runs[runs[field] == results.write(field, value)]
  each = runs.get('train_seconds', math.nan) / runs.get('seeds_at_once', 1)
  cells = runs[results.setting_fields(studies.load(name))]
  setting = list(cells.itertuples(index=False, name=None))
  runs = runs.assign(study=name, seconds=each, setting=setting)
  return runs.dropna(subset='seed')


def _order(runs, seconds, seed):
  """Orders runs at random, so that studies and their data sets take turns.

  Runs that take longer than a share of the time are the last of their group.
  """
  runs = runs.dropna(subset='seconds').sample(frac=1, random_state=seed)
  share = seconds / max(1, runs.groupby(_GROUP).ngroups)
  excess = (runs['seconds'] - share).clip(lower=0).sort_values(kind='stable')
  turn = runs.loc[excess.index].groupby(_GROUP).cumcount()
  return runs.assign(turn=turn).sort_values(['turn', 'seconds'])


def _train(row, list_settings, options):
  """Trains a run again; returns its numbers."""
  study, dataset = studies.load(row['study']), row['dataset']
  file = pathlib.Path(options.data_dir, f'{dataset}.npz')
  source = str(file) if file.exists() else dataset
  load = lambda config: train.load(config, options.data_dir, options.download)
  configs = list_settings(row['study'], dataset, source)
  settings = list_cells(study, configs, load(configs[0]))
  config = configs[settings.index(row['setting'])]
  config = dataclasses.replace(config, seed=int(row['seed']))
  with tempfile.TemporaryDirectory() as folder:
    task = train.Task(config, 1, pathlib.Path(folder, 'run'))
    train.train(task, load(config), options)
    (new,) = results.read(task.folder).to_dict('records')
  return new


def _describe(row):
  """Describes a run by its study and setting, and its seed."""
  fields = results.setting_fields(studies.load(row['study']))
  texts = [f'{x}={row[x]}' for x in fields if x != 'dataset' and row[x]]
  words = [row['study'], row['dataset'], *texts, f'seed={row["seed"]:g}']
  return ', '.join(words)


def _compare(runs, row, new, metric, level):
  """Returns the line of a number, whose interval has the level at each end."""
  is_same = runs['setting'].map(lambda cells: cells == row['setting'])
  seeds = runs.loc[is_same & (runs['study'] == row['study']), metric]
  deviation, half_width = seeds.std(), math.inf
  if metric.startswith('test_accuracy'):
    deviation = max(deviation, 1 / row['num_eval_samples'])
  if len(seeds) > 1:
    quantile = special.stdtrit(len(seeds) - 1, level)
    half_width = quantile * deviation * math.sqrt(1 + 1 / len(seeds))
  result = 'outside'
  if abs(new[metric] - seeds.mean()) <= half_width:
    result = 'within'
  texts = [f'{run[metric]:.10g}' for run in (row, new)]
  digests = [run.get('params_sha256') for run in (row, new)]
  if texts[0] == texts[1] and digests[0] == digests[1]:
    result = 'equal'
  return {
    'result': result,
    'measure': metric,
    'recorded': texts[0],
    'new': texts[1],
    'difference': f'{new[metric] - row[metric]:+.2g}',
    'interval': f'{seeds.mean():.4g} ± {half_width:.2g}',
    'run': _describe(row),
  }
