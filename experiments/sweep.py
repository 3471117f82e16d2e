"""Runs a grid of settings, each with several paired seeds.

  python -m experiments.sweep --sweep=spike_train_length --dataset=digits
  python -m experiments.sweep --grid='num_steps=16,64;learning_rate=0.1,0.3'

The first is a named grid. The seeds of a setting, and settings that differ in
the learning rate alone, are trained in one program. Finished runs are skipped
and unfinished runs are resumed: repeat the command to complete a sweep.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import pathlib
import sys
from typing import Any

from absl import flags

from experiments import grid_summary
from experiments import tuning
from experiments.config import command
from experiments.config import experiment
from experiments.config import grids
from experiments.launch import local as local_workers
from experiments.launch import ray_cluster as ray_workers
from experiments.launch import tasks as launchers
from experiments.training import data
from experiments.training import recorder
from experiments.training import trainer
import ssnn_jax
from ssnn_jax.runs import files
from ssnn_jax.runs import records

Load = Callable[[experiment.ExperimentConfig], ssnn_jax.datasets.Dataset]


def plan(
  settings: Sequence[grids.Setting], workdir: pathlib.Path, seeds: Sequence[int]
) -> dict[str, list[recorder.Run]]:
  """Lists the runs of a sweep.

  Args:
    settings: the settings of its grid.
    workdir: where each run has its folder.
    seeds: the seeds of each setting.

  Returns:
    The runs that are trained together, by a name for them.
  """
  return {
    ' + '.join(setting.name for setting in group): [
      recorder.Run(
        dataclasses.replace(setting.config, seed=seed),
        workdir / setting.name / f'seed={seed}',
      )
      for setting in group
      for seed in seeds
    ]
    for group in grids.together(settings)
  }


def pending(runs: Sequence[recorder.Run]) -> list[recorder.Run]:
  """Selects the new and unfinished runs of a sweep.

  Args:
    runs: runs of a sweep.

  Returns:
    The runs without a finished record.

  Raises:
    UserError: if a folder holds a run of another configuration.
  """
  finished = recorder.Status.FINISHED
  return [run for run in runs if recorder.status(run) is not finished]


def make_tasks(
  planned: Mapping[str, Sequence[recorder.Run]],
  load: Load,
  options: trainer.Options,
) -> list[launchers.Task]:
  """Makes tasks of the runs that are still to be made, and tells of the others.

  Args:
    planned: runs that are trained together, by a name for them.
    load: loads what a configuration is trained on; picklable.
    options: how they are trained.

  Returns:
    The tasks.

  Raises:
    UserError: if a setting is not possible, or a folder holds a run of another
      configuration.
  """
  missing = {name: pending(runs) for name, runs in planned.items()}
  for name, runs in planned.items():
    # Refused before any has run.
    experiment.network_config(runs[0].config, load(runs[0].config))
    if not missing[name]:
      print(f'{name}: recorded', flush=True)
  return [
    launchers.Task(
      f'{name} ({len(runs)} of {len(planned[name])} runs)',
      functools.partial(train_together, runs, load, options),
    )
    for name, runs in missing.items()
    if runs
  ]


def train_together(
  runs: Sequence[recorder.Run], load: Load, options: trainer.Options
) -> None:
  """Trains runs that differ in seed and learning rate alone."""
  trainer.train(runs, load(runs[0].config), options)


def report(event: launchers.Event) -> None:
  """Tells what has become of a task."""
  so_far = f'[{event.num_ended}/{event.num_tasks}]'
  print(f'{so_far} {event.task}: {event.status.value}', flush=True)
  # A mistake is told at the end, as any is.
  if event.message and event.status is not launchers.Status.MISTAKEN:
    print(event.message, file=sys.stderr, flush=True)


def launch(
  tasks: Sequence[launchers.Task],
  workdir: pathlib.Path,
  values: Mapping[str, Any],
) -> None:
  """Runs tasks as the flags say.

  Args:
    tasks: what to run.
    workdir: where they record.
    values: the value of each flag.

  Raises:
    UserError: if a task cannot be run.
  """
  if values['launcher'] == 'ray':
    ray_workers.launch_ray(
      tasks,
      report,
      workdir,
      address=values['ray_address'],
      num_cpus=values['cpus_per_task'],
      num_gpus=values['gpus_per_task'],
      num_retries=values['num_retries'],
    )
  elif values['num_workers'] > 1:
    local_workers.launch_local(tasks, report, values['num_workers'])
  else:
    launchers.launch_here(tasks, report)


def _grids(values):
  """Takes the grids that the flags ask for, and a name for them."""
  if values['grid'] is not None and values['sweep']:
    raise ssnn_jax.UserError(
      '--grid and --sweep both say what to vary; leave one of them out.'
    )
  if values['grid'] is not None:
    name, asked = 'grid', tuple(map(grids.parse, values['grid']))
  else:
    name = values['sweep'] or next(iter(grids.SWEEPS))
    asked = grids.SWEEPS[name]
  for field in ('method', *(field for grid in asked for field in grid)):
    if values[field] is not None:
      remedy = 'leave it out'
      if values['grid'] and field == 'method':
        remedy = f"write --grid='method={values[field]};...' in its place"
      raise ssnn_jax.UserError(f'--{field} is what the sweep varies; {remedy}.')
  return name, asked


def _check_launcher(values):
  """Refuses flags of the launcher that is not asked for."""
  if values['launcher'] == 'ray' and values['num_workers'] > 1:
    raise ssnn_jax.UserError(
      '--num_workers is for --launcher=local; leave it out, as Ray runs as '
      'many settings as --cpus_per_task and --gpus_per_task allow.'
    )
  if values['launcher'] == 'local' and values['ray_address'] is not None:
    raise ssnn_jax.UserError(
      '--ray_address is for --launcher=ray; give both, or neither.'
    )


def main() -> None:
  """Runs the sweep that the flags ask for."""
  values = flags.FLAGS.flag_values_dict()
  _check_launcher(values)
  base = command.config(values)
  name, asked = _grids(values)
  workdir = command.folder(
    values['workdir'] or f'runs/{name}-{experiment.slug(base)}'
  )
  seeds = range(base.seed, base.seed + values['num_seeds'])
  planned = plan(grids.settings(base, *asked), workdir, seeds)
  load = functools.partial(
    data.load,
    data_dir=values['data_dir'],
    download=values['download'],
  )
  print(data.describe(load(base)), end='', flush=True)
  with files.exclusive_lock(workdir / '.lock'):
    tasks = make_tasks(planned, load, trainer.make_options(values))
    launch(tasks, workdir, values)
    runs = list(records.find(workdir))
    grid_summary.write_csv(runs, workdir)
  _tell_picks(grid_summary.group(runs))
  print(f'records: {workdir}, and summary.csv there')


def _tell_picks(settings):
  """Tells the best learning rates, if these are what has been tried."""
  if tuning.is_tuning(settings):
    for method, rate in tuning.pick(settings).items():
      print(f'{method}: best on held-out samples with --learning_rate={rate:g}')


def _define_flags():
  command.define_config()
  command.define_folders('`folder` of the records; left out: one below runs/.')
  trainer.define_flags()
  with command.group('Sweep'):
    flags.DEFINE_enum(
      'sweep', None, list(grids.SWEEPS), 'named grid; left out: the first.'
    )
    flags.DEFINE_multi_string(
      'grid',
      None,
      "`grid` of your own in its place, as in 'num_steps=16,64;learning_rate="
      "0.1,0.3' (or layer_sizes=64-32-10,64-64-10); the ANN is run beside it "
      'unless it lists methods; given several times, all of them.',
    )
    flags.DEFINE_integer(
      'num_seeds', 5, 'seeds of each setting, from --seed up.', lower_bound=1
    )
  with command.group('Machine'):
    flags.DEFINE_enum(
      'launcher',
      'local',
      ['local', 'ray'],
      'what runs the settings; ray takes the package of that name.',
    )
    flags.DEFINE_integer(
      'num_workers',
      1,
      'local: settings at a time, each in a process with a device of its own; '
      '1 runs them in this process, on all devices.',
      lower_bound=1,
    )
    flags.DEFINE_string(
      'ray_address',
      None,
      'ray: `address` of a cluster; left out: any, or one '
      'that is started here.',
    )
    flags.DEFINE_float(
      'cpus_per_task', 1.0, 'ray: cores of a setting.', lower_bound=0.0
    )
    flags.DEFINE_float(
      'gpus_per_task', 0.0, 'ray: GPUs of a setting.', lower_bound=0.0
    )
    flags.DEFINE_integer(
      'num_retries',
      3,
      'ray: times that a setting goes on after its worker has died.',
      lower_bound=0,
    )


if __name__ == '__main__':
  _define_flags()
  command.launch(main)
