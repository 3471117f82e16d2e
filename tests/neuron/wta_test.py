"""Tests for the winner-take-all: winners, races and error streams."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate

from ssnn_jax import spikes
from ssnn_jax.neuron import wta
from ssnn_jax.spikes import thresholds
from tests.testing import sources
from tests.testing import statistics

POTENTIALS = {
  'even': [0.0, 0.0, 0.0, 0.0],
  'mild': [0.3, -1.0, 2.0, 0.5],
  'certain': [0.0, 1000.0, -1000.0, 0.0],
  'last': [-50.0, -50.0, -50.0, 50.0],
}


@functools.partial(jax.jit, static_argnums=(1, 2))
def draw_winners(potential, num_samples, sampler):
  """Draws winners `[S, 64, C]` tick by tick, and the same as `[S, 2, C]`."""
  rates = wta.cumulative_rates(potential)[None]
  every = jnp.full((1, 2), ~jnp.uint32(0))

  def draw(position):
    source = sources.make(
      jnp.arange(2),
      1,
      spikes.Role.WINNER,
      position=position,
      sampler=sampler,
    )
    ticks = thresholds.is_below(source.thresholds(), rates)
    words = thresholds.sample_words(source, rates, every)
    return wta.first(ticks), wta.first(words)

  return jax.vmap(draw)(jnp.arange(num_samples))


unpack = jax.jit(jax.vmap(spikes.unpack))


class WinnerTakeAllTest(parameterized.TestCase):
  @parameterized.product(name=list(POTENTIALS), sampler=('bernoulli', 'sobol'))
  def test_one_class_wins_each_tick_at_the_rate_of_softmax(self, name, sampler):
    potential = np.float32(POTENTIALS[name])
    ticks, words = draw_winners(potential, 20_000, sampler)
    ticks = np.asarray(ticks)
    np.testing.assert_array_equal(ticks.sum(axis=-1), 1)
    np.testing.assert_array_equal(unpack(words), ticks)
    statistics.assert_mean_within(
      np.mean(ticks, axis=1), jax.nn.softmax(potential)
    )

  @parameterized.product(name=list(POTENTIALS), label=(0, 3))
  def test_errors_are_winner_minus_target(self, name, label):
    ticks, words = draw_winners(np.float32(POTENTIALS[name]), 20, 'bernoulli')
    is_valid, mask = np.arange(64) < 40, np.uint32([2**32 - 1, 2**8 - 1])
    ticks, words = np.asarray(ticks), np.asarray(words)
    compare = jax.jit(jax.vmap(wta.output_errors, in_axes=(0, None, None)))
    own = ticks & is_valid[None, :, None]
    streams = compare(own, label, is_valid)
    of_words = compare(words & mask[None, :, None], label, mask)
    for train, packed in zip(streams, of_words):
      np.testing.assert_array_equal(unpack(packed), train)
    positive, negative, ticks = (np.asarray(x, int) for x in (*streams, own))
    target = (np.arange(4) == label) * np.asarray(is_valid)[:, None]
    np.testing.assert_array_equal(positive - negative, ticks - target)
    # One spike in each stream at a tick with a wrong winner, otherwise none.
    wrong = ticks.sum(axis=-1) - ticks[..., label]
    np.testing.assert_array_equal(positive.sum(axis=-1), wrong)
    np.testing.assert_array_equal(negative.sum(axis=-1), wrong)

  @parameterized.parameters(0, 2)
  def test_errors_of_several_or_no_winners_sum_to_their_excess(self, label):
    ticks = np.random.default_rng(0).integers(0, 2, (40, 4)) > 0
    ticks[0], ticks[1] = False, True
    streams = wta.output_errors(ticks, label, np.ones(40, bool))
    positive, negative = (np.asarray(stream, int) for stream in streams)
    errors, target = positive - negative, np.eye(4, dtype=int)[label]
    np.testing.assert_array_equal(errors, ticks.astype(int) - target)
    np.testing.assert_array_equal(errors.sum(axis=1), ticks.sum(axis=1) - 1)
    self.assertFalse((positive & negative).any())


POTENTIAL = np.float32([0.3, -1.0, 2.0, 0.5])
SOFTMAX = np.exp(POTENTIAL) / np.exp(POTENTIAL).sum()
NUM_SAMPLES = 40_000


@functools.partial(jax.jit, static_argnums=3)
def run(theta, potential, is_valid, num_samples):
  """Runs windows of n ticks; returns theta and winners, `[S, n, C]`."""

  def run_one(position):
    role, size = spikes.Role.WINNER, len(potential)
    source = sources.make(jnp.arange(4), size, role, position=position)
    noise = thresholds.uniforms(source)[: len(is_valid)]
    return wta.race(jnp.float32(theta), noise, potential, is_valid)

  return jax.vmap(run_one)(jnp.arange(num_samples))


def win_probability(rates, neuron):
  """Integrates the probability that a neuron wins over its time of firing.

  The neuron wins if it fires within the tick, and no other neuron has fired
  until a latency before.
  """
  rate, others = rates[neuron], rates.sum() - rates[neuron]
  latency = wta.INHIBITION_LATENCY

  def density(time):
    return rate * np.exp(-rate * time - others * max(time - latency, 0.0))

  return integrate.quad(density, 0.0, 1.0, points=[latency], epsabs=1e-10)[0]


class RaceTest(parameterized.TestCase):
  @parameterized.parameters(1.0, 8.0)
  def test_winners_of_a_tick_have_their_probabilities(self, rate):
    theta = np.log(np.exp(POTENTIAL).sum() / rate)
    _, ticks = run(theta, POTENTIAL, np.ones(1, bool), NUM_SAMPLES)
    ticks = np.asarray(ticks)[:, 0]
    expected = [win_probability(rate * SOFTMAX, k) for k in range(4)]
    statistics.assert_mean_within(ticks, expected)
    self.assertGreater(ticks.sum(axis=1).max(), 1)
    # The latency lets others win, but does not change the chance of a winner.
    has_winner = ticks.any(axis=1)
    statistics.assert_mean_within(has_winner, 1 - np.exp(-rate))

  def test_potentials_of_any_size_do_not_overflow(self):
    potential = np.float32([500.0, -500.0, 499.0, 0.0])
    theta = 500.0 + np.log1p(np.exp(-1.0)) - np.log(4.0)
    _, ticks = run(theta, potential, np.ones(1, bool), NUM_SAMPLES)
    odds = np.array([1.0, 1e-300, np.exp(-1.0), 1e-300]) / (1 + np.exp(-1.0))
    expected = [win_probability(4.0 * odds, k) for k in range(4)]
    statistics.assert_mean_within(np.asarray(ticks)[:, 0], expected)

  def test_theta_moves_by_the_excess_of_winners_in_valid_ticks(self):
    numbers = np.arange(32)
    is_valid = (numbers >= 3) & (numbers < 20)
    theta, ticks = run(1.5, POTENTIAL, is_valid, 3000)
    ticks = np.asarray(ticks, int)
    self.assertFalse(ticks[:, :3].any() or ticks[:, 20:].any())
    excess = ticks[:, 3:20].sum(axis=2) - 1
    self.assertEqual((excess.min(), excess.max()), (-1, 2))
    # A sum of multiples of 1/2, and so exact.
    expected = 1.5 + wta.INHIBITION_STEP * excess.sum(axis=1)
    np.testing.assert_array_equal(theta, expected)

  def test_one_neuron_wins_on_average_whatever_the_potentials(self):
    for rise in (-3.0, 0.0, 4.0):
      every = np.ones(128, bool)
      _, ticks = run(0.0, POTENTIAL + np.float32(rise), every, 2000)
      winners = np.asarray(ticks)[:, 32:].sum(axis=2)
      # Theta returns to where it was: the mean excess of 96 ticks is its change
      # divided by 96 steps, and it stays within 5 nats.
      self.assertLess(abs(winners.mean() - 1), 5 / wta.INHIBITION_STEP / 96)
