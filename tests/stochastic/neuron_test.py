"""Tests for drawn spikes: pulses of devices, winners and read noise.

`devices_test` has the mean of what devices are asked for; `reference_test`
compares all spikes of stochastic neurons with the reference.
"""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import softmax

import ssnn_jax
from ssnn_jax import trains
from ssnn_jax.stochastic import neuron as stochastic
from ssnn_jax.stochastic import samples
from ssnn_jax.stochastic import wta
from ssnn_jax.trains import Role
from ssnn_jax.trains import bernoulli
from ssnn_jax.trains import thresholds
from tests.testing import networks
from tests.testing import sources
from tests.testing import statistics
from tests.testing.networks import SIZES
from tests.testing.networks import assert_same

T, BATCH_SIZE = 40, 8
UNIT = 1 / (T * BATCH_SIZE)  # gradient of one coincidence


@functools.cache
def make(exact, dropout):
  """Returns parameters, batch and the compiled `count_pulses` over keys."""
  config = ssnn_jax.NetworkConfig(
    SIZES, T, winner='race', exact=exact, dropout=dropout
  )
  first, *others = networks.make_params(config, seed=1)
  params = first._replace(biases=first.biases + np.float32(0.5)), *others
  images, labels = networks.batch(BATCH_SIZE)
  images[:, -2:] = 1.0  # spike at every tick
  network = ssnn_jax.ssnn(config)
  count = jax.jit(jax.vmap(network.count_pulses, (None, 0, None, None, None)))
  return network, params, (images, labels), count


def learn(pulse_gradient=None, exact=(), dropout=0.0):
  """Returns coincidences and responses of each key."""
  _, params, batch, count = make(exact, dropout)
  if pulse_gradient is not None:
    pulse_gradient = jnp.float32(pulse_gradient)
  keys = jax.random.split(jax.random.key(2), 1)
  return jax.device_get(count(params, keys, *batch, pulse_gradient))


def as_gradient(coincidences):
  """Returns the gradients of coincidences of many keys."""
  multiply = lambda positive, negative, unit: (
    (np.float32(positive - negative).T * unit).T
  )
  return jax.tree.map(multiply, *coincidences[:3])


class PulsesTest(parameterized.TestCase):
  @parameterized.parameters(((), 0.0), (('forward', 'update'), 0.25))
  def test_coincidences_are_the_gradient(self, rates, dropout):
    network, params, batch, _ = make(rates, dropout)
    found, response = learn(None, rates, dropout)
    key = jax.random.split(jax.random.key(2), 1)[0]
    expected, expected_response = networks.learner(network)(params, key, *batch)
    gradient = jax.tree.map(lambda x: x[0], as_gradient(found))
    assert_equal = networks.assert_close if rates else assert_same
    assert_equal(gradient, expected)
    assert_same(jax.tree.map(lambda x: x[0], response), expected_response)
    self.assertIsNone(found.pulses)
    for counts in jax.tree.leaves((found.positive, found.negative)):
      self.assertGreaterEqual(counts.min(), 0)
      self.assertGreater(counts.max(), 0)

  def test_thinned_coincidences_are_a_subset(self):
    whole, response = learn()
    same, _ = learn(UNIT)  # one pulse for each
    assert_same(same._replace(pulses=None), whole)
    thinned, thinned_response = learn(4 * UNIT)
    assert_same(thinned_response, response)
    for name in ('positive', 'negative'):
      for few, all_of_them in zip(getattr(thinned, name), getattr(whole, name)):
        self.assertTrue(np.all(few.weights >= 0))
        self.assertTrue(np.all(few.weights <= all_of_them.weights))
        self.assertBetween(few.weights.sum(), 1, all_of_them.weights.sum() - 1)
        # Error spikes are not dropped, and biases count all of them.
        np.testing.assert_array_equal(few.biases, all_of_them.biases)

  @parameterized.parameters(
    *(UNIT / ratio for ratio in (0.013, 2.6, 300.5)),
    np.float32(0.0009375) / 0.3,  # one step, except for the last bit
  )
  def test_coincidences_are_whole_numbers_of_pulses(self, pulse_gradient):
    found, _ = learn(pulse_gradient)
    ratio = UNIT / pulse_gradient
    pulses = np.ceil(round(ratio, 6))
    rounding = 2.0**-17 / (ratio / pulses) + 1e-6  # of the share
    for unit, requested in zip(found.unit, found.pulses):
      np.testing.assert_allclose(
        unit.weights * ratio / UNIT, pulses, rtol=rounding
      )
      np.testing.assert_array_equal(requested.weights, pulses)
      self.assertEqual(requested.weights.dtype, np.int32)
      # The input of the biases is not dropped; their pulses are fractional.
      np.testing.assert_allclose(unit.biases, UNIT, rtol=1e-6)
      np.testing.assert_allclose(requested.biases, ratio, rtol=1e-6)

  def test_infinite_pulses_are_never_requested(self):
    found, _ = learn(np.inf)
    for positive, negative, requested in zip(
      found.positive, found.negative, found.pulses
    ):
      for leaf in (positive.weights, negative.weights, *requested):
        np.testing.assert_array_equal(leaf, 0)


