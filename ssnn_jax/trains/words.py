"""Spike trains as words of 32 ticks: bit t of word k is tick 32 k + t."""

import jax
import jax.numpy as jnp

TICKS_PER_WORD = 32


def count_words(num_steps: int) -> int:
  """Returns K, the number of words that hold `num_steps` ticks."""
  return -(-num_steps // TICKS_PER_WORD)


def mask(num_steps: int) -> jax.Array:
  """Returns `[K]` uint32 words of the ticks of a presentation."""
  ticks = jnp.arange(TICKS_PER_WORD * count_words(num_steps)) < num_steps
  return pack(ticks[:, None])[:, 0]


def count(train: jax.Array) -> jax.Array:
  """Counts the spikes of each neuron, `[..., K, N]` words to `[..., N]`."""
  return jnp.sum(jax.lax.population_count(train), axis=-2).astype(jnp.int32)


def unpack(words: jax.Array) -> jax.Array:
  """Unpacks `[..., K, N]` words to one spike per tick, `[..., 32 K, N]` int8.

  Example:
    >>> train = jnp.array([[1, 0], [1, 1], [0, 1]])  # 3 ticks, 2 neurons
    >>> ssnn_jax.trains.pack(train)
    Array([[3, 6]], dtype=uint32)
    >>> ssnn_jax.trains.unpack(ssnn_jax.trains.pack(train))[:3].tolist()
    [[1, 0], [1, 1], [0, 1]]
  """
  bits = (words[..., None, :] >> _places(words.ndim + 1)) & jnp.uint32(1)
  shape = *words.shape[:-2], -1, words.shape[-1]
  return bits.astype(jnp.int8).reshape(shape)


def pack(train: jax.Array) -> jax.Array:
  """Packs spikes `[..., T, N]` in {0, 1} to `[..., K, N]` uint32 words.

  Bits after the last tick are 0.
  """
  *batch, num_steps, num_neurons = train.shape
  padding = [(0, 0)] * len(batch) + [(0, -num_steps % TICKS_PER_WORD), (0, 0)]
  bits = jnp.pad(train, padding).astype(jnp.uint32)
  bits = bits.reshape(*batch, -1, TICKS_PER_WORD, num_neurons)
  return jnp.sum(bits << _places(bits.ndim), axis=-2, dtype=jnp.uint32)


def _places(num_axes):
  """Returns the ticks of a word along the last axis but one."""
  ticks = jnp.arange(TICKS_PER_WORD, dtype=jnp.uint32)
  return ticks.reshape(*[1] * (num_axes - 2), TICKS_PER_WORD, 1)
