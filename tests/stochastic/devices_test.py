"""Tests of ideal and resistive devices, also against closed forms."""

import dataclasses
import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.stochastic import devices
from ssnn_jax.stochastic import neuron as stochastic
from ssnn_jax.stochastic.device_config import PRESETS
from ssnn_jax.stochastic.device_config import DeviceConfig
from ssnn_jax.training import state as state_lib
from tests.testing import networks
from tests.testing import pulse_curves
from tests.testing import statistics
from tests.testing.networks import assert_same

STEP = 2.0**-8
SIZES, BATCH_SIZE, NUM_STEPS = (6, 4, 3), 4, 8
UNIT = 1 / (BATCH_SIZE * NUM_STEPS)  # gradient of one coincidence
CONFIG = ssnn_jax.NetworkConfig(SIZES, NUM_STEPS, sampler='bernoulli')
PARAMS, BATCH = networks.make_params(CONFIG), networks.batch(4, SIZES)
# No error exceeds one spike in a tick.
assert np.ptp(PARAMS[-1].weights, axis=1).max() < 2


def make_network(up, down, shape, unit, num_arrays=1):
  """Returns a network whose synapses all count the same coincidences."""
  counted = stochastic.Coincidences(
    positive=(jnp.full(shape, down),) * num_arrays,
    negative=(jnp.full(shape, up),) * num_arrays,
    unit=(jnp.float32(unit),) * num_arrays,
    pulses=None,
  )
  return types.Network(None, None, None, lambda *_: (counted, None))


class Array:
  """An array of resistive devices."""

  def __init__(self, config, weights=0.0, shape=(50, 40)):
    device = devices.make_resistive(config, learning_rate=1.0)
    params = (np.full(shape, weights, np.float32),)
    self.carry = jax.jit(device.init)(jax.random.key(0), params)
    self.initial = np.asarray(self.carry[0][0])
    self.number, self.constants = 0, self.carry[1].hardware[0]

    @jax.jit
    def learn(key, carry, *counts):
      network = make_network(*counts[:2], shape, counts[2])
      return device.learn(network, (None, key), carry, None, None)[0]

    self._learn = learn

  def update(self, up, down, unit=1.0):
    """Applies the counts of one batch; returns the weights."""
    key = jax.random.fold_in(jax.random.key(1), self.number)
    self.number += 1
    self.carry = self._learn(key, self.carry, up, down, unit)
    return np.asarray(self.carry[0][0])


def make_learn_often(config, num_keys=2000):
  """Makes `(learning_rate) -> (changes in steps, gradients)` of many keys."""
  device = devices.make_resistive(DeviceConfig(dw_min=STEP), 1.0)
  network = ssnn_jax.ssnn(config)
  params, state = jax.jit(device.init)(jax.random.key(0), PARAMS)

  @jax.jit
  def learn_often(learning_rate):
    carry = params, state._replace(learning_rate=learning_rate)

    def learn(seed):
      key, pulse_key = (
        jax.random.fold_in(jax.random.key(seed), part) for part in range(2)
      )
      # Of the same spikes.
      gradient, _ = jax.grad(network.loss, has_aux=True)(params, key, *BATCH)
      keys = jax.random.clone(key), pulse_key
      (after, _), _ = device.learn(network, keys, carry, *BATCH)
      change = lambda new, old: (new - old) / STEP
      return jax.tree.map(change, after, params), gradient

    return jax.vmap(learn)(jnp.arange(num_keys))

  return lambda learning_rate: jax.device_get(learn_often(learning_rate))


