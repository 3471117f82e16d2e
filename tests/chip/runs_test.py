"""Tests that runs of the chip are trained, recorded and resumed."""

import pathlib

from absl.testing import parameterized
import jax
import numpy as np

from experiments import config as config_lib
from experiments import train
from ssnn_jax import chip
from ssnn_jax.runs import checkpoints
from tests.testing.experiments import lines
from tests.testing.experiments import stop_at_call

CONFIG = config_lib.ExperimentConfig(
  method='chip',
  layer_sizes=(64, 16, 10),
  num_steps=16,
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
    return train.Task(CONFIG, 2, self.folder / name)

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
      # The ANN readout dequantizes the weights.
      self.assertGreater(line['test_accuracy_rate'], 0.85)
    for seed in whole.seeds:
      params = checkpoints.load_params(whole.folder, seed=seed)
      self.assertEqual({own.dtype for own in params}, {np.dtype(np.int16)})
      self.assertLessEqual(max(np.abs(own).max() for own in params), 512)


class ChipNetworkTest(parameterized.TestCase):
  def test_learning_rate_is_a_mean_of_enabled_steps(self):
    # Errors come in 32 and 33 of 35 ticks, up to four spikes for one of 1.
    config = chip.ChipConfig((64, 32, 10), 35, fraction_bits=(9, 8))
    self.assertEqual(config.updates, (4.0, 256 / 33))
    rates = np.array([2**13, round(2**16 * 8 / 33)])
    schedule = lambda count: 1 / (1 + count)
    device = chip.make_device(config, 1 / 32, schedule)
    params = chip.make_network(config).init(jax.random.key(0))
    _, state = device.init(jax.random.key(1), params)
    enable = lambda state: chip.enable_rates(config, state, schedule)
    np.testing.assert_array_equal(enable(state), rates)
    state = state._replace(num_updates=state.num_updates + 1)
    np.testing.assert_allclose(enable(state), rates / 2, atol=0.5)

  def test_bytes_are_inputs_unchanged(self):
    config = chip.ChipConfig((256, 3))
    images = np.arange(256, dtype=np.uint8)[None]
    for own in (images, images / np.float32(255)):
      np.testing.assert_array_equal(chip.encode(config, own), images)

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
