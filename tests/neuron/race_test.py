"""Tests for the race of the output neurons."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate

import ssnn_jax
from ssnn_jax import spikes
from ssnn_jax.neuron import race
from ssnn_jax.neuron import wta
from ssnn_jax.spikes import thresholds
from tests.testing import statistics

POTENTIAL = np.float32([0.3, -1.0, 2.0, 0.5])
SOFTMAX = np.exp(POTENTIAL) / np.exp(POTENTIAL).sum()
NUM_SAMPLES, NUM_TICKS = 3000, 32
TICK_BITS = np.uint32(1) << np.arange(32, dtype=np.uint32)[:, None]
ALL_TICKS = spikes.Window(np.full(1, ~np.uint32(0)), 32, 32)


@functools.partial(jax.jit, static_argnums=0)
def run(config, theta, potential, window):
  """Runs `[S]` windows; returns theta, and winners `[S, 32, C]` by tick."""

  def run_one(position):
    keys = thresholds.make_keys(jax.random.key(0), 1)
    address = thresholds.Address(
      thresholds.Role.WINNER, 0, jnp.arange(1), position
    )
    numbers = spikes.draw_uniforms(keys, address, len(potential))[0]
    noise = spikes.Ticks(numbers, TICK_BITS)
    after, winners = race.run(config, noise, theta, potential, window)
    return after, spikes.unpack(winners)

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
    config = race.RaceConfig(race_rate=race_rate)
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
    config = race.RaceConfig(race_rate=4.0)
    potential = np.float32([500.0, -500.0, 499.0, 0.0])
    _, ticks = run(config, 0.0, potential, ALL_TICKS)
    odds = np.array([1.0, 0.0, np.exp(-1.0), 0.0]) / (1 + np.exp(-1.0))
    expected = odds * (1 - np.exp(-4.0))
    statistics.assert_mean_within(np.reshape(ticks, (-1, 4)), expected)

  @parameterized.parameters(0.01, 0.1)
  def test_winners_within_the_latency_have_their_probabilities(self, latency):
    config = race.RaceConfig(race_rate=4.0, inhibition_latency=latency)
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
    config = race.RaceConfig(
      inhibition='adaptive', inhibition_latency=0.1, inhibition_step=0.25
    )
    # The ticks 3 to 19 of a window whose noise has 32 ticks; theta is a sum of
    # multiples of 1/4, and so exact.
    window = ALL_TICKS._replace(mask=np.array([0xFFFF8], np.uint32))
    theta, ticks = run(config, 1.5, POTENTIAL, window)
    ticks = np.asarray(ticks, int)
    self.assertFalse(ticks[:, :3].any() or ticks[:, 20:].any())
    excess = ticks[:, 3:20].sum(axis=2) - 1
    self.assertEqual((excess.min(), excess.max()), (-1, 3))
    np.testing.assert_array_equal(theta, 1.5 + 0.25 * excess.sum(axis=1))
    # One tick more in the window changes theta by the excess of the tick.
    longer = window._replace(mask=np.array([0x1FFFF8], np.uint32))
    later, ticks = run(config, 1.5, POTENTIAL, longer)
    last = np.asarray(ticks, int)[:, 20].sum(axis=1) - 1
    np.testing.assert_array_equal(later - theta, 0.25 * last)
    self.assertGreater(last.max(), 0)
    # The number of winners depends on theta in the tick: the more inhibition,
    # the fewer.
    counts = ticks.sum(axis=2)[:, 20]
    high = np.asarray(theta) > np.median(theta)
    self.assertLess(counts[high].mean(), counts[~high].mean())

  def test_theta_without_step_is_fixed(self):
    config = race.RaceConfig(inhibition='adaptive', inhibition_step=0.0)
    theta, ticks = run(config, 1.0, POTENTIAL, ALL_TICKS)
    np.testing.assert_array_equal(theta, 1.0)
    rate = np.exp(np.float64(POTENTIAL) - 1.0).sum()
    expected = SOFTMAX * (1 - np.exp(-rate))
    statistics.assert_mean_within(np.reshape(ticks, (-1, 4)), expected)

  def test_theta_tracks_growing_potentials(self):
    step, latency, num_windows = 0.1, 0.05, 100
    config = race.RaceConfig(
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
  keys = thresholds.make_keys(jax.random.key(1), 1)
  address = thresholds.Address(
    thresholds.Role.WINNER, 0, jnp.arange(len(rises)), jnp.int32(0)
  )
  numbers = spikes.draw_uniforms(keys, address, len(potential))

  def advance(theta, inputs):
    numbers, rise = inputs
    noise = spikes.Ticks(numbers, TICK_BITS)
    theta, winners = race.run(config, noise, theta, potential + rise, ALL_TICKS)
    return theta, (theta, spikes.count(winners).sum())

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


class ErrorsTest(parameterized.TestCase):
  @parameterized.parameters(0, 2)
  def test_errors_of_several_or_no_winners_sum_to_their_excess(self, label):
    rng = np.random.default_rng(0)
    ticks = rng.integers(0, 2, (40, 4), np.uint8)
    ticks[0], ticks[1] = 0, 1
    window = spikes.Window(np.array([~np.uint32(0), 0xFF], np.uint32), 40, 40)

    @jax.jit
    def compare(ticks):
      streams = wta.output_errors(spikes.pack(ticks), label, window)
      return jax.tree.map(lambda stream: spikes.unpack(stream)[:40], streams)

    positive, negative = map(np.int64, compare(ticks))
    errors, target = positive - negative, np.eye(4, dtype=int)[label]
    np.testing.assert_array_equal(errors, ticks.astype(int) - target)
    np.testing.assert_array_equal(
      errors.sum(axis=1), ticks.sum(axis=1, dtype=int) - 1
    )
    self.assertFalse((positive & negative).any())


class RaceConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    dict(inhibition='shunting'),
    dict(race_rate=0.0),
    dict(race_rate=float('inf')),
    dict(race_rate=float('nan')),
    dict(inhibition_latency=-0.1),
    dict(inhibition_latency=1.1),
    dict(inhibition_latency=float('nan')),
    dict(inhibition_step=-1.0),
    dict(inhibition_step=float('inf')),
    dict(inhibition_start=float('nan')),
    dict(inhibition_start=float('inf')),
  )
  def test_invalid_fields_are_refused_by_name(self, **options):
    (field,) = options
    with self.assertRaisesRegex(
      ssnn_jax.UserError, rf'\A{field} is .*; expected [^\n]*\.\Z'
    ):
      race.RaceConfig(**options)
