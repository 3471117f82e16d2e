"""What tells resistive devices apart: how they are drawn, and shifted."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax.hardware.device_config import DeviceConfig

_TINY = 1e-6
_MOST_OF_RANGE = 0.999  # that a pulse goes through, in the closed form


class Constants(NamedTuple):
  """What tells devices apart, for good; scalars where it does not.

  A pulse moves a device at weight w by what the mean device's step does at
  weight 0 in a time of 1, if w changes at the speed

    up - rate_up w,  or, downward,  down + rate_down w.
  """

  up: jax.Array
  down: jax.Array
  rate_up: jax.Array | None  # per unit of weight; None: steps are constant
  rate_down: jax.Array | None
  w_max: jax.Array
  w_min: jax.Array
  kept: jax.Array | None  # of a weight, from batch to batch; None: all of it
  endurance: jax.Array | None  # in pulses; None: they are not counted


def draw(
  key: jax.Array, config: DeviceConfig, shape: tuple[int, ...]
) -> Constants:
  """Draws the devices of an array.

  Args:
    key: PRNG key; consumed.
    config: their parameters.
    shape: that of the array.

  Returns:
    float32 constants of that shape, or scalars.
  """
  keys = iter(jax.random.split(key, 12))

  def spread(mean, deviation):
    key = next(keys)
    if not deviation:
      return jnp.float32(mean)
    return mean + deviation * jax.random.normal(key, shape)

  size = spread(1.0, config.dw_min_dtod)
  bias = spread(0.0, config.up_down_dtod)
  up = jnp.abs(size + min(config.up_down, 0.0) + bias)
  down = jnp.abs(size - max(config.up_down, 0.0) - bias)
  w_max = jnp.abs(config.w_max * spread(1.0, config.w_max_dtod))
  w_min = -jnp.abs(config.w_min * spread(1.0, config.w_min_dtod))
  gammas = (
    jnp.abs(spread(config.gamma_up, config.gamma_up_dtod)),
    jnp.abs(spread(config.gamma_down, config.gamma_down_dtod)),
  )
  rate_up = rate_down = None
  if config.is_linear:
    references = w_max, w_min
    if config.mean_bound_reference:
      references = config.w_max, config.w_min
    up, rate_up = _in_continuous_time(config, up, gammas[0] / references[0])
    down, rate_down = _in_continuous_time(
      config, down, -gammas[1] / references[1]
    )
  constants = Constants(
    up=up,
    down=down,
    rate_up=rate_up,
    rate_down=rate_down,
    w_max=w_max,
    w_min=w_min,
    kept=_kept(config, spread(1.0, config.lifetime_dtod)),
    endurance=_endurance(config, spread(1.0, config.endurance_dtod)),
  )
  if config.zero_shifting:
    constants = shift_to(constants, symmetry_point(constants))
  if config.corrupt_devices_prob:
    constants = _corrupt(config, constants, next(keys), next(keys), shape)
  return constants


def _in_continuous_time(config, size, decrease):
  """Finds the speed whose course over a time of 1 is a step that decreases.

  A step dw_min size (1 - decrease w) leaves 1 - c of the distance to the weight
  at which it ends, c = dw_min size decrease; so does a decay of rate
  -log(1 - c), that is r c, which starts with r times the step.
  """
  c = jnp.minimum(config.dw_min * size * decrease, _MOST_OF_RANGE)
  ratio = jnp.where(c > _TINY, -jnp.log1p(-c) / jnp.maximum(c, _TINY), 1.0)
  return ratio * size, ratio * size * decrease


def _kept(config, factor):
  if not config.lifetime:
    return None
  lifetime = config.lifetime * factor
  return jnp.where(lifetime > 1.0, 1.0 - 1.0 / lifetime, 0.0)


def _endurance(config, factor):
  return jnp.abs(config.endurance * factor) if config.endurance else None


def _corrupt(config, constants, which_key, where_key, shape):
  """Makes some devices stuck at a weight within their bounds."""
  is_stuck = jax.random.bernoulli(which_key, config.corrupt_devices_prob, shape)
  most = config.corrupt_devices_range
  low = jnp.maximum(constants.w_min, -most)
  high = jnp.minimum(constants.w_max, most)
  weight = low + (high - low) * jax.random.uniform(where_key, shape)

  def unless_stuck(value, otherwise):
    return jnp.where(is_stuck, otherwise, value)

  return constants._replace(
    up=unless_stuck(constants.up, 0.0),
    down=unless_stuck(constants.down, 0.0),
    w_max=unless_stuck(constants.w_max, weight),
    w_min=unless_stuck(constants.w_min, weight),
    **{
      name: unless_stuck(getattr(constants, name), 0.0)
      for name in ('rate_up', 'rate_down')
      if getattr(constants, name) is not None
    },
  )


def symmetry_point(constants: Constants) -> jax.Array:
  """Finds the weight at which steps up and down are equal.

  Args:
    constants: devices whose steps depend on the weight.

  Returns:
    The weight, within the bounds.
  """
  slopes = constants.rate_up + constants.rate_down
  point = (constants.up - constants.down) / slopes
  return jnp.clip(point, constants.w_min, constants.w_max)


def shift_to(constants: Constants, zero: jax.Array) -> Constants:
  """Subtracts a reference device from each: weight 0 is where that is.

  Args:
    constants: devices whose steps depend on the weight.
    zero: weights of the reference devices.

  Returns:
    The constants of the differences.
  """
  return constants._replace(
    up=constants.up - constants.rate_up * zero,
    down=constants.down + constants.rate_down * zero,
    w_max=constants.w_max - zero,
    w_min=constants.w_min - zero,
  )
