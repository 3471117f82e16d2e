"""Tests for thresholds and uniform numbers tick by tick."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax.spikes import thresholds

KEY = jax.random.key(0)
NUM_WORDS, NUM_NEURONS = 10, 7
ROLE = thresholds.Role.FORWARD


@functools.partial(jax.jit, static_argnums=0)
def draw_thresholds(sampler, keys):
  """Draws the thresholds of all words, and the same tick by tick."""
  address = thresholds.Address(ROLE, 1, jnp.arange(NUM_WORDS), 3)
  make = thresholds.make_sampler(sampler)
  source = make(keys, address, NUM_NEURONS)
  return source, spikes.draw_thresholds(source, NUM_NEURONS)


@functools.cache
def draw_rates(num_windows):
  """Draws rates `[windows, N]`, with silent and saturated neurons."""
  rng = np.random.default_rng(0)
  rates = rng.random((num_windows, NUM_NEURONS), np.float32)
  rates[:, 0], rates[:, -1] = 0.0, 1.0
  rates[::2, 1], rates[1::2, 1] = 0.0, 1.0
  return rates


def in_words(words, train):
  """Returns a train `[K, N]` of some words in all words; others are silent."""
  whole = np.zeros((NUM_WORDS, train.shape[1]), np.uint32)
  whole[words] = train
  return whole


# Words are sampled together, whatever the schedule, by one program.
sample_words = jax.jit(spikes.sample)


@functools.partial(jax.jit, static_argnums=0)
def sample_ticks(schedule, values, index, rates):
  """Samples the windows of one block, `[W, K, N]`, from `rates` `[W, N]`."""
  block = spikes.block(schedule, index)
  ticks = spikes.split_ticks(values[block.words], schedule, block)
  return jax.vmap(spikes.sample)(ticks, rates, block.windows), block


class ThresholdsOfTicksTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    keys = thresholds.make_keys(KEY, 2)
    cls.drawn = [draw_thresholds(name, keys) for name in thresholds.SAMPLERS]

  @parameterized.parameters(
    # A presentation is often no multiple of the window, and has several blocks
    # unless these are longer; a window of 63 ticks begins within a word.
    *((70, window, False) for window in (1, 2, 24, 32, 33, 63)),
    (130, 31, False),
    (170, 5, False),
    (70, 5, True),
    (70, 33, True),
  )
  def test_spikes_equal_those_of_words(self, num_steps, window, is_split):
    schedule = spikes.Schedule(num_steps, window, is_split)
    by_block = schedule.windows_per_block
    rates = draw_rates(schedule.num_blocks * by_block)
    for source, values in self.drawn:
      total = 0
      for index in range(schedule.num_blocks):
        own = rates[index * by_block : (index + 1) * by_block]
        trains, block = sample_ticks(schedule, values, index, own)
        words, masks = map(np.asarray, (block.words, block.windows.mask))
        for mask, train, row in zip(masks, np.asarray(trains), own):
          window = spikes.Window(in_words(words, mask[:, None])[:, 0], 0, 0)
          expected = np.asarray(sample_words(source, row, window))
          np.testing.assert_array_equal(in_words(words, train), expected)
          total += np.bitwise_count(expected).sum(axis=0, dtype=int)
      np.testing.assert_array_equal(total[[0, -1]], [0, num_steps])


@functools.partial(jax.jit, static_argnames='num_neurons')
def draw_uniforms(keys, words, positions, num_neurons):
  """Draws `[B, K, 32, N]` uniform numbers of the winners."""

  def draw(position):
    address = thresholds.Address(thresholds.Role.WINNER, 0, words, position)
    return spikes.draw_uniforms(keys, address, num_neurons)

  return jax.vmap(draw)(positions)


class UniformsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.keys = thresholds.make_keys(KEY, 1)
    words, positions = jnp.arange(4), jnp.arange(64)
    numbers = draw_uniforms(cls.keys, words, positions, 16)
    cls.numbers = np.asarray(numbers)  # [B, K, 32, N]

  def test_are_uniform_between_0_and_1(self):
    values = np.float64(self.numbers)
    self.assertGreater(values.min(), 0.0)
    self.assertLess(values.max(), 1.0)
    for power in (1, 2, 3, 4):
      mean, square = 1 / (power + 1), 1 / (2 * power + 1)
      error = np.sqrt((square - mean**2) / values.size)
      self.assertLess(abs(np.mean(values**power) - mean), 5 * error)
    counts = np.histogram(values, bins=256, range=(0, 1))[0]
    expected = values.size / 256
    chi_square = np.sum((counts - expected) ** 2) / expected
    # 255 degrees of freedom: mean 255, variance 510.
    self.assertLess(abs(chi_square - 255), 5 * np.sqrt(510))
    # Below 1/2 there are 2**23 values, above, where the midpoint is rounded,
    # 2**22: of n values about 3 n**2 / 2**26 pairs are equal.
    pairs = 3 * values.size**2 / 2**26
    repeated = values.size - len(np.unique(values))
    self.assertLess(abs(repeated - pairs), 5 * np.sqrt(pairs) + 10)

  def test_are_uncorrelated(self):
    # Samples, ticks and neurons, with unit variance.
    numbers = self.numbers.reshape(64, 128, 16)
    values = np.sqrt(12) * (np.float64(numbers) - 0.5)
    for axis in range(3):
      others = tuple(other for other in range(3) if other != axis)
      means = values.mean(axis=others)
      bound = 5 / np.sqrt(values.size / len(means))
      self.assertLess(np.abs(means).max(), bound)
      for lag in (1, 2, 3, 15):
        first = np.take(values, range(values.shape[axis] - lag), axis)
        second = np.take(values, range(lag, values.shape[axis]), axis)
        self.assertLess(abs(np.mean(first * second)), 5 / np.sqrt(first.size))

  def test_depend_on_their_address_only(self):
    # The numbers of a tick are those of its word, whatever T and the window.
    words, positions = jnp.array([3, 1]), jnp.array([40, 7])
    numbers = draw_uniforms(self.keys, words, positions, 16)
    expected = self.numbers[[40, 7]][:, [3, 1]]
    np.testing.assert_array_equal(numbers, expected)
