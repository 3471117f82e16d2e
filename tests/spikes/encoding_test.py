"""Tests for the encoding of inputs, and for the inputs that are refused."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax.simulation import samples

SIZES = (6, 4, 3)
CONFIG = ssnn_jax.NetworkConfig(SIZES, num_steps=4)
GOOD = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)
LABELS = np.array([0, 2])

BAD_IMAGES = {
  'integers': (GOOD.astype(np.int32), 'dtype int32'),
  'single': (GOOD.ravel(), 'add a leading axis'),
  'pixels': (GOOD[:, :, :2], '4 pixels, but layer_sizes starts with 6'),
}
BAD_LABELS = {
  'floats': (np.float32([0, 2]), 'float32'),
  'one_hot': (np.eye(3, dtype=np.int32)[:2], r'shape \(2, 3\)'),
  'too_few': (np.array([1]), 'each of the 2 inputs'),
}


def networks():
  for network in (ssnn_jax.ssnn(CONFIG), ssnn_jax.ann(CONFIG)):
    yield network, network.init(jax.random.key(0))


class EncodingTest(parameterized.TestCase):
  def assert_refused(self, message, function, *arguments):
    """Asserts that the error is one sentence that matches the message."""
    with self.assertRaisesRegex(ssnn_jax.UserError, message) as caught:
      function(*arguments)
    self.assertRegex(str(caught.exception), r'\A[^\n]+\.\Z')

  def test_grey_values_encode_as_rates(self):
    images = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    rates = ssnn_jax.rate_encode(images)
    expected = (np.arange(256) / 255).astype(np.float32).reshape(4, 64)
    # XLA may multiply by the reciprocal, one ulp off, but not at the ends.
    np.testing.assert_array_max_ulp(rates, expected, maxulp=1)
    self.assertEqual((rates.min(), rates.max()), (0.0, 1.0))

  def test_float_rates_are_unchanged(self):
    rates = ssnn_jax.rate_encode(GOOD)
    np.testing.assert_array_equal(rates, GOOD.reshape(2, 6))

  @parameterized.parameters(*BAD_IMAGES)
  def test_shapes_and_dtypes_are_refused_under_jit(self, name):
    images, message = BAD_IMAGES[name]
    for network, params in networks():
      key, infer = jax.random.key(0), jax.jit(network.infer)
      self.assert_refused(message, infer, params, key, images)

  @parameterized.parameters(*BAD_LABELS)
  def test_labels_are_refused_under_jit(self, name):
    labels, message = BAD_LABELS[name]
    for network, params in networks():
      key, learn = jax.random.key(0), jax.jit(network.learn)
      self.assert_refused(message, learn, params, key, GOOD, labels)

  def test_values_are_clipped_under_jit(self):
    (_, params), _ = networks()

    @jax.jit
    def encode(params, images, labels):
      key = jax.random.key(0)
      return samples.prepare(CONFIG, params, key, images, labels).inputs

    unknown = np.where(GOOD > 0.5, np.nan, GOOD)
    for images in (unknown, GOOD - 0.1, GOOD * 255):
      rates = encode(params, images, LABELS + 100).rates
      expected = np.clip(images.reshape(2, 6).astype(np.float32), 0, 1)
      np.testing.assert_array_equal(rates, expected)

  @parameterized.parameters(np.asarray, jnp.asarray)
  def test_arrays_closed_over_by_jit_are_encoded(self, kind):
    (_, params), _ = networks()
    images, labels = kind(GOOD), kind(LABELS)

    def encode(params):
      key = jax.random.key(0)
      batch = samples.prepare(CONFIG, params, key, images, labels)
      return batch.inputs.rates

    rates = jax.jit(encode)(params)
    np.testing.assert_array_equal(rates, GOOD.reshape(2, 6))

  def test_networks_learn_from_arrays_closed_over_by_jit(self):
    for network, params in networks():
      learn = jax.jit(
        lambda key, labels, network=network, params=params: network.learn(
          params, key, GOOD, labels
        )
      )
      learn(jax.random.key(0), jnp.asarray(LABELS))

      @jax.jit
      def closed(key, network=network, params=params):
        return network.learn(params, key, jnp.asarray(GOOD), LABELS)

      closed(jax.random.key(0))
