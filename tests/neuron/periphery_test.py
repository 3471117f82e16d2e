"""Tests of the crossbar periphery: quantization and read noise."""

import functools
import itertools
import math

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.neuron import periphery
from ssnn_jax.simulation import rules
from ssnn_jax.spikes import thresholds
from tests.testing import networks
from tests.testing import sources
from tests.testing import statistics

ROLES = thresholds.Role
NUM_POSITIONS, NUM_NEURONS = 150, 60
SIZES = (4, 3, 2)


@functools.cache
def read_noise(
  num_steps, window, role=ROLES.READ, layer=0, sampler='bernoulli', size=None
):
  """Returns the noise of all windows, `[positions, windows, neurons]`."""
  schedule, size = spikes.Schedule(num_steps, window), size or NUM_NEURONS
  config = ssnn_jax.NetworkConfig(SIZES, sampler=sampler)
  keys = thresholds.make_keys(jax.random.key(0), len(SIZES))

  def of_block(position, index):
    block = spikes.block(schedule, index)
    of_sample = rules.make_sources(config, keys, block.words, position)
    source = of_sample(role, layer, size)
    return jax.vmap(lambda w: periphery.mean_noise(source, w))(block.windows)

  of_blocks = jax.vmap(of_block, in_axes=(None, 0))
  noise = jax.jit(jax.vmap(of_blocks, in_axes=(0, None)))(
    jnp.arange(NUM_POSITIONS), jnp.arange(schedule.num_blocks)
  )
  return np.asarray(noise, np.float64).reshape(NUM_POSITIONS, -1, size)


def assert_uncorrelated(first, second):
  """Asserts that the mean product of two noises is 0."""
  statistics.assert_mean_within(np.ravel(first * second), 0.0)


class ReadConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    *itertools.product(('inp_bits', 'out_bits'), (0, 25, 2.5)),
    *itertools.product(('inp_bound', 'out_bound'), (0.0, math.nan)),
    *itertools.product(('out_noise',), (-0.1, math.nan)),
  )
  def test_rejects_invalid_values(self, name, value):
    bounds = dict(inp_bound=1.0, out_bound=1.0)
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{name} is {value}; exp'):
      ssnn_jax.ReadConfig(**bounds | {name: value})
    if name.endswith('bits'):
      with self.assertRaisesRegex(ssnn_jax.UserError, f'^{name} is 8; expect'):
        ssnn_jax.ReadConfig(**{name: 8})  # without a bound

  def test_only_the_default_is_ideal(self):
    self.assertTrue(ssnn_jax.ReadConfig().is_ideal)
    for name in ('inp_bound', 'out_bound', 'out_noise'):
      self.assertFalse(ssnn_jax.ReadConfig(**{name: 1e-9}).is_ideal)


class QuantizeTest(parameterized.TestCase):
  @parameterized.product(bits=(2, 3, 8), bound=(0.3, 1.0, 12.0))
  def test_levels(self, bits, bound):
    values = np.linspace(-1.3, 1.3, 9001, dtype=np.float32) * np.float32(bound)
    quantized = np.asarray(periphery.quantize(values, bits, bound))
    levels = np.unique(quantized)
    self.assertLen(levels, 2**bits - 1)
    self.assertIn(0.0, levels)
    half = bound / (2**bits - 2)
    np.testing.assert_allclose(np.diff(levels), 2 * half, rtol=1e-4)
    np.testing.assert_allclose(levels[[0, -1]], [-bound, bound], rtol=1e-6)
    # Each value is rounded to the nearest level; the levels are symmetric.
    clipped = np.clip(values, -bound, bound)
    distance = np.abs(quantized - clipped)
    self.assertLessEqual(distance.max(), half * (1 + 1e-4))
    for once, twice in ((-values, -quantized), (quantized, quantized)):
      np.testing.assert_array_equal(
        periphery.quantize(once, bits, bound), twice
      )

  def test_finest_resolution_is_idempotent(self):
    values = jax.random.uniform(jax.random.key(0), (20_000,), minval=-1.0)
    once = periphery.quantize(values, 24, 0.7)
    distance = np.abs(once - np.clip(values, -0.7, 0.7))
    self.assertLess(distance.max(), 0.7 * 2.0**-23)
    np.testing.assert_array_equal(periphery.quantize(once, 24, 0.7), once)

  @parameterized.parameters(1.0, math.inf)
  def test_infinite_resolution_clips(self, bound):
    values = jnp.array([-3.0, -0.123, 0.0, 0.456, 3.0])
    np.testing.assert_array_equal(
      periphery.quantize(values, None, bound), jnp.clip(values, -bound, bound)
    )