def signals(config, params, images, labels):
  """Presents a batch with the key 2."""

  @jax.jit
  def present(params, images, labels):
    key = jax.random.key(2)
    batch = samples.prepare(config, params, key, images, labels)
    return stochastic.present(config, params, key, batch)

  return jax.device_get(present(params, images, labels))


POTENTIALS = {
  'even': [0.0, 0.0, 0.0, 0.0],
  'mild': [0.3, -1.0, 2.0, 0.5],
  'certain': [0.0, 1000.0, -1000.0, 0.0],
  'last': [-50.0, -50.0, -50.0, 50.0],
}


@functools.partial(jax.jit, static_argnums=1)
def draw_winners(potential, sampler):
  """Draws winners `[S, 64, C]` tick by tick, and the same as `[S, 2, C]`."""

  def draw(position):
    source = sources.make(1, Role.WINNER, position=position)
    rates = wta.cumulative_rates(potential)[None]
    drawn = thresholds.draw_thresholds(trains.SAMPLERS[sampler], source, 64)
    reached = thresholds.is_below(drawn, rates)
    return wta.first(reached), wta.first(trains.pack(reached))

  return jax.vmap(draw)(jnp.arange(5000))


@functools.partial(jax.jit, static_argnums=(1, 2))
def race(potential, num_samples, num_steps):
  """Runs races; returns their noise and winners, `[S, T, C]`."""

  def run(position):
    source = sources.make(4, Role.WINNER, position=position)
    noise = thresholds.draw_uniforms(source, num_steps)
    return noise, wta.race(noise, potential)

  return jax.vmap(run)(jnp.arange(num_samples))


class WinnersTest(parameterized.TestCase):
  @parameterized.product(name=list(POTENTIALS), sampler=('bernoulli', 'sobol'))
  def test_one_class_wins_each_tick_at_the_rate_of_softmax(self, name, sampler):
    potential = np.float32(POTENTIALS[name])
    ticks, words = draw_winners(potential, sampler)
    ticks = np.asarray(ticks)
    np.testing.assert_array_equal(ticks.sum(axis=-1), 1)
    np.testing.assert_array_equal(trains.unpack(words), ticks)
    statistics.assert_mean_within(np.mean(ticks, axis=1), softmax(potential))

  def test_output_errors_of_a_race_are_winners_minus_target(self):
    config = ssnn_jax.NetworkConfig(SIZES, 50, winner='race')
    params, (images, labels) = networks.make_params(config), networks.batch(40)
    found = signals(config, params, images, labels)
    error = found.errors[-1]
    signs = np.where(error.is_negative, -1, 1)
    ticks, winners = (
      np.asarray(trains.unpack(words), int)
      for words in (error.words[:, 0], found.winners)
    )
    target = np.eye(SIZES[-1])[labels][:, None] * (np.arange(64) < 50)[:, None]
    np.testing.assert_array_equal(signs * ticks, winners - target)
    self.assertGreater(winners.sum(axis=-1).max(), 1)

  @parameterized.parameters(-3.0, 4.0, 90.0)
  def test_winners_are_the_first_within_the_latency(self, rise):
    potential = np.float64(POTENTIALS['mild']) + rise
    noise, winners = map(np.asarray, race(np.float32(potential), 2000, 256))
    # Inhibition moves by the excess of winners over one a tick.
    excess = np.cumsum(winners.sum(axis=2) - 1.0, axis=1)
    theta = wta.INHIBITION_STEP * np.pad(excess, ((0, 0), (1, 0)))[:, :-1]
    times = -np.log(np.float64(noise)) * np.exp(theta[..., None] - potential)
    late = times - times.min(axis=2, keepdims=True) - wta.INHIBITION_LATENCY
    expected = (late <= 0) & (times < 1)
    # But for rounding errors, of times close to a limit.
    is_clear = np.minimum(np.abs(late), np.abs(times - 1)) > 1e-4
    self.assertGreater(is_clear.mean(), 0.99)
    np.testing.assert_array_equal(winners[is_clear], expected[is_clear])
    if rise < 0.0:  # a tick has a winner as one clock of the sum of all rates
      has_winner, rates = winners[:, 0].any(axis=1), np.exp(potential)
      statistics.assert_mean_within(has_winner, 1 - np.exp(-rates.sum()))
    # One neuron wins on average, whatever the potentials. Theta stays within 5
    # nats, and the mean excess of 32 ticks is its change divided by 32 steps.
    if rise < 90.0:
      bound = 5 / wta.INHIBITION_STEP / 32
      self.assertLess(abs(winners[:, -32:].sum(axis=2).mean() - 1), bound)


