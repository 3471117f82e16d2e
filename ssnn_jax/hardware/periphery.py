"""What is between an array of devices and its neurons when it is read.

The same converters and noise serve both reads, forward and transposed
(`NetworkConfig.reads`); a read is that of one window. Wires have no resistance:
there is no IR drop.
"""

from collections.abc import Callable
import math

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax.config import ReadConfig
from ssnn_jax.spikes import thresholds


def read(
  config: ReadConfig,
  product: Callable[[jax.Array], jax.Array],
  gain: float,
  source: thresholds.Thresholds,
  inputs: jax.Array,
  window: spikes.Window,
) -> jax.Array:
  """Reads an array through its periphery, in one window.

  Args:
    config: the periphery.
    product: current of the array, times the read gain, for given inputs.
    gain: the read gain, which is applied after the ADC.
    source: `[K, ...]` thresholds of the read noise in the words of a block.
    inputs: `[N]` inputs of the array, in spikes per tick or errors.
    window: the window.

  Returns:
    Mean current over the window, times the read gain.
  """
  if config.is_perfect:
    return product(inputs)
  current = product(convert(inputs, config.inp_bits, config.inp_bound)) / gain
  if config.out_noise:
    mean_noise = noise(source, current.shape[0], window)
    current = current + config.out_noise * mean_noise
  return gain * convert(current, config.out_bits, config.out_bound)


def convert(values: jax.Array, bits: int | None, bound: float) -> jax.Array:
  """Cuts values at a bound and rounds them to the levels of a converter.

  Args:
    values: what is converted.
    bits: the resolution; None is infinite.
    bound: the largest value; infinite if there is none.

  Returns:
    The values on the converter's other side.
  """
  if bound < math.inf:
    values = jnp.clip(values, -bound, bound)
  if bits is None:
    return values
  level = bound / (2 ** (bits - 1) - 1)
  return jnp.round(values / level) * level


def noise(
  source: thresholds.Thresholds, num_neurons: int, window: spikes.Window
) -> jax.Array:
  """Averages noise over the ticks of a window.

  The noise of a tick has mean 0 and variance 1 and is independent of others: it
  is made of 16 fair bits, so that it has 17 levels, and is near to normal over
  some ticks. As with thresholds, that of a tick depends on nothing else.

  Args:
    source: `[K, ...]` independent bits of one sample in the words of a block.
    num_neurons: N.
    window: the window.

  Returns:
    `[N]` means; 0 in a window without a tick.
  """

  def count(source, mask):
    planes = source.draw(source.shared, source.own, num_neurons)
    ones = jax.lax.population_count(planes & mask)
    return jnp.sum(ones, axis=0).astype(jnp.int32)

  ones = jnp.sum(jax.vmap(count)(source, window.mask), axis=0)
  excess = ones - thresholds.NUM_PLANES // 2 * window.length
  deviation = math.sqrt(thresholds.NUM_PLANES) / 2  # of the ones in a tick
  return excess.astype(jnp.float32) / (
    deviation * spikes.num_valid_ticks(window)
  )
