"""Tests for thresholds and trains: independence, uniformity, reproduction."""

import functools
import itertools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import trains
from ssnn_jax.trains import bernoulli
from ssnn_jax.trains import thresholds
from ssnn_jax.trains.thresholds import Role
from tests.testing import sources
from tests.testing import statistics

unpack = jax.jit(trains.unpack)
TRAINS = tuple(itertools.product(Role, range(3)))


@functools.partial(jax.jit, static_argnums=(0, 2, 3, 4))
def draw(sampler, positions, num_neurons, num_steps, train=(Role.INPUT, 0)):
  """Draws thresholds `[positions, T, neurons]` of a train."""
  sampler = sources.SAMPLERS[sampler]
  return jax.vmap(
    lambda position: thresholds.draw_thresholds(
      sampler, sources.make(num_neurons, *train, position), num_steps
    )
  )(positions)


@functools.partial(jax.jit, static_argnums=(0, 2, 3))
def draw_train(sampler, rates, num_steps, train=(Role.INPUT, 0)):
  """Draws words `[B, K, N]` of the same train."""
  (role, layer), positions = train, jnp.arange(len(rates))
  sampler, keys = sources.SAMPLERS[sampler], jnp.asarray(sources.keys())
  return trains.draw(
    sampler, keys, role, layer, positions, rates, num_steps,
    is_shared=role == Role.WINNER,
  )  # fmt: skip


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def draw_planes(key, num_words, num_positions, num_neurons):
  """Draws `[words, positions, 16, neurons]` bit planes with a train's key."""

  def of_sample(word, position):
    source = trains.Source(key, position, Role.INPUT, 0, num_neurons)
    return bernoulli.planes(source, word)

  of_word = jax.vmap(of_sample, (None, 0))
  words, positions = jnp.arange(num_words), jnp.arange(num_positions)
  return jax.vmap(of_word, (0, None))(words, positions)


def planes(seed, train=(0, 0)):
  """Draws `[4, 32, 16, 32]` of a train."""
  role, layer = train
  return np.asarray(draw_planes(sources.keys(seed)[layer, role], 4, 32, 32))


class HashTest(parameterized.TestCase):
  def test_lowbias32_is_the_published_bijection(self):
    def published(x):  # the C code, on whole numbers of 64 bits
      x = (x ^ x >> 16) * 0x7FEB352D % 2**32
      x = (x ^ x >> 15) * 0x846CA68B % 2**32
      return x ^ x >> 16

    x = np.random.default_rng(0).integers(0, 2**32, 100_000, np.uint64)
    x[:6] = 0, 1, 2, 0x80000000, 0xFFFFFFFF, 0xDEADBEEF
    mixed = jax.jit(thresholds.lowbias32)(x.astype(np.uint32))
    np.testing.assert_array_equal(mixed, published(x))
    self.assertLen(np.unique(mixed), len(np.unique(x)))


class ThresholdsTest(parameterized.TestCase):
  @parameterized.parameters(*sources.SAMPLERS)
  def test_depend_on_their_tick_and_sample_only(self, sampler):
    many = np.asarray(draw(sampler, np.arange(7), 11, 160))
    few = draw(sampler, np.array([4, 2]), 11, 33)
    np.testing.assert_array_equal(few, many[[4, 2], :33])

  def test_words_differ_between_trains_samples_and_neurons(self):
    values = np.ravel([planes(0, train)[:, :8, :, :16] for train in TRAINS])
    # A pair of words agrees by chance with probability 2**-32: of n values
    # n**2 / 2**33 pairs do, a Poisson number.
    expected = len(values) ** 2 / 2**33
    repeated = len(values) - len(np.unique(values))
    self.assertLess(repeated, expected + 5 * np.sqrt(expected) + 1)

  def test_bits_are_fair_and_uncorrelated(self):
    bits = np.unpackbits(planes(1).view(np.uint8), bitorder='little')
    # [word, position, plane, neuron, tick]
    statistics.assert_fair(bits.reshape(4, 32, 16, 32, 32), lags=(1, 2, 3))

  def test_streams_are_uncorrelated(self):
    bits = np.stack([
      np.unpackbits(planes(seed, train).view(np.uint8))
      for seed, train in itertools.product(range(2), TRAINS[:6])
    ])  # fmt: skip
    correlations = np.corrcoef(bits, dtype=np.float32)
    correlations = correlations[np.triu_indices(len(bits), 1)]
    self.assertLess(np.abs(correlations).max(), 5 / np.sqrt(bits.shape[1]))

  @parameterized.parameters('bernoulli', 'sobol')
  def test_are_uniform_over_samples(self, sampler):
    # Each sample once, as the ticks of a train may depend on each other.
    drawn = np.asarray(draw(sampler, np.arange(2**15), 3, 8))
    statistics.assert_uniform(drawn[:, 7, 2], 2**16)


