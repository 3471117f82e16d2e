"""Tests that runs of the chip are trained, recorded and resumed."""

import dataclasses
import json
import pathlib

from absl.testing import parameterized
import jax
import numpy as np

from experiments.config import experiment
from experiments.training import data
from experiments.training import recorder
from experiments.training import trainer
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import records
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import lines
from tests.testing.experiments import share_programs
from tests.testing.experiments import stop_at_call

CONFIG = experiment.ExperimentConfig(
  method='chip',
  layer_sizes=(64, 32, 10),
  num_steps=32,
  fraction_bits=(9, 8),
  weight_bits=10,
  num_epochs=3,
  eval_every=2,  # each evaluation has a checkpoint
)
SEEDS = 0, 1


def make_runs(folder, **changes):
  config = dataclasses.replace(CONFIG, **changes)
  return [
    recorder.Run(
      dataclasses.replace(config, seed=seed), folder / f'seed_{seed}'
    )
    for seed in SEEDS
  ]


class ChipRunsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def test_stopped_runs_end_like_uninterrupted_runs(self):
    share_programs(type(self))
    dataset = data.load(CONFIG, None)
    whole, stopped = (
      make_runs(self.folder / name) for name in ('whole', 'stopped')
    )
    trainer.train(whole, dataset)
    # At the checkpoint after that of epoch 2.
    with stop_at_call(self, len(SEEDS) + 1, checkpoints, 'save'):
      trainer.train(stopped, dataset)
    trainer.train(stopped, dataset)
    for run, other in zip(whole, stopped):
      self.assertEqual(lines(other.folder)[1:], lines(run.folder)[1:])
      recorded = records.read(run.folder)
      epochs = [e for e in recorded.events if e['event'] == 'epoch']
      self.assertLess(epochs[-1]['loss'], epochs[0]['loss'])
      for line in epochs:
        self.assertLen(line['firing_rates'], 2)
        self.assertLen(line['error_rates'], 2)
      self.assertNotRegex(json.dumps(recorded.final), 'null|NaN')
      self.assertGreater(recorded.final['test_accuracy'], 0.85)
      # The ANN readout dequantizes the weights.
      self.assertGreater(recorded.final['test_accuracy_rate'], 0.85)
      params = checkpoints.load_params(run.folder)
      self.assertEqual({own.dtype for own in params}, {np.dtype(np.int16)})
      self.assertLessEqual(max(np.abs(own).max() for own in params), 512)

  @parameterized.parameters(
    ('dropout', 0.1, 'dropout'),
    ('weight_decay', 0.1, 'weight_decay'),
    ('firing_function', 'hard_sigmoid', 'firing_function'),
    ('device', 'reram', 'device'),
    ('fraction_bits', (9, 8, 8), 'fraction_bits'),
    ('learning_rate', 100.0, 'learning_rate'),
    ('sharing', 'row', 'sharing'),
  )
  def test_refuses_what_the_chip_would_ignore(self, name, value, flag):
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^--{flag} '):
      config = dataclasses.replace(CONFIG, **{name: value})
      experiment.network_config(config, blank_dataset('digits'))

  def test_chip_uses_one_device(self):
    runs, options = make_runs(self.folder), trainer.Options(num_devices=2)
    with self.assertRaisesRegex(ssnn_jax.UserError, '^--num_devices is 2'):
      trainer.train(runs, data.load(CONFIG, None), options)


class ChipNetworkTest(parameterized.TestCase):
  def test_learning_rate_is_a_mean_of_enabled_steps(self):
    """A batch of B samples takes steps of the learning rate of B samples."""
    config = chip.ChipConfig((64, 32, 10), 32, fraction_bits=(9, 8))
    self.assertEqual(config.enable_rates(1 / 32), (2**15, 2**14))
    device = chip.make_device(config, 1 / 32, lambda count: 1 / (1 + count))
    params = chip.make_network(config).init(jax.random.key(0))
    weights, state = device.init(jax.random.key(1), params)
    np.testing.assert_array_equal(state.enable, [2**15, 2**14])
    after, state = device.update(jax.random.key(2), None, state, weights)
    np.testing.assert_array_equal(state.enable, [2**14, 2**13])
    jax.tree.map(np.testing.assert_array_equal, after, weights)

  def test_weights_are_rounded_to_units_of_their_layer(self):
    config = chip.ChipConfig((5, 4, 3), weight_bits=10, fraction_bits=(9, 8))
    params = chip.make_network(config).init(jax.random.key(0))
    weights = chip.init_weights(config, jax.random.key(0))
    for own, other, bits in zip(
      chip.dequantize(config, weights), params, (9, 8)
    ):
      bound = 2**9 / 2**bits
      expected = np.clip(other.weights, -bound, bound)
      np.testing.assert_allclose(own.weights, expected, rtol=0, atol=2.0**-bits)
