"""Tests for the random thresholds: addresses, independence, uniformity."""

import functools
import itertools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.spikes import thresholds

INDEPENDENT = ('bernoulli', 'threefry')
TRAINS = tuple(itertools.product(thresholds.Role, range(3)))


@functools.partial(jax.jit, static_argnames=('sampler', 'num_neurons'))
def draw_independent(sampler, keys, train, words, positions, num_neurons):
  """Draws `[words, positions, 16, neurons]` bit planes of a train, or ticks."""

  def one(word, position):
    address = thresholds.Address(*train, word, position)
    source = thresholds.SAMPLERS[sampler](keys, address, num_neurons)
    is_sobol = sampler == 'sobol'
    return (source.draw_ticks if is_sobol else source.draw)(num_neurons)

  over_positions = jax.vmap(one, in_axes=(None, 0))
  return jax.vmap(over_positions, in_axes=(0, None))(words, positions)


def draw(sampler, key, words, positions, num_neurons, train=(0, 0)):
  """Draws the thresholds of a train, all trains by one program."""
  keys = thresholds.make_keys(key, 3)
  words, positions = jnp.asarray(words), jnp.asarray(positions)
  function = draw_independent
  if sampler == 'sobol':  # whose sequence depends on the train
    function = draw_independent.__wrapped__
  return np.asarray(
    function(sampler, keys, train, words, positions, num_neurons)
  )


class ThresholdsTest(parameterized.TestCase):
  @parameterized.parameters(*thresholds.SAMPLERS)
  def test_thresholds_depend_on_their_address_only(self, sampler):
    key = jax.random.key(0)
    many = draw(sampler, key, np.arange(5), np.arange(7), 11)
    for word, position in ((0, 0), (3, 2), (4, 6)):
      alone = draw(sampler, key, [word], [position], 11)[0, 0]
      np.testing.assert_array_equal(alone, many[word, position])

  @parameterized.parameters(*INDEPENDENT)
  def test_thresholds_differ_between_addresses(self, sampler):
    key = jax.random.key(0)
    streams = [
      draw(sampler, key, np.arange(4), np.arange(8), 16, train)
      for train in TRAINS
    ]
    values = np.ravel(streams)
    # A pair of words agrees by chance with probability 2**-32: of n values
    # n**2 / 2**33 pairs do, a Poisson number.
    expected = len(values) ** 2 / 2**33
    repeated = len(values) - len(np.unique(values))
    self.assertLess(repeated, expected + 5 * np.sqrt(expected) + 1)

  @parameterized.parameters(*INDEPENDENT)
  def test_bits_are_fair_and_uncorrelated(self, sampler):
    bits = draw(sampler, jax.random.key(1), np.arange(4), np.arange(64), 64)
    bits = np.unpackbits(bits.view(np.uint8), bitorder='little')
    # [word, position, plane, neuron, tick], in {-1, 1}
    bits = 2.0 * bits.reshape(4, 64, 16, 64, 32) - 1.0
    for axis in range(5):
      kept = tuple(a for a in range(5) if a != axis)
      means = bits.mean(axis=kept)
      bound = 5 / np.sqrt(bits.size / bits.shape[axis])
      self.assertLess(np.abs(means).max(), bound, f'means along axis {axis}')
      for lag in (1, 2, 3):
        first = np.take(bits, range(bits.shape[axis] - lag), axis)
        second = np.take(bits, range(lag, bits.shape[axis]), axis)
        correlation = np.mean(first * second)
        self.assertLess(abs(correlation), 5 / np.sqrt(first.size))

  @parameterized.parameters(*INDEPENDENT)
  def test_streams_are_uncorrelated(self, sampler):
    streams = []
    for seed, train in itertools.product(range(2), TRAINS[:6]):
      key = jax.random.key(seed)
      bits = draw(sampler, key, np.arange(4), np.arange(32), 32, train)
      streams.append(np.unpackbits(bits.view(np.uint8)))
    signs = 2.0 * np.stack(streams) - 1.0
    correlations = np.corrcoef(signs)[np.triu_indices(len(streams), 1)]
    self.assertLess(np.abs(correlations).max(), 5 / np.sqrt(signs.shape[1]))

  def test_streams_are_not_shifts_of_each_other(self):
    # A stream that is a shift of another shares all words but those at its
    # ends; streams that are independent share next to none.
    streams = [
      draw('bernoulli', jax.random.key(seed), [word], np.arange(256), 16)
      for seed, word in itertools.product(range(8), range(2))
    ]
    planes = np.concatenate([np.moveaxis(s[0], 1, 0) for s in streams])
    sets = [np.unique(plane) for plane in planes]
    values = np.concatenate(sets)
    owners = np.repeat(np.arange(len(sets)), [len(values) for values in sets])
    order = np.argsort(values, kind='stable')
    values, owners = values[order], owners[order]
    is_shared = values[1:] == values[:-1]
    pairs = np.stack([owners[:-1], owners[1:]])[:, is_shared]
    _, shared = np.unique(pairs, axis=1, return_counts=True)
    # Expected 4096**2 / 2**32 = 0.004 a pair, so 3 has odds of 1e-8.
    self.assertLess(shared.max(initial=0), 3)

  def test_thresholds_are_uniform(self):
    planes = draw(
      'bernoulli', jax.random.key(2), np.arange(8), np.arange(64), 32
    )
    bits = (planes[..., None] >> np.arange(32, dtype=np.uint32)) & 1
    weights = 2.0 ** np.arange(thresholds.NUM_PLANES)
    values = np.einsum('wpqnt,q->wpnt', bits.astype(np.float64), weights)
    counts = np.histogram(values, bins=256, range=(0, 2**16))[0]
    expected = values.size / 256
    chi_square = np.sum((counts - expected) ** 2) / expected
    # 255 degrees of freedom: mean 255, variance 510.
    self.assertLess(abs(chi_square - 255), 5 * np.sqrt(510))
