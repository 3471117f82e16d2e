"""Tests for low-discrepancy trains."""

import itertools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

from ssnn_jax import spikes
from ssnn_jax.spikes import sobol
from ssnn_jax.spikes import thresholds

DIMENSIONS = (0, 1, 2, 5)
FOUR_BITS = 12  # rates and shifts of four bits are multiples of 2**12 / 2**16


def words(dimension, indices, shifts):
  """Returns the thresholds of words at digital shifts `[N]`."""
  return sobol.SobolWord.of(dimension, indices, jnp.asarray(shifts, jnp.uint32))


def numbers(dimension, num_words):
  """Draws a dimension without shifts: `[32 * num_words]` numbers."""
  drawn = words(dimension, jnp.arange(num_words), [0])
  return np.asarray(spikes.draw_thresholds(drawn, 1), int).ravel()


def train(dimension, rates, shifts, num_steps):
  """Fires `[T, N]` at rates and digital shifts `[N]`."""
  schedule = spikes.Schedule(num_steps, num_steps)
  block = spikes.block(schedule, 0)
  source = words(dimension, block.words, shifts)
  window = jax.tree.map(lambda leaf: leaf[0], block.windows)
  fired = spikes.sample(source, jnp.asarray(rates, jnp.float32), window)
  return np.asarray(spikes.unpack(fired))[:num_steps]


