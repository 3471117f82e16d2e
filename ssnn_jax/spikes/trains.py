"""Spike trains as words of 32 ticks: sampling, counting and packing.

A train is stored as words with one bit per tick, `[K, N]` uint32. Words are
aligned to the presentation whatever the window; a window shorter than a word
masks its bits.
"""

import functools

import jax
import jax.numpy as jnp

from ssnn_jax.spikes import bit_planes
from ssnn_jax.spikes import kernels
from ssnn_jax.spikes import sobol
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes import ticks
from ssnn_jax.spikes import windows


def sample(
  source: thresholds.Thresholds | ticks.Ticks,
  rates: jax.Array,
  window: windows.Window,
) -> jax.Array:
  """Samples the spikes of one sample in one window.

  Args:
    source: thresholds of one sample in the `[K]` words of a block, or of the
      ticks of the window.
    rates: `[N]` spikes per tick, in [0, 1].
    window: the window.

  Returns:
    `[K, N]` uint32 spikes, one bit per tick.

  Example:
    >>> from ssnn_jax.spikes import thresholds
    >>> keys = thresholds.make_keys(jax.random.key(0), num_layers=2)
    >>> words = jnp.arange(1)
    >>> address = thresholds.Address(thresholds.Role.INPUT, 0, words, 0)
    >>> source = thresholds.shifted(keys, address, 2)
    >>> window = ssnn_jax.spikes.Window(jnp.full(1, 0xFFFF, jnp.uint32), 16, 16)
    >>> train = ssnn_jax.spikes.sample(source, jnp.array([0.25, 0.5]), window)
    >>> ssnn_jax.spikes.count(train)  # of 16 ticks
    Array([4, 8], dtype=int32)
  """
  if isinstance(source, ticks.Ticks):
    # A rate of 1 rounds to 2**16, which 16 bits cannot hold.
    is_spike = (
      source.values.astype(jnp.uint32) < bit_planes.round_rates(rates)[None]
    )
    return ticks.pack_ticks(is_spike, source.bits, window)
  return fire_words(source, rates, window.mask)


def fire_words(
  source: thresholds.Thresholds, rates: jax.Array, mask: jax.Array
) -> jax.Array:
  """Fires in several words; see `fire`.

  Args:
    source: thresholds of one sample in `[K]` words.
    rates: `[N]` spikes per tick, in [0, 1].
    mask: `[K]` uint32, ticks of the words that may hold spikes.

  Returns:
    `[K, N]` uint32 spikes, one bit per tick.
  """
  return jax.vmap(fire, in_axes=(source.word_axes, None, 0))(
    source, rates, mask
  )


def fire(
  source: thresholds.Thresholds, rates: jax.Array, mask: jax.Array
) -> jax.Array:
  """Draws the thresholds of one word and fires where they are below the rates.

  Args:
    source: thresholds of one sample in the word.
    rates: `[N]` spikes per tick, in [0, 1].
    mask: uint32, ticks of the word that may hold spikes.

  Returns:
    `[N]` uint32 spikes, one bit per tick.
  """
  return kernels.fire(source, rates, mask, reference=_fire_reference)


# Jitted so that it is traced once, also where a kernel replaces it.
@functools.partial(jax.jit, static_argnames='is_fused')
def _fire_reference(source, rates, mask, is_fused):
  """Fires as the compiled kernel of the sampler does."""
  return source.fire(rates, is_fused) & mask


def count(train: jax.Array) -> jax.Array:
  """Counts the spikes of each neuron, `[..., K, N]` words to `[..., N]`.

  Example:
    >>> words = jnp.array([[0b111, 0b0], [0b1, 0b11]], jnp.uint32)
    >>> ssnn_jax.spikes.count(words)  # of two neurons, in two words each
    Array([4, 2], dtype=int32)
  """
  return jnp.sum(jax.lax.population_count(train), axis=-2).astype(jnp.int32)


def count_whole_words(
  source: thresholds.Thresholds, rates: jax.Array, mask: jax.Array
) -> jax.Array | None:
  """Counts the spikes of a window of whole words without drawing them.

  Args:
    source: thresholds of one sample in the `[K]` words of a block.
    rates: `[N]` spikes per tick, in [0, 1].
    mask: `[K]` uint32 ticks of the window: all or none of each word.

  Returns:
    `[N]` int32; None if only drawn spikes can be counted.
  """
  if not isinstance(source, sobol.SobolWord):
    return None
  count_word = jax.vmap(lambda word: word.count(rates), (source.word_axes,))
  counts = count_word(source).astype(jnp.int32)
  return jnp.sum(jnp.where((mask > 0)[:, None], counts, 0), axis=0)


def mean_rates(counts: jax.Array, window: windows.Window) -> jax.Array:
  """Returns the spikes per tick of `[N]` spikes counted in one window."""
  return counts.astype(jnp.float32) / windows.num_valid_ticks(window)


def join(train: jax.Array) -> jax.Array:
  """Joins the windows of a block, `[W, K, N]` words, to one train `[K, N]`."""
  if train.shape[0] == 1:
    return train[0]
  # Windows do not overlap, so their sum is their union.
  return jnp.sum(train, axis=0, dtype=train.dtype)


def unpack(words: jax.Array) -> jax.Array:
  """Unpacks words to one spike per tick: `[K, N]` to `[32 K, N]` int8."""
  shifts = jnp.arange(windows.TICKS_PER_WORD, dtype=jnp.uint32)[None, :, None]
  bits = (words[:, None, :] >> shifts) & jnp.uint32(1)
  return bits.astype(jnp.int8).reshape(-1, words.shape[-1])


def pack(train: jax.Array) -> jax.Array:
  """Packs the spikes of one sample, `[T, N]` in {0, 1}, to `[K, N]` words.

  Bit t of word k is tick 32 k + t; the bits after the last tick are 0.

  Args:
    train: one spike per tick; `jax.vmap` packs a batch.

  Returns:
    uint32 words.

  Example:
    >>> train = jnp.array([[1, 0], [1, 1], [0, 1]])  # 3 ticks, 2 neurons
    >>> ssnn_jax.spikes.pack(train)
    Array([[3, 6]], dtype=uint32)
    >>> ssnn_jax.spikes.unpack(ssnn_jax.spikes.pack(train))[:3].tolist()
    [[1, 0], [1, 1], [0, 1]]
  """
  num_steps, num_neurons = train.shape
  padding = ((0, -num_steps % windows.TICKS_PER_WORD), (0, 0))
  bits = jnp.pad(train.astype(jnp.uint32), padding)
  bits = bits.reshape(-1, windows.TICKS_PER_WORD, num_neurons)
  shifts = jnp.arange(windows.TICKS_PER_WORD, dtype=jnp.uint32)[None, :, None]
  return jnp.sum(bits << shifts, axis=1, dtype=jnp.uint32)
