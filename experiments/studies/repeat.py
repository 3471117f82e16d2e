"""Repetition of recorded runs of studies, in a given time.

A number is *equal* to the recorded one if all its digits are, and the digest of
the weights. Other processors and versions of jax round in other ways; then it
should be *within* the interval of a further seed of the setting: of S recorded
seeds, Student's

  mean +- t(S - 1) s sqrt(1 + 1 / S),

where s of accuracies is at least one test sample. If all numbers come from such
seeds, the probability that any is *outside* is 5 % (Bonferroni).
"""

from collections.abc import Iterable
import dataclasses
import math
import pathlib
import tempfile
import time
from typing import Any

import pandas as pd
from scipy import special

from experiments.runs import config as config_lib
from experiments.runs import records
from experiments.runs import train
from experiments.studies import frames
from experiments.studies import studies
from experiments.studies import sweeps
from experiments.studies import tables
import ssnn_jax
from ssnn_jax import datasets


def repeat(
  name: str,
  given: dict[str, Any],
  options: config_lib.Options,
  seconds: float,
  seed: int,
) -> bool:
  """Trains recorded runs again, and prints their numbers and the new ones.

  Runs of the study, or of 'all', that have the given columns, but no
  measurements, are begun in an order drawn by the seed, if by their record they
  end in the given seconds.

  Returns whether all numbers are equal or within their intervals; raises
  `UserError` if no run is repeated.
  """
  names = frames.list_recorded() if name == 'all' else [name]
  runs = pd.concat([_read(name, given) for name in names], ignore_index=True)
  end, missing, pairs = time.monotonic() + seconds, set(), []
  # Studies and their data sets take turns.
  drawn = runs.dropna(subset='seconds').sample(frac=1, random_state=seed)
  drawn['turn'] = drawn.groupby(['study', 'dataset']).cumcount()
  for row in drawn.sort_values(['turn', 'seconds']).to_dict('records'):
    group = row['study'], row['dataset']
    if time.monotonic() + row['seconds'] > end or group in missing:
      continue
    print(_describe(row), flush=True)
    try:
      new = _train(row, options)
    except ssnn_jax.UserError as error:
      missing.add(group)
      print(f'{", ".join(group)}: {error}', flush=True)
      continue
    for metric in studies.load(row['study']).metrics:
      if metric in new and pd.notna(row.get(metric)):
        pairs.append((row, new, metric))
  if not pairs:
    raise ssnn_jax.UserError(
      f'no run was repeated: of {len(drawn)} with a recorded time the shortest '
      f'takes {drawn["seconds"].min() / 60:.1f} minutes; give other minutes, '
      'fields or data.'
    )
  level = 1 - 0.05 / (2 * len(pairs))
  lines = pd.DataFrame([_compare(runs, *pair, level) for pair in pairs])
  print(tables.write_table(lines))
  return lines['result'].isin(['equal', 'within']).all()


def list_cells(
  study: studies.Study,
  configs: Iterable[config_lib.ExperimentConfig],
  dataset: datasets.Dataset,
) -> list[tuple[str, ...]]:
  """Lists the cells of settings in the CSV file of a study."""
  lines = []
  for config in configs:
    network = config_lib.network_config(config, dataset)
    lines.append(config_lib.to_json(config) | records.describe(config, network))
  fields = frames.setting_fields(study)
  return [*frames.to_frame(lines)[fields].itertuples(index=False, name=None)]


def _read(name, given):
  """Reads the runs of a study that have the given fields, and their times."""
  fields = frames.setting_fields(studies.load(name))  # or refuses the name
  runs = frames.read_csv(name)
  runs = runs.reindex(columns=[*{*runs, *fields, 'seed', *given}])
  chosen = config_lib.ExperimentConfig(**given)
  for field in given:
    runs = runs[runs[field] == frames.write(field, getattr(chosen, field))]
  return runs.assign(
    study=name,
    seconds=frames.run_seconds(runs),
    setting=list(runs[fields].itertuples(index=False, name=None)),
  ).dropna(subset='seed')


def _train(row, options):
  """Trains a run again; returns its numbers."""
  study, dataset = studies.load(row['study']), row['dataset']
  source = dataset
  if dataset not in datasets.NAMES:  # the name of a file of a user
    path = pathlib.Path(options.data_dir, dataset)
    files = (f'{path}{end}' for end in ('.npz', '.txt'))
    source = next((own for own in files if pathlib.Path(own).exists()), dataset)
  load = lambda config: train.load(config, options.data_dir, options.download)
  settings = sweeps.list_settings(
    sweeps.make_base(study, source, {}), study.find_sweeps(dataset)
  )
  configs = [config for config, _ in settings.values()]
  known = dict(zip(list_cells(study, configs, load(configs[0])), configs))
  if row['setting'] not in known:
    raise ssnn_jax.UserError(
      f'{row["study"]} has no such setting any more; export its runs again.'
    )
  config = dataclasses.replace(known[row['setting']], seed=int(row['seed']))
  with tempfile.TemporaryDirectory() as folder:
    task = records.Task(config, 1, pathlib.Path(folder, 'run'))
    train.train(task, load(config), options)
    (new,) = frames.read(task.folder).to_dict('records')
  return new


def _describe(row):
  """Describes a run by its study and setting, and its seed."""
  fields = frames.setting_fields(studies.load(row['study']))
  texts = [f'{x}={row[x]}' for x in fields if x != 'dataset' and row[x]]
  words = [row['study'], row['dataset'], *texts, f'seed={row["seed"]:g}']
  return ', '.join(words)


def _compare(runs, row, new, metric, level):
  """Returns the line of a number, whose interval has the level at each end."""
  is_same = (runs['study'] == row['study']) & (
    runs['setting'].map(row['setting'].__eq__)
  )
  seeds = runs.loc[is_same, metric]
  least = metric.startswith('test_accuracy') / row['num_eval_samples']
  half_width = special.stdtrit(len(seeds) - 1, level) * math.sqrt(
    (1 + 1 / len(seeds)) * max(seeds.var(), least**2)
  )
  texts = [f'{run[metric]:.7g}' for run in (row, new)]
  same = {name: row.get(name) == new.get(name) for name in frames.DIGESTS}
  if texts[0] == texts[1] and same['params_sha256']:
    result = 'equal'
  elif not same['data_sha256']:
    result = 'other samples'
  else:  # of one seed, whose interval is NaN, no number is outside
    is_outside = abs(new[metric] - seeds.mean()) > half_width
    result = 'outside' if is_outside else 'within'
  return {
    'result': result,
    'measure': metric,
    'recorded': texts[0],
    'new': texts[1],
    'interval': f'{seeds.mean():.4g} ± {half_width:.2g}',
    'run': _describe(row),
  }
