"""Thresholds of 32 ticks as bit planes: bit t of word q is bit q at tick t."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

NUM_PLANES = 16
_TICKS = 32


@flax.struct.dataclass
class BitPlanes:
  """Deferred thresholds of one sample in one word, or in `[K]` words.

  The planes of a word are drawn at the comparison, one after another.
  """

  shared: jax.Array  # [S] uint32 address of the word
  own: jax.Array | None  # [O] uint32 state of the sample and its neurons
  # shared -> state of the word
  _make_state: Callable[[jax.Array], jax.Array] = flax.struct.field(
    pytree_node=False
  )
  # (state, own, num_neurons) -> function that draws a plane by its index,
  # [num_neurons or 1] uint32
  _make_draw: Callable[..., Callable[[jax.Array], jax.Array]] = (
    flax.struct.field(pytree_node=False)
  )
  # name of the compiled kernel that draws and compares
  kernel: str | None = flax.struct.field(pytree_node=False, default=None)

  def without_kernel(self) -> 'BitPlanes':
    """Returns equal thresholds that no compiled kernel draws."""
    return self.replace(kernel=None)

  @property
  def state(self) -> jax.Array:
    """State of the word, computed where it is used."""
    return self._make_state(self.shared)

  def map_words(self, function: Callable[[jax.Array], Any]) -> 'BitPlanes':
    """Applies a function to what differs between words, `[K, ...]`."""
    return self.replace(shared=function(self.shared))

  @property
  def word_axes(self) -> 'BitPlanes':
    """Axes of the words, for `jax.vmap`."""
    return self.replace(shared=0, own=None)

  def draw(self, num_neurons: int) -> jax.Array:
    """Draws the planes, `[NUM_PLANES, num_neurons or 1]` uint32."""
    draw = self._make_draw(self.state, self.own, num_neurons)
    return jax.vmap(draw)(jnp.arange(NUM_PLANES))

  def fire(self, rates: jax.Array, is_fused: bool = False) -> jax.Array:
    """Fires where threshold < rate.

    Args:
      rates: `[N]` spikes per tick, in [0, 1].
      is_fused: whether the planes are not a loop, but one expression.

    Returns:
      `[N]` uint32 spikes, one bit per tick.
    """
    draw = self._make_draw(self.state, self.own, len(rates))
    rounded = round_rates(rates)

    def step(index, below):
      return compare(draw(index), rounded, index, below)

    silent = jnp.zeros_like(rounded)
    below = jax.lax.fori_loop(0, NUM_PLANES, step, silent, unroll=is_fused)
    return below | is_certain(rounded)

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


def is_certain(rates: jax.Array) -> jax.Array:
  """Returns words of spikes in all ticks where a rounded rate is 1."""
  return fill(rates >> NUM_PLANES)


def fill(bits: jax.Array) -> jax.Array:
  """Returns words of ones where a uint32 bit is 1, otherwise of zeros."""
  return -bits


def compare(
  plane: jax.Array, rates: jax.Array, index: jax.Array | int, below: jax.Array
) -> jax.Array:
  """Compares one bit of thresholds and rates, for the 32 ticks of a word.

  A comparison proceeds from the least significant bit. Where a bit of the rate
  is set, a threshold bit of 0 makes the threshold smaller; where a bit of the
  rate is not set, a threshold bit of 1 makes the threshold larger; otherwise
  the lower bits decide.

  Args:
    plane: `[M]` uint32 bits of the thresholds; M is N, or 1 where the neurons
      share one threshold per tick.
    rates: `[N]` uint32 rounded rates.
    index: index of the bit in rates and thresholds.
    below: `[N]` uint32, ticks in which the lower bits of the threshold are
      smaller.

  Returns:
    `[N]` uint32, the same with this bit.
  """
  is_set = fill((rates >> jnp.asarray(index).astype(jnp.uint32)) & 1)
  is_zero = ~plane
  return (is_set & is_zero) | ((is_set | is_zero) & below)
