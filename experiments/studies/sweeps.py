"""Sweeps: grids of settings, and their tasks, by names of their folders."""

from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses
import difflib
import functools
import itertools
import json
import pathlib
import re
import time
from typing import Any

import numpy as np

from experiments.runs import config as config_lib
from experiments.runs import launch
from experiments.runs import models
from experiments.runs import records
from experiments.runs import train
from experiments.runs.config import ANN
from experiments.studies import studies
import ssnn_jax
from ssnn_jax.datasets import catalog
from ssnn_jax.runs import files


def parse_grid(text: str) -> dict[str, tuple[Any, ...]]:
  """Parses a grid, as in `num_steps=16,64;layers=128-10,256-10`."""
  grid = {}
  for part in text.split(';'):
    name, _, listed = map(str.strip, part.partition('='))
    if name in grid:
      raise ssnn_jax.UserError(f'--grid: {name} is repeated; leave one out.')
    if name == 'seed':
      raise ssnn_jax.UserError('--grid: seed is set by --seed and --num_seeds.')
    if name not in config_lib.FIELDS and name not in models.OWN_FLAGS:
      close = difflib.get_close_matches(name, config_lib.FIELDS, 1)
      remedy = f'did you mean {close[0]}?' if close else 'see --help.'
      raise ssnn_jax.UserError(f"--grid: '{name}' is no field; {remedy}")
    values = [_parse_value(name, value.strip()) for value in listed.split(',')]
    grid[name] = tuple(dict.fromkeys(values))
  return grid


def _parse_value(name, text):
  """Parses a value as the flag of its field."""
  if text == 'none':
    return None
  if name in config_lib.DASHED:
    # The minus of a number, as in 1e-3 or =-1, does not separate.
    text = re.sub('(?<![eE=])-', ',', text)
  try:
    own = models.OWN_FLAGS.get(name)
    parser = own or config_lib.parser(config_lib.FIELDS[name])
    return parser.parse(text)
  except ValueError as error:
    raise ssnn_jax.UserError(
      f"--grid: {name} is '{text}' ({error}); see --help."
    ) from None


def find_sweeps(
  given: dict[str, Any],
  grids: Iterable[str] | None = None,
  study: str | None = None,
  num_seeds: int | None = None,
) -> list[studies.Sweep]:
  """Returns the sweeps of grids or of a study, overridden by given fields.

  Without both, one setting and its ANN.

  Raises:
    UserError: if a field is given that the sweeps vary.
  """
  sweeps = [studies.Sweep(parse_grid(text)) for text in grids or ()]
  if study:
    name = given.get('dataset', 'digits')
    name = pathlib.Path(name).stem if catalog.is_file(name) else name
    sweeps = studies.load(study).find_sweeps(name)
  for sweep in sweeps:
    fields = sweep.base | sweep.grid | given
    if len(sweep.grid.get('optimizer', ())) > 1 and (
      'learning_rate' not in fields
    ):
      raise ssnn_jax.UserError(
        '--grid: optimizers need learning rates of their own; write a --grid '
        'for each, with its learning_rate.'
      )
  for name in ('method', *(name for sweep in sweeps for name in sweep.grid)):
    if name in given:
      raise ssnn_jax.UserError(
        f'--{name} is varied by the sweep; leave it out, or write '
        f"--grid='{name}={given[name]};...' instead."
      )
  return [
    dataclasses.replace(
      sweep,
      base={k: v for k, v in sweep.base.items() if k not in given},
      num_seeds=num_seeds or sweep.num_seeds,
    )
    for sweep in sweeps or [studies.Sweep()]
  ]


def make_base(
  study: studies.Study | None, dataset: str, given: dict[str, Any]
) -> config_lib.ExperimentConfig:
  """Returns the configuration that the sweeps of a study, or a grid, vary."""
  values = {'diagnostics': True, **study.base} if study else {}
  return config_lib.default(**{'dataset': dataset} | values | given)


def list_settings(
  base: config_lib.ExperimentConfig, sweeps: Sequence[studies.Sweep]
) -> dict[str, tuple[config_lib.ExperimentConfig, int]]:
  """Lists the settings of sweeps, the ANN first.

  A grid without methods has both the ANN and the spiking network. Fields that
  do not affect a method keep their values in `base`, without duplicates. Names
  contain the values of `Sweep.base` unless all sweeps share them.

  Returns the configuration of each setting, and the largest number of seeds of
  its sweeps, by its name.
  """
  shared = {
    name: value
    for name, value in sweeps[0].base.items()
    if all(name in s.base and s.base[name] == value for s in sweeps)
  }
  base = dataclasses.replace(base, **shared)
  names, settings = {}, {}
  for sweep in sweeps:
    own = {k: (v,) for k, v in sweep.base.items() if k not in shared}
    # The rates of a recording, and so its ANN, depend on the T of a sweep.
    is_recorded = catalog.is_recorded(base.dataset)
    kept = {'num_steps'} & own.keys() if is_recorded else set()
    grid = {'method': (ANN, 'ssnn'), **own, **sweep.grid}
    is_named = set(grid['method']) - {ANN} != {'ssnn'}
    for values in itertools.product(*grid.values()):
      setting = dict(zip(grid, values))
      name, config = _make_setting(base, setting, is_named, kept)
      name = names.setdefault(config, name)
      _, num_seeds = settings.get(name, (config, 0))
      settings[name] = config, max(num_seeds, sweep.num_seeds)
  is_spiking = lambda item: item[1][0].method != ANN
  return dict(sorted(settings.items(), key=is_spiking))


