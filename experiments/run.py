"""Trains and records one setting, a grid of settings, or a study.

  python -m experiments.run --dataset=digits --num_steps=64
  python -m experiments.run --grid='num_steps=16,64;sampler=bernoulli,sobol'
  python -m experiments.run --study=parity --dataset=fashion_mnist

A repeated command skips finished runs and continues the others, from their
last checkpoints, with the results of uninterrupted runs. With --resume the
folder of a run provides the flags that are not given:

  python -m experiments.run --resume --workdir=runs/name
"""

import contextlib
import dataclasses
import shlex
import sys
import time
from typing import Any

from absl import flags
import numpy as np

from experiments import command
from experiments.runs import config as config_lib
from experiments.runs import models
from experiments.runs import records
from experiments.runs import train
from experiments.studies import studies
from experiments.studies import sweeps
import ssnn_jax
from ssnn_jax.datasets import catalog

FLAGS = flags.FLAGS
_PRINT_EVERY = 30.0  # seconds between lines of progress of a setting of a sweep

config_lib.define_flags(
  ('dataset', 'method', 'layers', 'num_steps', 'neuron', 'sampler')
)
flags.DEFINE_string(
  'study', None, f'sweeps of a study: {", ".join(studies.STUDIES)}'
)
config_lib.define_sweep_flags()
flags.mark_flags_as_mutual_exclusive(('study', 'grid'))
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


def _options(print_every=0.0):
  names = config_lib.FLAGS.keys() & config_lib.OPTIONS.keys()
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


def _check_given(given, dataset, methods):
  """Refuses flags that would change nothing."""
  is_recorded = catalog.is_recorded(dataset)
  for name in given:
    is_used = any(config_lib.concerns(own, name) for own in methods)
    is_used |= name == 'num_steps' and is_recorded
    if not is_used:
      raise ssnn_jax.UserError(
        f'--{name} has no effect on --dataset={dataset} and --method='
        f'{",".join(sorted(methods))}; leave it out.'
      )


def _run_sweep(given):
  """Trains all settings of --study or --grid, and shows their results."""
  found = sweeps.find_sweeps(given, FLAGS.grid, FLAGS.study, FLAGS.num_seeds)
  options, dataset = _options(_PRINT_EVERY), given.get('dataset', 'digits')
  study = studies.load(FLAGS.study) if FLAGS.study else None
  base = sweeps.make_base(study, dataset, given)
  name = f'{FLAGS.study or "grid"}-{config_lib.slug("dataset", dataset)}'
  workdir = command.folder(FLAGS.workdir or f'runs/{name}').absolute()
  tasks = sweeps.plan(base, found, workdir)
  _check_given(given, dataset, {x.config.method for x in tasks.values()})
  line = shlex.join(['python', '-m', 'experiments.run', *sys.argv[1:]])
  described = {'study': FLAGS.study, 'dataset': dataset, 'command': line}
  with _interruptible(workdir):
    sweeps.run(tasks, workdir, described, options)
  from experiments.studies import pages

  pages.show(workdir)


def _repeat(given):
  """Repeats recorded runs; ends with an error if their numbers are others."""
  from experiments.studies import repeat  # matplotlib and pandas

  if not FLAGS.study:
    raise ssnn_jax.UserError('--quick needs a --study, or --study=all.')
  given.pop('seed', None)
  options, seconds = _options(_PRINT_EVERY), 60 * FLAGS.quick
  if not repeat.repeat(FLAGS.study, given, options, seconds, FLAGS.seed):
    sys.exit('error: not all numbers are those that are recorded.')


def make_task(given: dict[str, Any]) -> records.Task:
  """Makes the task of one setting, with --resume from its record."""
  config, num_seeds = None, FLAGS.num_seeds or 1
  if FLAGS.resume:
    if not FLAGS.workdir:
      raise ssnn_jax.UserError('--resume needs the --workdir of a run.')
    folder = command.folder(FLAGS.workdir)
    if records.is_nonempty(folder):
      task = records.read_task(folder)
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
  return records.Task(config, num_seeds, folder)


def _describe(task):
  """Describes the result of a finished task."""
  lines, config = records.read_lines(task.folder, 'final'), task.config
  mean = lambda name: f'{np.mean([line[name] for line in lines]):.2%}'
  accuracies = [mean('test_accuracy')] + [
    f'{mean(name)} by {readout}'
    for name, readout in records.READOUTS.items()
    if name in lines[0] and mean(name) != mean('test_accuracy')
  ]
  seeds = f' (mean of {len(lines)} seeds)' if len(lines) > 1 else ''
  return (
    f'{config.dataset}, {config.method}: {config_lib.split_name(config)} '
    f'accuracy {", ".join(accuracies)}{seeds}; trained in '
    f'{lines[0]["train_seconds"]:.3g} s (without compiling).\n'
    f'record: {task.folder}'
  )


def _run_one(given):
  """Trains one setting, and describes its result."""
  task, options = make_task(given), _options()
  _check_given(given, task.config.dataset, {task.config.method})
  if records.is_finished(task):
    print('this run is already finished.')
  else:
    dataset = train.load(task.config, options.data_dir, options.download)
    print(train.describe_data(dataset), end='')
    config = task.config
    config_lib.network_config(config, dataset)  # refuses what is none
    print(
      f'steps {config.num_steps or "none, digits"}, '
      f'learning rate {config.learning_rate:g}, '
      f'epochs: {config.num_epochs}',
      flush=True,
    )
    with _interruptible(task.folder):
      train.train(task, dataset, options)
  print(_describe(task))


def main() -> None:
  """Trains what the flags describe."""
  if FLAGS.quick is not None:
    _repeat(config_lib.given_fields())
  elif FLAGS.study or FLAGS.grid:
    _run_sweep(config_lib.given_fields())
  else:
    _run_one(config_lib.given_fields())


if __name__ == '__main__':
  headings = config_lib.HEADINGS | {'resume': 'Records:'}
  command.launch(main, headings, models.define_flags)