@functools.cache
def read_noise(num_steps, role=Role.READ, layer=0):
  """Returns the mean noise of T ticks, `[positions, neurons]`."""

  def draw(position):
    return bernoulli.mean_noise(
      sources.make(60, role, layer, position), num_steps
    )

  return np.float64(jax.jit(jax.vmap(draw))(jnp.arange(150)))


def assert_uncorrelated(first, second):
  """Asserts that the mean product of two noises is 0."""
  statistics.assert_mean_within(np.ravel(first * second), 0.0)


class ReadNoiseTest(parameterized.TestCase):
  @parameterized.parameters(1, 32, 40)
  def test_mean_and_variance(self, num_steps):
    noise = read_noise(num_steps).ravel()
    statistics.assert_mean_within(noise, 0.0)
    statistics.assert_mean_within(noise**2 * num_steps, 1.0)
    if num_steps == 1:  # 17 levels
      np.testing.assert_array_equal(noise, np.round(2 * noise) / 2)
      self.assertLessEqual(np.abs(noise).max(), 4.0)

  def test_reads_are_independent(self):
    noise, transposed = read_noise(1), read_noise(1, Role.TRANSPOSED_READ)
    second_tick = 2 * read_noise(2) - noise
    np.testing.assert_allclose(
      2 * second_tick, np.round(2 * second_tick), atol=1e-6
    )
    for other in (second_tick, transposed, read_noise(1, layer=1)):
      assert_uncorrelated(noise, other)
    assert_uncorrelated(noise[1:], noise[:-1])  # samples
    assert_uncorrelated(noise[:, 1:], noise[:, :-1])  # neurons

  def test_noise_of_all_reads_of_a_network(self):
    config = ssnn_jax.NetworkConfig(
      SIZES,
      T,
      exact=('forward', 'backward', 'winners'),
      read_noise=0.3,
      input_gain=2.0,
    )
    first, last = networks.make_params(config)
    # Hidden neurons have the potential 1/2, and so open gates, of which the
    # noise is 5 standard deviations.
    first = first._replace(
      weights=0 * first.weights, biases=np.full(SIZES[1], 0.5, np.float32)
    )
    images, labels = networks.batch(2000)
    found = signals(config, (first, last), images, labels)
    hidden = found.forward[1].rates
    errors = [error.errors for error in found.errors]
    noises = (
      hidden - 0.5,
      found.potential - hidden @ last.weights,
      errors[0] - errors[1] @ last.weights.T,
    )
    for noise, gain in zip(noises, (2.0, 1.0, 1.0)):
      statistics.assert_mean_within(noise, 0.0)
      statistics.assert_mean_within(noise**2, (gain * 0.3) ** 2 / T)
    assert_uncorrelated(noises[0][:, :3], noises[1])
    assert_uncorrelated(noises[2][:, :3], noises[1])
    assert_uncorrelated(noises[2], noises[0])
