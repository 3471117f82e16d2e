"""An array of resistive devices under pulses: what each becomes.

Rules are those of one device, and are applied to arrays of any shape. A device
knows how many pulses it gets up and down, not in which order: `pulse` has the
closed form of all of them. Its mean is exact where all go one way, its
variance to a relative (step / range)^2; where both kinds meet, it is that of
finely mixed pulses. Nor is it known which pulse met a bound, so that a weight
is cut at its bounds once, after all of them.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax.hardware.device_config import MOST_PULSES
from ssnn_jax.hardware.device_config import DeviceConfig
from ssnn_jax.hardware.variability import Constants
from ssnn_jax.spikes import thresholds

NUM_KEYS = 5  # uint32 keys of an array's noise
_TINY = 1e-6


class Pulses(NamedTuple):
  """How many pulses devices get."""

  up: jax.Array
  down: jax.Array


def pulse(
  config: DeviceConfig,
  constants: Constants,
  weights: jax.Array,
  pulses: Pulses,
  step: jax.Array | float,
  normals: jax.Array | None,
) -> jax.Array:
  """Gives devices n pulses up and m down.

  With constant steps, each pulse adds a normal number, and so do all of them:

    mean      step (n a_up - m a_down)
    variance  (step dw_min_std)^2 (n a_up^2 + m a_down^2)

  Where steps decrease, a weight decays to where pulses would take it, by
  exp(-n step rate) for pulses of one kind, and noise decays with it.

  Args:
    config: their parameters.
    constants: what tells devices apart.
    weights: float32 weights of the devices.
    pulses: how many each gets, whole numbers.
    step: mean step of a pulse at weight 0.
    normals: a standard normal number for each device; None where no pulse
      differs from another (`dw_min_std` is 0).

  Returns:
    The new weights.

  Example:
    >>> config = ssnn_jax.DeviceConfig(dw_min=0.125, w_max=1.0, w_min=-1.0)
    >>> constants = ssnn_jax.hardware.variability.draw(
    ...   jax.random.key(0), config, shape=(3,))
    >>> from ssnn_jax.hardware import resistive
    >>> pulses = resistive.Pulses(*jnp.array([[3, 0, 50], [1, 2, 0]]))
    >>> resistive.pulse(
    ...   config, constants, jnp.zeros(3), pulses, step=0.125, normals=None)
    Array([ 0.25, -0.25,  1.  ], dtype=float32)
  """
  move = _move_linear if config.is_linear else _move_constant
  pulses = Pulses(*(count.astype(jnp.float32) for count in pulses))
  change, variance = move(config, constants, weights, pulses, step)
  if normals is not None:
    change += config.dw_min_std * jnp.sqrt(variance) * normals
  return jnp.clip(weights + step * change, constants.w_min, constants.w_max)


def _move_constant(config, constants, weights, pulses, step):
  """The mean change and its variance, both relative to the step."""
  del config, weights, step
  (up, down), (n, m) = constants[:2], pulses
  return n * up - m * down, n * up**2 + m * down**2


def _move_linear(config, constants, weights, pulses, step):
  """The mean change and its variance, both relative to the step."""
  up, down, rate_up, rate_down = constants[:4]
  n, m = pulses
  speed_up, speed_down = up - rate_up * weights, down + rate_down * weights
  exponent = step * (n * rate_up + m * rate_down)
  lost = -jnp.expm1(-exponent)  # of what there was before
  mean_left = jnp.where(exponent > _TINY, lost / (exponent + _TINY**2), 1.0)
  if config.mult_noise:  # a later pulse shrinks what an earlier one has added
    variance = (1.0 - lost) ** 2 * (
      n * speed_up**2 * _exp(step * rate_up)
      + m * speed_down**2 * _exp(step * rate_down)
    )
  else:
    variance = mean_left * (1.0 - 0.5 * lost) * (n * up**2 + m * down**2)
  return mean_left * (n * speed_up - m * speed_down), variance


def _exp(x):
  """The exponential of small numbers, to second order."""
  return 1.0 + x * (1.0 + 0.5 * x)


def decay(constants: Constants, weights: jax.Array) -> jax.Array:
  """Lets weights decay, as far as devices lose them from batch to batch.

  Args:
    constants: what tells devices apart.
    weights: their weights.

  Returns:
    The new weights.
  """
  if constants.kept is None:
    return weights
  kept = constants.kept * weights
  return jnp.clip(kept, constants.w_min, constants.w_max)


class Noise(NamedTuple):
  """Random numbers of devices, one each."""

  words: tuple[jax.Array, jax.Array]  # uint32

  def normals(self) -> jax.Array:
    """Makes numbers of mean 0 and variance 1, normal but for 65 levels."""
    # The ones among 64 fair bits: 32 of them, with a deviation of 4.
    ones = sum(map(jax.lax.population_count, self.words))
    return (_as_float(ones) - 32.0) / 4.0

  def uniforms(self) -> jax.Array:
    """Makes numbers uniform within [0, 1), nearly independent of the others."""
    first, second = self.words
    # For any first word the sum is uniform; the factor hides its ones.
    mixed = first * jnp.uint32(0x9E3779B1) + second
    return _as_float(mixed >> 8) * 2.0**-24


def _as_float(words):
  """Makes floats of words below 2**31; CPUs turn signed ones more quickly."""
  return words.astype(jnp.int32).astype(jnp.float32)


def draw_noise(keys: jax.Array, shape: tuple[int, ...]) -> Noise:
  """Draws random numbers for the devices of an array.

  A counter-based hash, as for thresholds: `jax.random` would take longer than
  all pulses. What is not used is not computed, under `jax.jit`.

  Args:
    keys: `[NUM_KEYS]` uint32, random; consumed.
    shape: that of the array.

  Returns:
    The numbers.
  """
  first, *pairs = keys
  counters = jax.lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
  return Noise(
    tuple(
      thresholds.keyed_hash(counters, first, pairs[2 * i], pairs[2 * i + 1])
      for i in range(2)
    )
  )


def give(
  config: DeviceConfig,
  keys: jax.Array,
  constants: Constants,
  weights: jax.Array,
  so_far: jax.Array | None,
  wanted: Pulses,
  each: jax.Array | float,
  step: jax.Array | float,
) -> tuple[jax.Array, jax.Array | None]:
  """Gives devices the pulses that are wanted of them, as far as they last.

  Args:
    config: their parameters.
    keys: `[NUM_KEYS]` uint32 keys of their noise; consumed.
    constants: what tells devices apart.
    weights: float32 weights of the devices.
    so_far: int32 pulses that they have had; None where they are not counted.
    wanted: how many pulses are, in units of `each`.
    each: pulses for one that is wanted. Where devices have steps of their own
      and this, or what is wanted, is of a floating type, a fraction of a pulse
      is rounded at random.
    step: mean step of a pulse at weight 0.

  Returns:
    Weights and pulses after them.
  """
  noise = draw_noise(keys, weights.shape)
  pulses = wanted
  if config.dw_min:
    pulses = Pulses(*(_whole(count, each, noise) for count in wanted))
  if constants.endurance is not None:
    works = so_far.astype(jnp.float32) < constants.endurance
    pulses = Pulses(*(jnp.where(works, count, 0) for count in pulses))
    # What is more than can be counted stays there.
    so_far = jnp.minimum(so_far, MOST_PULSES)
    so_far += (pulses.up + pulses.down).astype(jnp.int32)
  normals = noise.normals() if config.dw_min_std else None
  return pulse(config, constants, weights, pulses, step, normals), so_far


def _whole(wanted, each, noise):
  """Makes whole numbers of pulses."""
  each = jnp.asarray(each)
  counts = each.astype(jnp.float32) * wanted.astype(jnp.float32)
  parts = each.dtype, wanted.dtype
  if all(jnp.issubdtype(dtype, jnp.integer) for dtype in parts):
    return counts
  return jnp.floor(counts + noise.uniforms())
