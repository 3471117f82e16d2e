"""Tests of experiments with recordings of events."""

import contextlib
import dataclasses
import io
import os
from unittest import mock

import numpy as np

from experiments import prepare
from experiments import record
from experiments import run
from experiments.config import experiment
from experiments.config import grids
from experiments.training import data
from experiments.training import trainer
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax.datasets import loading
from ssnn_jax.datasets import recordings
from tests.testing import datasets as data_util
from tests.testing.experiments import lines

CONFIG = dataclasses.replace(
  experiment.CONFIGS['n_mnist'],
  layer_sizes=(2312, 5, 10),
  num_steps=33,
  batch_size=3,
  num_epochs=2,
  probe_size=4,
  probe_draws=1,
)


class EventRunsTest(data_util.RecordingsTestCase):
  def test_trains_on_recordings(self):
    self.write_recordings()
    config = dataclasses.replace(
      CONFIG, num_steps=16, integration='leaky', window=8
    )
    dataset = data.load(config, str(self.data_dir))
    self.assertStartsWith(
      data.describe(dataset), 'n_mnist: 10 of 70,000 samples found, 7 for'
    )
    task = trainer.Task(config, 1, self.data_dir / 'run')
    trainer.train(task, dataset)
    (line,) = lines(task.folder)
    self.assertEqual(line['dataset'], 'n_mnist')
    self.assertIn(line['test_accuracy'], np.float32([0, 1, 2, 3]) / 3)
    self.assertEqual(line['config']['shuffle_ticks'], False)

  def test_each_setting_of_a_sweep_has_its_own_trains(self):
    self.write_recordings()
    grid = {'num_steps': (10, 64), 'shuffle_ticks': (False, True)}
    planned = run.plan(CONFIG, [grids.Sweep(grid, 1)], self.data_dir)
    (self.data_dir / record.SWEEP).write_text('{}')
    options = experiment.DataOptions(str(self.data_dir))
    settings = []
    for task in planned.values():
      with mock.patch.object(trainer, 'train') as train:
        run.run_task(task, options, trainer.Options(), self.data_dir)
      ((_, dataset, _), _) = train.call_args
      config = task.config
      settings.append((config.num_steps, config.shuffle_ticks))
      binning = datasets.Binning(
        config.num_steps, shuffle_ticks=config.shuffle_ticks
      )
      expected = datasets.load('n_mnist', self.data_dir, binning=binning)
      np.testing.assert_array_equal(dataset.train.inputs, expected.train.inputs)
    product = [(10, False), (10, True), (64, False), (64, True)]
    self.assertEqual(settings, [(33, False), *product])


class PrepareTest(data_util.RecordingsTestCase):
  def prepare(self, *arguments):
    """Synthesizes recordings of digits; returns their folder and the output."""
    name, folder = 'synthetic_events/digits', self.data_dir
    with contextlib.redirect_stderr(io.StringIO()) as output:
      prepare.synthesize(name, folder, False, *arguments)
    return loading.recordings_folder(name, folder), output.getvalue()

  def test_synthesizes_a_share_of_both_splits_once(self):
    folder = loading.recordings_folder('synthetic_events/digits', self.data_dir)
    folder.mkdir(parents=True)  # an empty folder is used
    self.prepare(20, 1)
    synthetic = datasets.load('synthetic_events/digits', self.data_dir)
    digits = datasets.load('digits')
    for part, size in (('train', 16), ('test', 4)):
      labels = getattr(synthetic, part).labels
      expected = getattr(digits, part).labels[:size]
      self.assertCountEqual(labels.tolist(), expected.tolist())
    self.assertIn('synthetic', (folder / recordings.SYNTHETIC).read_text())
    again, output = self.prepare(None, None)
    self.assertEqual(output, f'{again} exists already\n')
    for size, seed in ((20, None), (None, 1)):
      with self.assertRaisesRegex(
        ssnn_jax.UserError, 'exists already, so --num_recordings and --seed'
      ):
        self.prepare(size, seed)
    self.assertLen(os.listdir(self.data_dir), 1)
