"""Tests for Sobol trains."""

import functools
import itertools
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

from ssnn_jax import trains
from ssnn_jax.trains import Role
from ssnn_jax.trains import sobol
from tests.testing import sources
from tests.testing import statistics

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
  source = sources.make(len(shifts), *train)
  with mock.patch.object(trains.Source, 'random_bits', lambda own: shifts):
    of_word = lambda word: sobol.SAMPLER.thresholds(source, word)
    return jax.vmap(of_word)(words).reshape(-1, len(shifts))


def numbers(train, num_words, shifts=0):
  """Returns the thresholds of a train at digital shifts `[N]`."""
  words = np.arange(num_words)
  return np.asarray(draw(train, words, np.uint32(np.atleast_1d(shifts))), int)


def sample(train, rates, shifts, num_steps):
  """Samples `[T, N]` spikes at rates and digital shifts `[N]`."""
  drawn = numbers(train, trains.count_words(num_steps), shifts)[:num_steps]
  return drawn < np.round(np.asarray(rates) * 2**16)


class SobolTest(parameterized.TestCase):
  @parameterized.parameters(*TRAINS)
  def test_numbers_match_scipy_and_are_stratified(self, dimension):
    self.assertEqual(sobol.dimension(*TRAINS[dimension]), dimension)
    found = numbers(TRAINS[dimension], 2**11).ravel()  # the whole period
    # SciPy enumerates points in Gray code order.
    published = qmc.Sobol(dimension + 1, scramble=False, bits=16)
    points = published.random_base2(16)[:, dimension] * 2**16
    ticks = np.arange(2**16)
    np.testing.assert_array_equal(found[ticks ^ (ticks >> 1)], points)
    for log_size in (0, 1, 4, 5, 8, 16):
      strata = found.reshape(-1, 2**log_size) >> (16 - log_size)
      expected = np.broadcast_to(np.arange(2**log_size), strata.shape)
      np.testing.assert_array_equal(np.sort(strata, axis=1), expected)

  @parameterized.product(layer=(0, 1), is_last=(False, True))
  def test_pairs_reduce_the_variance_of_coincidences(self, layer, is_last):
    presynaptic = (Role.FORWARD if layer else Role.INPUT, layer)
    errors = (Role.WINNER, 0) if is_last else (Role.ERROR, layer)
    rates, num_shifts = np.array([1, 3, 6, 10, 16, 24, 40, 56]) / 64, 1000
    rng = np.random.default_rng(0)
    spikes = [
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
      pre, post = (each[:num_steps].astype(np.float32) for each in spikes)
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

  def test_coincidences_are_unbiased_over_all_shifts(self):
    # With four bits a neuron has 16 shifts; over all pairs of shifts the
    # coincidences add up to 256 T p q exactly.
    levels = np.arange(17)
    shifts = np.tile(np.arange(16) << FOUR_BITS, 17)
    rates = np.repeat(levels / 16, 16)
    spikes = [
      sample(train, rates, shifts, 100).reshape(100, 17, 16).sum(axis=2)
      for train in TRAINS.values()
    ]
    for first, second in itertools.combinations(spikes, 2):
      for num_steps in (1, 7, 32, 33, 100):
        expected = num_steps * levels[:, None] * levels
        found = first[:num_steps].T @ second[:num_steps]
        np.testing.assert_array_equal(found, expected)

  def test_shifts_are_uniform_and_uncorrelated(self):
    def first_tick(train, position):
      # The first point of the sequence is 0.
      source = sources.make(256, *train, position, seed=1)
      return sobol.SAMPLER.thresholds(source, jnp.int32(0))[0]

    draw = jax.jit(jax.vmap(first_tick, (None, 0)), static_argnums=0)
    drawn = np.array([draw(TRAINS[i], jnp.arange(64)) for i in (0, 1)])
    # [role, position, neuron, bit]
    bits = (drawn[..., None] >> np.arange(16, dtype=np.uint16)) & 1
    statistics.assert_fair(bits)
