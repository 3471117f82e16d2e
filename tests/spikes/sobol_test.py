"""Tests for Sobol trains."""

import functools
import itertools
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

from ssnn_jax import spikes
from ssnn_jax.spikes import sobol
from ssnn_jax.spikes import thresholds
from tests.testing import sources

Role = spikes.Role
# A train of each dimension, in the order of the dimensions.
TRAINS = {
  0: (Role.INPUT, 0),
  1: (Role.ERROR, 0),
  2: (Role.WINNER, 0),
  3: (Role.FORWARD, 1),
  4: (Role.ERROR, 1),
}
FOUR_BITS = 12  # rates and shifts of four bits are multiples of 2**12 / 2**16


@functools.partial(jax.jit, static_argnums=0)
def draw(train, words, shifts):
  source = sources.make(words, len(shifts), *train, sampler='sobol')
  with mock.patch.object(sobol, '_shifts', lambda source: shifts):
    return source.thresholds()


def numbers(train, words, shifts=0):
  """Returns the thresholds of a train at digital shifts `[N]`."""
  return np.asarray(draw(train, words, np.uint32(np.atleast_1d(shifts))), int)


def sample(train, rates, shifts, num_steps):
  """Samples `[T, N]` spikes at rates and digital shifts `[N]`."""
  drawn = numbers(train, jnp.arange(spikes.count_words(num_steps)), shifts)
  return drawn[:num_steps] < np.round(np.asarray(rates) * 2**16)


class SobolTest(parameterized.TestCase):
  @parameterized.parameters(*TRAINS)
  def test_numbers_match_scipy(self, dimension):
    self.assertEqual(sobol.dimension(*TRAINS[dimension]), dimension)
    # SciPy enumerates points in Gray code order.
    published = qmc.Sobol(dimension + 1, scramble=False, bits=16)
    points = published.random_base2(16)[:, dimension] * 2**16
    ticks = np.arange(2**16)
    ours = numbers(TRAINS[dimension], jnp.arange(2**11)).ravel()
    np.testing.assert_array_equal(ours[ticks ^ (ticks >> 1)], points)

  @parameterized.parameters(*TRAINS)
  def test_words_hold_the_spikes_and_their_number(self, dimension):
    rates = np.random.default_rng(dimension).random(999, np.float32)
    rates[:5] = 0, 1, 2**-16, 1 - 2**-16, 0.5
    words = np.array([0, 1, 77, 2**11 - 1], np.int32)

    @jax.jit
    def sample(rates):
      source = sources.make(words, 999, *TRAINS[dimension], sampler='sobol')
      every = jnp.full((1, len(words)), ~jnp.uint32(0))
      sampled = thresholds.sample_words(source, rates[None], every)
      count = jax.vmap(source.sampler.count, (None, 0, None))
      counts = count(source, jnp.asarray(words), rates)
      return source.thresholds(), spikes.unpack(sampled), counts

    drawn, sampled, counts = map(np.asarray, sample(rates))
    is_below = drawn < np.round(rates * 2**16)
    np.testing.assert_array_equal(sampled, is_below)
    np.testing.assert_array_equal(
      counts, is_below.reshape(4, 32, -1).sum(axis=1)
    )

  @parameterized.parameters(*TRAINS)
  def test_aligned_powers_of_two_are_stratified(self, dimension):
    ours = numbers(TRAINS[dimension], jnp.arange(2**11))  # the whole period
    for log_size in (0, 1, 4, 5, 8, 16):
      strata = ours.reshape(-1, 2**log_size) >> (16 - log_size)
      expected = np.broadcast_to(np.arange(2**log_size), strata.shape)
      np.testing.assert_array_equal(np.sort(strata, axis=1), expected)

  def test_first_two_dimensions_are_jointly_stratified(self):
    pairs = [numbers(TRAINS[i], jnp.arange(8)).ravel() for i in (0, 1)]
    for log_size in (4, 6, 8):
      for split in range(log_size + 1):
        boxes = (pairs[0] >> (16 - split)) << (log_size - split)
        boxes = boxes + (pairs[1] >> (16 - log_size + split))
        runs = np.sort(boxes.reshape(-1, 2**log_size), axis=1)
        expected = np.broadcast_to(np.arange(2**log_size), runs.shape)
        np.testing.assert_array_equal(runs, expected)

  @parameterized.product(layer=(0, 1, 2, 5), is_last=(False, True))
  def test_pairs_reduce_the_variance_of_coincidences(self, layer, is_last):
    presynaptic = (Role.FORWARD if layer else Role.INPUT, layer)
    errors = (Role.WINNER, 0) if is_last else (Role.ERROR, layer)
    rates, num_shifts = np.array([1, 3, 6, 10, 16, 24, 40, 56]) / 64, 1000
    rng = np.random.default_rng(0)
    trains = [
      sample(
        train,
        np.repeat(rates, num_shifts),
        np.tile(rng.integers(0, 2**16, num_shifts), len(rates)),
        256,
      ).reshape(256, len(rates), num_shifts)
      for train in (presynaptic, errors)
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
    sums = [
      sample(train, rates, shifts, num_steps)
      .reshape(num_steps, 17, 16)
      .sum(axis=2)
      for train in TRAINS.values()
    ]
    for ours, theirs in itertools.combinations(sums, 2):
      expected = num_steps * levels[:, None] * levels
      np.testing.assert_array_equal(ours.T @ theirs, expected)

  def test_spike_counts_are_within_one_of_their_mean(self):
    rng = np.random.default_rng(0)
    rates, shifts = rng.random(500), rng.integers(0, 2**16, 500)
    train = sample(TRAINS[1], rates, shifts, 256).astype(np.int64)
    for size in (1, 8, 32, 256):
      runs = train.reshape(-1, size, 500).sum(axis=1)
      self.assertLessEqual(np.abs(runs - size * rates).max(), 1 + 2**-8)

  def test_shifts_are_uniform_and_uncorrelated(self):
    def first_tick(train, position):
      # The first point of the sequence is 0.
      source = sources.make(
        jnp.arange(1), 256, *train, position, sampler='sobol', seed=1
      )
      return source.thresholds()[0]

    draw = jax.jit(jax.vmap(first_tick, (None, 0)), static_argnums=0)
    drawn = [draw(TRAINS[i], np.arange(64, dtype=np.int32)) for i in (0, 1)]
    drawn = np.array(drawn)
    bits = (drawn[..., None] >> np.arange(16, dtype=np.uint16)) & 1
    signs = 2.0 * bits - 1.0  # [role, position, neuron, bit]
    self.assertLess(abs(signs.mean()), 5 / np.sqrt(signs.size))
    for axis in range(4):
      size = signs.shape[axis]
      first = np.take(signs, range(size - 1), axis)
      second = np.take(signs, range(1, size), axis)
      self.assertLess(abs(np.mean(first * second)), 5 / np.sqrt(first.size))
