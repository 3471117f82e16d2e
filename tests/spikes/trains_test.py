"""Tests for sampling, counting and packing of spike trains."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax.spikes import thresholds

SCHEDULES = ((1, 1), (7, 5), (33, 1), (33, 31), (64, 32), (100, 5), (100, 33))


sample = jax.jit(spikes.sample)
sample_windows = jax.jit(jax.vmap(spikes.sample, in_axes=(None, None, 0)))


class SampleTest(parameterized.TestCase):
  def source(self, num_words=3, num_neurons=50, sampler='bernoulli'):
    keys = thresholds.make_keys(jax.random.key(0), 1)
    address = spikes.Address(spikes.Role.INPUT, 0, jnp.arange(num_words), 0)
    sampler = thresholds.make_sampler(sampler)
    return sampler(keys, address, num_neurons)

  def window(self, num_steps):
    block = spikes.block(spikes.Schedule(num_steps, num_steps), 0)
    return jax.tree.map(lambda leaf: leaf[0], block.windows)

  @parameterized.parameters(*thresholds.SAMPLERS)
  def test_spikes_where_threshold_is_below_rate(self, sampler):
    source = self.source(sampler=sampler)
    rates = jax.random.uniform(jax.random.key(1), (50,))
    rates = rates.at[:4].set(jnp.array([0.0, 1.0, 2.0**-16, 1 - 2.0**-16]))
    train = sample(source, rates, self.window(96))
    drawn = np.asarray(spikes.draw_thresholds(source, 50)).reshape(-1, 50)
    expected = drawn < np.round(np.asarray(rates) * 2**16)
    np.testing.assert_array_equal(spikes.unpack(train), expected)

  @parameterized.parameters((96, 64), (128, 128), (64, 32))
  def test_whole_words_are_counted_without_drawing(self, num_steps, window):
    schedule = spikes.Schedule(num_steps, window)
    self.assertTrue(schedule.has_whole_words)
    rates = jnp.linspace(0.0, 1.0, 50)
    for index in range(schedule.num_blocks):
      block = spikes.block(schedule, index)
      windows = jax.tree.map(lambda leaf: leaf[0], block.windows)
      for sampler in ('sobol', 'bernoulli'):
        source = self.source(len(block.words), sampler=sampler)
        counts = spikes.count_whole_words(source, rates, windows.mask)
        if sampler == 'bernoulli':
          self.assertIsNone(counts)
          continue
        drawn = spikes.count(sample(source, rates, windows))
        np.testing.assert_array_equal(counts, drawn)

  @parameterized.parameters((100, 64), (96, 48), (16, 16))
  def test_parts_of_words_are_not_whole(self, num_steps, window):
    self.assertFalse(spikes.Schedule(num_steps, window).has_whole_words)

  def test_ticks_are_the_bits_of_planes(self):
    word = self.source().map_words(lambda words: words[0])
    planes = np.asarray(word.draw(50))
    bits = (planes[:, None] >> np.arange(32, dtype=np.uint32)[:, None]) & 1
    expected = np.einsum('qtn,q->tn', bits, 1 << np.arange(len(planes)))
    np.testing.assert_array_equal(word.draw_ticks(50), expected)

  @parameterized.parameters(*thresholds.SAMPLERS)
  def test_rates_of_0_and_1_are_exact(self, sampler):
    source = self.source(40, num_neurons=100, sampler=sampler)
    window = self.window(1280)
    for rate, count in ((0.0, 0), (1.0, 1280)):
      train = sample(source, jnp.full(100, rate), window)
      np.testing.assert_array_equal(spikes.count(train), np.full(100, count))

  def test_higher_rates_add_spikes(self):
    source = self.source()
    low = sample(source, jnp.full(50, 0.3), self.window(96))
    high = sample(source, jnp.full(50, 0.4), self.window(96))
    np.testing.assert_array_equal(low & high, low)

  def test_counts_are_binomial(self):
    rate, num_steps, num_neurons = 0.3, 96, 20_000
    source = self.source(3, num_neurons)
    train = sample(source, jnp.full(num_neurons, rate), self.window(num_steps))
    counts = np.asarray(spikes.count(train), np.float64)
    variance = num_steps * rate * (1 - rate)
    self.assertLess(
      abs(counts.mean() - num_steps * rate),
      5 * np.sqrt(variance / num_neurons),
    )
    # The variance of a sample variance of near-normal counts is 2 var**2 / n.
    self.assertLess(
      abs(counts.var() - variance), 5 * variance * np.sqrt(2 / num_neurons)
    )

  @parameterized.parameters(*SCHEDULES)
  def test_short_trains_are_prefixes_for_any_window(self, num_steps, window):
    source = self.source(num_words=8, num_neurons=5)
    rates = jnp.linspace(0.1, 0.9, 5)
    whole = spikes.unpack(sample(source, rates, self.window(256)))
    schedule = spikes.Schedule(num_steps, window)
    total = np.zeros((300, 5), np.int8)
    for index in range(schedule.num_blocks):
      block = spikes.block(schedule, index)
      # Words past the end repeat the last one.
      own = source.map_words(lambda x, words=block.words: x[words])
      train = sample_windows(own, rates, block.windows)
      joined = spikes.unpack(spikes.join(train))
      ticks = (block.words[:, None] * 32 + jnp.arange(32)[None]).ravel()
      inside = np.asarray(ticks) < 300
      total[np.asarray(ticks)[inside]] += np.asarray(joined)[inside]
    np.testing.assert_array_equal(total[:num_steps], whole[:num_steps])
    np.testing.assert_array_equal(total[num_steps:], 0)

  @parameterized.parameters(1, 31, 32, 33, 100)
  def test_unpack_inverts_pack(self, num_steps):
    train = jax.random.bernoulli(jax.random.key(0), 0.5, (num_steps, 7))
    words = spikes.pack(train.astype(jnp.int8))
    self.assertEqual(words.shape, (-(-num_steps // 32), 7))
    np.testing.assert_array_equal(spikes.unpack(words)[:num_steps], train)
    np.testing.assert_array_equal(spikes.unpack(words)[num_steps:], 0)
    np.testing.assert_array_equal(spikes.count(words), train.sum(axis=0))
