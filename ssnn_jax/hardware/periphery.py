"""Crossbar periphery: DAC/ADC quantization and read noise.

Forward and transposed reads have the same periphery (`NetworkConfig.reads`).
Currents are read at every tick, and averaged over the window. Wires have no
resistance (no IR drop).
"""

from collections.abc import Callable
import math

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax.read_config import ReadConfig
from ssnn_jax.spikes import thresholds


def read(
  config: ReadConfig,
  product: Callable[[jax.Array], jax.Array],
  gain: float,
  source: thresholds.Thresholds | None,
  inputs: jax.Array,
  window: spikes.Window,
) -> jax.Array:
  """Reads a crossbar through its periphery in one window.

  Args:
    config: the periphery.
    product: function from inputs to the current of the array, times the gain.
    gain: the read gain, which is applied after the ADC.
    source: `[K, ...]` random bits of the read noise in the words of a block;
      None without noise.
    inputs: `[..., N]` inputs of the array at each position, in spikes per tick
      or errors.
    window: the window.

  Returns:
    Mean current over the window, times the read gain.
  """
  if config.is_ideal:
    return product(inputs)
  driven = quantize(inputs, config.inp_bits, config.inp_bound)
  current = product(driven) / gain
  if config.out_noise:
    noise = mean_noise(source, current.size, window)
    current = current + config.out_noise * noise.reshape(current.shape)
  return gain * quantize(current, config.out_bits, config.out_bound)


def quantize(values: jax.Array, bits: int | None, bound: float) -> jax.Array:
  """Clips values to a bound and rounds them to 2**bits - 1 levels.

  The bound may be infinite; bits of None are an infinite resolution.
  """
  if bound < math.inf:
    values = jnp.clip(values, -bound, bound)
  if bits is None:
    return values
  level = bound / (2 ** (bits - 1) - 1)
  return jnp.round(values / level) * level


def mean_noise(
  source: thresholds.Thresholds, num_neurons: int, window: spikes.Window
) -> jax.Array:
  """Returns read noise averaged over the ticks of a window.

  The noise of one tick is a sum of 16 fair bits, scaled to mean 0 and variance
  1: it has 17 levels, and its mean over several ticks is nearly normal. As for
  thresholds, the noise of a tick does not depend on T or the window.

  Args:
    source: `[K, ...]` random bits of one sample in the words of a block.
    num_neurons: N, number of neurons that are read.
    window: the window.

  Returns:
    `[N]` means; 0 in a window without ticks.
  """

  def count(source, mask):
    planes = source.draw(num_neurons)
    ones = jax.lax.population_count(planes & mask)
    return jnp.sum(ones, axis=0).astype(jnp.int32)

  ones = jnp.sum(
    jax.vmap(count, (source.word_axes, 0))(source, window.mask), axis=0
  )
  excess = ones - thresholds.NUM_PLANES // 2 * window.length
  deviation = math.sqrt(thresholds.NUM_PLANES) / 2  # of the ones in one tick
  ticks = spikes.num_valid_ticks(window)
  return excess.astype(jnp.float32) / (deviation * ticks)
