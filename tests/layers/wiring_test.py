"""Tests for layers of one's own and for networks of layers."""

import dataclasses

from absl.testing import absltest
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import layers
from tests.testing import networks

KEY = jax.random.key(3)


@dataclasses.dataclass(frozen=True)
class Ring:
  """Neurons in a ring, which see themselves and their right neighbors."""

  features: int

  def connect(self, input_shape):
    neurons = np.arange(np.prod(input_shape))
    inputs = np.stack([neurons, np.roll(neurons, -1)], axis=1)
    output_shape = len(neurons), self.features
    return layers.Wiring(input_shape, output_shape, inputs)


class OwnLayerTest(absltest.TestCase):
  def test_own_layer_learns_by_bp_and_by_spikes(self):
    config = ssnn_jax.NetworkConfig(
      layers=(Ring(3), layers.Dense(4)), input_shape=(10,), num_steps=32
    )
    self.assertEqual(config.layer_sizes, (10, 30, 4))
    rates = 'forward', 'backward', 'update'
    exact = dataclasses.replace(config, rates=rates)
    params = networks.make_params(config)
    batch = networks.batch(7, config.layer_sizes)
    builds = ssnn_jax.ssnn(exact), ssnn_jax.ann(exact), ssnn_jax.ssnn(config)
    learn = jax.jit(lambda *own: [built.learn(*own)[0] for built in builds])
    found, expected, counts = jax.device_get(learn(params, KEY, *batch))
    networks.assert_close(*map(ssnn_jax.as_gradient, (found, expected)))
    self.assertEqual(counts.positive[0].weights.shape, (2, 3))
    self.assertGreater(np.abs(counts.positive[0].weights).sum(), 0)
