"""A small experiment for tests: configuration, data, tasks and records."""

import contextlib
import dataclasses
import functools
import io
import json
import pathlib
import sys
from unittest import mock

from absl import flags
from absl.testing import flagsaver
from absl.testing import parameterized
import numpy as np

from experiments import run
from experiments.runs import config as config_lib
from experiments.runs import records
from ssnn_jax import datasets
from ssnn_jax.runs import checkpoints

CONFIG = config_lib.ExperimentConfig(
  layers='12,10',
  num_steps=10,
  neuron='stochastic',
  sampler='bernoulli',  # random, and compiled sooner than 'sobol'
  batch_size=24,
  num_epochs=3,
  dropout=0.1,
  weight_decay=1e-4,
)
# Numbers that differ between two runs of one configuration.
TIMES = {'train_seconds', 'peak_mib', 'seeds_at_once'}
TIMES |= {'time', 'restored_epochs'}
# The line of a finished run has at least these numbers.
READOUTS = '', '_winner', '_potential', '_rate'
FINAL = {f'test_accuracy{readout}': 0.5 for readout in READOUTS}
FINAL['train_seconds'] = 6.0
NUM_CLASSES = {'balanced': 47, 'bymerge': 47, 'byclass': 62, 'letters': 26}
NUM_CLASSES['braille'] = 27
# Moments and channels of signals.
SIGNALS = {
  **dict.fromkeys(('spoken_digits', 'spoken_digits/speakers'), (64, 32)),
  **dict.fromkeys(('mnist/rows', 'mnist/permuted'), (28, 28)),
  'mnist_1d': (40, 2),
  'braille': (75, 24),
}


class FolderTestCase(parameterized.TestCase):
  """Test case with a temporary folder."""

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)


class _Stopped(BaseException):
  """Stops a run; no code of the library catches or raises it."""


@contextlib.contextmanager
def stopped_at_save(test_case, number):
  """Stops what is trained inside the context at a checkpoint of a number."""
  effects = [mock.DEFAULT] * (number - 1) + [_Stopped]
  save = mock.Mock(wraps=checkpoints.save, side_effect=effects)
  with (
    mock.patch.object(checkpoints, 'save', save),
    test_case.assertRaises(_Stopped),
  ):
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
  elif name == 'cifar10':
    shape = 500, 32, 32, 3
  elif name == 'n_mnist':
    shape, dtype, sensor_shape = (500, 2, 2312), np.uint32, (2, 34, 34)
  elif name in SIGNALS:
    shape = 500, *SIGNALS[name]
  label_shape = shape[:2] if name in SIGNALS else 500
  split = datasets.Split(
    np.zeros(shape, dtype), np.zeros(label_shape, np.int32)
  )
  num_classes = NUM_CLASSES.get(name.rpartition('emnist/')[2], 10)
  class_names = ('name',) * num_classes
  return datasets.Dataset(
    name, split, split, class_names, sensor_shape=sensor_shape
  )


def make_task(folder, seed=0, num_seeds=1, **changes):
  """Returns a task of `CONFIG` with changed fields."""
  config = dataclasses.replace(CONFIG, seed=seed, **changes)
  return records.Task(config, num_seeds, pathlib.Path(folder))


def record_run(task, event='final', numbers=lambda config: {}):
  """Writes the folder of a task with a made-up result.

  The event is `final`, or `epoch` of a run that is not finished; `numbers` is a
  function from the configuration of a seed to further numbers.
  """
  task.folder.mkdir(parents=True, exist_ok=True)
  config = config_lib.to_json(task.config) | {'num_seeds': task.num_seeds}
  (task.folder / records.CONFIG).write_text(json.dumps(config))
  lines = []
  for seed in task.seeds:
    own = dataclasses.replace(task.config, seed=seed)
    lines += [{'event': event, 'seed': seed, **FINAL, **numbers(own)}]
  text = ''.join(f'{json.dumps(line)}\n' for line in lines)
  (task.folder / records.METRICS).write_text(text)


def lines(folder, event='final'):
  """Returns the lines of an event in a folder, without times."""
  return [
    {name: value for name, value in line.items() if name not in TIMES}
    for line in records.read_lines(pathlib.Path(folder), event)
  ]


@contextlib.contextmanager
def flags_of_run(*arguments):
  """Parses arguments of `experiments.run`, and restores all flags."""
  with (
    flagsaver.flagsaver(),
    mock.patch.object(sys, 'argv', ['run.py', *arguments]),
  ):
    flags.FLAGS(sys.argv)
    yield


def call_run(*arguments):
  """Calls `experiments.run` with arguments; returns its output."""
  with (
    flags_of_run(*arguments),
    contextlib.redirect_stdout(io.StringIO()) as output,
  ):
    run.main()
  return output.getvalue()