def _make_setting(base, values, is_named, kept):
  """Returns the name and the configuration of a setting of a grid."""
  method = values.pop('method')
  values = {
    name: config_lib.absolute(name, value)
    for name, value in values.items()
    if name in kept or config_lib.concerns(method, name)
  }
  ideal = {'device': config_lib.IDEAL, 'device_params': '', 'read_noise': 0.0}
  if method == config_lib.SPIKES:
    ideal = {}
  own = {k: v for k, v in values.items() if k in models.OWN_FLAGS}
  fields = {k: v for k, v in values.items() if k not in own}
  before = fields.get('model_args', base.model_args)
  fields['model_args'] = models.write(own, before)
  if 'model' in fields:
    fields['model_sha256'] = ''
  with config_lib.named('grid'):
    config = dataclasses.replace(base, method=method, **fields | ideal)
    if not (config.is_function or config.num_steps or 'num_steps' in fields):
      default = config_lib.FIELDS['num_steps'].default  # 0 is of functions
      config = dataclasses.replace(config, num_steps=default)
  parts = [ANN] if method == ANN else [f'method={method}'] * is_named
  for name in values:
    value = own[name] if name in own else getattr(config, name)
    parts.append(f'{name}={config_lib.slug(name, value)}')
  return ','.join(parts) or method, config


def plan(
  base: config_lib.ExperimentConfig,
  sweeps: Sequence[studies.Sweep],
  workdir: pathlib.Path,
) -> dict[str, records.Task]:
  """Plans the tasks of sweeps that share a folder, by their names.

  Seeds that the folder already holds keep their tasks, so that more seeds are
  further tasks. With folds, a task has one seed, as seeds have different data.
  """
  tasks = {}
  for name, (config, num_seeds) in list_settings(base, sweeps).items():
    most = 1 if config.folds else num_seeds
    configs = (workdir / name).glob(f'seed=*/{records.CONFIG}')
    known = [
      records.read_task(file.parent).seeds
      for file in configs
      if re.fullmatch(r'seed=\d+(-\d+)?', file.parent.name)
    ]
    seed, stop = base.seed, base.seed + num_seeds
    while seed < stop:
      later = [seeds.start for seeds in known if seeds.start > seed]
      new = range(seed, min([stop, seed + most, *later]))
      seeds = next((seeds for seeds in known if seed in seeds), new)
      end = f'-{seeds[-1]}' if len(seeds) > 1 else ''
      folder = workdir / name / f'seed={seeds[0]}{end}'
      first = dataclasses.replace(config, seed=seeds[0])
      task = records.Task(first, len(seeds), folder)
      tasks[f'{name}, {folder.name}'] = task
      seed = seeds.stop
  return tasks


def run(
  tasks: dict[str, records.Task],
  workdir: pathlib.Path,
  described: dict[str, Any],
  options: config_lib.Options,
) -> None:
  """Trains the tasks of a sweep that are not finished, and reports their ends.

  Refuses any invalid setting before a file is written. The description of the
  sweep is for its folder.
  """
  if (workdir / records.CONFIG).exists():
    raise ssnn_jax.UserError(
      f'{workdir} is the folder of a run; choose another --workdir for a sweep.'
    )
  load = lambda config: train.load(config, options.data_dir, options.download)
  first, *_ = tasks.values()
  print(train.describe_data(load(first.config)), end='', flush=True)
  pending = {}
  for name, task in tasks.items():
    network = config_lib.network_config(task.config, load(task.config))
    train.read_initial(task, network)
    if records.is_finished(task):
      print(f'{name}: recorded', flush=True)
    else:
      pending[name] = functools.partial(train.run_task, task, options, workdir)
  workdir.mkdir(parents=True, exist_ok=True)
  text = json.dumps(described, indent=2) + '\n'
  files.write_atomically(workdir / records.SWEEP, text)
  if pending:
    print(f'settings to train: {len(pending)}', flush=True)
  began = time.monotonic()

  def report(name, end, number):
    if end == 'done':
      lines = records.read_lines(tasks[name].folder, 'final')
      mean = 100 * np.mean([line['test_accuracy'] for line in lines])
      split = config_lib.split_name(tasks[name].config)
      seeds = 'seed' if len(lines) == 1 else 'seeds'
      end = f'{split} accuracy {mean:.1f} % ({len(lines)} {seeds})'
      num_left = len(pending) - number
      minutes = (time.monotonic() - began) / number * num_left / 60
      end += f', {minutes:.1f} min left' if num_left else ''
    print(f'[{number}/{len(pending)}] {name}: {end}', flush=True)

  launch.launch(pending, report, options)
