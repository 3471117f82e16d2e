"""Trains and records one setting, a grid of settings, or a study.

  python -m experiments.run --dataset=digits --num_steps=64
  python -m experiments.run --grid='num_steps=16,64;sampler=bernoulli,sobol'
  python -m experiments.run --study=datasets --dataset=fashion_mnist

A repeated command skips finished runs and continues the others, from their
last checkpoints, with the results of uninterrupted runs. With --resume the
folder of a run provides the flags that are not given:

  python -m experiments.run --resume --workdir=runs/name
"""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import functools
import json
import pathlib
import platform
import re
import shlex
import sys
import time

from absl import flags
import numpy as np

from experiments import launch
from experiments import record
from experiments import studies
from experiments.config import command
from experiments.config import experiment
from experiments.config import field
from experiments.config import grids
from experiments.config import interrupts
from experiments.config import methods
from experiments.config import titles
from experiments.config import unused
from experiments.training import data
from experiments.training import multihost
from experiments.training import trainer
import ssnn_jax
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import loading
from ssnn_jax.runs import files

_SECONDS_BETWEEN_LINES = 30  # of the progress of a setting of a sweep
_used = functools.partial(field.field, 'Most used')


@dataclasses.dataclass(frozen=True)
class Options:
  """What is trained, and where the records go; each field is a flag."""

  study: str | None = _used(
    None, 'name of the study whose sweeps are run; see --list_studies'
  )
  num_seeds: int | None = _used(
    None,
    'number of seeds of each setting, counted from --seed; default: 1, the '
    'number of the study, or 5 for --grid',
  )
  workdir: str | None = _used(
    None, 'folder of the records; default: a folder below runs/'
  )
  resume: bool = field.field(
    'Records',
    False,
    'continue the run in --workdir, which provides the flags that are not '
    'given',
  )
  seeds_at_once: int | None = field.field(
    'Machine',
    None,
    'largest number of seeds that are trained in one program; default: all '
    'seeds of a setting',
  )
  list_studies: bool = field.field(
    'Records', False, 'list the studies with their questions, and end'
  )

  def __post_init__(self):
    for name in ('num_seeds', 'seeds_at_once'):
      value = getattr(self, name)
      field.check(name, value, value is None or value >= 1, '1 or more')


def plan(
  base: experiment.ExperimentConfig,
  sweeps: Sequence[grids.Sweep],
  workdir: pathlib.Path,
  seeds_at_once: int | None = None,
) -> dict[str, trainer.Task]:
  """Plans the tasks of sweeps that share a folder.

  Seeds that a folder already holds keep their tasks, so that more seeds are
  further tasks.

  Args:
    base: the configuration with the fields that no sweep sets.
    sweeps: the sweeps.
    workdir: the folder of the sweeps.
    seeds_at_once: largest number of seeds of a new task; None is all. With
      folds it is 1, as the seeds have different data.

  Returns:
    The tasks by their names.
  """
  tasks = {}
  for setting, num_seeds in grids.merge(base, sweeps).items():
    folder = workdir / setting.name
    wanted = range(base.seed, base.seed + num_seeds)
    known = [seeds for seeds in _known(folder) if {*seeds} & {*wanted}]
    missing = [seed for seed in wanted if not any(seed in s for s in known)]
    most = 1 if setting.config.folds else seeds_at_once or len(missing)
    for seeds in (*known, *_ranges(missing, most)):
      name = _name(seeds)
      config = dataclasses.replace(setting.config, seed=seeds[0])
      task = trainer.Task(config, len(seeds), folder / name)
      tasks[f'{setting.name}, {name}'] = task
  return tasks


def _name(seeds):
  """Names the folder of a range of seeds."""
  last = f'-{seeds[-1]}' if len(seeds) > 1 else ''
  return f'seed={seeds[0]}{last}'


def _known(folder) -> Iterator[range]:
  """Lists the ranges of seeds that a folder holds."""
  for path in sorted(folder.glob(f'seed=*/{record.CONFIG}')):
    found = re.fullmatch(r'seed=(\d+)(?:-(\d+))?', path.parent.name)
    if found:
      yield range(int(found[1]), int(found[2] or found[1]) + 1)


def _ranges(seeds, most) -> Iterator[range]:
  """Splits increasing seeds into ranges without gaps, of at most a length."""
  start = 0
  for end in range(1, len(seeds) + 1):
    is_gap = end == len(seeds) or seeds[end] != seeds[end - 1] + 1
    if is_gap or end - start == most:
      yield range(seeds[start], seeds[end - 1] + 1)
      start = end


def run_task(
  task: trainer.Task,
  data_options: experiment.DataOptions,
  options: trainer.Options,
  sweep_folder: pathlib.Path,
) -> None:
  """Trains a task of a sweep, on any node of a cluster."""
  if not (sweep_folder / record.SWEEP).exists():
    raise ssnn_jax.UserError(
      f'node {platform.node()} cannot access {sweep_folder}; choose a '
      '--workdir on a file system that all nodes share.'
    )
  if not trainer.is_finished(task):
    dataset = _load(task.config, data_options)
    wait = _SECONDS_BETWEEN_LINES
    trainer.train(task, dataset, options, seconds_between_lines=wait)


