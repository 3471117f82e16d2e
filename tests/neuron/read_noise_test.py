"""Tests of read noise."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.neuron import crossbar
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
  config = networks.stochastic(SIZES, sampler=sampler)
  keys = thresholds.make_keys(jax.random.key(0), len(SIZES))

  def of_block(position, index):
    block = spikes.block(schedule, index)
    of_sample = rules.make_sources(config, keys, block.words, position)
    source = of_sample(role, layer, size)
    return jax.vmap(lambda w: crossbar.mean_noise(source, w))(block.windows)

  of_blocks = jax.vmap(of_block, in_axes=(None, 0))
  noise = jax.jit(jax.vmap(of_blocks, in_axes=(0, None)))(
    jnp.arange(NUM_POSITIONS), jnp.arange(schedule.num_windows)
  )
  return np.asarray(noise, np.float64).reshape(NUM_POSITIONS, -1, size)


def assert_uncorrelated(first, second):
  """Asserts that the mean product of two noises is 0."""
  statistics.assert_mean_within(np.ravel(first * second), 0.0)


class NoiseTest(parameterized.TestCase):
  @parameterized.parameters((64, 1), (40, 40))
  def test_mean_and_variance(self, num_steps, window):
    noise = read_noise(num_steps, window).ravel()
    statistics.assert_mean_within(noise, 0.0)
    statistics.assert_mean_within(noise**2 * window, 1.0)
    if window == 1:
      np.testing.assert_array_equal(noise, np.round(2 * noise) / 2)
      self.assertLessEqual(np.abs(noise).max(), 4.0)  # 17 levels

  @parameterized.parameters((40, 32), (33, 33))
  def test_noise_of_a_window_is_the_mean_over_its_ticks(self, *schedule):
    num_steps, window = schedule
    ticks = read_noise(64, 1)[:, :num_steps]
    noise = read_noise(num_steps, window)
    for index in range(noise.shape[1]):
      own = ticks[:, index * window : (index + 1) * window]
      np.testing.assert_allclose(
        noise[:, index], own.mean(axis=1), rtol=0, atol=1e-6
      )

  def test_empty_windows_have_no_noise(self):
    noise = read_noise(33, 1)
    self.assertTrue(np.any(noise[:, 32]))
    np.testing.assert_array_equal(noise[:, 33:], 0.0)

  def test_reads_are_independent(self):
    noise = read_noise(64, 1)[:, :2]
    transposed = read_noise(2, 1, ROLES.TRANSPOSED_READ)
    assert_uncorrelated(noise, transposed)
    assert_uncorrelated(noise, read_noise(2, 1, layer=1))
    assert_uncorrelated(transposed, read_noise(2, 1, ROLES.TRANSPOSED_READ, 1))
    assert_uncorrelated(noise[:, 0], noise[:, 1])  # ticks
    assert_uncorrelated(noise[1:], noise[:-1])  # samples
    assert_uncorrelated(noise[..., 1:], noise[..., :-1])  # neurons

  def test_noise_does_not_depend_on_the_sampler(self):
    np.testing.assert_array_equal(
      read_noise(40, 40, sampler=sources.THREEFRY), read_noise(40, 40)
    )


class NetworkTest(parameterized.TestCase):
  def test_forward_noise_is_amplified_by_the_gain(self):
    gain = 2.0
    weights = np.float32([[0.5, -1.0], [0.25, 2.0]])
    params = (types.LayerParams(weights, np.float32([0.1, 0.0])),)
    config = networks.stochastic(
      (2, 2),
      40,
      window=32,
      rates=('forward',),
      read_noise=0.3,
      input_gain=gain,
    )
    images = jnp.tile(jnp.array([[0.9, 0.3]]), (4000, 1))
    infer = jax.jit(ssnn_jax.ssnn(config).infer)
    potential = np.asarray(infer(params, jax.random.key(2), images).potential)
    expected = gain * np.array([0.9, 0.3]) @ weights + params[0].biases
    statistics.assert_mean_within(potential, expected)
    deviation = gain * 0.3 / np.sqrt(40)
    statistics.assert_mean_within((potential - expected) ** 2, deviation**2)

  def test_transposed_read_has_independent_noise(self):
    config = networks.stochastic(SIZES, 10, rates=('backward',), read_noise=0.2)
    params = networks.make_params(config)
    block = spikes.block(config.schedule, 0)
    keys = thresholds.make_keys(jax.random.key(0), len(SIZES))
    window = jax.tree.map(lambda x: x[0], block.windows)
    output = jax.nn.softmax(jnp.array([1.0, -1.0])) - jnp.array([1.0, 0.0])
    drive = rules.make_transposed_drive(config)

    def propagate(position):
      of_sample = rules.make_sources(config, keys, block.words, position)
      return drive(1, params[1], of_sample, output, None, window)

    errors = np.asarray(jax.jit(jax.vmap(propagate))(jnp.arange(4000)))
    expected = np.asarray(output @ params[1].weights.T)
    statistics.assert_mean_within(errors, expected)
    statistics.assert_mean_within((errors - expected) ** 2, 0.2**2 / 10)
    # The forward read of the same layer has other noise.
    noise = read_noise(10, 10, layer=1, size=3)[:, 0]
    assert_uncorrelated((errors - expected)[:NUM_POSITIONS], noise)
