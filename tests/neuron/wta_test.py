"""Tests for the winner-take-all: winners, races and error streams."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate

import ssnn_jax
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
  @parameterized.product(
    name=list(POTENTIALS), sampler=('bernoulli', 'sobol', 'lfsr_shared')
  )
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
NUM_SAMPLES, NUM_TICKS = 3000, 32
ALL_TICKS = np.ones(NUM_TICKS, bool)


@functools.partial(jax.jit, static_argnums=0)
def run(config, theta, potential, is_valid):
  """Runs `[S]` windows; returns theta, and winners `[S, 32, C]` by tick."""

  def run_one(position):
    role, size = spikes.Role.WINNER, len(potential)
    source = sources.make(jnp.arange(1), size, role, position=position)
    noise = thresholds.uniforms(source)
    return wta.race(config, noise, theta, potential, is_valid)

  return jax.vmap(run_one)(jnp.arange(NUM_SAMPLES))


def win_probability(rates, neuron, latency):
  """Integrates the probability that a neuron wins over its time of firing.

  The neuron wins if it fires within the tick, and no other neuron has fired
  until a latency before.
  """
  rate, others = rates[neuron], rates.sum() - rates[neuron]

  def density(time):
    return rate * np.exp(-rate * time - others * max(time - latency, 0.0))

  return integrate.quad(density, 0.0, 1.0, points=[latency], epsabs=1e-10)[0]


class IdealRaceTest(parameterized.TestCase):
  @parameterized.parameters(1.0, 4.0)
  def test_winner_without_latency_is_a_sample_of_softmax(self, race_rate):
    config = wta.RaceConfig(race_rate=race_rate)
    _, ticks = run(config, 0.0, POTENTIAL, ALL_TICKS)
    ticks = np.asarray(ticks).reshape(-1, 4)
    self.assertLessEqual(ticks.sum(axis=1).max(), 1)
    has_winner = ticks.sum(axis=1)
    statistics.assert_mean_within(has_winner, 1 - np.exp(-race_rate))
    statistics.assert_mean_within(ticks[has_winner == 1], SOFTMAX)
    # A neuron wins at any rate with the same odds in all ticks of a window.
    by_tick = ticks.reshape(NUM_SAMPLES, NUM_TICKS, 4)
    expected = np.tile(SOFTMAX * (1 - np.exp(-race_rate)), (NUM_TICKS, 1))
    statistics.assert_mean_within(by_tick, expected)

  def test_potentials_of_any_size_do_not_overflow(self):
    config = wta.RaceConfig(race_rate=4.0)
    potential = np.float32([500.0, -500.0, 499.0, 0.0])
    _, ticks = run(config, 0.0, potential, ALL_TICKS)
    odds = np.array([1.0, 0.0, np.exp(-1.0), 0.0]) / (1 + np.exp(-1.0))
    expected = odds * (1 - np.exp(-4.0))
    statistics.assert_mean_within(np.reshape(ticks, (-1, 4)), expected)

  @parameterized.parameters(0.01, 0.1)
  def test_winners_within_the_latency_have_their_probabilities(self, latency):
    config = wta.RaceConfig(race_rate=4.0, inhibition_latency=latency)
    _, ticks = run(config, 0.0, POTENTIAL, ALL_TICKS)
    ticks = np.asarray(ticks).reshape(-1, 4)
    rates = 4.0 * np.float64(SOFTMAX)
    expected = [win_probability(rates, k, latency) for k in range(4)]
    statistics.assert_mean_within(ticks, expected)
    self.assertGreater(ticks.sum(axis=1).max(), 1)
    # The latency lets others win, but does not change the chance of a winner.
    has_winner = ticks.any(axis=1)
    statistics.assert_mean_within(has_winner, 1 - np.exp(-4.0))


class AdaptiveRaceTest(parameterized.TestCase):
  def test_theta_moves_by_the_excess_of_winners_in_ticks_of_the_window(self):
    config = wta.RaceConfig(
      inhibition='adaptive', inhibition_latency=0.1, inhibition_step=0.25
    )
    # The ticks 3 to 19 of a window whose noise has 32 ticks; theta is a sum of
    # multiples of 1/4, and so exact.
    numbers = np.arange(NUM_TICKS)
    is_valid = (numbers >= 3) & (numbers < 20)
    theta, ticks = run(config, 1.5, POTENTIAL, is_valid)
    ticks = np.asarray(ticks, int)
    self.assertFalse(ticks[:, :3].any() or ticks[:, 20:].any())
    excess = ticks[:, 3:20].sum(axis=2) - 1
    self.assertEqual((excess.min(), excess.max()), (-1, 3))
    np.testing.assert_array_equal(theta, 1.5 + 0.25 * excess.sum(axis=1))
    # One tick more in the window changes theta by the excess of the tick.
    later, ticks = run(config, 1.5, POTENTIAL, is_valid | (numbers == 20))
    last = np.asarray(ticks, int)[:, 20].sum(axis=1) - 1
    np.testing.assert_array_equal(later - theta, 0.25 * last)
    self.assertGreater(last.max(), 0)
    # The number of winners depends on theta in the tick: the more inhibition,
    # the fewer.
    counts = ticks.sum(axis=2)[:, 20]
    high = np.asarray(theta) > np.median(theta)
    self.assertLess(counts[high].mean(), counts[~high].mean())

  def test_theta_without_step_is_fixed(self):
    config = wta.RaceConfig(inhibition='adaptive', inhibition_step=0.0)
    theta, ticks = run(config, 1.0, POTENTIAL, ALL_TICKS)
    np.testing.assert_array_equal(theta, 1.0)
    rate = np.exp(np.float64(POTENTIAL) - 1.0).sum()
    expected = SOFTMAX * (1 - np.exp(-rate))
    statistics.assert_mean_within(np.reshape(ticks, (-1, 4)), expected)

  def test_theta_tracks_growing_potentials(self):
    step, latency, num_windows = 0.1, 0.05, 100
    config = wta.RaceConfig(
      inhibition='adaptive', inhibition_latency=latency, inhibition_step=step
    )
    rises = jnp.linspace(0.0, 5.0, num_windows, dtype=jnp.float32)
    found = run_windows(config, POTENTIAL, rises)
    theta, winners = map(np.asarray, found)
    # Theta has moved by the step for each winner in excess.
    excess = winners[20:].sum() - NUM_TICKS * len(winners[20:])
    np.testing.assert_allclose(theta[-1] - theta[19], step * excess, atol=1e-3)
    self.assertBetween(np.mean(winners[20:]) / NUM_TICKS, 0.97, 1.05)
    # Theta fluctuates about the value with one winner on average. It is a
    # random walk with the variance of step times the excess, and returns at a
    # rate of step times the slope of the mean excess.
    total = np.log(np.exp(POTENTIAL).sum()) + np.asarray(rises) - theta
    rate = steady_rate(latency)
    slope = (mean_winners(1.1 * rate, latency) - 1) / np.log(1.1)
    variance = step * np.var(winners[20:]) / NUM_TICKS / (2 * slope)
    distance = total[20:] - np.log(rate)
    self.assertLess(np.abs(distance).max(), 5 * np.sqrt(variance) + 0.1)


@functools.partial(jax.jit, static_argnums=0)
def run_windows(config, potential, rises):
  """Runs windows of 32 ticks with rising potentials, one after another.

  Returns theta after each window and the winners in each window.
  """
  source = sources.make(
    jnp.arange(len(rises)), len(potential), spikes.Role.WINNER, seed=1
  )
  numbers = thresholds.uniforms(source)
  numbers = numbers.reshape(len(rises), NUM_TICKS, len(potential))

  def advance(theta, inputs):
    noise, rise = inputs
    theta, winners = wta.race(config, noise, theta, potential + rise, ALL_TICKS)
    return theta, (theta, winners.sum())

  return jax.lax.scan(advance, jnp.float32(0.0), (numbers, rises))[1]


def mean_winners(rate, latency):
  """Returns the mean number of winners at a total rate."""
  rates = rate * np.float64(SOFTMAX)
  return sum(win_probability(rates, k, latency) for k in range(4))


def steady_rate(latency):
  """Returns the total rate at which one neuron wins on average."""
  low, high = 0.1, 20.0
  for _ in range(50):
    rate = (low + high) / 2
    is_low = mean_winners(rate, latency) < 1
    low, high = (rate, high) if is_low else (low, rate)
  return rate


class RaceConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    dict(inhibition='shunting'),
    dict(race_rate=0.0),
    dict(race_rate=float('nan')),
    dict(inhibition_latency=1.1),
    dict(inhibition_step=-1.0),
    dict(inhibition_start=float('nan')),
  )
  def test_invalid_fields_are_refused_by_name(self, **options):
    (field,) = options
    with self.assertRaisesRegex(
      ssnn_jax.UserError, rf'\A{field} is .*; expected [^\n]*\.\Z'
    ):
      wta.RaceConfig(**options)
