"""Sobol sequence as bit planes of 32 ticks.

A dimension of the sequence is a matrix over GF(2): each bit of the point at
tick t is the parity of a subset of the bits of t. Within a word, a bit plane is
therefore one of two complementary patterns, selected by the index of the word.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

NUM_BITS = 16
_TICK_BITS = 5  # bits of the index of a tick within its word


def bit_planes(dimension: int, word: jax.Array) -> jax.Array:
  """Returns the Sobol points of the 32 ticks of one word, as bit planes.

  Args:
    dimension: dimension of the sequence, from 0; static.
    word: index of the 32-tick word.

  Returns:
    `[16]` uint32: bit t of plane q is bit q of the point at tick t of the word,
    an integer below 2**16. The sequence repeats after 2**16 ticks.

  Example:
    >>> from ssnn_jax.spikes import sobol
    >>> planes = sobol.bit_planes(0, jnp.int32(0))
    >>> bits = np.asarray(ssnn_jax.spikes.unpack(planes[None]))  # [32, 16]
    >>> (bits[:4] @ 2.0 ** np.arange(-16, 0)).tolist()
    [0.0, 0.5, 0.25, 0.75]
  """
  rows = _generator_matrix(dimension)
  ticks = np.arange(1 << _TICK_BITS)
  bits = np.bitwise_count(rows[:, None] & ticks) & 1
  patterns = jnp.asarray(np.sum(bits << ticks, axis=1).astype(np.uint32))
  upper = jnp.asarray((rows >> _TICK_BITS).astype(np.uint32))
  flips = jax.lax.population_count(upper & word.astype(jnp.uint32)) & 1
  return patterns ^ -flips


@functools.cache
def _generator_matrix(dimension: int) -> np.ndarray:
  """Returns the generator matrix of a dimension, `[16]` int64.

  Row q is the mask of the bits of the tick whose parity is bit q of the point.
  Source of the direction numbers: S. Joe and F. Y. Kuo, "Constructing Sobol
  sequences with better two-dimensional projections" (2008), through SciPy.
  """
  from scipy.stats import qmc  # imported late: half a second and 50 MiB

  # SciPy enumerates points in Gray code order, so the step to point 2**k is
  # the direction number of bit k.
  sequence = qmc.Sobol(dimension + 1, scramble=False, bits=NUM_BITS)
  points = sequence.random_base2(NUM_BITS)[:, dimension]
  numbers = np.round(points * (1 << NUM_BITS)).astype(np.int64)
  bits = np.arange(NUM_BITS)
  directions = numbers[1 << bits] ^ numbers[(1 << bits) - 1]
  columns = (directions[None, :] >> bits[:, None]) & 1
  return np.sum(columns << bits, axis=1)
