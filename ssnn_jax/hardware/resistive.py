"""Response of an array of resistive devices to pulses.

Devices respond independently, so arrays may have any shape. The pulses of a
batch are applied in closed form: the numbers of up and down pulses of a device
are known, their order is not. The mean is exact if all pulses have one
direction, and the variance has a relative error of order (step / range)^2; for
pulses in both directions, mean and variance are those of finely interleaved
pulses. Weights are clipped to the bounds once, after all pulses.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax.hardware.device_config import MAX_PULSES
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.hardware.variability import Constants
from ssnn_jax.spikes import hashing

NUM_KEYS = 5  # uint32 keys of the noise of one array
_TINY = 1e-6


class Pulses(NamedTuple):
  """Numbers of pulses, or of requests of pulses, of each device."""

  up: jax.Array
  down: jax.Array


class DeviceArray(NamedTuple):
  """State and constants of an array of devices."""

  weights: jax.Array  # float32
  constants: Constants
  pulse_count: jax.Array | None  # int32 pulses so far; None: not counted


class PulseScale(NamedTuple):
  """Pulses of one request, for example of one coincidence."""

  pulses_per_request: jax.Array | float  # floats if fractional, else integers
  step: jax.Array | float  # mean step of one pulse at weight 0


class Noise(NamedTuple):
  """Random numbers of an array of devices; under `jax.jit`, only those used."""

  words: tuple[jax.Array, jax.Array]  # uint32

  def normals(self) -> jax.Array:
    """Returns approximately standard normal numbers: centered binomials."""
    # Ones among 64 fair bits: mean 32, standard deviation 4.
    ones = sum(map(jax.lax.population_count, self.words))
    return (_as_float(ones) - 32.0) / 4.0

  def uniforms(self) -> jax.Array:
    """Returns uniform numbers in [0, 1), nearly independent of `normals`."""
    first, second = self.words
    # The sum is uniform for any first word; the factor decorrelates it from the
    # number of ones.
    mixed = first * jnp.uint32(0x9E3779B1) + second
    return _as_float(mixed >> 8) * 2.0**-24


def _as_float(words):
  """Converts words below 2**31; CPUs convert signed words faster."""
  return words.astype(jnp.int32).astype(jnp.float32)


def sample_noise(keys: jax.Array, shape: tuple[int, ...]) -> Noise:
  """Samples the noise of an array from `[NUM_KEYS]` uint32 keys; consumes them.

  A hash is faster than `jax.random`, which would dominate the time of updates.
  """
  counters = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
  words = (
    hashing.keyed_hash(counters, keys[0], keys[1], keys[2]),
    hashing.keyed_hash(counters, keys[0], keys[3], keys[4]),
  )
  return Noise(words)


def apply_pulses(
  config: DeviceConfig,
  keys: jax.Array,
  array: DeviceArray,
  requested: Pulses,
  scale: PulseScale,
) -> DeviceArray:
  """Applies pulses to the devices that still work; consumes `[NUM_KEYS]` keys.

  If `dw_min` is above 0, fractional pulses are rounded stochastically.
  """
  noise = sample_noise(keys, array.weights.shape)
  pulses, pulse_count = requested, array.pulse_count
  if config.dw_min:
    whole = functools.partial(_whole_pulses, scale.pulses_per_request, noise)
    pulses = jax.tree.map(whole, requested)
  if array.constants.endurance is not None:
    works = pulse_count.astype(jnp.float32) < array.constants.endurance
    pulses = jax.tree.map(lambda number: jnp.where(works, number, 0), pulses)
    pulse_count = jnp.minimum(pulse_count, MAX_PULSES)  # saturates
    pulse_count += (pulses.up + pulses.down).astype(jnp.int32)
  normals = noise.normals() if config.dw_min_std else None
  weights = move_weights(
    config, array.constants, array.weights, pulses, scale.step, normals
  )
  return array._replace(weights=weights, pulse_count=pulse_count)


def _whole_pulses(pulses_per_request, noise, requested):
  """Returns whole numbers of pulses, by stochastic rounding of fractions."""
  factors = jnp.asarray(pulses_per_request), requested
  pulses = factors[0].astype(jnp.float32) * requested.astype(jnp.float32)
  if all(jnp.issubdtype(factor.dtype, jnp.integer) for factor in factors):
    return pulses
  return jnp.floor(pulses + noise.uniforms())


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

  Args:
    config: the devices.
    constants: constants of the devices.
    weights: float32 weights.
    pulses: numbers of pulses; fractional only without discrete pulses.
    step: mean step of one pulse at weight 0.
    normals: one standard normal number per device; None without cycle-to-cycle
      variability (`dw_min_std` is 0).

  Returns:
    The new weights.

  Example:
    >>> from ssnn_jax.hardware import resistive
    >>> from ssnn_jax.hardware import variability
    >>> config = ssnn_jax.DeviceConfig(dw_min=0.125, w_max=1.0, w_min=-1.0)
    >>> constants = variability.sample(jax.random.key(0), config, shape=(3,))
    >>> pulses = resistive.Pulses(
    ...   up=jnp.array([3, 0, 50]), down=jnp.array([1, 2, 0]))
    >>> resistive.move_weights(
    ...   config, constants, jnp.zeros(3), pulses, step=0.125, normals=None)
    Array([ 0.25, -0.25,  1.  ], dtype=float32)
  """
  pulses = jax.tree.map(lambda number: number.astype(jnp.float32), pulses)
  move = _constant_change
  if config.has_weight_dependent_steps:
    move = _weight_dependent_change
  change, variance = move(config, constants, weights, pulses, step)
  if normals is not None:
    change += config.dw_min_std * jnp.sqrt(variance) * normals
  return jnp.clip(weights + step * change, constants.w_min, constants.w_max)


def _constant_change(config, constants, weights, pulses, step):
  """Returns the mean change and its variance, in units of the step."""
  del config, weights, step
  up, down, (n, m) = constants.up, constants.down, pulses
  return n * up - m * down, n * up**2 + m * down**2


def _weight_dependent_change(config, constants, weights, pulses, step):
  """Returns the mean change and its variance, in units of the step."""
  up, down, (n, m) = constants.up, constants.down, pulses
  rate_up, rate_down = constants.rate_up, constants.rate_down
  speed_up, speed_down = up - rate_up * weights, down + rate_down * weights
  exponent = step * (n * rate_up + m * rate_down)
  decayed = -jnp.expm1(-exponent)  # fraction of the initial distance
  remaining = decayed / (exponent + _TINY**2)
  remaining = jnp.where(exponent > _TINY, remaining, 1.0)  # in the mean
  if config.mult_noise:  # later pulses shrink the noise of earlier pulses
    variance = (1.0 - decayed) ** 2 * (
      n * speed_up**2 * _exp(step * rate_up)
      + m * speed_down**2 * _exp(step * rate_down)
    )
  else:
    variance = remaining * (1.0 - 0.5 * decayed) * (n * up**2 + m * down**2)
  return remaining * (n * speed_up - m * speed_down), variance


def _exp(x):
  """Returns the exponential of small numbers, to second order."""
  return 1.0 + x * (1.0 + 0.5 * x)


def decay(constants: Constants, weights: jax.Array) -> jax.Array:
  """Decays weights by the retention of their devices over one batch."""
  if constants.retention is None:
    return weights
  decayed = constants.retention * weights
  return jnp.clip(decayed, constants.w_min, constants.w_max)
