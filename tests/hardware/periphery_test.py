"""Tests of what is between arrays and neurons: converters, bounds and noise."""

import functools
import math

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.hardware import periphery
from ssnn_jax.simulation import backward
from ssnn_jax.simulation import forward
from ssnn_jax.spikes import thresholds
from tests import network_test
from tests.testing import statistics

jit = functools.partial(jax.jit, compiler_options=network_test.QUICKLY)
ROLES = thresholds.Role
NUM_POSITIONS, NUM_NEURONS = 150, 60
SIZES = (4, 3, 2)


@functools.cache
def read_noise(
  num_steps, window, role=ROLES.READ, layer=0, sampler=None, size=NUM_NEURONS
):
  """Returns the noise of all windows, `[positions, windows, neurons]`."""
  schedule = spikes.Schedule(num_steps, window)
  config = ssnn_jax.NetworkConfig(SIZES, sampler=sampler or 'bernoulli')
  keys = thresholds.make_keys(jax.random.key(0), len(SIZES))

  def of_block(index, position):
    block = spikes.block(schedule, index)
    sources = forward.make_sources(config, keys, position, block.words)
    source = sources(role, layer, size)
    return jax.vmap(lambda w: periphery.noise(source, size, w))(block.windows)

  over_blocks = jax.vmap(of_block, in_axes=(0, None))
  noise = jit(jax.vmap(over_blocks, in_axes=(None, 0)))(
    jnp.arange(schedule.num_blocks), jnp.arange(NUM_POSITIONS)
  )
  return np.asarray(noise, np.float64).reshape(NUM_POSITIONS, -1, size)


def assert_uncorrelated(first, second):
  """Asserts that the mean product of independent noises is 0."""
  statistics.assert_mean_within(np.ravel(first * second), 0.0)


class ReadConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    ('inp_bits', dict(inp_bits=1, inp_bound=1.0)),
    ('inp_bits', dict(inp_bits=25, inp_bound=1.0)),
    ('inp_bits', dict(inp_bits=2.5, inp_bound=1.0)),
    ('inp_bits', dict(inp_bits=math.nan, inp_bound=1.0)),
    ('inp_bits', dict(inp_bits=8)),  # of an infinite range
    ('inp_bound', dict(inp_bound=0.0)),
    ('inp_bound', dict(inp_bound=-1.0)),
    ('inp_bound', dict(inp_bound=math.nan)),
    ('out_bits', dict(out_bits=0, out_bound=1.0)),
    ('out_bits', dict(out_bits=25, out_bound=1.0)),
    ('out_bits', dict(out_bits=2.5, out_bound=1.0)),
    ('out_bits', dict(out_bits=8)),
    ('out_bound', dict(out_bound=0.0)),
    ('out_bound', dict(out_bound=math.nan)),
    ('out_noise', dict(out_noise=-0.1)),
    ('out_noise', dict(out_noise=math.inf)),
    ('out_noise', dict(out_noise=math.nan)),
  )
  def test_what_is_impossible_is_refused_by_its_name(self, name, parameters):
    with self.assertRaises(ssnn_jax.UserError) as caught:
      ssnn_jax.ReadConfig(**parameters)
    value = parameters[name]
    self.assertStartsWith(str(caught.exception), f'{name} is {value}; expected')
    self.assertRegex(str(caught.exception), r'^[^\n]*[^.\n]\.$')

  def test_only_the_default_is_perfect(self):
    self.assertTrue(ssnn_jax.ReadConfig().is_perfect)
    for parameters in (
      dict(inp_bound=1.0),
      dict(out_bound=1.0),
      dict(inp_bound=1.0, inp_bits=2),
      dict(out_bound=1.0, out_bits=24),
      dict(out_noise=1e-9),
    ):
      self.assertFalse(ssnn_jax.ReadConfig(**parameters).is_perfect)


