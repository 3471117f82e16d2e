"""Device-to-device variability: sampled constants of individual devices."""

import enum
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax.hardware.device_config import DeviceConfig

_NUM_KEYS = 12
_TINY = 1e-6
_MAX_FRACTION = 0.999  # of the distance to a soft bound, in one pulse


class Constants(NamedTuple):
  """Constants of individual devices; scalars where all devices are equal.

  The mean response to a pulse is modelled in continuous time, from s = 0 to
  s = `dw_min`, the mean step at weight 0:

    up pulse    dw/ds =  up - rate_up w
    down pulse  dw/ds = -(down + rate_down w)
  """

  up: jax.Array
  down: jax.Array
  rate_up: jax.Array | None  # None: the step does not depend on the weight
  rate_down: jax.Array | None
  w_max: jax.Array
  w_min: jax.Array
  retention: jax.Array | None  # factor on a weight in each batch; None: 1
  endurance: jax.Array | None  # in pulses; None: pulses are not counted


class _Quantity(enum.IntEnum):
  """Sampled quantities; each has a key of its own."""

  STEP = 0
  ASYMMETRY = 1
  W_MAX = 2
  W_MIN = 3
  GAMMA_UP = 4
  GAMMA_DOWN = 5
  LIFETIME = 6
  ENDURANCE = 7
  IS_STUCK = 8
  STUCK_WEIGHT = 9


def sample(
  key: jax.Array, config: DeviceConfig, shape: tuple[int, ...]
) -> Constants:
  """Samples the constants of an array of devices.

  Args:
    key: PRNG key; consumed.
    config: the devices.
    shape: shape of the array.

  Returns:
    float32 constants of this shape, or scalars.
  """
  keys = dict(zip(_Quantity, jax.random.split(key, _NUM_KEYS)))
  vary = functools.partial(_vary, keys, shape)
  constants = _sample_steps(config, vary)
  if config.has_weight_dependent_steps:
    constants = _sample_rates(config, vary, constants)
  if config.zero_shifting:
    constants = shift_zero(constants, symmetry_point(constants))
  if config.corrupt_devices_prob:
    constants = _corrupt(config, keys, constants, shape)
  return constants


def _vary(keys, shape, quantity, mean, deviation):
  """Samples a normally distributed quantity of each device."""
  if not deviation:
    return jnp.float32(mean)
  return mean + deviation * jax.random.normal(keys[quantity], shape)


def _sample_steps(config, vary):
  """Samples constant steps, bounds, retention and endurance."""
  step = vary(_Quantity.STEP, 1.0, config.dw_min_dtod)
  asymmetry = vary(_Quantity.ASYMMETRY, 0.0, config.up_down_dtod)
  w_max = config.w_max * vary(_Quantity.W_MAX, 1.0, config.w_max_dtod)
  w_min = config.w_min * vary(_Quantity.W_MIN, 1.0, config.w_min_dtod)
  return Constants(
    up=jnp.abs(step + min(config.up_down, 0.0) + asymmetry),
    down=jnp.abs(step - max(config.up_down, 0.0) - asymmetry),
    rate_up=None,
    rate_down=None,
    w_max=jnp.abs(w_max),
    w_min=-jnp.abs(w_min),
    retention=_sample_retention(config, vary),
    endurance=_sample_endurance(config, vary),
  )


def _sample_retention(config, vary):
  """Samples the factor by which a weight decays in one batch."""
  if not config.lifetime:
    return None
  lifetime = config.lifetime * vary(
    _Quantity.LIFETIME, 1.0, config.lifetime_dtod
  )
  return jnp.where(lifetime > 1.0, 1.0 - 1.0 / lifetime, 0.0)


def _sample_endurance(config, vary):
  """Samples the number of pulses after which a device is worn out."""
  if not config.endurance:
    return None
  factor = vary(_Quantity.ENDURANCE, 1.0, config.endurance_dtod)
  return jnp.abs(config.endurance * factor)


def _sample_rates(config, vary, constants):
  """Samples the decrease of the steps towards the bounds."""
  gamma_up = jnp.abs(
    vary(_Quantity.GAMMA_UP, config.gamma_up, config.gamma_up_dtod)
  )
  gamma_down = jnp.abs(
    vary(_Quantity.GAMMA_DOWN, config.gamma_down, config.gamma_down_dtod)
  )
  w_max, w_min = constants.w_max, constants.w_min
  if config.mean_bound_reference:
    w_max, w_min = config.w_max, config.w_min
  up, rate_up = _continuous_step(config, constants.up, gamma_up / w_max)
  down, rate_down = _continuous_step(
    config, constants.down, -gamma_down / w_min
  )
  return constants._replace(
    up=up, down=down, rate_up=rate_up, rate_down=rate_down
  )


def _continuous_step(config, step, decrease):
  """Returns the initial speed and the decay rate in continuous time.

  One pulse changes the weight by dw_min step (1 - decrease w), so that the
  distance to w = 1 / decrease, where the step is 0, is multiplied by 1 - c with
  c = dw_min step decrease. An exponential decay from s = 0 to s = dw_min
  multiplies the distance by the same factor if its rate is

    -log(1 - c) / dw_min = ratio step decrease.

  Its speed at weight 0 is then ratio step.
  """
  c = jnp.minimum(config.dw_min * step * decrease, _MAX_FRACTION)
  ratio = jnp.where(c > _TINY, -jnp.log1p(-c) / jnp.maximum(c, _TINY), 1.0)
  return ratio * step, ratio * step * decrease


def symmetry_point(constants: Constants) -> jax.Array:
  """Returns the weight at which up and down steps are equal.

  Args:
    constants: devices with weight-dependent steps.

  Returns:
    The symmetry points, clipped to the bounds.
  """
  slopes = constants.rate_up + constants.rate_down
  point = (constants.up - constants.down) / slopes
  return jnp.clip(point, constants.w_min, constants.w_max)


def shift_zero(constants: Constants, zero: jax.Array) -> Constants:
  """Measures the weights of devices from the weights of reference devices.

  Args:
    constants: devices with weight-dependent steps.
    zero: weights of the reference devices, which become weight 0.

  Returns:
    The constants in terms of the shifted weight.
  """
  return constants._replace(
    up=constants.up - constants.rate_up * zero,
    down=constants.down + constants.rate_down * zero,
    w_max=constants.w_max - zero,
    w_min=constants.w_min - zero,
  )


def _corrupt(config, keys, constants, shape):
  """Makes some devices stuck at random weights within their bounds."""
  is_stuck = jax.random.bernoulli(
    keys[_Quantity.IS_STUCK], config.corrupt_devices_prob, shape
  )
  limit = config.corrupt_devices_range
  low = jnp.maximum(constants.w_min, -limit)
  high = jnp.minimum(constants.w_max, limit)
  uniform = jax.random.uniform(keys[_Quantity.STUCK_WEIGHT], shape)
  weight = low + (high - low) * uniform

  def if_stuck(stuck, otherwise):
    return None if otherwise is None else jnp.where(is_stuck, stuck, otherwise)

  return constants._replace(
    up=if_stuck(0.0, constants.up),
    down=if_stuck(0.0, constants.down),
    rate_up=if_stuck(0.0, constants.rate_up),
    rate_down=if_stuck(0.0, constants.rate_down),
    w_max=if_stuck(weight, constants.w_max),
    w_min=if_stuck(weight, constants.w_min),
  )
