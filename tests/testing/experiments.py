"""A small experiment for tests: configuration, data, tasks and records."""

import contextlib
import dataclasses
import functools
import io
import json
import pathlib
import runpy
from unittest import mock

from absl import flags
import numpy as np

from experiments import record
from experiments.config import command
from experiments.config import experiment
from experiments.training import trainer
from ssnn_jax import datasets

CONFIG = experiment.ExperimentConfig(
  layer_sizes=(64, 12, 10),
  num_steps=10,
  sampler='bernoulli',  # compiled sooner
  batch_size=24,
  num_epochs=3,
  probe_draws=2,
  dropout=0.1,
  weight_decay=1e-4,
)
# Fields that differ between two runs of one configuration.
TIMES = {'train_seconds', 'wall_seconds', 'seeds_at_once', 'environment'}
# The line of a finished run has at least these numbers.
FINAL = {
  'test_accuracy': 0.5,
  'test_accuracy_potential': 0.5,
  'test_accuracy_rate': 0.5,
  'train_seconds': 6.0,
}
NUM_CLASSES = {
  'emnist/balanced': 47,
  'emnist/bymerge': 47,
  'emnist/byclass': 62,
  'emnist/letters': 26,
}


class Stopped(BaseException):
  """Stops a run; no code of the library catches or raises it."""


@contextlib.contextmanager
def stop_at_call(test_case, number, module, name):
  """Replaces a function: its call of the given number raises `Stopped`."""
  function, calls = getattr(module, name), []

  def call_or_stop(*args, **kwargs):
    calls.append(name)
    if len(calls) == number:
      raise Stopped
    return function(*args, **kwargs)

  with mock.patch.object(module, name, call_or_stop):
    with test_case.assertRaises(Stopped):
      yield


@functools.cache
def small_digits():
  """Returns 100 digits for training and 40 for testing."""
  digits = datasets.load('digits')
  return digits._replace(
    train=datasets.Split(*(part[:100] for part in digits.train)),
    test=datasets.Split(*(part[:40] for part in digits.test)),
  )


def blank_dataset(name):
  """Returns 500 blank samples with the shapes of the data set of a name."""
  shape, dtype, sensor_shape = (500, 28, 28), np.uint8, None
  if name == 'digits':
    shape = 500, 8, 8
  elif name in datasets.RECORDINGS:
    shape, dtype, sensor_shape = (500, 2, 2312), np.uint32, (2, 34, 34)
  split = datasets.Split(np.zeros(shape, dtype), np.zeros(500, np.int32))
  num_classes = NUM_CLASSES.get(name.removeprefix('synthetic_events/'), 10)
  class_names = ('name',) * num_classes
  return datasets.Dataset(
    name, split, split, class_names, sensor_shape=sensor_shape
  )


def make_task(folder, seed=0, num_seeds=1, **changes):
  """Returns a task of `CONFIG` with changed fields."""
  config = dataclasses.replace(CONFIG, seed=seed, **changes)
  return trainer.Task(config, num_seeds, pathlib.Path(folder))


def make_line(config, event='final', curves=None, **numbers):
  """Returns the line of a run, by default finished with as few numbers."""
  return {
    'event': event,
    'method': config.method,
    'seed': config.seed,
    **(FINAL if event == 'final' else {}),
    **numbers,
    'config': experiment.to_record(config),
    'environment': {},
    'curves': curves or {},
  }


def record_run(task, event='final', numbers=lambda config: {}, curves=None):
  """Writes the folder of a task with a made-up result.

  Args:
    task: the task.
    event: `final`, or `unfinished`.
    numbers: function from the configuration of a seed to further numbers.
    curves: quantities of the epochs of each seed.
  """
  task.folder.mkdir(parents=True, exist_ok=True)
  config = experiment.to_json(task.config) | {'num_seeds': task.num_seeds}
  (task.folder / record.CONFIG).write_text(json.dumps(config))
  configs = [dataclasses.replace(task.config, seed=seed) for seed in task.seeds]
  lines = [make_line(own, event, curves, **numbers(own)) for own in configs]
  record.write(task.folder / record.METRICS, {}, lines)


def make_curves(num_epochs, num_hidden=2):
  """Returns the curves of a run that is evaluated after each second epoch."""
  epochs = range(1, num_epochs + 1)
  rates = [
    [0.1 * (epoch + layer) for layer in range(num_hidden + 1)]
    for epoch in epochs
  ]
  return {
    'loss': [1 / epoch for epoch in epochs],
    'train_accuracy': [1 - 0.5 / epoch for epoch in epochs],
    'firing_rates': rates,
    'silent_fractions': rates,
    'saturated_fractions': [[0.0] * len(own) for own in rates],
    'error_rates': rates,
    'clipped_error_fractions': [own[:num_hidden] for own in rates],
    'coincidences': [[1000 * rate for rate in own] for own in rates],
    'test_accuracy': [0.25 for epoch in epochs if epoch % 2 == 0],
    'eval_epochs': [epoch for epoch in epochs if epoch % 2 == 0],
  }


def lines(folder):
  """Returns the lines of the runs in a folder, without times and machine."""
  return [
    {name: value for name, value in line.items() if name not in TIMES}
    for line in record.read(pathlib.Path(folder, record.METRICS)).lines
  ]


@contextlib.contextmanager
def parsed_flags(define, *arguments):
  """Replaces all flags of absl by new ones, parsed from arguments.

  Args:
    define: function that defines the flags.
    *arguments: the arguments, as `--name=value`.
  """
  values = flags.FlagValues()
  defined = {
    name: functools.partial(getattr(flags, name), flag_values=values)
    for name in dir(flags)
    if name.startswith('DEFINE')
  }
  with mock.patch.multiple(flags, FLAGS=values, **defined):
    define()
    values(['program', *arguments])
    yield values


def parse_flags(*arguments):
  """Returns the configuration of arguments, and their flags."""
  with parsed_flags(command.define_config, *arguments) as values:
    return command.config(command.given()), values


def call_main(module, *arguments):
  """Calls `main` of a command with arguments; returns its output."""

  def define():  # as the module does when it is run
    with mock.patch.object(command, 'launch'):
      runpy.run_path(module.__file__, run_name='__main__')

  with (
    parsed_flags(define, *arguments),
    contextlib.redirect_stdout(io.StringIO()) as output,
  ):
    module.main()
  return output.getvalue()