def _load(config, options):
  return data.load(config, options.data_dir, options.download)


def sweeps_of_study(name: str, dataset: str) -> tuple[grids.Sweep, ...]:
  """Returns the sweeps of a study for a data set, or for its first data set.

  The sweeps of a file of own arrays have the name of the file.

  Raises:
    UserError: if there is no such study, or the study has no sweeps.
  """
  study = studies.load(name)
  if not study.sweeps:
    commands = [line for lines in study.commands.values() for line in lines]
    raise ssnn_jax.UserError(
      f'--study={name} has no sweeps; its records are made by '
      f'{"; ".join(commands)}.'
    )
  if arrays.is_npz_path(dataset):
    dataset = experiment.slug(dataset)
  return study.sweeps.get(dataset, next(iter(study.sweeps.values())))


def _sweeps(values, given):
  """Returns the sweeps of --study or --grid, overridden by given flags."""
  dataset = given.get('dataset', 'digits')
  if values['grid'] is None:
    sweeps = sweeps_of_study(values['study'], dataset)
  elif values['study'] is None:
    sweeps = [grids.Sweep(grids.parse(text)) for text in values['grid']]
  else:
    raise ssnn_jax.UserError(
      '--grid and --study exclude each other, since both choose the varied '
      'fields; leave one of them out.'
    )
  for name in ('method', *(name for sweep in sweeps for name in sweep.grid)):
    if name in given:
      remedy = 'leave it out'
      if values['grid'] and name == 'method':
        remedy = f"write --grid='method={given[name]};...' instead"
      raise ssnn_jax.UserError(f'--{name} is varied by the sweep; {remedy}.')
  return [
    dataclasses.replace(
      sweep,
      base={k: v for k, v in sweep.base.items() if k not in given},
      num_seeds=values['num_seeds'] or sweep.num_seeds,
    )
    for sweep in sweeps
  ]


def _run_sweep(values, given):
  """Trains all settings of --study or --grid, and shows their results."""
  if values['multihost'] or values['resume']:
    flag = 'multihost' if values['multihost'] else 'resume'
    raise ssnn_jax.UserError(
      f'--{flag} is for one setting; leave it out, as a repeated sweep '
      'continues where it stopped.'
    )
  options = command.make(launch.Options)
  data_options = command.make(experiment.DataOptions)
  # Workers may have another current folder and environment.
  data_options = dataclasses.replace(
    data_options, data_dir=str(loading.find_data_dir(data_options.data_dir))
  )
  base, study = command.config(given), values['study']
  if study:
    own = {'diagnostics': True, **studies.load(study).base}
    own = {k: v for k, v in own.items() if k not in given}
    base = dataclasses.replace(base, **own)
  name = f'{study or "grid"}-{experiment.slug(base.dataset)}'
  workdir = command.folder(values['workdir'] or f'runs/{name}').absolute()
  if (workdir / record.CONFIG).exists():
    raise ssnn_jax.UserError(
      f'{workdir} is the folder of a run; choose another --workdir for a sweep.'
    )
  sweeps = _sweeps(values, given)
  tasks = plan(base, sweeps, workdir, values['seeds_at_once'])
  print(data.describe(_load(base, data_options)), end='', flush=True)
  pending = []
  training = command.make(trainer.Options)
  for name, task in tasks.items():
    # Invalid settings are refused before any run starts.
    dataset = _load(task.config, data_options)
    network_config = experiment.network_config(task.config, dataset)
    trainer.read_initial(task, network_config)
    if trainer.is_finished(task):
      print(f'{name}: recorded', flush=True)
      continue
    run = functools.partial(run_task, task, data_options, training, workdir)
    pending.append(launch.Task(name, run))
  with files.convert_os_errors(workdir):
    workdir.mkdir(parents=True, exist_ok=True)
  described = {'study': study, 'dataset': base.dataset, 'command': _command()}
  text = json.dumps(described, indent=2) + '\n'
  files.write_atomically(workdir / record.SWEEP, text)
  began = time.monotonic()

  def report(name, end, number):
    if end == 'done':
      end = _describe_accuracies(tasks[name])
      num_left = len(pending) - number
      seconds = (time.monotonic() - began) / number * num_left
      end += f', {_describe_duration(seconds)} left' if num_left else ''
    print(f'[{number}/{len(pending)}] {name}: {end}', flush=True)

  _continue_in(workdir)
  launch.launch(pending, workdir, report, options)
  from experiments import plot  # matplotlib, which workers do not need

  plot.show(workdir)


def _continue_in(workdir):
  """Sets the command that continues this one: the same, in its folder."""
  words = sys.argv[1:]
  if not flags.FLAGS['workdir'].present:
    words.append(f'--workdir={workdir}')
  interrupts.continue_by(f'python -m experiments.run {shlex.join(words)}')


