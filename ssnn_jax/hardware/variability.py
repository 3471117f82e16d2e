"""Device-to-device variability: sampled constants of individual devices."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax.hardware.device_config import DeviceConfig

# Sampled quantities, in the order of their keys.
_QUANTITIES = ('dw_min', 'up_down', 'w_max', 'w_min', 'gamma_up', 'gamma_down')
_QUANTITIES += ('lifetime', 'endurance', 'is_stuck', 'stuck_weight')
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


def sample(
  key: jax.Array, config: DeviceConfig, shape: tuple[int, ...]
) -> Constants:
  """Samples the constants of an array of devices; consumes the key.

  The constants are float32, of the shape of the array, or scalars.
  """
  keys = dict(zip(_QUANTITIES, jax.random.split(key, _NUM_KEYS)))
  vary = functools.partial(_vary, keys, config, shape)
  constants = _sample_steps(config, vary)
  if config.has_weight_dependent_steps:
    constants = _sample_rates(config, vary, constants)
  if config.zero_shifting:
    constants = _shift_zero(constants, symmetry_point(constants))
  if config.corrupt_devices_prob:
    constants = _corrupt(config, keys, constants, shape)
  return constants


def remove(config: DeviceConfig) -> DeviceConfig:
  """Returns the mean device: without variability between devices or cycles."""
  names = [field.name for field in dataclasses.fields(config)]
  varying = [name for name in names if name.endswith(('_dtod', '_std'))]
  return dataclasses.replace(config, **dict.fromkeys(varying, 0.0))


def _vary(keys, config, shape, name, mean=1.0):
  """Samples a normally distributed quantity of each device."""
  deviation = getattr(config, f'{name}_dtod')
  if not deviation:
    return jnp.float32(mean)
  return mean + deviation * jax.random.normal(keys[name], shape)


def _sample_steps(config, vary):
  """Samples constant steps, bounds, retention and endurance."""
  step, asymmetry = vary('dw_min'), vary('up_down', 0.0)
  retention, endurance = None, None
  if config.lifetime:
    lifetime = config.lifetime * vary('lifetime')
    retention = jnp.where(lifetime > 1.0, 1.0 - 1.0 / lifetime, 0.0)
  if config.endurance:
    endurance = jnp.abs(config.endurance * vary('endurance'))
  return Constants(
    up=jnp.abs(step + min(config.up_down, 0.0) + asymmetry),
    down=jnp.abs(step - max(config.up_down, 0.0) - asymmetry),
    rate_up=None,
    rate_down=None,
    w_max=jnp.abs(config.w_max * vary('w_max')),
    w_min=-jnp.abs(config.w_min * vary('w_min')),
    retention=retention,
    endurance=endurance,
  )


def _sample_rates(config, vary, constants):
  """Samples the decrease of the steps towards the bounds."""
  gamma_up = jnp.abs(vary('gamma_up', config.gamma_up))
  gamma_down = jnp.abs(vary('gamma_down', config.gamma_down))
  bounds = config if config.mean_bound_reference else constants
  decrease = gamma_up / bounds.w_max
  up, rate_up = _continuous_step(config, constants.up, decrease)
  decrease = -gamma_down / bounds.w_min
  down, rate_down = _continuous_step(config, constants.down, decrease)
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
  """Returns the weight of equal up and down steps, clipped to the bounds."""
  slopes = constants.rate_up + constants.rate_down
  point = (constants.up - constants.down) / slopes
  return jnp.clip(point, constants.w_min, constants.w_max)


def _shift_zero(constants, zero):
  """Measures weights from those of reference devices, which become 0."""
  return constants._replace(
    up=constants.up - constants.rate_up * zero,
    down=constants.down + constants.rate_down * zero,
    w_max=constants.w_max - zero,
    w_min=constants.w_min - zero,
  )


def _corrupt(config, keys, constants, shape):
  """Makes some devices stuck at random weights within their bounds."""
  probability, limit = config.corrupt_devices_prob, config.corrupt_devices_range
  is_stuck = jax.random.bernoulli(keys['is_stuck'], probability, shape)
  low = jnp.maximum(constants.w_min, -limit)
  high = jnp.minimum(constants.w_max, limit)
  uniform = jax.random.uniform(keys['stuck_weight'], shape)
  weight = low + (high - low) * uniform
  stuck = dict(up=0.0, down=0.0, w_max=weight, w_min=weight)
  if config.has_weight_dependent_steps:
    stuck |= dict(rate_up=0.0, rate_down=0.0)
  return constants._replace(
    **{
      name: jnp.where(is_stuck, value, getattr(constants, name))
      for name, value in stuck.items()
    }
  )
