"""Tests for the encoding of inputs, and for the inputs that are refused."""

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax.simulation import samples
from tests.testing import networks

SIZES = (6, 4, 3)
CONFIG = ssnn_jax.NetworkConfig(SIZES, num_steps=4, dropout=0.1)
KEY = jax.random.key(0)
PARAMS = networks.make_params(CONFIG)
GOOD = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)
LABELS = np.array([0, 2])


class EncodingTest(parameterized.TestCase):
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

  def test_integers_are_grey_values_and_bool_are_rates(self):
    images = np.arange(0, 256, 5).reshape(4, 13)
    expected = ssnn_jax.rate_encode(images.astype(np.uint8))
    for encode in (ssnn_jax.rate_encode, jax.jit(ssnn_jax.rate_encode)):
      for dtype in (np.int64, np.int16):
        rates = encode(images.astype(dtype))
        np.testing.assert_array_max_ulp(rates, expected, maxulp=1)
    rates = ssnn_jax.rate_encode(images > 99)
    np.testing.assert_array_equal(rates, images > 99)

  def test_errors_of_rounding_are_clipped(self):
    images = np.array([[0.25, 1.0000000000000002, -1e-9]])
    rates = ssnn_jax.rate_encode(images)
    np.testing.assert_array_equal(rates, np.float32([[0.25, 1.0, 0.0]]))

  def test_other_floats_and_raw_keys_have_a_right_result(self):
    infer = jax.jit(ssnn_jax.ssnn(CONFIG).infer)
    images = np.round(8 * GOOD) / 8
    expected = infer(PARAMS, jax.random.clone(KEY), images)
    for dtype in (np.float16, np.float64):
      key = jax.random.key_data(jax.random.clone(KEY))
      found = infer(PARAMS, key, images.astype(dtype))
      np.testing.assert_array_equal(found.potential, expected.potential)

  def test_values_are_clipped_under_jit(self):
    @jax.jit
    def encode(params, images, labels):
      return samples.prepare(CONFIG, params, KEY, images, labels).inputs

    unknown = np.where(GOOD > 0.5, np.nan, GOOD)
    for images in (unknown, GOOD - 0.1, GOOD * 255):
      rates = encode(PARAMS, images, LABELS + 100).rates
      expected = np.clip(images.reshape(2, 6).astype(np.float32), 0, 1)
      np.testing.assert_array_equal(rates, expected)
