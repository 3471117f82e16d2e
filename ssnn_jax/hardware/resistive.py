"""Resistive devices: their variability and their response to pulses.

Devices respond independently, so arrays may have any shape. The pulses of a
batch are applied in closed form: the numbers of up and down pulses of a device
are known, their order is not. The mean is exact if all pulses have one
direction, and the variance has a relative error of order (step / range)^2; for
pulses in both directions, mean and variance are those of finely interleaved
pulses. Weights are clipped to the bounds once, after all pulses.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.spikes import hashing

# Sampled quantities, in the order of their keys; keys 6 and 7 are not used.
_QUANTITIES = ('dw_min', 'up_down', 'w_max', 'w_min', 'gamma_up', 'gamma_down')
_NUM_CONSTANT_KEYS, _STUCK, _STUCK_WEIGHT = 12, 8, 9
_LARGEST_STUCK = 1.0  # absolute weight of stuck devices
NUM_KEYS = 5  # uint32 keys of the noise of one array
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
  rate_up: jax.Array | None  #: None: the step does not depend on the weight
  rate_down: jax.Array | None
  w_max: jax.Array
  w_min: jax.Array


def sample_constants(
  key: jax.Array, config: DeviceConfig, shape: tuple[int, ...]
) -> Constants:
  """Samples the constants of an array of devices; consumes the key.

  The constants are float32, of the shape of the array, or scalars.
  """
  all_keys = list(jax.random.split(key, _NUM_CONSTANT_KEYS))
  keys = dict(zip(_QUANTITIES, all_keys))

  def vary(name, mean=1.0):
    deviation = getattr(config, f'{name}_dtod')
    if not deviation:
      return jnp.float32(mean)
    return mean + deviation * jax.random.normal(keys[name], shape)

  step, asymmetry = vary('dw_min'), vary('up_down', 0.0)
  constants = Constants(
    up=jnp.abs(step + min(config.up_down, 0.0) + asymmetry),
    down=jnp.abs(step - max(config.up_down, 0.0) - asymmetry),
    rate_up=None,
    rate_down=None,
    w_max=jnp.abs(config.w_max * vary('w_max')),
    w_min=-jnp.abs(config.w_min * vary('w_min')),
  )
  if config.has_weight_dependent_steps:
    gamma_up = jnp.abs(vary('gamma_up', config.gamma_up))
    gamma_down = jnp.abs(vary('gamma_down', config.gamma_down))
    bounds = config if config.mean_bound_reference else constants
    up, rate_up = _continuous_step(
      config, constants.up, gamma_up / bounds.w_max
    )
    down, rate_down = _continuous_step(
      config, constants.down, -gamma_down / bounds.w_min
    )
    constants = constants._replace(
      up=up, down=down, rate_up=rate_up, rate_down=rate_down
    )
  if config.corrupt_devices_prob:
    is_stuck = jax.random.bernoulli(
      all_keys[_STUCK], config.corrupt_devices_prob, shape
    )
    low = jnp.maximum(constants.w_min, -_LARGEST_STUCK)
    high = jnp.minimum(constants.w_max, _LARGEST_STUCK)
    uniform = jax.random.uniform(all_keys[_STUCK_WEIGHT], shape)
    weight = low + (high - low) * uniform
    zero = None if constants.rate_up is None else 0.0
    stuck = Constants(0.0, 0.0, zero, zero, w_max=weight, w_min=weight)
    choose = lambda stuck, working: jnp.where(is_stuck, stuck, working)
    constants = jax.tree.map(choose, stuck, constants)
  return constants


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


class Pulses(NamedTuple):
  """Numbers of pulses, or of requests of pulses, of each device."""

  up: jax.Array
  down: jax.Array


class Noise(NamedTuple):
  """Random numbers of an array of devices; under `jax.jit`, only those used."""

  normals: jax.Array  #: approximately standard normal: centered binomials
  uniforms: jax.Array  #: in [0, 1), nearly independent of `normals`


def sample_noise(keys: jax.Array, shape: tuple[int, ...]) -> Noise:
  """Samples the noise of an array from `[NUM_KEYS]` uint32 keys; consumes them.

  A hash is faster than `jax.random`, which would dominate the time of updates.
  """

  def as_float(words):  # below 2**31; CPUs convert signed words faster
    return words.astype(jnp.int32).astype(jnp.float32)

  counters = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
  first = hashing.keyed_hash(counters, keys[0], keys[1], keys[2])
  second = hashing.keyed_hash(counters, keys[0], keys[3], keys[4])
  # Ones among 64 fair bits: mean 32, standard deviation 4.
  ones = sum(map(jax.lax.population_count, (first, second)))
  # The sum is uniform for any first word; the factor decorrelates it from the
  # number of ones.
  mixed = first * jnp.uint32(0x9E3779B1) + second
  return Noise((as_float(ones) - 32.0) / 4.0, as_float(mixed >> 8) * 2.0**-24)


def apply_pulses(
  config: DeviceConfig,
  keys: jax.Array,
  constants: Constants,
  weights: jax.Array,
  requested: Pulses,
  scale: jax.Array | float,
) -> jax.Array:
  """Returns the weights after requests of pulses, as coincidences.

  A request is `scale` pulses, of which fractions are rounded stochastically; if
  `dw_min` is 0, it is one pulse, and `scale` its step. `keys` `[NUM_KEYS]` are
  uint32 of the noise; consumed.
  """
  noise = sample_noise(keys, weights.shape)
  pulses, step = requested, scale
  if config.dw_min:
    step, scale = config.dw_min, jnp.asarray(scale)

    def round_pulses(requested):
      pulses = scale.astype(jnp.float32) * requested.astype(jnp.float32)
      dtypes = scale.dtype, requested.dtype
      if all(jnp.issubdtype(dtype, jnp.integer) for dtype in dtypes):
        return pulses
      return jnp.floor(pulses + noise.uniforms)

    pulses = jax.tree.map(round_pulses, requested)
  normals = noise.normals if config.dw_min_std else None
  return move_weights(config, constants, weights, pulses, step, normals)


def move_weights(
  config: DeviceConfig,
  constants: Constants,
  weights: jax.Array,
  pulses: Pulses,
  step: jax.Array | float,
  normals: jax.Array | None,
) -> jax.Array:
  """Returns the weights after n up pulses and m down pulses.

  With constant steps, the change is normally distributed with

    mean      step (n a_up - m a_down),
    variance  (step dw_min_std)^2 (n a_up^2 + m a_down^2).

  With weight-dependent steps, the distance of the weight to the fixed point of
  the pulses decays, by exp(-n step rate_up) if all pulses are up, and the noise
  decays with it.

  Pulses are fractional only without discrete pulses, and `step` is the mean of
  one at weight 0. `normals` are None without cycle-to-cycle variability.
  """
  n, m = (number.astype(jnp.float32) for number in pulses)
  up, down = constants.up, constants.down
  # Mean change and its variance, in units of the step.
  if not config.has_weight_dependent_steps:
    change, variance = n * up - m * down, n * up**2 + m * down**2
  else:
    rate_up, rate_down = constants.rate_up, constants.rate_down
    speed_up, speed_down = up - rate_up * weights, down + rate_down * weights
    exponent = step * (n * rate_up + m * rate_down)
    decayed = -jnp.expm1(-exponent)  # fraction of the initial distance
    remaining = decayed / (exponent + _TINY**2)
    remaining = jnp.where(exponent > _TINY, remaining, 1.0)  # in the mean
    change = remaining * (n * speed_up - m * speed_down)
    if config.mult_noise:  # later pulses shrink the noise of earlier pulses
      variance = (1.0 - decayed) ** 2 * (
        n * speed_up**2 * _exp(step * rate_up)
        + m * speed_down**2 * _exp(step * rate_down)
      )
    else:
      variance = remaining * (1.0 - 0.5 * decayed) * (n * up**2 + m * down**2)
  if normals is not None:
    change += config.dw_min_std * jnp.sqrt(variance) * normals
  return jnp.clip(weights + step * change, constants.w_min, constants.w_max)


def _exp(x):
  """Returns the exponential of small numbers, to second order."""
  return 1.0 + x * (1.0 + 0.5 * x)
