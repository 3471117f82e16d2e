"""Trains and records one setting, a grid of settings, or a study.

  python -m experiments.run --dataset=digits --num_steps=64
  python -m experiments.run --grid='num_steps=16,64;sampler=bernoulli,sobol'
  python -m experiments.run --study=parity --dataset=fashion_mnist

A repeated command skips finished runs and continues the others, from their
last checkpoints, with the results of uninterrupted runs. With --resume the
folder of a run provides the flags that are not given:

  python -m experiments.run --resume --workdir=runs/name
"""

from collections.abc import Sequence
import contextlib
import dataclasses
import difflib
import functools
import itertools
import json
import pathlib
import re
import shlex
import sys
import time
from typing import Any

from absl import flags
import numpy as np

from experiments import command
from experiments import config as config_lib
from experiments import folders
from experiments import launch
from experiments import studies
from experiments import train
from experiments.config import ANN
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import catalog
from ssnn_jax.runs import files
from ssnn_jax.training import statistics

FLAGS = flags.FLAGS
_PRINT_EVERY = 30.0  # seconds between lines of progress of a setting of a sweep

config_lib.define_flags(
  ('dataset', 'method', 'layers', 'num_steps', 'neuron', 'sampler')
)
flags.DEFINE_string(
  'study', None, 'study whose sweeps are run; see --list_studies'
)
flags.DEFINE_multi_string(
  'grid',
  None,
  "fields and their values, as 'num_steps=16,64;layers=32-10,64-10'; "
  'the ANN is also trained unless it lists methods',
)
flags.mark_flags_as_mutual_exclusive(('study', 'grid'))
flags.DEFINE_integer(
  'num_seeds',
  None,
  'seeds of each setting, counted from --seed; default: 1, the number of the '
  'study, or 5 for --grid',
  lower_bound=1,
)
flags.DEFINE_string(
  'workdir', None, 'folder of the records; default: one below runs/'
)
config_lib.define_flags()
flags.DEFINE_boolean(
  'resume', False, 'continue the run in --workdir, which has all other flags'
)
flags.DEFINE_float(
  'quick',
  None,
  'minutes in which some recorded runs of --study, or of --study=all, are '
  'trained again, chosen by --seed, and compared with their CSV files; other '
  'fields choose runs that have them. Measurements are not repeated',
  lower_bound=0,
)
flags.DEFINE_boolean(
  'list_studies', False, 'list the studies with data and questions, and end'
)


# Grids and sweeps.


def parse_grid(text: str) -> dict[str, tuple[Any, ...]]:
  """Parses a grid, as in `num_steps=16,64;layers=128-10,256-10`."""
  grid = {}
  for part in text.split(';'):
    name, _, listed = map(str.strip, part.partition('='))
    if name in grid:
      raise ssnn_jax.UserError(f'--grid: {name} is repeated; leave one out.')
    if name == 'seed':
      raise ssnn_jax.UserError('--grid: seed is set by --seed and --num_seeds.')
    if name not in config_lib.FIELDS:
      close = difflib.get_close_matches(name, config_lib.FIELDS, 1)
      remedy = f'did you mean {close[0]}?' if close else 'see --help.'
      raise ssnn_jax.UserError(f"--grid: '{name}' is no field; {remedy}")
    values = [_parse_value(name, value.strip()) for value in listed.split(',')]
    grid[name] = tuple(dict.fromkeys(values))
  return grid


def _parse_value(name, text):
  """Parses a value with the parser of the flag of its field."""
  if text == 'none':
    return None
  if name in config_lib.DASHED:
    # The minus of a number, as in 1e-3 or =-1, does not separate.
    text = re.sub('(?<![eE=])-', ',', text)
  try:
    return FLAGS[name].parser.parse(text)
  except ValueError as error:
    raise ssnn_jax.UserError(
      f"--grid: {name} is '{text}' ({error}); see --help."
    ) from None


def find_sweeps(given: dict[str, Any]) -> list[studies.Sweep]:
  """Returns the sweeps of --study or --grid, overridden by given flags.

  Without both, one setting and its ANN.

  Raises:
    UserError: if a field is given that the sweeps vary.
  """
  sweeps = [studies.Sweep(parse_grid(text)) for text in FLAGS.grid or ()]
  if FLAGS.study:
    name = given.get('dataset', 'digits')
    name = pathlib.Path(name).stem if arrays.is_npz_path(name) else name
    sweeps = studies.load(FLAGS.study).find_sweeps(name)
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
      remedy = 'leave it out'
      if FLAGS.study:
        remedy += ', or choose recorded runs by it, with --quick=MINUTES'
      elif name == 'method':
        remedy = f"write --grid='method={given[name]};...' instead"
      raise ssnn_jax.UserError(f'--{name} is varied by the sweep; {remedy}.')
  return [
    dataclasses.replace(
      sweep,
      base={k: v for k, v in sweep.base.items() if k not in given},
      num_seeds=FLAGS.num_seeds or sweep.num_seeds,
    )
    for sweep in sweeps or [studies.Sweep()]
  ]


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
  if config_lib.METHODS[method].has_pulses:
    ideal = {}
  with config_lib.named('grid'):
    config = dataclasses.replace(base, method=method, **values | ideal)
  parts = [ANN] if method == ANN else [f'method={method}'] * is_named
  for name in values:
    parts.append(f'{name}={config_lib.slug(name, getattr(config, name))}')
  return ','.join(parts) or method, config


