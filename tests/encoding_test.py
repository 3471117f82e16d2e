"""Tests for the encoding of images and for what is refused."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax

SIZES = (6, 4, 3)
GOOD = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)
LABELS = np.array([0, 2])

BAD_IMAGES = {
  'nan': (np.where(GOOD > 0.5, np.nan, GOOD), 'NaN'),
  'below': (GOOD - 0.1, r'lie within \[-0.1, 0.9\]'),
  'above': (GOOD * 255, r'lie within \[0, 255\].*divide'),
  'integers': (GOOD.astype(np.int32), 'dtype int32'),
  'booleans': (GOOD > 0.5, 'dtype bool'),
  'single': (GOOD.ravel(), 'add a leading axis'),
  'pixels': (GOOD[:, :, :2], '4 pixels, but layer_sizes starts with 6'),
}
BAD_LABELS = {
  'floats': (np.float32([0, 2]), 'float32'),
  'one_hot': (np.eye(3, dtype=np.int32)[:2], r'shape \(2, 3\)'),
  'too_few': (np.array([1]), 'each of the 2 images'),
  'too_large': (np.array([0, 3]), r'\[0, 3\]; expected classes from 0 to 2'),
  'negative': (np.array([-1, 0]), r'lie within \[-1, 0\]'),
}


def networks():
  config = ssnn_jax.NetworkConfig(SIZES, num_steps=4)
  for network in (ssnn_jax.ssnn(config), ssnn_jax.ann(config)):
    yield network, network.init(jax.random.key(0))


class EncodingTest(parameterized.TestCase):
  def test_grey_values_are_rates(self):
    images = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    rates = ssnn_jax.rate_encode(images)
    expected = (np.arange(256) / 255).astype(np.float32).reshape(4, 64)
    # A quotient may be computed as a product, an ulp off; the ends may not.
    np.testing.assert_allclose(rates, expected, rtol=2e-7)
    self.assertEqual((rates.min(), rates.max()), (0.0, 1.0))

  def test_rates_are_themselves(self):
    rates = ssnn_jax.rate_encode(GOOD)
    np.testing.assert_array_equal(rates, GOOD.reshape(2, 6))

  @parameterized.parameters(*BAD_IMAGES)
  def test_bad_images_are_refused(self, name):
    images, message = BAD_IMAGES[name]
    for network, params in networks():
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        network.infer(params, jax.random.key(0), images)
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        network.learn(params, jax.random.key(0), images, LABELS)

  @parameterized.parameters(*BAD_LABELS)
  def test_bad_labels_are_refused(self, name):
    labels, message = BAD_LABELS[name]
    for network, params in networks():
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        network.learn(params, jax.random.key(0), GOOD, labels)

  def test_params_of_another_network_are_refused(self):
    for network, params in networks():
      with self.assertRaisesRegex(ssnn_jax.UserError, 'layer_sizes asks for'):
        network.infer(params[:1], jax.random.key(0), GOOD)

  @parameterized.parameters('integers', 'single', 'pixels')
  def test_shapes_and_dtypes_are_refused_under_jit(self, name):
    images, message = BAD_IMAGES[name]
    for network, params in networks():
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        jax.jit(network.infer)(params, jax.random.key(0), images)

  def test_known_values_inside_jit_are_checked(self):
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


if __name__ == '__main__':
  absltest.main()
