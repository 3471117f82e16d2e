"""Tests for the encoding of inputs, and for the inputs that are refused."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import baselines
from ssnn_jax.simulation import samples
from tests.testing import networks
from tests.testing import networks as networks_lib

SIZES = (6, 4, 3)
CONFIG = ssnn_jax.NetworkConfig(SIZES, num_steps=4, dropout=0.1)
KEY = jax.random.key(0)
PARAMS = networks.make_params(CONFIG)
GOOD = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)
LABELS = np.array([0, 2])
NETWORKS = {
  'ssnn': ssnn_jax.ssnn(CONFIG),
  'ann': ssnn_jax.ann(CONFIG),
  'rpu': baselines.rpu.make_network(CONFIG),
  'bp_stdp': baselines.bp_stdp.make_network(CONFIG),
  'surrogate_gradient': baselines.surrogate_gradient.make_network(CONFIG),
  'feedback_alignment': baselines.feedback_alignment.make_network(
    CONFIG, PARAMS
  ),
}
# Wrong arguments of `learn`, and what the sentence names. Values are seen where
# the arrays are concrete, shapes and types also under jit.
SHAPES = (
  ({'images': GOOD.astype(np.complex64)}, 'dtype complex64'),
  ({'images': GOOD.ravel()}, 'add a leading axis'),
  ({'images': GOOD[:, :, :2]}, '4 pixels, but layer_sizes starts with 6'),
  ({'labels': np.float32([0, 2])}, 'float32'),
  ({'labels': np.eye(3, dtype=np.int32)[:2]}, r'shape \(2, 3\)'),
  ({'labels': np.array([1])}, 'each of the 2 inputs'),
  ({'params': networks_lib.zeros((6, 5, 3))}, '^params have weights'),
  ({'params': PARAMS[:1]}, '^params have weights'),
  (
    {'params': tuple(own._replace(biases=own.biases[:1]) for own in PARAMS)},
    '^params have biases',
  ),
  ({'key': jax.random.split(KEY, 3)}, r'^key is of shape \(3,\)'),
)
VALUES = (
  ({'images': GOOD * np.nan}, 'NaN'),
  ({'images': GOOD - 0.1}, r'within \[-0.1, 0.9\]'),
  ({'images': 255 * GOOD}, 'divide grey values'),
  ({'images': np.int32(300 * GOOD)}, r'\[0, 300\]; expected grey values'),
  ({'images': np.int32(GOOD > 0.5)}, 'bool instead of 0 and 1'),
  ({'images': np.ma.masked_greater(GOOD, 0.5)}, 'masked'),
  ({'images': GOOD[:0], 'labels': LABELS[:0]}, 'one sample or more'),
  ({'labels': LABELS + 1}, 'classes from 0 to 2'),
  ({'labels': None}, 'NoneType'),
)


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

  @parameterized.parameters(*NETWORKS)
  def test_wrong_arguments_are_refused(self, name):
    learn = NETWORKS[name].learn
    good = {'params': PARAMS, 'key': KEY, 'images': GOOD, 'labels': LABELS}
    for changes, message in (*SHAPES, *VALUES):
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        learn(*(good | changes).values())
    if name in ('ssnn', 'ann'):
      for changes, message in SHAPES:
        with self.assertRaisesRegex(ssnn_jax.UserError, message):
          jax.jit(learn)(*(good | changes).values())

  def test_other_floats_and_raw_keys_have_a_right_result(self):
    infer = jax.jit(NETWORKS['ssnn'].infer)
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

  @parameterized.parameters(np.asarray, jnp.asarray)
  def test_arrays_closed_over_by_jit_are_encoded(self, kind):
    images, labels = kind(GOOD), kind(LABELS)

    def encode(params):
      batch = samples.prepare(CONFIG, params, KEY, images, labels)
      return batch.inputs.rates

    rates = jax.jit(encode)(PARAMS)
    np.testing.assert_array_equal(rates, GOOD.reshape(2, 6))
