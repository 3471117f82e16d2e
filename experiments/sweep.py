"""Trains all settings of a study, or of a grid, each with several paired seeds.

  python -m experiments.sweep --study=spike_train_length --dataset=digits
  python -m experiments.sweep --grid='num_steps=16,64;learning_rate=0.1,0.3'

All seeds of a setting, and settings that differ only in the learning rate, are
trained in one program. Finished runs are skipped and unfinished runs are
resumed: repeat the command to complete a sweep.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import json
import pathlib
from typing import Any

from absl import flags

from experiments import studies
from experiments.config import command
from experiments.config import experiment
from experiments.config import grids
from experiments.launch import launcher
from experiments.launch import local
from experiments.launch import plans
from experiments.launch import ray_cluster
from experiments.training import data
from experiments.training import trainer
import ssnn_jax
from ssnn_jax.datasets import loading
from ssnn_jax.runs import files

_STUDY = 'spike_train_length'  # without --study and --grid


def launch(
  tasks: Sequence[launcher.Task],
  workdir: pathlib.Path,
  report: launcher.Report,
  values: Mapping[str, Any],
) -> None:
  """Runs tasks with the launcher that the flags choose.

  Args:
    tasks: the tasks.
    workdir: the folder of their records.
    report: called with each event.
    values: the value of each flag.

  Raises:
    UserError: if a task cannot be run.
  """
  if not tasks:
    return
  num_workers = min(values['num_workers'], len(tasks))
  if values['launcher'] == 'ray':
    resources = ray_cluster.Resources(
      values['cpus_per_task'], values['gpus_per_task']
    )
    context = ray_cluster.workers(workdir, values['ray_address'], resources)
  elif values['num_workers'] > 1:
    context = local.workers(num_workers)
  else:
    launcher.launch(tasks, launcher.this_process(), report)
    return
  with context as workers:
    launcher.launch(tasks, workers, report, values['num_retries'])


def _choose_sweeps(values, dataset):
  """Returns the sweeps that the flags choose, and the name of the study."""
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
  for field in ('method', *(field for sweep in sweeps for field in sweep.grid)):
    if values[field] is not None:
      remedy = 'leave it out'
      if values['grid'] and field == 'method':
        remedy = f"write --grid='method={values[field]};...' instead"
      raise ssnn_jax.UserError(f'--{field} is varied by the sweep; {remedy}.')
  own = [_override(sweep, values) for sweep in sweeps]
  return name, own


def _sweeps_of_study(name, dataset):
  """Returns the sweeps of a study for a data set, or for its first one."""
  study = studies.load(name)
  if not study.sweeps:
    commands = [line for lines in study.commands.values() for line in lines]
    raise ssnn_jax.UserError(
      f'--study={name} has no sweeps; its records are made by '
      f'{"; ".join(commands)}.'
    )
  return study.sweeps.get(dataset, next(iter(study.sweeps.values())))


def _override(sweep, values):
  """Replaces values of a sweep by the values of given flags."""
  base = {k: v for k, v in sweep.base.items() if values[k] is None}
  num_seeds = values['num_seeds'] or sweep.num_seeds
  return dataclasses.replace(sweep, base=base, num_seeds=num_seeds)


def _check_launcher(values):
  """Rejects flags of a launcher that is not used."""
  if values['launcher'] == 'ray' and values['num_workers'] > 1:
    raise ssnn_jax.UserError(
      '--num_workers is for --launcher=local; leave it out, since Ray runs as '
      'many settings at a time as --cpus_per_task and --gpus_per_task allow.'
    )
  if values['launcher'] == 'local' and values['ray_address'] is not None:
    raise ssnn_jax.UserError(
      '--ray_address is for --launcher=ray; give both, or neither.'
    )


def _write_description(workdir, study, dataset, values):
  """Writes the study, data set and command of a sweep to its folder."""
  described = {'study': study, 'dataset': dataset}
  chosen = {'study': study, 'grid': values['grid'], 'dataset': dataset}
  names = ('config', 'num_seeds', *experiment.FIELDS)
  given = chosen | {n: values[n] for n in names if values[n] is not None}
  described['command'] = command.command_line('sweep', given)
  text = json.dumps(described, indent=2) + '\n'
  files.write_atomically(workdir / 'sweep.json', text)


def main() -> None:
  """Runs the sweep that the flags describe."""
  values = flags.FLAGS.flag_values_dict()
  _check_launcher(values)
  base = command.config(values)
  dataset = values['dataset'] or base.dataset
  study, sweeps = _choose_sweeps(values, dataset)
  name = f'{study or "grid"}-{experiment.slug(base)}'
  workdir = command.folder(values['workdir'] or f'runs/{name}')
  planned = plans.make(base, sweeps, workdir.absolute())
  load = functools.partial(
    data.load,
    # Workers may have another current folder and environment.
    data_dir=loading.find_data_dir(values['data_dir']),
    download=values['download'],
  )
  print(data.describe(load(base)), end='', flush=True)
  with files.exclusive_lock(workdir / '.lock'):
    tasks = plans.make_tasks(planned, load, trainer.make_options(values))
    _write_description(workdir, study, dataset, values)
    report = plans.make_report(planned)
    launch(tasks, workdir.absolute(), report, values)
    plans.check_records(planned)
  print(f'records: {workdir}')


def _define_flags():
  command.define_config()
  command.define_folders(
    '`folder` of all records of the sweep; default: runs/<study>-<data set>.'
  )
  trainer.define_flags()
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
      'number of seeds of each setting, counted from --seed; default: that of '
      'the study, or 5 for --grid.',
      lower_bound=1,
    )
  with command.group('Machine'):
    _define_launcher_flags()


def _define_launcher_flags():
  flags.DEFINE_enum(
    'launcher',
    'local',
    ['local', 'ray'],
    'where settings are trained: on this machine (local) or on a Ray cluster '
    '(ray, which needs the package ray).',
  )
  flags.DEFINE_integer(
    'num_workers',
    1,
    'number of settings trained at a time by --launcher=local, each in a '
    'process with its own device; 1 trains in this process, on all devices.',
    lower_bound=1,
  )
  flags.DEFINE_string(
    'ray_address',
    None,
    '`address` of the Ray cluster; default: $RAY_ADDRESS, a cluster on this '
    'machine, or a new one.',
  )
  flags.DEFINE_float(
    'cpus_per_task',
    1.0,
    'number of CPU cores for each setting with --launcher=ray.',
    lower_bound=0.0,
  )
  flags.DEFINE_float(
    'gpus_per_task',
    0.0,
    'number of GPUs for each setting with --launcher=ray.',
    lower_bound=0.0,
  )
  flags.DEFINE_integer(
    'num_retries',
    3,
    'number of further attempts at a setting whose worker process died.',
    lower_bound=0,
  )


if __name__ == '__main__':
  _define_flags()
  command.launch(main)