def _command():
  """Returns the command line, as records keep it."""
  names = ('study', 'grid', 'num_seeds', *experiment.FIELDS)
  chosen = [flags.FLAGS[name] for name in names]
  texts = [flag.serialize() for flag in chosen if flag.present]
  words = [word for text in texts for word in text.splitlines()]
  return shlex.join(['python', '-m', 'experiments.run', *words])


def _describe_accuracies(task):
  """Describes the accuracy of a finished task, in percent."""
  lines = record.read(task.folder / record.METRICS).lines
  values = [100 * line['test_accuracy'] for line in lines]
  spread = f' ± {np.std(values, ddof=1):.1f}' if len(values) > 1 else ''
  seeds = 'seed' if len(values) == 1 else 'seeds'
  return (
    f'{data.split_name(task.config)} accuracy {np.mean(values):.1f}{spread} % '
    f'({len(values)} {seeds})'
  )


def _describe_duration(seconds):
  if seconds < 90:
    return f'{seconds:.0f} s'
  minutes = seconds / 60
  return f'{minutes:.0f} min' if minutes < 90 else f'{minutes / 60:.1f} h'


def make_task(values, given) -> trainer.Task:
  """Makes the task of one setting.

  Raises:
    UserError: if a value is out of range, or --resume has no record.
  """
  num_seeds = values['num_seeds'] or 1
  if values['resume']:
    if not values['workdir']:
      raise ssnn_jax.UserError(
        '--resume needs the folder of a run; also give --workdir.'
      )
    folder = command.folder(values['workdir'])
    if files.is_nonempty(folder):
      found = trainer.read_task(folder)
      config = command.config(given, found.config)
      return trainer.Task(
        config, values['num_seeds'] or found.num_seeds, folder
      )
    if multihost.is_primary():
      print(f'{folder} holds no run to resume; a new one is started.')
  config = command.config(given)
  stamp = time.strftime('%Y%m%d-%H%M%S')
  name = f'{experiment.slug(config.dataset)}-{config.method}-{stamp}'
  folder = command.folder(values['workdir'] or f'runs/{name}')
  return trainer.Task(config, num_seeds, folder)


def _describe(task):
  """Describes the result of a finished task."""
  lines = record.read(task.folder / record.METRICS).lines
  mean = lambda name: np.mean([line[name] for line in lines])
  accuracies = [
    f'{mean(name):.2%} by {readout}'
    for name, readout in titles.READOUTS.items()
    if name in lines[0]
  ]
  if task.config.method in methods.ANNS:
    accuracies = [f'{mean("test_accuracy"):.2%}']
  diverged = pulses = ''
  if any(None in line['curves']['loss'] for line in lines):
    diverged = 'the loss was not finite: try a smaller --learning_rate.\n'
  if 'max_pulses' in lines[0]:
    most = max(line['max_pulses'] for line in lines)
    pulses = (
      f'\npulses per device: {mean("mean_pulses"):,.0f} on average, '
      f'{most:,} at most.'
    )
  config = task.config
  seeds = f' (mean of {len(lines)} seeds)' if len(lines) > 1 else ''
  return (
    f'{config.dataset}, {config.method}: {data.split_name(config)} accuracy '
    f'{", ".join(accuracies)}{seeds}; '
    f'trained in {lines[0]["train_seconds"]:.3g} s (without compiling).{pulses}'
    f'\n{diverged}record: {task.folder}'
  )


def _run_one(values, given):
  """Trains one setting, and describes its result."""
  for name in ('launcher', 'num_workers'):
    flag = flags.FLAGS[name]
    expected = f'{flag.default} without --grid or --study'
    field.check(name, flag.value, flag.value == flag.default, expected)
  task = make_task(values, given)
  is_finished = trainer.is_finished(task)
  if not is_finished:
    dataset = _load(task.config, command.make(experiment.DataOptions))
    if multihost.is_primary():
      for line in unused.describe(task.config, given):
        print(line)
      print(data.describe(dataset), end='', flush=True)
    _continue_in(task.folder)
    trainer.train(task, dataset, command.make(trainer.Options))
  if multihost.is_primary():
    print('this run is already finished.\n' if is_finished else '', end='')
    print(_describe(task))


def main() -> None:
  """Trains what the flags describe."""
  command.make(Options)  # checks them
  values, given = flags.FLAGS.flag_values_dict(), command.given()
  if values['list_studies']:
    for name in studies.NAMES:
      print(f'{name}: {studies.question(name)}')
    return
  multihost.join(command.make(multihost.Processes))
  if values['study'] or values['grid']:
    _run_sweep(values, given)
  else:
    _run_one(values, given)


def define_flags() -> None:
  """Defines the flags."""
  command.define_config()
  kinds = Options, trainer.Options, launch.Options, multihost.Processes
  for kind in kinds:
    command.define_fields(kind)
  flags.DEFINE_multi(
    flags.ArgumentParser(),
    flags.ArgumentSerializer(),
    'grid',
    None,
    "grid of fields and their values, as in 'num_steps=16,64;learning_rate="
    "0.1,0.3' (or layer_sizes=64-32-10,64-64-10); the ANN is also trained "
    'unless the grid lists methods',
    module_name='Most used',
  )


if __name__ == '__main__':
  define_flags()
  command.launch(main)
