"""Tests of updates: thinned presynaptic spikes and device pulses."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax.hardware import devices
from ssnn_jax.hardware.device_config import DeviceConfig
from tests.testing import networks
from tests.testing import statistics
from tests.testing.devices import make_update
from tests.testing.networks import assert_same

SIZES = (6, 5, 3)
BATCH_SIZE = 8
STEP = 2.0**-8
# Gradient of one coincidence, in an update of 40 ticks and 8 samples.
UNIT = 1 / (40 * BATCH_SIZE)


@functools.cache
def batch(size=BATCH_SIZE):
  images, labels = networks.batch(size, SIZES)
  images[:, -2:] = 1.0  # spike at every tick
  return images, labels


@functools.cache
def make(separate_signs=True, num_steps=40, window=32, **options):
  """Builds a network; returns its parameters and its jitted learn."""
  config = networks.stochastic(SIZES, num_steps, window=window, **options)
  network = ssnn_jax.ssnn(config, separate_signs=separate_signs)
  params = networks.make_params(config, seed=1)
  params = jax.tree.map(lambda w: np.round(w / STEP) * np.float32(STEP), params)
  biases = params[0].biases + np.float32(0.5)  # gates are open
  hidden = params[0]._replace(biases=biases)
  params = hidden, *params[1:]
  return params, jax.jit(network.learn)


def learn(pulse_gradient=None, size=BATCH_SIZE, seed=2, **options):
  params, run = make(**options)
  if pulse_gradient is not None:
    run = functools.partial(run, pulse_gradient=jnp.float32(pulse_gradient))
  update, _ = run(params, jax.random.key(seed), *batch(size))
  return jax.tree.map(np.asarray, update)


@functools.cache
def learn_often(ratio, num_keys=200, **options):
  """Learns with many keys, at a ratio of pulses per coincidence."""
  made = [learn(UNIT / ratio, seed=k, **options) for k in range(num_keys)]
  return jax.tree.map(lambda *leaves: np.stack(leaves), *made)


def signed(update):
  return jax.tree.map(np.subtract, update.positive, update.negative)


def total(counts):
  return sum(int(jnp.sum(leaf)) for leaf in jax.tree.leaves(counts))


class ThinningTest(parameterized.TestCase):
  def test_thinned_coincidences_are_a_subset(self):
    all_counts, thinned = learn(UNIT), learn(4 * UNIT)
    for name in ('positive', 'negative'):
      for ours, theirs in zip(
        getattr(thinned, name), getattr(all_counts, name)
      ):
        part, whole = ours.weights, theirs.weights
        self.assertTrue(np.all((part >= 0) & (part <= whole)))
        self.assertBetween(part.sum(), 1, whole.sum() - 1)
        # Error spikes are not dropped, and biases count all of them.
        np.testing.assert_array_equal(ours.biases, theirs.biases)

  @parameterized.parameters(0.3, 1.7)
  def test_thinning_keeps_the_gradient_unbiased(self, ratio):
    ours, theirs = (
      jax.tree.map(
        lambda p, n, u: (p - n) * u[(...,) + (None,) * (p.ndim - 1)],
        *(update.positive, update.negative, update.unit),
      )
      for update in map(learn_often, (ratio, 1.0))
    )
    for a, b in zip(*map(jax.tree.leaves, (ours, theirs))):
      statistics.assert_mean_within((a - b) / UNIT, 0.0)
      self.assertEqual(np.std(a - b) > 0.3 * UNIT, a.ndim == 3)  # not biases

  @parameterized.parameters(0.013, 1.0, 2.6, 300.5)
  def test_coincidences_are_whole_numbers_of_pulses(self, ratio):
    update, pulses = learn(UNIT / ratio), np.ceil(ratio)
    rounding = 2.0**-17 / (ratio / pulses) + 1e-6  # of the share
    for unit, each in zip(update.unit, update.pulses):
      made = unit.weights * ratio / UNIT
      np.testing.assert_allclose(made, pulses, rtol=rounding)
      self.assertEqual((each.weights, each.weights.dtype), (pulses, np.int32))
      # The input of the biases is not dropped; their pulses are fractional.
      np.testing.assert_allclose(unit.biases, UNIT, rtol=1e-6)
      np.testing.assert_allclose(each.biases, ratio, rtol=1e-6)

  @parameterized.parameters((0.3, 0.0009375), (0.37, 0.00115625))
  def test_rounding_errors_request_no_extra_pulse(self, rate, step):
    # One step a coincidence, except for the last bit.
    self.assertAlmostEqual(rate * UNIT, step, places=12)
    device = devices.make_resistive(DeviceConfig(dw_min=step), rate)
    state = device.init(jax.random.key(0), make()[0])[1]
    update = learn(device.pulse_gradient(state))
    self.assertEqual(int(update.pulses[0].weights), 1)
    assert_same(signed(update), signed(learn(UNIT)))

  def test_one_pulse_per_coincidence_thins_nothing(self):
    params, run = make()
    args = params, jax.random.key(2), *batch()
    plain, inference = run(*args)
    thinned, thinned_inference = run(*args, pulse_gradient=jnp.float32(UNIT))
    assert_same(inference, thinned_inference)
    assert_same(plain._replace(pulses=thinned.pulses), thinned)
    thinned, thinned_inference = run(
      *args, pulse_gradient=jnp.float32(4 * UNIT)
    )
    assert_same(inference, thinned_inference)
    self.assertLess(total(thinned.positive), total(plain.positive))


class SeparateTest(parameterized.TestCase):
  def test_separate_counts_differ_by_the_signed_counts(self):
    for gradient in (0.4 * UNIT, 4 * UNIT):
      update, alone = learn(gradient), learn(gradient, separate_signs=False)
      assert_same(signed(update), alone.positive)
      self.assertIsNone(alone.negative)
      for counts in (update.positive, update.negative):
        self.assertGreaterEqual(min(map(np.min, jax.tree.leaves(counts))), 0)

  def test_errors_of_a_synapse_change_sign_between_windows(self):
    update = learn(0.05, size=1, num_steps=200, seed=1)
    both = jax.tree.map(np.minimum, update.positive, update.negative)
    self.assertGreater(total(both[0]), 0)


def train_step(config, update, params, rate):
  """Writes an update; returns the weights of all arrays."""
  device = devices.make_resistive(config, rate)
  state = device.init(jax.random.key(3), params)[1]
  after, _ = jax.jit(device.update)(jax.random.key(4), update, state, params)
  return [np.asarray(leaf) for leaf in jax.tree.leaves(after)]


class PulsesTest(parameterized.TestCase):
  @parameterized.parameters(
    # Ratios of requested change to step, below and above 1.
    (0.013, 7, 2),
    (0.37, 0, 5),
    (2.6, 4, 9),
    (0.37, 0.21, 0.93),  # expected counts of rates
    (2.6, 1.3, 0.0),
  )
  def test_pulses_are_whole_numbers_with_the_requested_mean(
    self, ratio, up, down
  ):
    rate, shape = 0.5, (200, 250)
    update = make_update(up, down, shape, ratio * STEP / rate)
    zeros = jax.tree.map(jnp.zeros_like, update.positive)
    config = DeviceConfig(dw_min=STEP)
    (weights,) = train_step(config, update, zeros, rate)
    pulses = weights.ravel() / STEP
    np.testing.assert_array_equal(pulses, np.round(pulses))
    gradient = float(ssnn_jax.as_gradient(update)[0][0, 0])
    statistics.assert_mean_within(pulses, -rate * gradient / STEP)

  def test_updates_on_rates_are_unbiased_over_keys(self):
    params, update = make(rates=('update',))[0], learn(rates=('update',))
    device = devices.make_resistive(DeviceConfig(dw_min=STEP), 0.3)
    state = device.init(jax.random.key(3), params)[1]

    @jax.jit
    @jax.vmap
    def changes(seed):
      after, _ = device.update(jax.random.key(seed), update, state, params)
      return jax.tree.map(jnp.subtract, after, params)

    gradients = jax.tree.leaves(ssnn_jax.as_gradient(update))
    made = jax.tree.leaves(changes(jnp.arange(2000)))
    for change, gradient in zip(made, gradients):
      pulses = np.asarray(change) / STEP
      np.testing.assert_array_equal(pulses, np.round(pulses))
      statistics.assert_mean_within(pulses, -0.3 / STEP * gradient)

  def test_zero_learning_rate_changes_no_weight(self):
    params, update = make()[0], learn(np.inf)
    # So that every synapse has a coincidence.
    one_more = jax.tree.map(lambda count: 1 + count, update.positive)
    update = update._replace(positive=one_more)
    after = train_step(DeviceConfig(dw_min=STEP), update, params, rate=0.0)
    assert_same(after, jax.tree.leaves(params))
