"""Plan of a sweep: runs, training tasks and progress reports."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import pathlib
import statistics
import sys
import time

from experiments.config import experiment
from experiments.config import grids
from experiments.config import lines
from experiments.launch import launcher
from experiments.training import data
from experiments.training import recorder
from experiments.training import trainer
import ssnn_jax

Load = Callable[[experiment.ExperimentConfig], ssnn_jax.datasets.Dataset]
# Runs that are trained in one program, by the names of their settings.
Plan = Mapping[str, Sequence[recorder.Run]]


def make(
  base: experiment.ExperimentConfig,
  sweeps: Sequence[grids.Sweep],
  workdir: pathlib.Path,
) -> dict[str, list[recorder.Run]]:
  """Makes the plan of sweeps that share a folder.

  Args:
    base: the configuration with the fields that no sweep sets.
    sweeps: the sweeps.
    workdir: the folder of the sweeps; each run has its own subfolder.
  """
  num_seeds = grids.merge(base, sweeps)
  return {
    ' + '.join(setting.name for setting in group): [
      recorder.Run(
        dataclasses.replace(setting.config, seed=seed),
        workdir / setting.name / f'seed={seed}',
      )
      for setting in group
      for seed in range(base.seed, base.seed + num_seeds[setting])
    ]
    for group in grids.together(list(num_seeds))
  }


def pending(runs: Sequence[recorder.Run]) -> list[recorder.Run]:
  """Selects the new and unfinished runs; rejects other runs in their folders.

  Raises:
    UserError: if a folder holds a run with another configuration.
  """
  finished = recorder.Status.FINISHED
  return [run for run in runs if recorder.status(run) is not finished]


def make_tasks(
  planned: Plan, load: Load, options: trainer.Options
) -> list[launcher.Task]:
  """Makes a task for each group of pending runs, and prints the other groups.

  Args:
    planned: the plan of the sweep.
    load: loads the data of a configuration; picklable.
    options: options of training.

  Raises:
    UserError: if a setting is invalid, or a folder holds a run with another
      configuration.
  """
  missing = {name: pending(runs) for name, runs in planned.items()}
  for name, runs in planned.items():
    # Invalid settings are rejected before any run starts.
    experiment.network_config(runs[0].config, load(runs[0].config))
    if not missing[name]:
      print(f'{name}: recorded', flush=True)
  return [
    launcher.Task(name, functools.partial(_train, runs, load, options))
    for name, runs in missing.items()
    if runs
  ]


def _train(runs, load, options):
  """Trains runs, together if they are tested on the same fold."""
  by_fold = {}
  for run in runs:
    by_fold.setdefault(experiment.fold(run.config), []).append(run)
  for group in by_fold.values():
    trainer.train(group, load(group[0].config), options)


def check_records(planned: Plan) -> None:
  """Raises a user error if a run has no finished record."""
  missing = [run for runs in planned.values() for run in pending(runs)]
  if missing:
    raise ssnn_jax.UserError(
      f'{missing[0].folder} has no finished record, although its task ended; '
      'choose a --workdir on a file system that all workers share.'
    )


def make_report(planned: Plan) -> launcher.Report:
  """Makes the function that prints events, with accuracies and time left."""
  began, done = time.monotonic(), []

  def report(event):
    text = event.status.value
    if event.status is launcher.Status.DONE:
      done.append(event.task)
      num_left = event.num_tasks - event.num_ended
      seconds = (time.monotonic() - began) / len(done) * num_left
      left = f', {_describe_duration(seconds)} left' if num_left else ''
      text = _describe_accuracies(planned[event.task]) + left
    so_far = f'[{event.num_ended}/{event.num_tasks}]'
    print(f'{so_far} {event.task}: {text}', flush=True)
    # The sentence of a user error is printed at the end.
    if event.message and event.status is not launcher.Status.REFUSED:
      print(event.message, file=sys.stderr, flush=True)

  return report


def _describe_accuracies(runs):
  """Describes the accuracy of each setting, in percent."""
  if pending(runs):
    return 'done'  # `check_records` reports the missing record
  settings = {}
  for run in runs:
    accuracy = 100 * lines.read(run.folder).final['test_accuracy']
    settings.setdefault(run.folder.parent, []).append(accuracy)
  texts = []
  for values in settings.values():
    spread = f' ± {statistics.stdev(values):.1f}' if len(values) > 1 else ''
    seeds = 'seed' if len(values) == 1 else 'seeds'
    mean = statistics.fmean(values)
    texts.append(f'{mean:.1f}{spread} % ({len(values)} {seeds})')
  return f'{data.split_name(runs[0].config)} accuracy {", ".join(texts)}'


def _describe_duration(seconds):
  if seconds < 90:
    return f'{seconds:.0f} s'
  minutes = seconds / 60
  return f'{minutes:.0f} min' if minutes < 90 else f'{minutes / 60:.1f} h'