class SobolTest(parameterized.TestCase):
  @parameterized.parameters(*DIMENSIONS)
  def test_numbers_match_scipy(self, dimension):
    # SciPy enumerates points in Gray code order.
    published = qmc.Sobol(dimension + 1, scramble=False, bits=16)
    points = published.random_base2(10)[:, dimension] * 2**16
    ticks = np.arange(2**10)
    ours = numbers(dimension, 2**5)
    np.testing.assert_array_equal(ours[ticks ^ (ticks >> 1)], points)

  @parameterized.parameters(*range(12))
  def test_words_hold_the_spikes_and_their_number(self, dimension):
    rng = np.random.default_rng(dimension)
    shifts, rates = rng.integers(0, 2**16, 999), rng.random(999, np.float32)
    rates[:5] = 0, 1, 2**-16, 1 - 2**-16, 0.5
    for index in (0, 1, 77, 2**11 - 1):
      word = words(dimension, jnp.int32(index), shifts)
      is_below = np.asarray(word.draw_ticks(999)) < np.round(rates * 2**16)
      fired = word.fire(jnp.asarray(rates))
      np.testing.assert_array_equal(spikes.unpack(fired[None]), is_below)
      counts = word.count(jnp.asarray(rates))
      np.testing.assert_array_equal(counts, is_below.sum(axis=0))

  @parameterized.parameters(*DIMENSIONS)
  def test_aligned_powers_of_two_are_stratified(self, dimension):
    ours = numbers(dimension, 2**11)  # the whole period
    for log_size in (0, 1, 4, 5, 8, 16):
      strata = ours.reshape(-1, 2**log_size) >> (16 - log_size)
      expected = np.broadcast_to(np.arange(2**log_size), strata.shape)
      np.testing.assert_array_equal(np.sort(strata, axis=1), expected)

  def test_first_two_dimensions_are_jointly_stratified(self):
    pairs = np.stack([numbers(0, 8), numbers(1, 8)])
    for log_size in (4, 6, 8):
      for split in range(log_size + 1):
        boxes = (pairs[0] >> (16 - split)) << (log_size - split)
        boxes = boxes + (pairs[1] >> (16 - log_size + split))
        runs = np.sort(boxes.reshape(-1, 2**log_size), axis=1)
        expected = np.broadcast_to(np.arange(2**log_size), runs.shape)
        np.testing.assert_array_equal(runs, expected)

  @parameterized.product(layer=(0, 1, 2, 5), is_last=(False, True))
  def test_pairs_reduce_the_variance_of_coincidences(self, layer, is_last):
    keys = thresholds.make_keys(jax.random.key(0), 7)
    roles = thresholds.Role
    presynaptic = (roles.FORWARD if layer else roles.INPUT, layer)
    errors = (roles.WINNER, 0) if is_last else (roles.ERROR, layer)
    dimensions = [
      thresholds.shifted(keys, thresholds.Address(*train, 3, 0), 2).dimension
      for train in (presynaptic, errors)
    ]
    rates, num_shifts = np.array([1, 3, 6, 10, 16, 24, 40, 56]) / 64, 1000
    rng = np.random.default_rng(0)
    trains = [
      train(
        dimension,
        np.repeat(rates, num_shifts),
        np.tile(rng.integers(0, 2**16, num_shifts), len(rates)),
        256,
      ).reshape(256, len(rates), num_shifts)
      for dimension in dimensions
    ]
    products = rates[:, None] * rates[None]
    for num_steps in (16, 32, 64, 256):
      pre, post = (each[:num_steps].astype(np.float32) for each in trains)
      counts = np.einsum('tas,tbs->abs', pre, post)
      independent = num_steps * products * (1 - products)
      ratios = counts.var(axis=2) / independent
      # Largest mean of the pairs (0, 1), (3, 4), (0, 2) and (3, 2), and largest
      # standard deviation over draws of the shifts.
      mean, deviation = {
        16: (0.644, 0.037),
        32: (0.437, 0.019),
        64: (0.290, 0.013),
        256: (0.147, 0.003),
      }[num_steps]
      self.assertLess(ratios.mean(), mean + 5 * deviation)

  @parameterized.parameters(1, 7, 32, 33, 100)
  def test_coincidences_are_unbiased_over_all_shifts(self, num_steps):
    # With four bits a neuron has 16 shifts; over all pairs of shifts the
    # coincidences add up to 256 T p q exactly.
    levels = np.arange(17)
    shifts = np.tile(np.arange(16) << FOUR_BITS, 17)
    rates = np.repeat(levels / 16, 16)
    for ours, theirs in itertools.combinations(DIMENSIONS, 2):
      pre, post = (
        train(dimension, rates, shifts, num_steps)
        for dimension in (ours, theirs)
      )
      sums = (x.reshape(num_steps, 17, 16).sum(axis=2) for x in (pre, post))
      pairs = np.einsum('ti,tj->ij', *sums, dtype=np.int64)
      expected = num_steps * levels[:, None] * levels
      np.testing.assert_array_equal(pairs, expected)

  def test_spike_counts_are_within_one_of_their_mean(self):
    rng = np.random.default_rng(0)
    rates, shifts = rng.random(500), rng.integers(0, 2**16, 500)
    spikes_fired = train(1, rates, shifts, 256).astype(np.int64)
    for size in (1, 8, 32, 256):
      runs = spikes_fired.reshape(-1, size, 500).sum(axis=1)
      self.assertLessEqual(np.abs(runs - size * rates).max(), 1 + 2**-8)

  def test_shifts_are_uniform_and_uncorrelated(self):
    keys = thresholds.make_keys(jax.random.key(1), 2)

    def shifts(role, position):
      address = thresholds.Address(role, 0, word=0, position=position)
      # The first point of the sequence is 0.
      return thresholds.shifted(keys, address, 256).points

    roles = (thresholds.Role.INPUT, thresholds.Role.ERROR)
    drawn = np.stack(
      [jax.vmap(lambda p, r=r: shifts(r, p))(jnp.arange(64)) for r in roles]
    )
    bits = (drawn[..., None] >> np.arange(16, dtype=np.uint32)) & 1
    signs = 2.0 * bits - 1.0  # [role, position, neuron, bit]
    self.assertLess(abs(signs.mean()), 5 / np.sqrt(signs.size))
    for axis in range(4):
      size = signs.shape[axis]
      first = np.take(signs, range(size - 1), axis)
      second = np.take(signs, range(1, size), axis)
      self.assertLess(abs(np.mean(first * second)), 5 / np.sqrt(first.size))
