"""Spike trains as words of 32 ticks: counted, packed and unpacked."""

import jax
import jax.numpy as jnp

from ssnn_jax.spikes.windows import TICKS_PER_WORD


def count(train: jax.Array) -> jax.Array:
  """Counts the spikes of each neuron, `[..., K, N]` words to `[..., N]`.

  Example:
    >>> words = jnp.array([[0b111, 0b0], [0b1, 0b11]], jnp.uint32)
    >>> ssnn_jax.spikes.count(words)  # of two neurons, in two words each
    Array([4, 2], dtype=int32)
  """
  return jnp.sum(jax.lax.population_count(train), axis=-2).astype(jnp.int32)


def unpack(words: jax.Array) -> jax.Array:
  """Unpacks words to one spike per tick: `[K, N]` to `[32 K, N]` int8."""
  shifts = jnp.arange(TICKS_PER_WORD, dtype=jnp.uint32)[None, :, None]
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
  bits = jnp.pad(train, ((0, -num_steps % TICKS_PER_WORD), (0, 0)))
  bits = bits.reshape(-1, TICKS_PER_WORD, num_neurons).astype(jnp.uint32)
  places = jnp.arange(TICKS_PER_WORD, dtype=jnp.uint32)[None, :, None]
  return jnp.sum(bits << places, axis=1, dtype=jnp.uint32)
