"""Tests that runs of the chip are trained, recorded and resumed."""

import dataclasses
import json
import pathlib

from absl.testing import parameterized
import jax
import numpy as np

from experiments.config import experiment
from experiments.training import data
from experiments.training import trainer
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.runs import checkpoints
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import lines
from tests.testing.experiments import stop_at_call

CONFIG = experiment.ExperimentConfig(
  method='chip',
  layer_sizes=(64, 32, 10),
  num_steps=32,
  fraction_bits=(9, 8),
  weight_bits=10,
  num_epochs=3,
  diagnostics=True,
  eval_every=2,  # each evaluation has a checkpoint
)


class ChipRunsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def make_task(self, name):
    return trainer.Task(CONFIG, 2, self.folder / name)

  def test_stopped_task_ends_like_an_uninterrupted_one(self):
    dataset = data.load(CONFIG, None)
    whole, stopped = map(self.make_task, ('whole', 'stopped'))
    trainer.train(whole, dataset)
    # At the checkpoint after that of epoch 2.
    with stop_at_call(self, 2, checkpoints, 'save'):
      trainer.train(stopped, dataset)
    trainer.train(stopped, dataset)
    self.assertEqual(lines(stopped.folder), lines(whole.folder))
    for line in lines(whole.folder):
      curves = line['curves']
      self.assertLess(curves['loss'][-1], curves['loss'][0])
      for name in ('firing_rates', 'error_rates'):
        self.assertEqual([len(own) for own in curves[name]], [2, 2, 2])
      self.assertNotRegex(json.dumps(curves), 'null|NaN')
      self.assertGreater(line['test_accuracy'], 0.85)
      self.assertEqual((line['generator'], 'sampler' in line), ('sobol', False))
      # The ANN readout dequantizes the weights.
      self.assertGreater(line['test_accuracy_rate'], 0.85)
    for seed in whole.seeds:
      params = checkpoints.load_params(whole.folder, seed=seed)
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
    task, options = self.make_task('run'), trainer.Options(num_devices=2)
    with self.assertRaisesRegex(ssnn_jax.UserError, '^--num_devices is 2'):
      trainer.train(task, data.load(CONFIG, None), options)


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
