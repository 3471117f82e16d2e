"""Tests for networks of layers, also of one's own."""

import dataclasses

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import layers
from tests.testing import convolutions
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


class LayersTest(absltest.TestCase):
  def test_own_layer_learns_by_bp_and_by_spikes(self):
    config = networks.stochastic(
      layers=(Ring(3), layers.Dense(4)), input_shape=(10,), num_steps=32
    )
    self.assertEqual(config.layer_sizes, (10, 30, 4))
    rates = 'forward', 'backward', 'update'
    exact = dataclasses.replace(config, rates=rates)
    params = networks.make_params(config)
    batch = networks.batch(7, config.layer_sizes)
    builds = ssnn_jax.ssnn(exact), ssnn_jax.ann(exact), ssnn_jax.ssnn(config)

    @jax.jit
    def learn(*batch):
      losses = [built.loss for built in builds]
      return [jax.grad(own, has_aux=True)(*batch)[0] for own in losses]

    found, expected, learned = learn(params, KEY, *batch)
    networks.assert_close(found, expected)
    self.assertEqual(learned[0].weights.shape, (2, 3))
    self.assertGreater(np.abs(learned[0].weights).sum(), 0)

  def test_images_may_be_flat_or_have_an_axis_of_one_channel(self):
    config = convolutions.make_config()
    network = ssnn_jax.ssnn(config)
    params = convolutions.make_params(config)
    for shape in ((1, 84), (1, 7, 6, 2)):
      jax.eval_shape(network.infer, params, KEY, jnp.zeros(shape))
    config = networks.stochastic(
      layers=(layers.Conv(2, 3), layers.Dense(4)), input_shape=(7, 6)
    )
    network = ssnn_jax.ann(config)
    images = np.random.default_rng(0).random((3, 7, 6), np.float32)
    params, infer = networks.make_params(config), jax.jit(network.infer)
    expected = infer(params, KEY, images).potential
    for shape in ((3, 42), (3, 1, 42)):
      found = infer(params, KEY, images.reshape(shape)).potential
      np.testing.assert_array_equal(found, expected)