class TrainsTest(parameterized.TestCase):
  @parameterized.parameters(
    ('bernoulli', Role.INPUT, 0),
    ('threefry', Role.WINNER, 0),
    ('sobol', Role.WINNER, 0),
    ('sobol', Role.FORWARD, 1),
  )
  def test_a_spike_is_a_threshold_below_the_rate(self, sampler, *train):
    rates = np.random.default_rng(1).random((3, 50), np.float32)
    rates[:, :4] = 0.0, 1.0, 2.0**-16, 1 - 2.0**-16
    spikes = np.asarray(unpack(draw_train(sampler, rates, 2600, train)))
    size = 1 if train[0] == Role.WINNER else 50
    drawn = draw(sampler, np.arange(3), size, 2600, train)
    expected = np.asarray(drawn) < np.round(rates * 2**16)[:, None]
    np.testing.assert_array_equal(spikes[:, :2600], expected)
    self.assertFalse(np.any(spikes[:, 2600:]))

  @parameterized.parameters(32, 33)
  def test_unpack_inverts_pack(self, num_steps):
    train = np.random.default_rng(0).integers(0, 2, (3, num_steps, 7), np.int8)

    @jax.jit
    def pack(train):
      words, mask = trains.pack(train), trains.mask(num_steps)
      return words, trains.unpack(words), trains.count(words), mask

    words, unpacked, counts, mask = jax.device_get(pack(train))
    self.assertEqual(words.shape, (3, -(-num_steps // 32), 7))
    np.testing.assert_array_equal(unpacked[:, :num_steps], train)
    self.assertFalse(np.any(unpacked[:, num_steps:]))
    np.testing.assert_array_equal(counts, train.sum(axis=1))
    self.assertFalse(np.any(words & ~mask[:, None]))


@functools.partial(jax.jit, static_argnums=(1, 2))
def draw_uniforms(positions, num_neurons, num_steps):
  """Draws `[B, T, N]` uniform numbers."""
  make = lambda position: sources.make(num_neurons, position=position)
  return jax.vmap(
    lambda position: thresholds.draw_uniforms(make(position), num_steps)
  )(positions)


class UniformsTest(parameterized.TestCase):
  def test_are_uniform_between_0_and_1(self):
    numbers = np.asarray(draw_uniforms(np.arange(64), 16, 128))
    values = np.float64(numbers)
    self.assertGreater(values.min(), 0.0)
    self.assertLess(values.max(), 1.0)
    for power in (1, 2, 3, 4):
      powers = np.ravel(values**power)
      statistics.assert_mean_within(powers, 1 / (power + 1))
    statistics.assert_uniform(values, 1)
    # Below 1/2 there are 2**23 values, above, where the midpoint is rounded,
    # 2**22: of n values about 3 n**2 / 2**26 pairs are equal.
    pairs = 3 * values.size**2 / 2**26
    repeated = values.size - len(np.unique(values))
    self.assertLess(abs(repeated - pairs), 5 * np.sqrt(pairs) + 10)
    # They depend on their tick and sample only.
    few = draw_uniforms(np.array([40, 7]), 16, 33)
    np.testing.assert_array_equal(few, numbers[[40, 7], :33])
