"""Words of a digitally shifted Sobol sequence: 32 ticks by one look-up.

A dimension of the sequence is a matrix over GF(2): each bit of the point at
tick t is the parity of a subset of the bits of t. The matrix is upper
triangular, so that within an aligned word of 32 ticks the top five bits of a
point run through all 32 values once, and the lower bits are constant. A neuron
whose shifted point at the first tick of the word is x thus has the threshold

  32 ticks t:  top five bits  U t ^ (x >> 11),  lower bits  x & 2047,

where U is the top five by five block of the matrix. It fires at a rate of
r / 2**16 where the top five bits are below

  m = (r >> 11) + [(x & 2047) < (r & 2047)],

so that its word is entry (x >> 11, m) of a table of 32 by 33 words, and m is
the number of its spikes.
"""

import functools

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.spikes import bit_planes

NUM_BITS = bit_planes.NUM_PLANES
_TICK_BITS = 5  # bits of the index of a tick within its word
_LOW_BITS = NUM_BITS - _TICK_BITS
_TICKS = 1 << _TICK_BITS


@flax.struct.dataclass
class SobolWord:
  """Deferred thresholds of one sample in one word.

  `points` are the shifted points of its neurons at the first tick of the word.
  """

  points: jax.Array  # [N] or, shared by all neurons, [1] uint32
  dimension: int = flax.struct.field(pytree_node=False)

  @classmethod
  def of(
    cls, dimension: int, word: jax.Array, shifts: jax.Array
  ) -> 'SobolWord':
    """Returns the thresholds of a word.

    Args:
      dimension: dimension of the sequence, from 0; static.
      word: index of the 32-tick word. The sequence repeats after 2**16 ticks.
      shifts: `[N]` or `[1]` uint32, whose lower 16 bits flip those of points.

    Returns:
      The thresholds.

    Example:
      >>> from ssnn_jax.spikes import sobol
      >>> shifts = jnp.zeros(1, jnp.uint32)
      >>> word = sobol.SobolWord.of(0, jnp.int32(0), shifts)
      >>> (word.draw_ticks(1)[:4, 0] / 2**16).tolist()
      [0.0, 0.5, 0.25, 0.75]
    """
    low = (1 << NUM_BITS) - 1
    return cls(_first_point(dimension, word) ^ (shifts & low), dimension)

  @property
  def kernel(self) -> None:
    """No compiled kernel is faster than the look-up."""

  def without_kernel(self) -> 'SobolWord':
    """Returns these thresholds, which no compiled kernel draws."""
    return self

  def fire(self, rates: jax.Array) -> jax.Array:
    """Fires where threshold < rate; `[N]` uint32 spikes, one bit per tick."""
    table = jnp.asarray(_table(self.dimension))
    row = self.points >> _LOW_BITS
    return table[row * (_TICKS + 1) + self.count(rates)]

  def count(self, rates: jax.Array) -> jax.Array:
    """Counts the spikes of the word, `[N]` uint32, without drawing them."""
    rounded, low = bit_planes.round_rates(rates), (1 << _LOW_BITS) - 1
    is_below = (self.points & low) < (rounded & low)
    return (rounded >> _LOW_BITS) + is_below.astype(jnp.uint32)

  def draw_ticks(self, num_neurons: int) -> jax.Array:
    """Draws the thresholds of each tick, `[32, N or 1]` uint16."""
    del num_neurons
    top = jnp.asarray(_top_bits(self.dimension) << _LOW_BITS, jnp.uint32)
    return (top[:, None] ^ self.points[None]).astype(jnp.uint16)


def _first_point(dimension, word):
  """Returns the point at the first tick of a word, without shift."""
  rows = jnp.asarray(_generator_matrix(dimension) >> _TICK_BITS, jnp.uint32)
  bits = jax.lax.population_count(rows & word.astype(jnp.uint32)) & 1
  return jnp.sum(bits << jnp.arange(NUM_BITS, dtype=jnp.uint32), dtype='uint32')


@functools.cache
def _table(dimension):
  """Returns the table of words by top bits and number of spikes, flattened."""
  top = _top_bits(dimension)[None, None] ^ np.arange(_TICKS)[:, None, None]
  fires = top < np.arange(_TICKS + 1)[None, :, None]
  words = np.sum(fires << np.arange(_TICKS, dtype=np.int64), axis=2)
  return words.astype(np.uint32).ravel()


def _top_bits(dimension):
  """Returns the top five bits of the points of the first word, `[32]` int64."""
  rows = _generator_matrix(dimension)[_LOW_BITS:]
  bits = np.bitwise_count(rows[:, None] & np.arange(_TICKS)) & 1
  return np.sum(bits.astype(np.int64) << np.arange(_TICK_BITS)[:, None], axis=0)


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
