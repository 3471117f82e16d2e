"""Tests that runs of the chip are trained, recorded and resumed."""

import pathlib

from absl.testing import parameterized
import numpy as np

from experiments.runs import config as config_lib
from experiments.runs import records
from experiments.runs import train
from ssnn_jax.runs import checkpoints
from tests.testing.experiments import lines
from tests.testing.experiments import stop_at_call

CONFIG = config_lib.ExperimentConfig(
  method='chip',
  layers='16,10',
  num_steps=8,
  fraction_bits=(9, 8),
  weight_bits=10,
  batch_size=8,
  num_epochs=3,
  learning_rate=0.25,
  diagnostics=True,
  eval_every=2,  # each evaluation has a checkpoint
)


class ChipRunsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def make_task(self, name):
    return records.Task(CONFIG, 2, self.folder / name)

  def test_stopped_task_ends_like_an_uninterrupted_one(self):
    dataset = train.load(CONFIG)
    whole, stopped = map(self.make_task, ('whole', 'stopped'))
    train.train(whole, dataset)
    # At the checkpoint after that of epoch 2.
    with stop_at_call(self, 2, checkpoints, 'save'):
      train.train(stopped, dataset)
    train.train(stopped, dataset)
    for event in ('epoch', 'final'):
      self.assertEqual(lines(stopped.folder, event), lines(whole.folder, event))
    for line in lines(whole.folder):
      self.assertGreater(line['test_accuracy'], 0.85)
      self.assertGreater(line['test_accuracy_rate'], 0.85)
    for seed in whole.seeds:
      params = checkpoints.load_params(whole.folder, seed=seed)
      for own, bits in zip(params, (9, 8)):  # on the grid of 10 bits
        units = np.concatenate([own.weights.ravel(), own.biases]) * 2**bits
        np.testing.assert_array_equal(units, np.rint(units))
        self.assertBetween(np.abs(units).max(), 2**7, 2**9)
