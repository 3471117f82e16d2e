"""Tests for layers of one's own and for networks of layers."""

import dataclasses

from absl.testing import parameterized
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


class OwnLayerTest(parameterized.TestCase):
  def test_own_layer_learns_by_bp_and_by_spikes(self):
    config = ssnn_jax.NetworkConfig(
      layers=(Ring(3), layers.Dense(4)), input_shape=(10,), num_steps=32
    )
    self.assertEqual(config.layer_sizes, (10, 30, 4))
    rates = {'forward': 'rates', 'backward': 'rates', 'update': 'rates'}
    exact = dataclasses.replace(config, **rates)
    params = ssnn_jax.ssnn(config).init(jax.random.key(0))
    batch = networks.batch(7, config.layer_sizes)
    found, expected = (
      ssnn_jax.as_gradient(jax.jit(built.learn)(params, KEY, *batch)[0])
      for built in (ssnn_jax.ssnn(exact), ssnn_jax.ann(exact))
    )
    networks.assert_close(found, expected)
    counts, _ = jax.jit(ssnn_jax.ssnn(config).learn)(params, KEY, *batch)
    self.assertEqual(counts.positive[0].weights.shape, (2, 3))
    self.assertGreater(np.abs(counts.positive[0].weights).sum(), 0)

  @parameterized.parameters(
    (np.zeros((3, 2), int), r'int64 of shape \(3, 2\)'),
    (np.zeros((4, 2)), r'float64 of shape \(4, 2\)'),
    (np.full((4, 2), 4), r'for each of 4 positions, from 0 to 3, or -1'),
    (np.full((4, 2), -2), 'from 0 to 3, or -1 for none'),
  )
  def test_wrong_inputs_are_refused(self, inputs, message):
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      layers.Wiring((4,), (4, 1), inputs)


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    (dict(layers=()), r'layers is \(\); expected a tuple of layers'),
    (dict(layers=(10,)), r'layers is \(10,\); expected a tuple of layers'),
    (dict(input_shape=None), 'input_shape is None; expected a tuple of whole'),
    (dict(input_shape=(0, 3)), r'input_shape is \(0, 3\); expected a tuple'),
    (dict(layers=(layers.Conv(2, 2),)), 'the last has one position'),
    (dict(layer_sizes=(6, 3)), r'layer_sizes is \(6, 3\); expected none, or'),
  )
  def test_wrong_layers_are_refused(self, options, message):
    good = dict(layers=(layers.Conv(2, 2), layers.Dense(3)), input_shape=(3, 3))
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      ssnn_jax.NetworkConfig(**good | options)

  def test_input_shape_needs_layers(self):
    message = 'input_shape is .*; expected none, without layers'
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      ssnn_jax.NetworkConfig((4, 3), input_shape=(2, 2))

  def test_params_and_inputs_of_another_network_are_refused(self):
    config = convolutions.make_config()
    network = ssnn_jax.ssnn(config)
    params = network.init(jax.random.key(0))
    with self.assertRaisesRegex(
      ssnn_jax.UserError, r'inputs have 9 pixels, but input_shape \(7, 6, 2\)'
    ):
      network.infer(params, KEY, jnp.zeros((1, 9)))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'but layers ask for'):
      network.infer(params[:2], KEY, jnp.zeros((1, 84)))
