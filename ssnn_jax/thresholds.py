"""The random thresholds that rates are compared with.

A spike is threshold < rate. The threshold of a tick has 16 bits and depends on
nothing but the stream's key, the sample's position in the batch, the neuron and
the tick: never on the train's length, the window or how spikes are stored. So
a short train is the prefix of a longer one, and experiments over them are
paired.

Thresholds are drawn bit plane by bit plane, 32 ticks at a time: bit t of word q
is bit q of the threshold of tick t.
"""

from collections.abc import Callable
import enum

import jax
import jax.numpy as jnp

NUM_PLANES = 16

# (key, word, position, num_neurons) -> [NUM_PLANES, num_neurons] uint32
Sampler = Callable[[jax.Array, jax.Array, jax.Array, int], jax.Array]


class Role(enum.IntEnum):
  """What a stream of thresholds decides; each has its own key."""

  INPUT = 0
  FORWARD = 1
  WINNER = 2
  ERROR = 3
  DROPOUT = 4


def stream_key(key: jax.Array, role: Role, layer: int = 0) -> jax.Array:
  """Derives the key of one stream from the key of a presentation."""
  return jax.random.fold_in(jax.random.fold_in(key, role), layer)


def lowbias32(x: jax.Array) -> jax.Array:
  """Mixes 32-bit words; a bijection in which each bit flips each other.

  Source: C. Wellons, "Prospecting for hash functions" (2018), the function of
  lowest bias found there.

  Args:
    x: uint32 words of any shape.

  Returns:
    uint32 words of the same shape.
  """
  x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
  x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
  return x ^ (x >> 16)


def hashed_words(
  key: jax.Array, word: jax.Array, position: jax.Array, num_neurons: int
) -> jax.Array:
  """Draws threshold words with a counter-based hash keyed by `jax.random`.

  The counter passes a first round of mixing that the planes share; each plane
  then mixes in 64 bits of its own key before the second round. A key that only
  shifted the counter would put all streams on one sequence.

  Limits: independent for fewer than 2**32 pairs of position and neuron.

  Args:
    key: PRNG key of the stream; consumed.
    word: index of the 32-tick word within the presentation.
    position: position of the sample in the global batch.
    num_neurons: number of thresholds a tick.

  Returns:
    `[16, num_neurons]` uint32 words, one a bit plane.
  """
  keys = jax.random.bits(
    jax.random.fold_in(key, word), (2 * NUM_PLANES + 1, 1), jnp.uint32
  )
  first, keys = keys[0], keys[1:]
  counter = position.astype(jnp.uint32) * jnp.uint32(num_neurons)
  counter = counter + jnp.arange(num_neurons, dtype=jnp.uint32)
  mixed = lowbias32(counter ^ first)[None]
  return lowbias32((mixed ^ keys[:NUM_PLANES]) + keys[NUM_PLANES:])


def threefry_words(
  key: jax.Array, word: jax.Array, position: jax.Array, num_neurons: int
) -> jax.Array:
  """Draws threshold words with `jax.random` alone: the slow reference.

  Args:
    key: PRNG key of the stream; consumed.
    word: index of the 32-tick word within the presentation.
    position: position of the sample in the global batch.
    num_neurons: number of thresholds a tick.

  Returns:
    `[16, num_neurons]` uint32 words, one a bit plane.
  """
  key = jax.random.fold_in(jax.random.fold_in(key, word), position)
  return jax.random.bits(key, (NUM_PLANES, num_neurons), jnp.uint32)


SAMPLERS = {'bernoulli': hashed_words, 'threefry': threefry_words}
