"""What is between an array of devices and its neurons when it is read.

The same converters and noise serve both reads, forward and transposed
(`NetworkConfig.reads`); a read is that of one window. Wires have no resistance:
there is no IR drop.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import thresholds
from ssnn_jax import types


@dataclasses.dataclass(frozen=True)
class ReadConfig:
  """The periphery of an array; by default a perfect one.

  Names are those of aihwkit, but for resolutions, which are in bits: b bits
  make 2**b - 1 levels from minus the bound to the bound, one of which is 0.

  Attributes:
    inp_bits: resolution of what is driven into the array in a window, spikes
      per tick or errors; None is infinite.
    inp_bound: largest input that can be driven.
    out_bits: resolution of the mean current that is read in a window; None is
      infinite.
    out_bound: largest current that can be read; what is beyond is cut. It is
      that of the array, before a read gain.
    out_noise: standard deviation of the current in each tick; the mean over a
      window of n ticks has it divided by the square root of n.

  Raises:
    UserError: if a parameter is impossible.
  """

  inp_bits: int | None = None
  inp_bound: float = math.inf
  out_bits: int | None = None
  out_bound: float = math.inf
  out_noise: float = 0.0

  def __post_init__(self):
    for kind in ('inp', 'out'):
      bits, bound = (getattr(self, f'{kind}_{x}') for x in ('bits', 'bound'))
      if not bound > 0:
        raise _mistake(f'{kind}_bound', bound, 'a number above 0')
      is_whole = isinstance(bits, int)
      if bits is not None and not (is_whole and 2 <= bits <= 24):
        raise _mistake(
          f'{kind}_bits', bits, 'a whole number from 2 to 24, or none'
        )
      if bits is not None and bound == math.inf:
        expected = f'none, as {kind}_bound is infinite: give that, too'
        raise _mistake(f'{kind}_bits', bits, expected)
    if not 0 <= self.out_noise < math.inf:
      raise _mistake('out_noise', self.out_noise, 'a number from 0 up')

  @property
  def is_perfect(self) -> bool:
    """Whether the periphery changes nothing."""
    return self == ReadConfig()


def _mistake(name, value, expected):
  return types.UserError(f'{name} is {value}; expected {expected}.')


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


def drive_in(config: ReadConfig, inputs: jax.Array) -> jax.Array:
  """Drives the inputs of one window into an array."""
  return convert(inputs, config.inp_bits, config.inp_bound)


def read_out(
  config: ReadConfig,
  current: jax.Array,
  source: thresholds.Thresholds,
  window: spikes.Window,
) -> jax.Array:
  """Reads the mean current of one window.

  Args:
    config: the periphery.
    current: `[N]` current without noise.
    source: `[K, ...]` of the noise, in the words of a block.
    window: the window.

  Returns:
    `[N]` current that is read.
  """
  if config.out_noise:
    mean_noise = noise(source, current.shape[0], window)
    current = current + config.out_noise * mean_noise
  return convert(current, config.out_bits, config.out_bound)


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
  return excess.astype(jnp.float32) / (deviation * spikes.ticks(window))
