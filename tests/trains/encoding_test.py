"""Tests for the encoding of inputs; `refusals_test` has those refused."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from tests.testing import networks

GREY = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
RATES = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)


def encode(images):
  return ssnn_jax.rate_encode(images)


encode_traced = jax.jit(encode)


class EncodingTest(parameterized.TestCase):
  @parameterized.parameters(
    (GREY, GREY / 255),
    (GREY.astype(np.int64), GREY / 255),
    (GREY > 99, GREY > 99),
    (RATES, RATES),
    # Errors of rounding are clipped.
    (np.array([[0.25, 1.0000000000000002, -1e-9]]), [[0.25, 1.0, 0.0]]),
  )
  def test_images_encode_as_rates(self, images, expected):
    expected = np.float32(expected).reshape(len(images), -1)
    for encode in (ssnn_jax.rate_encode, jax.jit(ssnn_jax.rate_encode)):
      rates = encode(images)
      # XLA may multiply by the reciprocal, one ulp off, but not at the ends.
      np.testing.assert_array_max_ulp(rates, expected, maxulp=1)
      self.assertEqual((rates.min(), rates.max()), (0.0, 1.0))

  def test_other_floats_and_raw_keys_have_a_right_result(self):
    config, key = ssnn_jax.NetworkConfig((6, 3), num_steps=4), jax.random.key(0)
    params = networks.make_params(config)
    infer = jax.jit(ssnn_jax.ssnn(config).infer)
    images = np.round(8 * RATES) / 8
    expected = infer(params, key, images)
    for dtype in (np.float16, np.float64):
      found = infer(params, jax.random.key_data(key), images.astype(dtype))
      np.testing.assert_array_equal(found.potential, expected.potential)

  def test_wrong_values_are_nan_under_jit(self):
    for images in (
      RATES * np.nan,
      RATES - np.float32(0.1),
      RATES * 255,
      np.uint16(RATES * 256),
      np.int32(RATES * 255) - 1,
      np.uint8(RATES > 0.5),
    ):
      rates = encode_traced(images)
      self.assertTrue(np.any(np.isnan(rates)))

  def test_constants_of_a_program_are_checked(self):
    for images in (RATES, np.uint8(255 * RATES), RATES > 0.5):
      constant = jnp.asarray(images)
      rates = jax.jit(lambda: encode(constant))()  # noqa: B023
      np.testing.assert_array_max_ulp(rates, encode_traced(images), 1)
    wrong = jnp.asarray(RATES) - 1
    with self.assertRaisesRegex(ssnn_jax.UserError, 'values of images lie'):
      jax.jit(lambda: encode(wrong))()
