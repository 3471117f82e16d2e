"""Periphery of a crossbar: DAC/ADC quantization and read noise.

Forward and transposed reads have the same periphery (`NetworkConfig.reads`).
Currents are read at every tick, and averaged over the window. Wires have no
resistance (no IR drop).
"""

from collections.abc import Callable
import dataclasses
import math

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax.checks import POSITIVE
from ssnn_jax.checks import check_field
from ssnn_jax.checks import is_finite
from ssnn_jax.checks import is_integer
from ssnn_jax.checks import is_positive
from ssnn_jax.spikes import bernoulli
from ssnn_jax.spikes.thresholds import NUM_BITS


@dataclasses.dataclass(frozen=True)
class ReadConfig:
  """Periphery of a crossbar in both reads; ideal by default.

  Names are those of aihwkit, except that resolutions are in bits: b bits are
  2**b - 1 levels from minus the bound to the bound, one of which is 0.

  Attributes:
    inp_bits: DAC resolution of the inputs of the array in a window (spikes per
      tick, or errors); None is infinite.
    inp_bound: largest input; larger inputs are clipped.
    out_bits: ADC resolution of the mean current of a window; None is infinite.
    out_bound: largest current, before the read gain; larger currents are
      clipped.
    out_noise: read noise: standard deviation of the current in each tick. The
      mean over a window of n ticks has a standard deviation smaller by sqrt(n).

  Raises:
    UserError: if a field is out of range.
  """

  inp_bits: int | None = None
  inp_bound: float = math.inf
  out_bits: int | None = None
  out_bound: float = math.inf
  out_noise: float = 0.0

  def __post_init__(self):
    for kind in ('inp', 'out'):
      self._check_converter(f'{kind}_bits', f'{kind}_bound')
    is_valid = is_finite(self.out_noise) and self.out_noise >= 0
    check_field(self, 'out_noise', is_valid, 'a number, 0 or more')

  def _check_converter(self, bits_field, bound_field):
    bits, bound = getattr(self, bits_field), getattr(self, bound_field)
    is_valid = is_positive(bound) or bound == math.inf
    check_field(self, bound_field, is_valid, POSITIVE)
    is_valid = bits is None or (is_integer(bits) and 2 <= bits <= 24)
    check_field(
      self, bits_field, is_valid, 'a whole number from 2 to 24, or None'
    )
    is_valid = bits is None or bound < math.inf
    expected = f'None, as {bound_field} is infinite: set {bound_field}, too'
    check_field(self, bits_field, is_valid, expected)

  @property
  def is_ideal(self) -> bool:
    """Whether the periphery is ideal."""
    return self == ReadConfig()


def read(
  config: ReadConfig,
  product: Callable[[jax.Array], jax.Array],
  gain: float,
  source: spikes.Source | None,
  inputs: jax.Array,
  window: spikes.Window,
) -> jax.Array:
  """Reads a crossbar through its periphery in one window.

  Args:
    config: the periphery.
    product: function from inputs to the current of the array, times the gain.
    gain: the read gain, which is applied after the ADC.
    source: random bits of the read noise; None without noise.
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
    noise = mean_noise(source, window)
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


def mean_noise(source: spikes.Source, window: spikes.Window) -> jax.Array:
  """Returns read noise averaged over the ticks of a window.

  The noise of one tick is a sum of 16 fair bits, scaled to mean 0 and variance
  1: it has 17 levels, and its mean over several ticks is nearly normal. As for
  thresholds, the noise of a tick does not depend on T or the window.

  Args:
    source: random bits of the N neurons of one sample that are read.
    window: the window.

  Returns:
    `[N]` means; 0 in a window without ticks.
  """

  def count(word, mask):
    ones = jax.lax.population_count(bernoulli.planes(source, word) & mask)
    return jnp.sum(ones, axis=0).astype(jnp.int32)

  ones = jnp.sum(jax.vmap(count)(source.words, window.mask), axis=0)
  excess = ones - NUM_BITS // 2 * window.length
  deviation = math.sqrt(NUM_BITS) / 2  # of the ones in one tick
  ticks = spikes.num_valid_ticks(window)
  return excess.astype(jnp.float32) / (deviation * ticks)
