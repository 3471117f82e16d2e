"""Thresholds and random numbers tick by tick, for short windows.

Bit planes serve 32 ticks at once, and cost the same for a window of one tick.
Here each tick has a number of its own, and a window computes its ticks alone.
The spikes are the same.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax.spikes import hashing
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes import windows


class Ticks(NamedTuple):
  """Numbers of the ticks of one window; of a block with a leading axis W."""

  values: jax.Array  # [n, N or 1] uint16 thresholds, or uniform numbers
  bits: jax.Array  # [n, K] uint32 place of each tick in the words of its block


def pack_ticks(
  is_spike: jax.Array, bits: jax.Array, window: windows.Window
) -> jax.Array:
  """Packs spikes `[n, N]` of one window to `[K, N]` words of its block."""
  words = jnp.where(is_spike[:, None], bits[:, :, None], jnp.uint32(0))
  # The ticks have different bits, so their sum is their union.
  return jnp.sum(words, 0, dtype=jnp.uint32) & window.mask[:, None]


def draw_thresholds(
  source: thresholds.Thresholds, num_neurons: int
) -> jax.Array:
  """Draws the thresholds of words tick by tick.

  Args:
    source: thresholds of one sample in the `[K]` words of a block.
    num_neurons: N, number of thresholds per tick.

  Returns:
    `[K, 32, N or 1]` uint16; a spike is threshold < rate * 2**16.
  """
  draw = jax.vmap(
    lambda word: word.draw_ticks(num_neurons), (source.word_axes,)
  )
  return draw(source)


def draw_uniforms(
  keys: jax.Array, address: thresholds.Address, num_neurons: int
) -> jax.Array:
  """Draws independent uniform numbers of words tick by tick.

  Args:
    keys: `[layers, roles, 3]` uint32 keys of the presentation's trains.
    address: address of the train, with `[K]` words.
    num_neurons: N, number of numbers per tick.

  Returns:
    `[K, 32, N]` float32 within (0, 1).
  """
  counters = thresholds.make_counters(address.position, num_neurons)

  def draw(tick):
    parts = 3 * tick.astype(jnp.uint32) + jnp.arange(3, dtype=jnp.uint32)
    key = thresholds.hash_train(keys, address, parts)
    words = hashing.keyed_hash(counters, *key)
    uniforms = ((words >> 8).astype(jnp.float32) + 0.5) * 2.0**-24
    return jnp.minimum(uniforms, 1.0 - 2.0**-24)  # rounding may reach 1

  bits = jnp.arange(windows.TICKS_PER_WORD)[None]
  ticks = address.word[:, None] * windows.TICKS_PER_WORD + bits
  return jax.vmap(jax.vmap(draw))(ticks)


def split_ticks(
  values: jax.Array, schedule: windows.Schedule, block: windows.Block
) -> Ticks:
  """Splits values `[K, 32, N]` of the words of a block into its windows.

  Returns `[W, n, ...]` values and bits.
  """
  num_words, length = len(values), schedule.window
  ones = jnp.uint32(1) << jnp.arange(windows.TICKS_PER_WORD, dtype=jnp.uint32)
  bits = jnp.eye(num_words, dtype=jnp.uint32)[:, None] * ones[None, :, None]
  size = schedule.ticks_per_block
  first = block.windows.elapsed[0] - block.windows.length[0]
  first = first - block.words[0] * windows.TICKS_PER_WORD

  def split(array):
    array = array.reshape(-1, array.shape[-1])
    missing = max(0, size - len(array))
    array = jnp.pad(array, ((0, missing), (0, 0)))
    array = jax.lax.dynamic_slice_in_dim(array, first, size)
    return array.reshape(-1, length, array.shape[-1])

  return Ticks(split(values), split(bits))