class DeviceTest(parameterized.TestCase):
  def test_optimizer_is_the_ideal_device(self):
    optimizer = optax.sgd(0.1, momentum=0.9)
    device = state_lib.as_device(optimizer)
    self.assertIs(state_lib.as_device(device), device)

    def loss(params, key, inputs, labels):
      del key, labels
      return jnp.sum(inputs * params[0] ** 2), 'response'

    network, initial = types.Network(None, None, loss), (jnp.ones((3, 2)),)
    carry = device.init(jax.random.key(3), initial)
    expected, opt_state = initial, optimizer.init(initial)
    for inputs in (jnp.full((3, 2), 2.0), jnp.ones((3, 2))):
      carry, inference = device.learn(network, (None, None), carry, inputs, 0)
      gradient = (2 * inputs * expected[0],)
      steps, opt_state = optimizer.update(gradient, opt_state, expected)
      expected = optax.apply_updates(expected, steps)
    self.assertEqual(inference, 'response')
    assert_same(carry, (expected, opt_state))

  def test_resistive_device_of_fine_steps_is_gradient_descent(self):
    # Rates, T and the batch are powers of two, so that no product is rounded.
    schedule = optax.linear_schedule(1.0, 0.5, 1)
    device = devices.make_resistive(DeviceConfig(), 0.5, schedule)
    network = ssnn_jax.ssnn(CONFIG)
    carry = jax.jit(device.init)(jax.random.key(0), PARAMS)
    params, keys = PARAMS, (jax.random.key(1), jax.random.key(2))
    learn = jax.jit(lambda *x: device.learn(network, *x))
    grad = networks.learner(network)
    for rate in (0.5, 0.25):
      gradient, expected = grad(params, jax.random.clone(keys[0]), *BATCH)
      params = jax.tree.map(lambda w, g, r=rate: w - r * g, params, gradient)
      own = jax.tree.map(jax.random.clone, keys)
      carry, inference = learn(own, carry, *BATCH)
      assert_same((carry[0], inference), (params, expected))


class PulsesTest(parameterized.TestCase):
  @parameterized.parameters(
    (CONFIG, (1.0, 1.7)),
    (ssnn_jax.NetworkConfig(SIZES, NUM_STEPS, exact=('update',)), (1.7,)),
  )
  def test_steps_are_whole_pulses_whose_mean_is_that_of_the_gradient(
    self, config, ratios
  ):
    learn_often = make_learn_often(config)
    for ratio in ratios:  # pulses of a coincidence
      rate = np.float32(ratio * STEP / UNIT)
      changes, gradients = learn_often(rate)
      for change, gradient in zip(*map(jax.tree.leaves, (changes, gradients))):
        pulses, asked = np.round(change), -rate * gradient / STEP
        np.testing.assert_allclose(change, pulses, atol=1e-3)
        if ratio == 1.0:  # nothing is random
          np.testing.assert_array_equal(pulses, np.round(asked))
        else:
          statistics.assert_mean_within(pulses - asked, 0.0)
          self.assertGreater(np.std(pulses - asked), 0.1)