class ConvertTest(parameterized.TestCase):
  @parameterized.product(bits=(2, 3, 8), bound=(0.3, 1.0, 12.0))
  def test_levels(self, bits, bound):
    values = np.linspace(-1.3, 1.3, 9001, dtype=np.float32) * np.float32(bound)
    converted = np.asarray(periphery.convert(values, bits, bound))
    levels = np.unique(converted)
    self.assertLen(levels, 2**bits - 1)
    self.assertIn(0.0, levels)
    half = bound / (2**bits - 2)
    np.testing.assert_allclose(np.diff(levels), 2 * half, rtol=1e-4)
    np.testing.assert_allclose(levels[[0, -1]], [-bound, bound], rtol=1e-6)
    # Each value goes to the nearest level, symmetrically, and stays there.
    within = np.clip(values, -bound, bound)
    distance = np.abs(converted - within)
    self.assertLessEqual(distance.max(), half * (1 + 1e-4))
    np.testing.assert_array_equal(
      periphery.convert(-values, bits, bound), -converted
    )
    np.testing.assert_array_equal(
      periphery.convert(converted, bits, bound), converted
    )

  def test_the_finest_converter_is_idempotent_too(self):
    values = jax.random.uniform(jax.random.key(0), (20_000,), minval=-1.0)
    once = periphery.convert(values, 24, 0.7)
    self.assertLess(
      np.abs(once - np.clip(values, -0.7, 0.7)).max(), 0.7 * 2.0**-23
    )
    np.testing.assert_array_equal(periphery.convert(once, 24, 0.7), once)

  def test_without_a_resolution_values_are_cut(self):
    values = jnp.array([-3.0, -0.123, 0.0, 0.456, 3.0])
    np.testing.assert_array_equal(
      periphery.convert(values, None, 1.0), jnp.clip(values, -1.0, 1.0)
    )
    np.testing.assert_array_equal(
      periphery.convert(values, None, math.inf), values
    )


