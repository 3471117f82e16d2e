"""Tests for sampling, counting and packing of spike trains."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax.spikes import thresholds
from tests.testing import sources
from tests.testing import statistics

NUM_NEURONS = 50


def draw_rates(seed):
  """Draws rates, with silent, saturated, and nearly such neurons."""
  rates = np.random.default_rng(seed).random(NUM_NEURONS, np.float32)
  rates[:4] = 0.0, 1.0, 2.0**-16, 1 - 2.0**-16
  return jnp.asarray(rates)


find_block = jax.jit(spikes.block, static_argnums=0)
unpack = jax.jit(spikes.unpack)


@functools.partial(jax.jit, static_argnames=('num_steps', 'sampler', 'size'))
def sample(rates, num_steps, sampler='bernoulli', size=NUM_NEURONS):
  """Samples a window of all ticks; returns `[K, N]` words and thresholds."""
  words = jnp.arange(spikes.count_words(num_steps))
  source = sources.make(words, size, sampler=sampler)
  mask = spikes.mask_before(num_steps, words)
  train = thresholds.sample_words(source, rates[None], mask[None])
  return train, source.thresholds()


sample_words = jax.jit(thresholds.sample_words)


class SampleTest(parameterized.TestCase):
  @parameterized.product(sampler=sources.SAMPLERS)
  def test_a_spike_is_a_threshold_below_the_rate(self, sampler):
    rates = draw_rates(1)
    train, drawn = sample(rates, 90, sampler)
    expected = np.asarray(drawn) < np.round(np.asarray(rates) * 2**16)
    expected[90:] = False
    np.testing.assert_array_equal(unpack(train), expected)

  def test_counts_are_binomial(self):
    rate, num_steps, size = 0.3, 96, 20_000
    train, _ = sample(jnp.full(size, rate), num_steps, size=size)
    counts = np.asarray(spikes.count(train), np.float64)
    variance = num_steps * rate * (1 - rate)
    statistics.assert_mean_within(counts, num_steps * rate)
    # The variance of a sample variance of near-normal counts is 2 var**2 / n.
    bound = 5 * variance * np.sqrt(2 / size)
    self.assertLess(abs(counts.var() - variance), bound)

  @parameterized.parameters((7, 7), (33, 33), (64, 32), (100, 64))
  def test_short_trains_are_prefixes_for_any_window(self, num_steps, window):
    rates = np.linspace(0.1, 0.9, 5, dtype=np.float32)
    whole = unpack(sample(rates, 256, size=5)[0])
    schedule = spikes.Schedule(num_steps, window)
    total = np.zeros((256, 5), np.int8)
    for index in range(schedule.num_windows):
      block = find_block(schedule, index)
      source = sources.make(block.words, 5)
      masks = block.windows.mask
      each = np.broadcast_to(rates, (len(masks), 5))
      words = sample_words(source, each, masks)
      ticks = np.add.outer(32 * np.asarray(block.words), np.arange(32)).ravel()
      total[ticks] += np.asarray(unpack(words))
    np.testing.assert_array_equal(total[:num_steps], whole[:num_steps])
    np.testing.assert_array_equal(total[num_steps:], 0)


class PackTest(parameterized.TestCase):
  @parameterized.parameters(1, 31, 32, 33, 100)
  def test_unpack_inverts_pack(self, num_steps):
    train = np.random.default_rng(0).integers(0, 2, (num_steps, 7), np.int8)

    @jax.jit
    def convert(train):
      words = spikes.pack(train)
      return words, spikes.unpack(words), spikes.count(words)

    words, unpacked, counts = map(np.asarray, convert(train))
    self.assertEqual(words.shape, (-(-num_steps // 32), 7))
    np.testing.assert_array_equal(unpacked[:num_steps], train)
    np.testing.assert_array_equal(unpacked[num_steps:], 0)
    np.testing.assert_array_equal(counts, train.sum(axis=0))
