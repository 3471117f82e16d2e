"""Counter-based hash: random words from counters and a key."""

import jax
import jax.numpy as jnp


def lowbias32(x: jax.Array) -> jax.Array:
  """Mixes 32-bit words by a bijection of low avalanche bias.

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


@jax.jit  # so that it is traced once
def keyed_hash(
  counter: jax.Array, first: jax.Array, second: jax.Array, third: jax.Array
) -> jax.Array:
  """Hashes counters to random words under a key of 96 bits.

  The first key enters before a first round of mixing; the other 64 bits enter
  between the first and the second round. A key that only shifted the counter
  would put all streams on one sequence.

  Counters and keys are uint32, whose shapes broadcast; different counters have
  different words.
  """
  return finish(lowbias32(counter ^ first), second, third)


def finish(mixed: jax.Array, second: jax.Array, third: jax.Array) -> jax.Array:
  """Computes the second round of `keyed_hash` from counters after the first."""
  return lowbias32((mixed ^ second) + third)