class NoiseTest(parameterized.TestCase):
  @parameterized.parameters((64, 1), (40, 8), (40, 40))
  def test_mean_and_variance(self, num_steps, window):
    noise = read_noise(num_steps, window)[:, : num_steps // window].ravel()
    statistics.assert_mean_within(noise, 0.0)
    statistics.assert_mean_within(noise**2 * window, 1.0)
    if window == 1:
      np.testing.assert_array_equal(noise, np.round(2 * noise) / 2)
      self.assertLessEqual(np.abs(noise).max(), 4.0)  # 17 levels

  @parameterized.parameters((40, 8), (40, 40), (33, 8), (33, 33))
  def test_noise_of_a_window_is_the_mean_over_its_ticks(self, *schedule):
    num_steps, window = schedule
    ticks = read_noise(64, 1)[:, :num_steps]
    noise = read_noise(num_steps, window)
    for index in range(num_steps // window):
      own = ticks[:, index * window : (index + 1) * window]
      np.testing.assert_allclose(
        noise[:, index], own.mean(axis=1), rtol=0, atol=1e-6
      )

  def test_empty_windows_have_no_noise(self):
    noise = read_noise(33, 8)
    self.assertGreater(noise.shape[1], 5)
    self.assertTrue(np.any(noise[:, 4]))
    np.testing.assert_array_equal(noise[:, 5:], 0.0)

  def test_reads_are_independent(self):
    noise = read_noise(64, 1)[:, :2]
    transposed = read_noise(2, 1, ROLES.TRANSPOSED_READ)
    assert_uncorrelated(noise, transposed)
    assert_uncorrelated(noise, read_noise(2, 1, layer=1))
    assert_uncorrelated(transposed, read_noise(2, 1, ROLES.TRANSPOSED_READ, 1))
    assert_uncorrelated(noise[:, 0], noise[:, 1])  # ticks
    assert_uncorrelated(noise[1:], noise[:-1])  # samples
    assert_uncorrelated(noise[..., 1:], noise[..., :-1])  # neurons

  @parameterized.product(sampler=('sobol', sources.THREEFRY))
  def test_noise_does_not_depend_on_the_sampler(self, sampler):
    np.testing.assert_array_equal(
      read_noise(40, 40, sampler=sampler), read_noise(40, 40)
    )


def make_params():
  params = networks.make_params(ssnn_jax.NetworkConfig(SIZES))
  biases = (jnp.array([0.5, 0.4, 0.3]), jnp.array([0.2, -0.1]))
  return tuple(layer._replace(biases=own) for layer, own in zip(params, biases))


def infer(weights, biases, size=1, **options):
  """Returns the potentials of one layer with the inputs 0.9 and 0.3."""
  params = (types.LayerParams(jnp.array(weights), jnp.array(biases)),)
  config = ssnn_jax.NetworkConfig((2, 2), 40, forward='rates', **options)
  images = jnp.tile(jnp.array([[0.9, 0.3]]), (size, 1))
  infer_batch = jax.jit(ssnn_jax.ssnn(config).infer)
  return np.asarray(infer_batch(params, jax.random.key(2), images).potential)


def propagate_errors(size, reads):
  """Returns hidden errors of many samples, output errors and weights."""
  config = ssnn_jax.NetworkConfig(SIZES, 10, backward='rates', reads=reads)
  params, block = make_params(), spikes.block(config.schedule, 0)
  keys = thresholds.make_keys(jax.random.key(0), len(SIZES))
  window = jax.tree.map(lambda x: x[0], block.windows)
  output = jax.nn.softmax(jnp.array([1.0, -1.0])) - jnp.array([1.0, 0.0])

  def propagate(position):
    of_sample = rules.make_sources(config, keys, block.words, position)
    return rules.transposed_drive(
      config, 1, params[1], of_sample, output, window
    )

  errors = jax.jit(jax.vmap(propagate))(jnp.arange(size))
  return np.asarray(errors), output, params[1].weights


class NetworkTest(parameterized.TestCase):
  def test_unreached_limits_change_no_bit(self):
    limits = dict(inp_bound=1e6, out_bound=1e6, out_noise=1e-30)
    images = jnp.tile(jnp.array([[0.1, 0.9, 0.5, 0.7]]), (8, 1))
    results = []
    for reads in (ssnn_jax.ReadConfig(), ssnn_jax.ReadConfig(**limits)):
      config = ssnn_jax.NetworkConfig(SIZES, 40, window=8, reads=reads)
      infer_batch = jax.jit(ssnn_jax.ssnn(config).infer)
      inference = infer_batch(make_params(), jax.random.key(1), images)
      results.append((inference, propagate_errors(8, reads)[0]))
    jax.tree.map(np.testing.assert_array_equal, *results)

  @parameterized.parameters(1.0, 2.0)
  def test_noise_has_mean_zero_and_is_amplified_by_the_gain(self, gain):
    weights, biases = [[0.5, -1.0], [0.25, 2.0]], [0.1, 0.0]
    reads = ssnn_jax.ReadConfig(out_noise=0.3)
    potential = infer(
      weights, biases, size=4000, reads=reads, input_gain=gain, window=8
    )
    expected = gain * np.array([0.9, 0.3]) @ np.array(weights) + biases
    statistics.assert_mean_within(potential, expected)
    deviation = gain * 0.3 / np.sqrt(40)
    statistics.assert_mean_within((potential - expected) ** 2, deviation**2)

  def test_inputs_and_currents_are_quantized_before_the_gain(self):
    # With 3 levels within 0.6, the input 0.9 is clipped, and 0.3 is rounded to
    # the even level.
    reads = ssnn_jax.ReadConfig(inp_bits=2, inp_bound=0.6, out_bound=1.0)
    weights, gain = [[1.0, 3.0], [5.0, 7.0]], 4.0
    (potential,) = infer(weights, [0.2, 0.0], reads=reads, input_gain=gain)
    expected = gain * np.array([0.6 + 0.2 / gain, 1.0])
    np.testing.assert_allclose(potential, expected)
    reads = ssnn_jax.ReadConfig(out_bits=2, out_bound=1.0)
    (potential,) = infer(weights, [0.0, -20.0], reads=reads, input_gain=gain)
    np.testing.assert_allclose(potential, gain * np.array([1.0, 0.0]))

  def test_transposed_read_has_independent_noise(self):
    reads = ssnn_jax.ReadConfig(out_noise=0.2)
    errors, output, weights = propagate_errors(4000, reads)
    expected = np.asarray(output @ weights.T)
    statistics.assert_mean_within(errors, expected)
    statistics.assert_mean_within((errors - expected) ** 2, 0.2**2 / 10)
    # The forward read of the same layer has other noise.
    noise = read_noise(10, 10, layer=1, size=3)[:, 0]
    assert_uncorrelated((errors - expected)[:NUM_POSITIONS], noise)

  def test_transposed_read_is_quantized(self):
    reads = ssnn_jax.ReadConfig(inp_bound=0.05, out_bits=3, out_bound=0.06)
    errors, output, weights = propagate_errors(1, reads)
    driven = np.clip(output, -0.05, 0.05)
    expected = periphery.quantize(driven @ weights.T, 3, 0.06)
    np.testing.assert_allclose(errors[0], expected, rtol=1e-6)
