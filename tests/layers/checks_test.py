"""Tests of the checks of a network's layers."""

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
CHANNELS_FIRST = layers.Conv(2, 1, channel_axis=0)


@dataclasses.dataclass
class Changing:
  """A layer without a hash."""

  def connect(self, input_shape):
    return layers.Wiring(input_shape, (3,))


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    (dict(layers=()), r'layers is \(\); expected a tuple of hashable layers'),
    (dict(layers=(Changing(), layers.Dense(3))), 'a tuple of hashable layers'),
    (
      dict(layers=(layers.Conv(2, 2), CHANNELS_FIRST, layers.Dense(3))),
      'only the first has channel_axis=0',
    ),
    (dict(input_shape=None), 'input_shape is None; expected a tuple of sizes'),
    (dict(layers=(layers.Conv(2, 2),)), 'the last has one position'),
    (dict(layer_sizes=(6, 3)), r'layer_sizes is \(6, 3\); expected None, as'),
  )
  def test_wrong_layers_are_refused(self, options, message):
    good = dict(layers=(layers.Conv(2, 2), layers.Dense(3)), input_shape=(3, 3))
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      ssnn_jax.NetworkConfig(**good | options)

  def test_lists_and_numpy_integers_are_accepted(self):
    own = [layers.Conv(2, 2), layers.Dense(3)]
    shape = list(np.array([3, 3]))
    config = ssnn_jax.NetworkConfig(layers=own, input_shape=shape)
    expected = ssnn_jax.NetworkConfig(layers=tuple(own), input_shape=(3, 3))
    self.assertEqual(config, expected)
    self.assertEqual(hash(config), hash(expected))
    self.assertEqual(
      dataclasses.replace(config, num_steps=5).layer_sizes, (9, 8, 3)
    )

  def test_images_with_another_order_of_axes_are_refused(self):
    config = convolutions.make_config()
    network = ssnn_jax.ssnn(config)
    params = convolutions.make_params(config)
    for shape in ((1, 84), (1, 7, 6, 2)):
      jax.eval_shape(network.infer, params, KEY, jnp.zeros(shape))
    message = r'images have shape \(2, 7, 6\), but input_shape is \(7, 6, 2\)'
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      network.infer(params, KEY, jnp.zeros((1, 2, 7, 6)))

  def test_flat_images_are_accepted(self):
    config = ssnn_jax.NetworkConfig(
      layers=(layers.Conv(2, 3), layers.Dense(4)), input_shape=(7, 6)
    )
    network = ssnn_jax.ann(config)
    images = np.random.default_rng(0).random((3, 7, 6), np.float32)
    params, infer = networks.make_params(config), jax.jit(network.infer)
    expected = infer(params, KEY, images).potential
    for shape in ((3, 42), (3, 1, 42)):
      found = infer(params, KEY, images.reshape(shape)).potential
      np.testing.assert_array_equal(found, expected)