class NoiseTest(parameterized.TestCase):
  @parameterized.parameters((1, 1), (5, 5), (40, 40))
  def test_mean_and_deviation(self, num_steps, window):
    noise = read_noise(num_steps, window).ravel()
    statistics.assert_mean_within(noise, 0.0)
    statistics.assert_mean_within(noise**2 * window, 1.0)
    if window == 1:
      np.testing.assert_array_equal(noise, np.round(2 * noise) / 2)
      self.assertLessEqual(np.abs(noise).max(), 4.0)  # 17 levels

  @parameterized.parameters((40, 8), (40, 40), (40, 5), (33, 33))
  def test_that_of_a_window_is_the_mean_of_that_of_its_ticks(self, *schedule):
    num_steps, window = schedule
    ticks = read_noise(64, 1)[:, :num_steps]
    noise = read_noise(num_steps, window)
    for index in range(num_steps // window):
      own = ticks[:, index * window : (index + 1) * window]
      np.testing.assert_allclose(
        noise[:, index], own.mean(axis=1), rtol=0, atol=1e-6
      )

  def test_a_window_without_a_tick_has_none(self):
    noise = read_noise(33, 8)
    self.assertGreater(noise.shape[1], 5)
    self.assertTrue(np.any(noise[:, 4]))
    np.testing.assert_array_equal(noise[:, 5:], 0.0)

  def test_reads_are_independent(self):
    noise = read_noise(2, 1)
    back = read_noise(2, 1, ROLES.TRANSPOSED_READ)
    assert_uncorrelated(noise, back)
    assert_uncorrelated(noise, read_noise(2, 1, layer=1))
    assert_uncorrelated(back, read_noise(2, 1, ROLES.TRANSPOSED_READ, 1))
    assert_uncorrelated(noise[:, 0], noise[:, 1])  # ticks
    assert_uncorrelated(noise[1:], noise[:-1])  # samples
    assert_uncorrelated(noise[..., 1:], noise[..., :-1])  # neurons

  @parameterized.parameters('sobol', 'threefry')
  def test_it_is_the_same_whatever_makes_trains(self, sampler):
    np.testing.assert_array_equal(
      read_noise(8, 8, sampler=sampler), read_noise(8, 8)
    )


def make_params():
  params = ssnn_jax.ssnn(ssnn_jax.NetworkConfig(SIZES)).init(jax.random.key(0))
  biases = (jnp.array([0.5, 0.4, 0.3]), jnp.array([0.2, -0.1]))
  return tuple(layer._replace(biases=own) for layer, own in zip(params, biases))


def batch(size):
  return jnp.tile(jnp.array([[0.1, 0.9, 0.5, 0.7]]), (size, 1))


class NetworkTest(parameterized.TestCase):
  def test_limits_that_are_never_met_change_no_bit(self):
    limits = dict(inp_bound=1e6, out_bound=1e6, out_noise=1e-30)
    made = []
    for reads in (ssnn_jax.ReadConfig(), ssnn_jax.ReadConfig(**limits)):
      config = ssnn_jax.NetworkConfig(SIZES, 40, window=8, reads=reads)
      infer = jit(ssnn_jax.ssnn(config).infer)
      seen = infer(make_params(), jax.random.key(1), batch(8))
      made.append((seen, self.send_back(8, reads)[0]))
    jax.tree.map(np.testing.assert_array_equal, *made)

  def infer(self, weights, biases, size=1, **options):
    """Returns what is read of one layer that sees 0.9 and 0.3."""
    params = (types.LayerParams(jnp.array(weights), jnp.array(biases)),)
    config = ssnn_jax.NetworkConfig((2, 2), 40, forward='rates', **options)
    images = jnp.tile(jnp.array([[0.9, 0.3]]), (size, 1))
    infer = jit(ssnn_jax.ssnn(config).infer)
    return np.asarray(infer(params, jax.random.key(2), images).potential)

  @parameterized.parameters(1.0, 2.0)
  def test_noise_has_mean_0_and_comes_before_the_gain(self, gain):
    weights, biases, size = [[0.5, -1.0], [0.25, 2.0]], [0.1, 0.0], 4000
    potential = self.infer(
      *(weights, biases, size),
      reads=ssnn_jax.ReadConfig(out_noise=0.3),
      input_gain=gain,
      window=8,
    )
    expected = gain * np.array([0.9, 0.3]) @ np.array(weights) + biases
    statistics.assert_mean_within(potential, expected)
    deviation = gain * 0.3 / np.sqrt(40)
    statistics.assert_mean_within((potential - expected) ** 2, deviation**2)

  def test_the_array_is_driven_and_read_within_its_limits(self):
    # Of 3 levels within 0.6 an input of 0.9 is cut, and 0.3 rounds to even.
    reads = ssnn_jax.ReadConfig(inp_bits=2, inp_bound=0.6, out_bound=1.0)
    weights, biases = [[1.0, 3.0], [5.0, 7.0]], [0.2, 0.0]
    gain = 4.0
    (read,) = self.infer(weights, biases, reads=reads, input_gain=gain)
    np.testing.assert_allclose(read, gain * np.array([0.6 + 0.2 / gain, 1.0]))
    # Levels of the output are those of the array, too.
    reads = ssnn_jax.ReadConfig(out_bits=2, out_bound=1.0)
    (read,) = self.infer(weights, [0.0, -20.0], reads=reads, input_gain=gain)
    np.testing.assert_allclose(read, gain * np.array([1.0, 0.0]))

  def send_back(self, size, reads, window=10):
    """Returns the hidden errors of many samples, all gates open."""
    config = ssnn_jax.NetworkConfig(
      *(SIZES, window), forward='rates', backward='rates', reads=reads
    )
    params, block = make_params(), spikes.block(config.schedule, 0)
    keys = thresholds.make_keys(jax.random.key(0), len(SIZES))
    sent = forward.Forward(
      signals=None,
      potentials=[jnp.full((1, 3), 0.5), jnp.array([[1.0, -1.0]])],
      winners=jnp.zeros((1, 1, 2), jnp.uint32),
      membranes=None,
    )

    def back(position):
      sources = forward.make_sources(config, keys, position, block.words)
      kept = (jnp.ones(3),)
      return backward.errors(
        *(config, params, sources, jnp.int32(0), kept, sent, block.windows)
      )

    errors = jit(jax.vmap(back))(jnp.arange(size))
    output = jax.nn.softmax(jnp.array([1.0, -1.0])) - jnp.array([1.0, 0.0])
    return np.asarray(errors[0].rates[:, 0]), output, params[1].weights

  def test_the_transposed_read_has_noise_of_its_own(self):
    reads = ssnn_jax.ReadConfig(out_noise=0.2)
    errors, output, weights = self.send_back(4000, reads)
    expected = np.asarray(output @ weights.T)
    statistics.assert_mean_within(errors, expected)
    statistics.assert_mean_within((errors - expected) ** 2, 0.2**2 / 10)
    # Of the same layer, the read forward has another.
    forward = read_noise(10, 10, layer=1, size=3)[:, 0]
    assert_uncorrelated((errors - expected)[:NUM_POSITIONS], forward)

  def test_the_transposed_read_has_the_same_converters(self):
    reads = ssnn_jax.ReadConfig(inp_bound=0.05, out_bits=3, out_bound=0.06)
    errors, output, weights = self.send_back(1, reads)
    driven = np.clip(output, -0.05, 0.05)
    read = periphery.convert(driven @ weights.T, 3, 0.06)
    np.testing.assert_allclose(errors[0], read, rtol=1e-6)


if __name__ == '__main__':
  absltest.main()
