"""A small experiment for tests: configuration, data, runs and records."""

import contextlib
import dataclasses
import functools
import io
import json
import pathlib
import re
from unittest import mock

from absl import flags
import numpy as np

from experiments.config import command
from experiments.config import experiment
from experiments.config import serialization
from experiments.training import programs
from experiments.training import recorder
from ssnn_jax import datasets
from ssnn_jax.runs import records

CONFIG = experiment.ExperimentConfig(
  layer_sizes=(64, 12, 10),
  num_steps=10,
  batch_size=24,
  num_epochs=3,
  probe_draws=2,
  dropout=0.1,
  weight_decay=1e-4,
)
# Fields that differ between two runs of one configuration.
TIMES = {'train_seconds', 'wall_seconds', 'time', 'seeds_at_once'}
# The final line of a run has at least these numbers.
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


def share_programs(test_case):
  """Compiles each program of a test class only once.

  Programs are pure functions of seed, learning rate and state, and know nothing
  of evaluations, so that runs which differ in these fields share them.

  Args:
    test_case: class of tests, in its `setUpClass`.
  """
  make = functools.cache(programs.make)

  @functools.wraps(programs.make)
  def make_once(config, *args):
    unused = {'seed': 0, 'learning_rate': 1.0, 'eval_every': 0}
    return make(dataclasses.replace(config, probe_every=0, **unused), *args)

  test_case.enterClassContext(mock.patch.object(programs, 'make', make_once))


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
  shape, dtype = (500, 28, 28), np.uint8
  if name == 'digits':
    shape = 500, 8, 8
  elif name in datasets.RECORDINGS:
    shape, dtype = (500, 2, 34 * 34 * 2), np.uint32
  split = datasets.Split(np.zeros(shape, dtype), np.zeros(500, np.int32))
  num_classes = NUM_CLASSES.get(name.removeprefix('synthetic_events/'), 10)
  return datasets.Dataset(name, split, split, ('name',) * num_classes)


def make_runs(folder, *seeds, **changes):
  """Returns runs of `CONFIG` with changed fields, one for each seed."""
  config = dataclasses.replace(CONFIG, **changes)
  return [
    recorder.Run(
      dataclasses.replace(config, seed=seed), pathlib.Path(folder, str(seed))
    )
    for seed in seeds
  ]


def record_run(run, *events):
  """Records a run with lines of the given events, with as few values."""
  records.create(run.folder, serialization.as_record(run.config))
  for event in events:
    values = FINAL if event == 'final' else {'epoch': 1}
    records.append(run.folder, event, **values)


def record_epochs(folder, num_epochs, num_hidden=2):
  """Records an unfinished run, evaluated after each second epoch."""
  config = {'method': 'ssnn', 'num_steps': 16, 'dataset': 'digits', 'seed': 3}
  records.create(folder, config)
  for epoch in range(1, num_epochs + 1):
    rates = tuple(0.1 * (epoch + layer) for layer in range(num_hidden + 1))
    records.append(
      folder,
      'epoch',
      epoch=epoch,
      loss=1 / epoch,
      train_accuracy=1 - 0.5 / epoch,
      firing_rates=rates,
      silent_fractions=rates,
      saturated_fractions=(0.0,) * len(rates),
      error_rates=rates,
      clipped_error_fractions=rates[:num_hidden],
      coincidences=tuple(1000 * rate for rate in rates),
    )
    if epoch % 2 == 0:
      records.append(folder, 'eval', epoch=epoch, test_accuracy=0.25)


def lines(folder):
  """Returns the lines of a record, without times."""
  text = pathlib.Path(folder, 'metrics.jsonl').read_text()
  assert text.endswith('\n'), text
  return [
    {k: v for k, v in json.loads(line).items() if k not in TIMES}
    for line in text.splitlines()
  ]


def rows(table):
  """Returns the rows of a table, each a dict from headings to cells."""
  heading, _, *texts = table.partition('\n\n')[0].splitlines()
  starts = [m.start() for m in re.finditer(r'(?:^|(?<=  ))\S', heading)]
  ends = [*starts[1:], None]
  names = [heading[start:end].strip() for start, end in zip(starts, ends)]
  return [
    {
      name: text[start:end].strip()
      for name, start, end in zip(names, starts, ends)
    }
    for text in texts
  ]


def parse_flags(*arguments):
  """Parses arguments with new flags of a configuration.

  Returns:
    The configuration and the flags.
  """
  values = flags.FlagValues()
  defined = {
    name: functools.partial(getattr(flags, name), flag_values=values)
    for name in dir(flags)
    if name.startswith('DEFINE')
  }
  with mock.patch.multiple(flags, **defined):
    command.define_config()
  values(['program', *arguments])
  return command.config(values.flag_values_dict()), values


def call_main(module, **values):
  """Calls `main` of a command with values of its flags; returns its output."""
  output = io.StringIO()
  with (
    mock.patch.object(module, 'flags') as module_flags,
    contextlib.redirect_stdout(output),
  ):
    module_flags.FLAGS.flag_values_dict.return_value = values
    module.main()
  return output.getvalue()
