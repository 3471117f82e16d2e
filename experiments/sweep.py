"""Trains all settings of a study, or of a grid, each with several paired seeds.

  python -m experiments.sweep --study=spike_train_length --dataset=digits
  python -m experiments.sweep --grid='num_steps=16,64;learning_rate=0.1,0.3'

All seeds of a setting, and settings that differ only in the learning rate, are
trained in one program. Finished runs are skipped and unfinished runs are
resumed: repeat the command to complete a sweep.
"""

from collections.abc import Sequence
import dataclasses
import functools
import json
import pathlib
import shlex

from absl import flags

from experiments import studies
from experiments.analysis import frames
from experiments.config import command
from experiments.config import experiment
from experiments.config import field
from experiments.config import grids
from experiments.config import lines
from experiments.launch import launcher
from experiments.launch import local
from experiments.launch import plans
from experiments.launch import ray_cluster
from experiments.studies import tuning
from experiments.training import data
from experiments.training import trainer
import ssnn_jax
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import loading
from ssnn_jax.runs import files

_STUDY = 'spike_train_length'  # without --study and --grid
_machine = functools.partial(field.field, 'Machine')


@dataclasses.dataclass(frozen=True)
class Launch:
  """Options of the launcher; each field is a flag."""

  launcher: str = _machine(
    'local',
    'where settings are trained: on this machine (local) or on a Ray cluster '
    '(ray, which needs the package ray)',
    choices=('local', 'ray'),
  )
  num_workers: int = _machine(
    1,
    'number of settings trained at a time by --launcher=local, each in a '
    'process with its own device; 1 trains in this process, on all devices',
  )
  ray_address: str | None = _machine(
    None,
    '`address` of the Ray cluster; default: $RAY_ADDRESS, a cluster on this '
    'machine, or a new one',
  )
  cpus_per_task: float = _machine(
    1.0, 'number of CPU cores for each setting with --launcher=ray'
  )
  gpus_per_task: float = _machine(
    0.0, 'number of GPUs for each setting with --launcher=ray'
  )
  num_retries: int = _machine(
    3, 'number of retries of a setting whose worker process died'
  )

  def __post_init__(self):
    number = self.num_workers
    field.check('num_workers', number, number >= 1, '1 or more')
    for name in ('cpus_per_task', 'gpus_per_task', 'num_retries'):
      value = getattr(self, name)
      field.check(name, value, value >= 0, '0 or more')
    if self.launcher == 'ray' and self.num_workers > 1:
      raise ssnn_jax.UserError(
        '--num_workers is for --launcher=local; leave it out, since Ray runs '
        'as many settings at a time as --cpus_per_task and --gpus_per_task '
        'allow.'
      )
    if self.launcher == 'local' and self.ray_address is not None:
      raise ssnn_jax.UserError(
        '--ray_address requires --launcher=ray; give both, or neither.'
      )


def launch(
  tasks: Sequence[launcher.Task],
  workdir: pathlib.Path,
  report: launcher.Report,
  options: Launch,
) -> None:
  """Runs tasks on the chosen workers, and reports each event."""
  if not tasks:
    return
  if options.launcher == 'ray':
    resources = ray_cluster.Resources(
      options.cpus_per_task, options.gpus_per_task
    )
    context = ray_cluster.workers(workdir, options.ray_address, resources)
  elif options.num_workers > 1:
    context = local.workers(min(options.num_workers, len(tasks)))
  else:
    launcher.launch(tasks, launcher.this_process(), report)
    return
  with context as workers:
    launcher.launch(tasks, workers, report, options.num_retries)


def _choose_sweeps(values, dataset):
  """Returns the name of the study, if any, and the chosen sweeps."""
  if values['grid'] is None:
    name = values['study'] or _STUDY
    sweeps = _sweeps_of_study(name, dataset)
  elif values['study'] is None:
    name = None
    sweeps = [grids.Sweep(grids.parse(text)) for text in values['grid']]
  else:
    raise ssnn_jax.UserError(
      '--grid and --study exclude each other, since both choose the varied '
      'fields; leave one of them out.'
    )
  for varied in ('method', *(name for sweep in sweeps for name in sweep.grid)):
    if values[varied] is not None:
      remedy = 'leave it out'
      if values['grid'] and varied == 'method':
        remedy = f"write --grid='method={values[varied]};...' instead"
      raise ssnn_jax.UserError(f'--{varied} is varied by the sweep; {remedy}.')
  return name, [_override(sweep, values) for sweep in sweeps]


