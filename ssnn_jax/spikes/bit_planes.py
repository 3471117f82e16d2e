"""Thresholds of 32 ticks as bit planes: bit t of word q is bit q at tick t."""

from collections.abc import Callable

import flax.struct
import jax
import jax.numpy as jnp

NUM_PLANES = 16
_TICKS = 32


@flax.struct.dataclass
class BitPlanes:
  """Deferred thresholds of one sample in one word.

  The planes are drawn at the comparison, so that a compiled kernel can draw and
  compare in one pass.
  """

  shared: jax.Array  # [S] uint32 state of the word
  own: jax.Array | None  # [O] uint32 state of the sample and its neurons
  # (shared, own, num_neurons) -> [NUM_PLANES, num_neurons or 1] uint32
  _draw: Callable[..., jax.Array] = flax.struct.field(pytree_node=False)
  # name of the compiled kernel that draws and compares
  kernel: str | None = flax.struct.field(pytree_node=False, default=None)

  def without_kernel(self) -> 'BitPlanes':
    """Returns equal thresholds that no compiled kernel draws."""
    return self.replace(kernel=None)

  def draw(self, num_neurons: int) -> jax.Array:
    """Draws the planes, `[NUM_PLANES, num_neurons or 1]` uint32."""
    return self._draw(self.shared, self.own, num_neurons)

  def fire(self, rates: jax.Array) -> jax.Array:
    """Fires where threshold < rate; see `compare`."""
    return compare(self.draw(len(rates)), rates)

  def draw_ticks(self, num_neurons: int) -> jax.Array:
    """Draws the thresholds of each tick, `[32, num_neurons or 1]` uint16."""
    # Otherwise each threshold would draw all planes of its word again.
    planes = jax.lax.optimization_barrier(self.draw(num_neurons))
    ticks = jnp.arange(_TICKS, dtype=jnp.uint32)[:, None]
    values = jnp.zeros((_TICKS, planes.shape[1]), jnp.uint32)
    for index, plane in enumerate(planes):
      values |= ((plane[None] >> ticks) & 1) << index
    return values.astype(jnp.uint16)


def round_rates(rates: jax.Array) -> jax.Array:
  """Rounds rates to multiples of 2**-16, the resolution of thresholds."""
  return jnp.round(rates * (1 << NUM_PLANES)).astype(jnp.uint32)


def compare(planes: jax.Array, rates: jax.Array) -> jax.Array:
  """Fires where threshold < rate, for the 32 ticks of a word at once.

  The comparison proceeds from the least significant bit. Where a bit of the
  rate is set, a threshold bit of 0 makes the threshold smaller; where a bit of
  the rate is not set, a threshold bit of 1 makes the threshold larger;
  otherwise the lower bits decide. Rates are rounded to multiples of 2**-16; a
  rate of 0 never fires and a rate of 1 always fires.

  Args:
    planes: `[16, M]` uint32 bit planes of the thresholds; M is N, or 1 where
      the neurons share one threshold per tick.
    rates: `[N]` spikes per tick, in [0, 1].

  Returns:
    `[N]` uint32 spikes, one bit per tick.
  """
  rate_bits = round_rates(rates)
  places = jnp.arange(NUM_PLANES, dtype=jnp.uint32)[:, None]
  is_set = -((rate_bits[None] >> places) & 1)  # all ones, or all zeros
  is_zero = ~planes
  is_smaller, is_not_larger = is_set & is_zero, is_set | is_zero
  below = jnp.zeros_like(rate_bits)
  for decides, keeps in zip(
    jnp.unstack(is_smaller), jnp.unstack(is_not_larger)
  ):
    below = decides | (keeps & below)
  return below | -(rate_bits >> NUM_PLANES)
