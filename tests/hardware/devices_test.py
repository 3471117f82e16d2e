"""Tests of ideal and resistive devices."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import training
from ssnn_jax.hardware import devices
from ssnn_jax.hardware import resistive
from ssnn_jax.hardware.device_config import PRESETS
from ssnn_jax.hardware.device_config import DeviceConfig
from tests.testing import networks
from tests.testing import statistics
from tests.testing.devices import make_update
from tests.testing.networks import assert_same

STEP = 2.0**-8
VARIED = DeviceConfig(  # with every kind of variability
  dw_min=0.01,
  dw_min_dtod=0.3,
  dw_min_std=0.3,
  up_down_dtod=0.1,
  w_max=0.4,
  w_max_dtod=0.3,
  w_min=-0.4,
  w_min_dtod=0.3,
  gamma_up=0.5,
  gamma_up_dtod=0.1,
  gamma_down=0.5,
  gamma_down_dtod=0.1,
  corrupt_devices_prob=0.1,
)


class Array:
  """An array of resistive devices with equal weights."""

  def __init__(self, config, weight=0.0, shape=(50, 40)):
    device = devices.make_resistive(config, learning_rate=1.0)
    params = (jnp.full(shape, weight),)
    self.params, self.state = jax.jit(device.init)(jax.random.key(0), params)
    self.initial = np.asarray(self.params[0])
    self._update = jax.jit(device.update)

  def update(self, up, down, unit=1.0):
    """Applies the counts of one batch; returns the weights."""
    key = jax.random.fold_in(jax.random.key(1), self.state.num_updates)
    update = make_update(up, down, self.initial.shape, unit)
    self.params, self.state = self._update(key, update, self.state, self.params)
    return np.asarray(self.params[0])


def train_varied(seed):
  """Returns two arrays of a seed, and their constants, after a few pulses."""
  device = devices.make_resistive(VARIED, 1.0)
  keys = jax.random.split(jax.random.key(seed))
  params, state = device.init(keys[0], (jnp.zeros((40, 40)),) * 2)
  update = make_update(9, 3, (40, 40), unit=0.02, num_arrays=2)
  params, state = device.update(keys[1], update, state, params)
  return params, state.constants


class DeviceTest(parameterized.TestCase):
  def test_optimizer_is_the_ideal_device(self):
    optimizer = optax.sgd(0.1, momentum=0.9)
    device = devices.as_device(optimizer)
    self.assertIs(devices.as_device(device), device)
    self.assertFalse(device.separate_signs)
    initial = (jnp.ones((3, 2)),)
    params, state = device.init(jax.random.key(3), initial)
    self.assertIsNone(device.pulse_gradient(state))
    expected, opt_state = initial, optimizer.init(initial)
    for count in (3, 5):
      update = make_update(count, 1, (3, 2), 0.7)
      key = jax.random.key(count)
      params, state = device.update(key, update, state, params)
      gradient = ssnn_jax.as_gradient(update)
      steps, opt_state = optimizer.update(gradient, opt_state, expected)
      expected = optax.apply_updates(expected, steps)
    assert_same((params, state), (expected, opt_state))

  def test_ideal_resistive_device_is_gradient_descent(self):
    images = jax.random.uniform(jax.random.key(1), (16, 6))
    labels = jnp.arange(16) % 3
    config = networks.stochastic((6, 3), num_steps=8)
    schedule = optax.linear_schedule(1.0, 0.5, 1)

    def make_train(make_device):  # one program for all learning rates
      @jax.jit
      def train(learning_rate):
        device = make_device(learning_rate, schedule)
        separate_signs = devices.as_device(device).separate_signs
        network = ssnn_jax.ssnn(config, separate_signs=separate_signs)
        train_epoch = training.make_train_epoch(network, device, batch_size=4)
        state = training.init_state(network, device, seed=0)
        return train_epoch(state, images, labels)[0].params

      return train

    resistive = make_train(
      functools.partial(devices.make_resistive, DeviceConfig())
    )
    ideal = make_train(training.make_optimizer)
    # With powers of two only, they are equal bit for bit.
    assert_same(resistive(0.5), ideal(0.5))
    # Otherwise, rate, unit and count are multiplied in another order: in each
    # of 4 batches, two times two products and a sum are rounded, each to 1/2 of
    # the last place of a weight.
    leaves = map(jax.tree.leaves, (resistive(0.3), ideal(0.3)))
    for first, second in zip(*leaves):
      distance = np.abs(first - second).max()
      self.assertLessEqual(distance, 4 * 6 * 0.5 * np.spacing(second.max()))


class ResistiveTest(parameterized.TestCase):
  @parameterized.parameters('gokmen_vlasov', 'ecram_mo')
  def test_weights_stay_within_bounds(self, name):
    array = Array(PRESETS[name])
    constants = array.state.constants[0]
    w_min, w_max = np.asarray(constants.w_min), np.asarray(constants.w_max)
    self.assertGreater(np.std(w_max), 0.01)
    for up, down, unit in ((900, 20, 0.1), (0, 20, 0.01), (9, 900, 1.0)):
      weights = array.update(up, down, unit)
      self.assertTrue(np.all((w_min <= weights) & (weights <= w_max)))
    position = (weights - w_min) / (w_max - w_min)
    self.assertLess(np.median(position), 0.1)  # most are near the lower bound

  @parameterized.parameters((0.5, 0.3), (0.2, 0.2), (-0.5, -0.1))
  def test_init_clips_weights_to_bounds(self, weight, expected):
    array = Array(DeviceConfig(dw_min=STEP, w_max=0.3, w_min=-0.1), weight)
    np.testing.assert_array_equal(array.initial, np.float32(expected))

  def test_stuck_devices_never_change(self):
    config = DeviceConfig(
      dw_min=STEP,
      dw_min_std=1.0,
      w_max=0.3,
      w_min=-2.0,
      gamma_up=0.5,
      gamma_down=0.5,
      corrupt_devices_prob=0.2,
    )
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

  def test_pulses_are_rounded_at_random(self):
    config = DeviceConfig(dw_min=STEP, w_max=2.0, w_min=-2.0)
    array = Array(config)
    for _ in range(3):
      weights = array.update(5, 0, 0.7 * STEP)
    pulses = weights.ravel() / STEP
    np.testing.assert_array_equal(pulses, np.round(pulses))
    statistics.assert_mean_within(pulses, 15 * 0.7)

  def test_seeds_are_independent_and_may_run_together(self):
    train = jax.jit(train_varied)
    single = [jax.device_get(train(seed)) for seed in range(2)]
    together = jax.jit(jax.vmap(train_varied))(jnp.arange(2))
    for seed, own in enumerate(single):
      for leaf, other in zip(*map(jax.tree.leaves, (together, own))):
        np.testing.assert_allclose(leaf[seed], other, rtol=1e-6, atol=1e-7)
    weights = [np.ravel(own) for params, _ in single for own in params]
    self.assertGreater(np.mean(weights[0] != weights[2]), 0.9)
    arrays = [array for _, constants in single for array in constants]
    for field in resistive.Constants._fields:
      values = np.array([np.ravel(getattr(array, field)) for array in arrays])
      self.assertEqual(values.shape, (4, 1600))
      correlation = np.corrcoef(values) - np.eye(4)
      self.assertLess(np.abs(correlation).max(), 5 / np.sqrt(1600))