class ResistiveTest(parameterized.TestCase):
  def test_weights_begin_and_stay_within_bounds(self):
    array = Array(PRESETS['ecram_mo'], 9.0)
    w_min, w_max = map(
      np.asarray, (array.constants.w_min, array.constants.w_max)
    )
    self.assertGreater(np.std(w_max), 0.01)
    np.testing.assert_array_equal(array.initial, w_max)
    for up, down, unit in ((0, 20, 0.01), (9, 900, 1.0)):
      weights = array.update(up, down, unit)
      self.assertTrue(np.all((w_min <= weights) & (weights <= w_max)))
    position = (weights - w_min) / (w_max - w_min)
    self.assertLess(np.median(position), 0.1)  # most are near the lower bound

  def test_stuck_devices_never_change(self):
    config = dataclasses.replace(
      pulse_curves.COARSE, w_max=0.3, w_min=-2.0, corrupt_devices_prob=0.2,
      w_max_dtod=0.0, w_min_dtod=0.0,
    )  # fmt: skip
    array, change = Array(config), 0.0
    for batch in range(3):
      change += np.abs(array.update(20 * batch, 7, STEP) - array.initial)
    is_stuck = change == 0
    statistics.assert_mean_within(is_stuck.ravel(), 0.2)
    stuck = array.initial[is_stuck]
    # Uniform within [-1, 1] and the bounds: none of 400 devices within the last
    # 0.07 of 1.3 has a probability of 5e-10.
    self.assertBetween(stuck.min(), -1.0, -0.93)
    self.assertBetween(stuck.max(), 0.23, 0.3)
    np.testing.assert_array_equal(array.initial[~is_stuck], 0.0)

  def test_arrays_and_seeds_are_independent(self):
    config = dataclasses.replace(pulse_curves.COARSE, corrupt_devices_prob=0.1)
    device = devices.make_resistive(config, 1.0)

    @jax.jit
    @jax.vmap
    def train(seed):
      keys = jax.random.fold_in(jax.random.key(seed), 0), jax.random.key(seed)
      carry = device.init(keys[0], (jnp.zeros((40, 40)),) * 2)
      network = make_network(9, 3, (40, 40), unit=0.02, num_arrays=2)
      carry, _ = device.learn(network, (None, keys[1]), carry, None, None)
      return carry[0], carry[1].hardware

    params, arrays = jax.device_get(train(np.arange(2)))
    self.assertGreater(np.mean(params[0][0] != params[0][1]), 0.9)
    for field in devices.Constants._fields:
      values = np.stack([getattr(array, field) for array in arrays])
      correlation = np.corrcoef(values.reshape(4, 1600)) - np.eye(4)
      self.assertLess(np.abs(correlation).max(), 5 / np.sqrt(1600))


NUM_DEVICES, NUM_PULSES = 4000, 200  # up pulses, then as many down pulses
PULSE, NOISE = 0.01, 0.3
EQUAL = DeviceConfig(dw_min=PULSE, w_max=1.0, w_min=-1.0)
change = functools.partial(dataclasses.replace, EQUAL)
SOFT = change(gamma_up=1.0, gamma_down=1.0)
CASES = {
  'constant': change(up_down=-0.2),  # larger down steps
  'linear': change(up_down=0.2, gamma_up=0.3, gamma_down=0.5),
  'soft': SOFT,
}
# Each of the 400 pulses rounds a weight within 1 by up to 2**-25.
ROUNDING = 400 * 2.0**-25


def closed_form(config):
  """Computes the weights of equal devices after each pulse.

  With g = gamma / bound, an up pulse of step s moves a weight w by s (1 - g w).
  After k pulses

    w_k = 1 / g + (w_0 - 1 / g) (1 - s g)^k,    or    w_0 + s k  if g = 0,

  clipped at the bound.
  """

  def climb(weight, step, gamma, bound):
    pulses = np.arange(1, NUM_PULSES + 1)
    if not gamma:
      return np.minimum(weight + pulses * step, bound)
    limit = bound / gamma
    distance = (limit - weight) * (1 - step / limit) ** pulses
    return np.minimum(limit - distance, bound)

  up = PULSE * (1 + min(config.up_down, 0))
  down = PULSE * (1 - max(config.up_down, 0))
  rising = climb(0.0, up, config.gamma_up, config.w_max)
  falling = -climb(-rising[-1], down, config.gamma_down, -config.w_min)
  return np.concatenate([rising, falling])


sample_constants = jax.jit(devices.sample_constants, static_argnums=(1, 2))
apply_pulses = jax.jit(devices.apply_pulses, static_argnums=(0, 6))


def respond(config, num_devices=NUM_DEVICES):
  """Simulates single pulses from weight 0; returns `[pulses, devices]`."""
  weights, _ = pulse_curves.simulate_weights(
    config, num_devices, NUM_PULSES, start=0.0
  )
  return weights