def _sweeps_of_study(name, dataset):
  """Returns the sweeps of a study for a data set, or for its first data set.

  The sweeps of a file of own arrays have the name of the file.
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


def _override(sweep, values):
  """Overrides values of a sweep by given flags."""
  base = {k: v for k, v in sweep.base.items() if values[k] is None}
  num_seeds = values['num_seeds'] or sweep.num_seeds
  return dataclasses.replace(sweep, base=base, num_seeds=num_seeds)


def _command_line(values):
  """Returns the command line of a sweep, without flags that are None."""
  words = ['python -m experiments.sweep']
  for name, value in values.items():
    for item in value if isinstance(value, list) else [value]:
      if isinstance(item, bool):
        words.append(f'--{name}' if item else f'--no{name}')
      elif item is not None:
        is_tuple = isinstance(item, tuple)
        text = ','.join(map(str, item)) if is_tuple else item
        words.append(shlex.quote(f'--{name}={text}'))
  return ' '.join(words)


def _write_description(workdir, study, dataset, values):
  """Writes the study, data set and command of a sweep to its folder."""
  chosen = {'study': study, 'grid': values['grid'], 'dataset': dataset}
  names = ('config', 'num_seeds', *experiment.FIELDS)
  given = chosen | {n: values[n] for n in names if values[n] is not None}
  described = {'study': study, 'dataset': dataset}
  described['command'] = _command_line(given)
  text = json.dumps(described, indent=2) + '\n'
  files.write_atomically(workdir / lines.SWEEP, text)


def _print_best_rates(planned):
  """Prints the best learning rates of a sweep that tunes learning rates."""
  groups = planned.values()  # of runs that differ in seed and learning rate
  rates = [{run.config.learning_rate for run in group} for group in groups]
  folders = [run.folder for group in groups for run in group]
  runs = frames.from_runs(map(lines.read, folders))
  if (runs['hold_out'] > 0).all() and max(map(len, rates)) > 1:
    for method, rate in tuning.best_rates(runs).items():
      print(f'{method}: best on held-out samples with --learning_rate={rate:g}')


def main() -> None:
  """Runs the sweep that the flags describe."""
  values = flags.FLAGS.flag_values_dict()
  options = command.make(Launch, values)
  base = command.config(values)
  dataset = values['dataset'] or base.dataset
  study, sweeps = _choose_sweeps(values, dataset)
  name = f'{study or "grid"}-{experiment.slug(base.dataset)}'
  workdir = command.folder(values['workdir'] or f'runs/{name}')
  planned = plans.make(base, sweeps, workdir.absolute())
  load = functools.partial(
    data.load,
    # Workers may have another current folder and environment.
    data_dir=loading.find_data_dir(values['data_dir']),
    download=values['download'],
  )
  print(data.describe(load(base)), end='', flush=True)
  with files.exclusive_lock(workdir):
    training = command.make(trainer.Options, values)
    tasks = plans.make_tasks(planned, load, training)
    _write_description(workdir, study, dataset, values)
    launch(tasks, workdir.absolute(), plans.make_report(planned), options)
    plans.check_records(planned)
    _print_best_rates(planned)
  print(f'records: {workdir}')


def _define_flags():
  command.define_config()
  command.define_data_dir()
  command.define_fields(trainer.Options)
  command.define_fields(Launch)
  with command.group('Records'):
    flags.DEFINE_string(
      'workdir',
      None,
      '`folder` of all records of the sweep; default: runs/<study>-<data set>.',
    )
  with command.group('Sweep'):
    questions = [f'{name} ({studies.question(name)})' for name in studies.NAMES]
    flags.DEFINE_string(
      'study',
      None,
      f'`name` of the study whose sweeps are run: {"; ".join(questions)}. '
      f'Default: {_STUDY}.',
    )
    flags.DEFINE_multi_string(
      'grid',
      None,
      "`grid` of fields and their values, instead of a study, as in 'num_steps="
      "16,64;learning_rate=0.1,0.3' (or layer_sizes=64-32-10,64-64-10); the "
      'ANN is also trained unless the grid lists methods; may be given several '
      'times.',
    )
    flags.DEFINE_integer(
      'num_seeds',
      None,
      'number of seeds of each setting, counted from --seed; default: the '
      'number of the study, or 5 for --grid.',
      lower_bound=1,
    )


if __name__ == '__main__':
  _define_flags()
  command.launch(main)
