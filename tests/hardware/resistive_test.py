"""Tests of the response of devices to pulses, against closed forms."""

import dataclasses
import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.hardware import resistive
from ssnn_jax.hardware.device_config import DeviceConfig
from tests.testing import statistics

NUM_DEVICES, NUM_PULSES = 4000, 200  # up pulses, then as many down pulses
STEP, NOISE = 0.01, 0.3
EQUAL = DeviceConfig(dw_min=STEP, w_max=1.0, w_min=-1.0)


def change(**fields):
  return dataclasses.replace(EQUAL, **fields)


SOFT = change(gamma_up=1.0, gamma_down=1.0)
CASES = {
  'constant': EQUAL,
  'larger_up': change(up_down=0.2),
  'larger_down': change(up_down=-0.2),
  'linear': change(gamma_up=0.3, gamma_down=0.5),
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

  up = STEP * (1 + min(config.up_down, 0))
  down = STEP * (1 - max(config.up_down, 0))
  rising = climb(0.0, up, config.gamma_up, config.w_max)
  falling = -climb(-rising[-1], down, config.gamma_down, -config.w_min)
  return np.concatenate([rising, falling])


def respond(config, num_devices=NUM_DEVICES):
  """Simulates single pulses; returns weights `[pulses, devices]`."""
  return np.float64(_respond(config, num_devices))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _respond(config, num_devices):
  device_key, noise_key = jax.random.split(jax.random.key(0))
  constants = resistive.sample_constants(device_key, config, (num_devices,))

  def advance(weights, inputs):
    is_up, keys = inputs
    normals = resistive.sample_noise(keys, weights.shape).normals
    pulses = resistive.Pulses(is_up, 1 - is_up)
    weights = resistive.move_weights(
      config, constants, weights, pulses, config.dw_min, normals
    )
    return weights, weights

  is_up = jnp.repeat(jnp.array([1.0, 0.0]), NUM_PULSES)
  shape = 2 * NUM_PULSES, resistive.NUM_KEYS
  keys = jax.random.bits(noise_key, shape, jnp.uint32)
  start = jnp.clip(jnp.zeros(num_devices), constants.w_min, constants.w_max)
  return jax.lax.scan(advance, start, (is_up, keys))[1]


def assert_sd_within(weights, expected):
  """Asserts the standard deviations of normal numbers `[pulses, devices]`."""
  error = expected / np.sqrt(2 * weights.shape[1])
  distance = np.abs(weights.std(axis=1) - expected)
  ratio = np.max(distance / error)
  assert ratio <= statistics.NUM_SIGMAS, f'off by {ratio:.1f} standard errors'


class ClosedFormTest(parameterized.TestCase):
  @parameterized.parameters(*CASES)
  def test_equal_devices_follow_the_closed_form(self, name):
    expected = closed_form(CASES[name])
    for device in respond(CASES[name], 2).T:
      np.testing.assert_allclose(device, expected, 0, ROUNDING)

  @parameterized.parameters('constant', 'linear', 'soft')
  def test_many_pulses_at_once_equal_single_pulses(self, name):
    config, expected = CASES[name], closed_form(CASES[name])
    constants = resistive.sample_constants(jax.random.key(0), config, ())
    weight = jnp.float32(0.0)
    for up, down, total in ((60, 0, 60), (140, 0, 200), (0, 150, 350)):
      pulses = resistive.Pulses(jnp.float32(up), jnp.float32(down))
      weight = resistive.move_weights(
        config, constants, weight, pulses, config.dw_min, None
      )
      self.assertAlmostEqual(float(weight), expected[total - 1], delta=1e-6)

  @parameterized.parameters(True, False)
  def test_noise_under_soft_bounds_has_known_variance(self, mult_noise):
    config = dataclasses.replace(SOFT, dw_min_std=NOISE, mult_noise=mult_noise)
    weights = respond(config)
    statistics.assert_mean_within(weights.T, closed_form(SOFT))
    # A pulse of step s multiplies the distance to the bound by
    # 1 - s (1 + noise), or by 1 - s and adds noise.
    pulses = np.arange(1, NUM_PULSES + 1)
    decay = (1 - STEP) ** (2 * pulses)
    if mult_noise:
      square = ((1 - STEP) ** 2 + (STEP * NOISE) ** 2) ** pulses
      variance = square - decay
    else:
      variance = (STEP * NOISE) ** 2 * (1 - decay) / (1 - (1 - STEP) ** 2)
    assert_sd_within(weights[:NUM_PULSES], np.sqrt(variance))


class SpreadTest(parameterized.TestCase):
  def test_constant_steps_deviate_like_sums(self):
    pulses = np.arange(1, 61)
    noisy = respond(change(dw_min_std=NOISE))[:60]
    unequal = respond(change(dw_min_dtod=0.3))[:60]
    for weights in (noisy, unequal):
      statistics.assert_mean_within(weights.T, STEP * pulses)
    assert_sd_within(noisy, NOISE * STEP * np.sqrt(pulses))
    # Deviations of devices are permanent; few have reached their bound.
    assert_sd_within(unequal[:30], 0.3 * STEP * pulses[:30])

  def test_asymmetry_differs_from_device_to_device(self):
    weights = respond(change(up_down_dtod=0.1))[[29, 229]]
    statistics.assert_mean_within(weights[0], 30 * STEP)
    assert_sd_within(weights[:1], 30 * STEP * 0.1)
    # All have reached their upper bound before; down steps are as much smaller
    # as up steps are larger.
    statistics.assert_mean_within(weights[1], 1 - 30 * STEP)
    correlation = np.corrcoef(weights)[0, 1]
    self.assertAlmostEqual(correlation, 1.0, places=4)

  def test_steps_refer_to_mean_or_to_each_bound(self):
    fields = dict(w_max_dtod=0.2, gamma_up=1.0, gamma_down=1.0)
    for is_mean in (True, False):
      config = change(mean_bound_reference=is_mean, **fields)
      constants = resistive.sample_constants(
        jax.random.key(0), config, (NUM_DEVICES,)
      )
      self.assertGreater(np.std(constants.w_max), 0.1)
      limit = np.asarray(constants.up / constants.rate_up)  # without steps
      expected = 1.0 if is_mean else constants.w_max
      np.testing.assert_allclose(limit, expected + np.zeros_like(limit), 1e-6)