def assert_sd_within(weights, expected):
  """Asserts the standard deviations of normal numbers `[pulses, devices]`."""
  error = expected / np.sqrt(2 * weights.shape[1])
  distance = np.abs(weights.std(axis=1) - expected)
  ratio = np.max(distance / error)
  assert ratio <= statistics.NUM_SIGMAS, f'off by {ratio:.1f} standard errors'


class ClosedFormTest(parameterized.TestCase):
  @parameterized.parameters(*CASES)
  def test_equal_devices_follow_the_closed_form(self, name):
    config, expected = CASES[name], closed_form(CASES[name])
    for device in respond(config, 2).T:
      np.testing.assert_allclose(device, expected, 0, ROUNDING)
    # Many pulses at once equal single pulses.
    constants = sample_constants(jax.random.key(0), config, ())
    keys, weight = np.zeros(devices.NUM_KEYS, np.uint32), np.float32(0.0)
    for up, down, total in ((60, 0, 60), (140, 0, 200), (0, 150, 350)):
      pulses = np.int32(up), np.int32(down)
      weight = apply_pulses(config, keys, constants, weight, *pulses, 1)
      self.assertAlmostEqual(float(weight), expected[total - 1], delta=1e-6)

  @parameterized.parameters(True, False)
  def test_noise_under_soft_bounds_has_known_variance(self, mult_noise):
    config = dataclasses.replace(SOFT, dw_min_std=NOISE, mult_noise=mult_noise)
    weights = respond(config)
    statistics.assert_mean_within(weights.T, closed_form(SOFT))
    # A pulse of step s multiplies the distance to the bound by
    # 1 - s (1 + noise), or by 1 - s and adds noise.
    pulses = np.arange(1, NUM_PULSES + 1)
    decay = (1 - PULSE) ** (2 * pulses)
    if mult_noise:
      square = ((1 - PULSE) ** 2 + (PULSE * NOISE) ** 2) ** pulses
      variance = square - decay
    else:
      variance = (PULSE * NOISE) ** 2 * (1 - decay) / (1 - (1 - PULSE) ** 2)
    assert_sd_within(weights[:NUM_PULSES], np.sqrt(variance))


class SpreadTest(parameterized.TestCase):
  def test_constant_steps_deviate_like_sums(self):
    pulses = np.arange(1, 61)
    noisy = respond(change(dw_min_std=NOISE))[:60]
    unequal = respond(change(dw_min_dtod=0.3))[:60]
    for weights in (noisy, unequal):
      statistics.assert_mean_within(weights.T, PULSE * pulses)
    assert_sd_within(noisy, NOISE * PULSE * np.sqrt(pulses))
    # Deviations of devices are permanent; few have reached their bound.
    assert_sd_within(unequal[:30], 0.3 * PULSE * pulses[:30])

  def test_asymmetry_differs_from_device_to_device(self):
    weights = respond(change(up_down_dtod=0.1))[[29, 229]]
    statistics.assert_mean_within(weights[0], 30 * PULSE)
    assert_sd_within(weights[:1], 30 * PULSE * 0.1)
    # All have reached their upper bound before; down steps are as much smaller
    # as up steps are larger.
    statistics.assert_mean_within(weights[1], 1 - 30 * PULSE)
    correlation = np.corrcoef(weights)[0, 1]
    self.assertAlmostEqual(correlation, 1.0, places=4)

  def test_steps_refer_to_mean_or_to_each_bound(self):
    fields = dict(w_max_dtod=0.2, gamma_up=1.0, gamma_down=1.0)
    for is_mean in (True, False):
      config = change(mean_bound_reference=is_mean, **fields)
      constants = jax.device_get(
        sample_constants(jax.random.key(0), config, (NUM_DEVICES,))
      )
      self.assertGreater(np.std(constants.w_max), 0.1)
      limit = constants.up / constants.rate_up  # without steps
      expected = 1.0 if is_mean else constants.w_max
      np.testing.assert_allclose(limit, expected + np.zeros_like(limit), 1e-6)