def plan(
  base: config_lib.ExperimentConfig,
  sweeps: Sequence[studies.Sweep],
  workdir: pathlib.Path,
  seeds_at_once: int | None = None,
) -> dict[str, train.Task]:
  """Plans the tasks of sweeps that share a folder, by their names.

  Seeds that the folder already holds keep their tasks, so that more seeds are
  further tasks. A new task has at most `seeds_at_once` seeds, and with folds
  one, as the seeds have different data.
  """
  tasks = {}
  for name, (config, num_seeds) in list_settings(base, sweeps).items():
    most = 1 if config.folds else seeds_at_once or num_seeds
    configs = (workdir / name).glob(f'seed=*/{train.CONFIG}')
    known = [
      train.read_task(file.parent).seeds
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
      task = train.Task(first, len(seeds), folder)
      tasks[f'{name}, {folder.name}'] = task
      seed = seeds.stop
  return tasks


# The command.


def given_fields() -> dict[str, Any]:
  """Returns the fields of a configuration whose flags are given."""
  return {
    name: config_lib.absolute(name, FLAGS[name].value)
    for name in config_lib.FIELDS
    if FLAGS[name].present
  }


def _options(print_every=0.0):
  names = config_lib.FLAGS.keys() - config_lib.FIELDS.keys()
  values = {name: FLAGS[name].value for name in names}
  # Workers may have another current folder and environment.
  values['data_dir'] = str(catalog.find_data_dir(FLAGS.data_dir))
  return config_lib.Options(**values, print_every=print_every)


@contextlib.contextmanager
def _interruptible(workdir):
  """Names the command that continues an interrupted one."""
  try:
    yield
  except KeyboardInterrupt:
    words = sys.argv[1:]
    if not FLAGS.workdir:
      words = [*words, f'--workdir={workdir}']
    line = f'{command.line("run")} {shlex.join(words)}'
    raise KeyboardInterrupt(f'continue by: {line}') from None


def _make_base(study, dataset, given):
  """Returns the configuration that the sweeps of a study, or a grid, vary."""
  values = {'diagnostics': True, **study.base} if study else {}
  return config_lib.default(**{'dataset': dataset} | values | given)


def _run_sweep(given):
  """Trains all settings of --study or --grid, and shows their results."""
  options = _options(_PRINT_EVERY)
  sweeps = find_sweeps(given)
  dataset = given.get('dataset', 'digits')
  study = studies.load(FLAGS.study) if FLAGS.study else None
  base = _make_base(study, dataset, given)
  name = f'{FLAGS.study or "grid"}-{config_lib.slug("dataset", dataset)}'
  workdir = command.folder(FLAGS.workdir or f'runs/{name}').absolute()
  if (workdir / train.CONFIG).exists():
    raise ssnn_jax.UserError(
      f'{workdir} is the folder of a run; choose another --workdir for a sweep.'
    )
  tasks = plan(base, sweeps, workdir, options.seeds_at_once)
  load = lambda config: train.load(config, options.data_dir, options.download)
  print(train.describe_data(load(base)), end='', flush=True)
  pending, num_classes = {}, load(base).num_classes
  for name, task in tasks.items():
    # Invalid settings are refused before any run starts.
    network = config_lib.network_config(task.config, load(task.config))
    train.read_initial(task, network)
    if train.is_finished(task):
      print(f'{name}: recorded', flush=True)
    else:
      run = functools.partial(train.run_task, task, options, workdir)
      pending[name] = run
  workdir.mkdir(parents=True, exist_ok=True)
  line = shlex.join(['python', '-m', 'experiments.run', *sys.argv[1:]])
  described = {'study': FLAGS.study, 'dataset': dataset, 'command': line}
  text = json.dumps(described, indent=2) + '\n'
  files.write_atomically(workdir / train.SWEEP, text)
  if pending:
    print(f'settings to train: {len(pending)}', flush=True)
  began = time.monotonic()

  def report(name, end, number):
    if end == 'done':
      lines = train.read_lines(tasks[name].folder, 'final')
      mean = 100 * np.mean([line['test_accuracy'] for line in lines])
      split = config_lib.split_name(tasks[name].config)
      seeds = 'seed' if len(lines) == 1 else 'seeds'
      end = f'{split} accuracy {mean:.1f} % ({len(lines)} {seeds})'
      if statistics.is_at_chance(mean / 100, 1 / num_classes):
        end += ', at chance: is the learning rate too high?'
      num_left = len(pending) - number
      minutes = (time.monotonic() - began) / number * num_left / 60
      end += f', {minutes:.1f} min left' if num_left else ''
    print(f'[{number}/{len(pending)}] {name}: {end}', flush=True)

  with _interruptible(workdir):
    launch.launch(pending, workdir, report, options)
  from experiments import results  # matplotlib and pandas

  results.show(workdir)


def _repeat(given):
  """Repeats recorded runs; ends with an error if their numbers are others."""
  from experiments import repeat  # matplotlib and pandas
  from experiments import results

  def list_configs(name, dataset, source):
    study = studies.load(name)
    base = _make_base(study, source, {})
    settings = list_settings(base, study.find_sweeps(dataset))
    return [config for config, _ in settings.values()]

  if not FLAGS.study:
    raise ssnn_jax.UserError('--quick needs a --study, or --study=all.')
  names = results.list_recorded()
  if FLAGS.study != 'all':
    studies.load(FLAGS.study)  # refuses a name that there is not
    names = [FLAGS.study]
  given.pop('seed', None)
  options, seconds = _options(_PRINT_EVERY), 60 * FLAGS.quick
  if not repeat.repeat(
    names, list_configs, given, options, seconds, FLAGS.seed
  ):
    sys.exit('error: not all numbers are those that are recorded.')


def make_task(given: dict[str, Any]) -> train.Task:
  """Makes the task of one setting, with --resume from its record."""
  config, num_seeds = None, FLAGS.num_seeds or 1
  if FLAGS.resume:
    if not FLAGS.workdir:
      raise ssnn_jax.UserError('--resume needs the --workdir of a run.')
    folder = command.folder(FLAGS.workdir)
    if folders.is_nonempty(folder):
      task = train.read_task(folder)
      config = dataclasses.replace(task.config, **given)
      num_seeds = FLAGS.num_seeds or task.num_seeds
    elif not given:
      raise ssnn_jax.UserError(
        f'{folder} holds no run to resume; give the --workdir of a run, or the '
        'flags of a new one.'
      )
  config = config or config_lib.default(**given)
  stamp = time.strftime('%Y%m%d-%H%M%S')
  name = f'{config_lib.slug("dataset", config.dataset)}-{config.method}-{stamp}'
  folder = command.folder(FLAGS.workdir or f'runs/{name}')
  return train.Task(config, num_seeds, folder)


def _describe(task):
  """Describes the result of a finished task."""
  lines, config = train.read_lines(task.folder, 'final'), task.config
  accuracies = [
    f'{np.mean([line[name] for line in lines]):.2%} by {readout}'
    for name, readout in train.READOUTS.items()
    if name in lines[0]
  ]
  if not config_lib.METHODS[config.method].fields:  # one readout of an ANN
    accuracies = [accuracies[0].partition(' ')[0]]
  diverged = ''
  if any(line.get('loss', 0) is None for line in train.read_lines(task.folder)):
    diverged = 'the loss was not finite: try a smaller --learning_rate.\n'
  seeds = f' (mean of {len(lines)} seeds)' if len(lines) > 1 else ''
  return (
    f'{config.dataset}, {config.method}: {config_lib.split_name(config)} '
    f'accuracy {", ".join(accuracies)}{seeds}; trained in '
    f'{lines[0]["train_seconds"]:.3g} s (without compiling).\n'
    f'{diverged}record: {task.folder}'
  )


def _explain(task, dataset):
  """Explains a run at chance, by its first seed; '' of any other."""
  config, params = ssnn_jax.load(task.folder)
  lines = train.read_lines(task.folder, 'epoch')
  own = [line for line in lines if line['seed'] == task.config.seed]
  accuracy = own[-1]['train_accuracy']
  reason = training.explain_chance(config, params, dataset.train, accuracy)
  return reason and f'{reason}\n'


def _run_one(given):
  """Trains one setting, and describes its result."""
  task, options = make_task(given), _options()
  if train.is_finished(task):
    print('this run is already finished.')
  else:
    dataset = train.load(task.config, options.data_dir, options.download)
    print(train.describe_data(dataset), end='')
    rate, epochs = task.config.learning_rate, task.config.num_epochs
    print(f'learning rate {rate:g}, epochs: {epochs}', flush=True)
    with _interruptible(task.folder):
      train.train(task, dataset, options)
    print(_explain(task, dataset), end='')
  print(_describe(task))


def main() -> None:
  """Trains what the flags describe."""
  if FLAGS.list_studies:
    for name in studies.STUDIES:
      study = studies.load(name)
      data = ', '.join(study.sweeps).replace(studies.ANY, 'all others')
      print(f'{name} ({data or "measurement"}): {study.question}')
  elif FLAGS.quick is not None:
    _repeat(given_fields())
  elif FLAGS.study or FLAGS.grid:
    _run_sweep(given_fields())
  else:
    _run_one(given_fields())


if __name__ == '__main__':
  command.launch(main, config_lib.HEADINGS)
