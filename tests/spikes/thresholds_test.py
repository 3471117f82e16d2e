"""Tests for the random thresholds: independence, uniformity, reproduction."""

import functools
import itertools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax.spikes import bernoulli
from ssnn_jax.spikes import thresholds
from tests.testing import sources
from tests.testing import statistics

TRAINS = tuple(itertools.product(thresholds.Role, range(3)))


@functools.partial(jax.jit, static_argnames=('sampler', 'num_neurons'))
def draw(sampler, words, positions, num_neurons):
  """Draws thresholds `[positions, 32 words, neurons]` of a train."""

  def one(position):
    source = sources.make(
      words, num_neurons, position=position, sampler=sampler
    )
    return source.thresholds()

  return jax.vmap(one)(positions)


@functools.partial(jax.jit, static_argnames='num_neurons')
def draw_planes(key, words, positions, num_neurons):
  """Draws `[words, positions, 16, neurons]` bit planes with a train's key."""
  source = sources.make(words, num_neurons)

  def one(word, position):
    return bernoulli.planes(source.replace(key=key, position=position), word)

  over_positions = jax.vmap(one, (None, 0))
  return jax.vmap(over_positions, (0, None))(words, positions)


def planes(seed, num_words, num_positions, num_neurons, train=(0, 0)):
  """Draws the planes of a train, those of all trains by one program."""
  role, layer = train
  key = thresholds.make_keys(jax.random.key(seed), 3)[layer, role]
  words, positions = jnp.arange(num_words), jnp.arange(num_positions)
  return np.asarray(draw_planes(key, words, positions, num_neurons))


class ThresholdsTest(parameterized.TestCase):
  @parameterized.product(sampler=sources.SAMPLERS)
  def test_depend_on_their_word_and_sample_only(self, sampler):
    many = draw(sampler, jnp.arange(5), jnp.arange(7), 11)
    for word, position in ((0, 0), (3, 2), (4, 6)):
      alone = draw(sampler, jnp.array([word]), jnp.array([position]), 11)
      own = many[position, 32 * word : 32 * word + 32]
      np.testing.assert_array_equal(alone[0], own)

  def test_ticks_are_the_bits_of_planes(self):
    source = sources.make(jnp.arange(3), 50)
    own = np.asarray(jax.jit(bernoulli.planes)(source, 1))
    bits = (own[:, None] >> np.arange(32, dtype=np.uint32)[:, None]) & 1
    expected = np.einsum('qtn,q->tn', bits, 1 << np.arange(len(own)))
    drawn = jax.jit(lambda source: source.thresholds())(source)
    np.testing.assert_array_equal(drawn[32:64], expected)

  def test_words_differ_between_trains_samples_and_neurons(self):
    values = np.ravel([planes(0, 4, 8, 16, train) for train in TRAINS])
    # A pair of words agrees by chance with probability 2**-32: of n values
    # n**2 / 2**33 pairs do, a Poisson number.
    expected = len(values) ** 2 / 2**33
    repeated = len(values) - len(np.unique(values))
    self.assertLess(repeated, expected + 5 * np.sqrt(expected) + 1)

  def test_bits_are_fair_and_uncorrelated(self):
    bits = planes(1, 4, 64, 64)
    bits = np.unpackbits(bits.view(np.uint8), bitorder='little')
    # [word, position, plane, neuron, tick]; means and correlations are those of
    # signs in {-1, 1}.
    bits = bits.reshape(4, 64, 16, 64, 32)
    for axis in range(5):
      kept = tuple(a for a in range(5) if a != axis)
      size = bits.size // bits.shape[axis]
      means = 2 * np.count_nonzero(bits, axis=kept) / size - 1
      bound = 5 / np.sqrt(size)
      self.assertLess(np.abs(means).max(), bound, f'means along axis {axis}')
      for lag in (1, 2, 3):
        first = np.take(bits, range(bits.shape[axis] - lag), axis)
        second = np.take(bits, range(lag, bits.shape[axis]), axis)
        correlation = 1 - 2 * np.count_nonzero(first != second) / first.size
        self.assertLess(abs(correlation), 5 / np.sqrt(first.size))

  def test_streams_are_uncorrelated(self):
    streams = [
      np.unpackbits(planes(seed, 4, 32, 32, train).view(np.uint8))
      for seed, train in itertools.product(range(2), TRAINS[:6])
    ]
    bits = np.stack(streams)
    correlations = np.corrcoef(bits, dtype=np.float32)
    correlations = correlations[np.triu_indices(len(streams), 1)]
    self.assertLess(np.abs(correlations).max(), 5 / np.sqrt(bits.shape[1]))

  @parameterized.parameters('bernoulli', 'sobol')
  def test_are_uniform_over_samples(self, sampler):
    # Each sample once, as the ticks of a train may depend on each other.
    values = draw(sampler, jnp.arange(1), jnp.arange(2**15), 3)[:, 7, 2]
    counts = np.histogram(values, bins=256, range=(0, 2**16))[0]
    expected = values.size / 256
    chi_square = np.sum((counts - expected) ** 2) / expected
    # 255 degrees of freedom: mean 255, variance 510.
    self.assertLess(abs(chi_square - 255), 5 * np.sqrt(510))


@functools.partial(jax.jit, static_argnames='num_neurons')
def draw_uniforms(words, positions, num_neurons):
  """Draws `[B, 32 K, N]` uniform numbers of the winners."""

  def draw(position):
    role = spikes.Role.WINNER
    source = sources.make(words, num_neurons, role, position=position)
    return thresholds.uniforms(source)

  return jax.vmap(draw)(positions)


class UniformsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    numbers = draw_uniforms(jnp.arange(4), jnp.arange(64), 16)
    cls.numbers = np.asarray(numbers)

  def test_are_uniform_between_0_and_1(self):
    values = np.float64(self.numbers)
    self.assertGreater(values.min(), 0.0)
    self.assertLess(values.max(), 1.0)
    for power in (1, 2, 3, 4):
      powers = np.ravel(values**power)
      statistics.assert_mean_within(powers, 1 / (power + 1))
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

  def test_depend_on_their_tick_and_sample_only(self):
    numbers = draw_uniforms(jnp.array([3, 1]), jnp.array([40, 7]), 16)
    expected = self.numbers.reshape(64, 4, 32, 16)[[40, 7]][:, [3, 1]]
    np.testing.assert_array_equal(numbers, expected.reshape(2, 64, 16))
