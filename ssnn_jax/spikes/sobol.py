"""Words of a digitally shifted Sobol sequence: 32 ticks by five bit planes.

A dimension of the sequence is a matrix over GF(2): each bit of the point at
tick t is the parity of a subset of the bits of t. The matrix is upper
triangular, so that within an aligned word of 32 ticks the top five bits of a
point run through all 32 values once, and the lower bits are constant. A neuron
whose shifted point at the first tick of the word is x thus has the threshold

  32 ticks t:  top five bits  U t ^ (x >> 11),  lower bits  x & 2047,

where U is the top five by five block of the matrix. The lower bits are compared
with a rate of r / 2**16 once for the word, the top five bits as planes of 32
ticks. As the top five bits take each value once, the word has

  m = (r >> 11) + [(x & 2047) < (r & 2047)]

spikes, which are counted without drawing them.
"""

from collections.abc import Callable
import functools
from typing import Any

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
  """Deferred thresholds of one sample in one word, or in `[K]` words."""

  first: jax.Array  # point at the first tick of the word, without shift
  shifts: jax.Array  # [N] or, shared by all neurons, [1] 16-bit shifts
  dimension: int = flax.struct.field(pytree_node=False)
  # name of the compiled kernel that draws and compares
  kernel: str | None = flax.struct.field(
    pytree_node=False, default='ssnn_sample_sobol'
  )

  @classmethod
  def of(
    cls, dimension: int, word: jax.Array, shifts: jax.Array
  ) -> 'SobolWord':
    """Returns the thresholds of a word.

    Args:
      dimension: dimension of the sequence, from 0; static.
      word: index of a 32-tick word, or `[K]` indices. The sequence repeats
        after 2**16 ticks.
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
    return cls(_first_point(dimension, word), shifts & low, dimension)

  def without_kernel(self) -> 'SobolWord':
    """Returns equal thresholds that no compiled kernel draws."""
    return self.replace(kernel=None)

  def map_words(self, function: Callable[[jax.Array], Any]) -> 'SobolWord':
    """Applies a function to what differs between words, `[K, ...]`."""
    return self.replace(first=function(self.first))

  @property
  def word_axes(self) -> 'SobolWord':
    """Axes of the words, for `jax.vmap`."""
    return self.replace(first=0, shifts=None)

  @property
  def state(self) -> jax.Array:
    """`[6]` uint32 state of the word, for the kernel."""
    planes = jnp.asarray(_top_planes(self.dimension))
    return jnp.concatenate([self.first[None], planes])

  @property
  def own(self) -> jax.Array:
    """Uint32 state of the sample and its neurons, for the kernel."""
    return self.shifts

  @property
  def points(self) -> jax.Array:
    """Shifted points of the neurons at the first tick, `[N]` or `[1]`."""
    return self.first ^ self.shifts

  def fire(self, rates: jax.Array, is_fused: bool = True) -> jax.Array:
    """Fires where threshold < rate; `[N]` uint32 spikes, one bit per tick."""
    del is_fused  # Few planes are always one expression.
    rounded = bit_planes.round_rates(rates)
    below = bit_planes.fill(self._is_below(rounded))
    for index, plane in enumerate(_top_planes(self.dimension), _LOW_BITS):
      plane ^= bit_planes.fill((self.points >> index) & 1)
      below = bit_planes.compare(plane, rounded, index, below)
    return below | bit_planes.is_certain(rounded)

  def count(self, rates: jax.Array) -> jax.Array:
    """Counts the spikes of the word, `[N]` uint32, without drawing them."""
    rounded = bit_planes.round_rates(rates)
    return (rounded >> _LOW_BITS) + self._is_below(rounded)

  def _is_below(self, rounded):
    """Compares the lower bits: 1 where those of the threshold are smaller."""
    low = (1 << _LOW_BITS) - 1
    is_below = (self.points & low) < (rounded & low)
    return is_below.astype(jnp.uint32)

  def draw_ticks(self, num_neurons: int) -> jax.Array:
    """Draws the thresholds of each tick, `[32, N or 1]` uint16."""
    del num_neurons
    top = jnp.asarray(_top_bits(self.dimension) << _LOW_BITS, jnp.uint32)
    return (top[:, None] ^ self.points[None]).astype(jnp.uint16)


def _first_point(dimension, word):
  """Returns the point at the first tick of a word, without shift."""
  rows = jnp.asarray(_generator_matrix(dimension) >> _TICK_BITS, jnp.uint32)
  places = jnp.arange(NUM_BITS, dtype=jnp.uint32)

  def point(word):
    bits = jax.lax.population_count(rows & word) & 1
    return jnp.sum(bits << places, dtype=jnp.uint32)

  return jnp.vectorize(point)(word.astype(jnp.uint32))


@functools.cache
def _top_planes(dimension):
  """Returns the planes of the top five bits of the first word, `[5]` uint32."""
  bits = np.arange(_TICK_BITS)[:, None]
  planes = (_top_bits(dimension)[None] >> bits) & 1
  return np.sum(planes << np.arange(_TICKS), axis=1).astype(np.uint32)


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
