"""Sobol trains: thresholds of a digitally shifted Sobol sequence.

The trains of a role and layer follow one dimension of the sequence; each neuron
flips its bits by a random shift of its own, fixed for the presentation. A
threshold is uniform and independent of the thresholds of other neurons, but the
ticks of a train are stratified: over 2**k ticks from a multiple of 2**k, the
number of spikes is within one of its mean. A train repeats after 2**16 ticks.

A dimension of the sequence is a matrix over GF(2): each bit of the point at
tick t is the parity of a subset of the bits of t. The matrix is upper
triangular, so that within an aligned word of 32 ticks the top five bits of a
point run through all 32 values once, and the lower bits are constant. A neuron
whose shifted point at the first tick of the word is x thus has the threshold

  32 ticks t:  top five bits  U t ^ (x >> 11),  lower bits  x & 2047,

where U is the top five by five block of the matrix. The lower bits are compared
with a rate of r / 2**16 once for the word, the top five bits as planes of 32
ticks.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.trains import thresholds
from ssnn_jax.trains.thresholds import NUM_BITS
from ssnn_jax.trains.thresholds import Role

_TICK_BITS = 5  # bits of the index of a tick within its word
_LOW_BITS = NUM_BITS - _TICK_BITS
_LOW = (1 << _LOW_BITS) - 1
_TICKS = 1 << _TICK_BITS
# Inner coefficients of the primitive polynomial over GF(2) of each dimension,
# and its first direction numbers, from which a recurrence by the polynomial
# gives the others. Source: S. Joe and F. Y. Kuo, "Constructing Sobol sequences
# with better two-dimensional projections" (2008), whose numbers SciPy has, too.
_DIRECTIONS = (
  ((), (1,) * NUM_BITS),  # no polynomial
  ((), (1,)),
  ((1,), (1, 3)),
  ((0, 1), (1, 3, 1)),
  ((1, 0), (1, 1, 1)),
)


def dimension(role: Role, layer: int) -> int:
  """Returns the Sobol dimension of a train, whatever the depth.

  The variance of coincidences depends on the pair of dimensions at the two ends
  of a synapse. The pairs (0, 1) and (3, 4), and (0, 2) and (3, 2) with the
  winners, reduce it at all lengths; others double it. The shifts are
  independent, so that layers may share a pair.
  """
  if role == Role.ERROR:
    return 4 if layer == 1 else 1
  if role == Role.FORWARD:
    return 3 if layer == 1 else 0
  return {Role.INPUT: 0, Role.WINNER: 2}[role]


def _thresholds(source, word):
  own = dimension(source.role, source.layer)
  points = _first_point(own, word) ^ _shifts(source)
  top = jnp.asarray(_top_bits(own) << _LOW_BITS, jnp.uint32)
  return (top[:, None] ^ points[None]).astype(jnp.uint16)


def _sample(source, word, rates):
  own = dimension(source.role, source.layer)
  planes = jnp.asarray(_top_planes(own))
  return _draw(planes, _first_point(own, word) ^ _shifts(source), rates)


# Jitted so that it is traced once.
@jax.jit
def _draw(planes, points, rates):
  rounded = thresholds.round_rates(rates)
  is_below = (points & _LOW) < (rounded & _LOW)
  below = thresholds.fill(is_below.astype(jnp.uint32))
  for plane in range(_TICK_BITS):
    index = _LOW_BITS + plane
    bits = planes[plane] ^ thresholds.fill((points >> index) & 1)
    below = thresholds.compare_bit(bits, rounded, index, below)
  return below | thresholds.is_certain(rounded)


def _shifts(source):
  """Returns the `[N]` uint32 shifts of the neurons, of 16 bits."""
  return source.random_bits() & ((1 << NUM_BITS) - 1)


SAMPLER = thresholds.Sampler(_thresholds, _sample)


def _first_point(dimension, word):
  """Returns the point at the first tick of a word, without shift."""
  rows = jnp.asarray(generator_matrix(dimension) >> _TICK_BITS, jnp.uint32)
  places = jnp.arange(NUM_BITS, dtype=jnp.uint32)
  bits = jax.lax.population_count(rows & word.astype(jnp.uint32)) & 1
  return jnp.sum(bits << places, dtype=jnp.uint32)


@functools.cache
def _top_planes(dimension):
  """Returns the planes of the top five bits of the first word, `[5]` uint32."""
  bits = np.arange(_TICK_BITS)[:, None]
  planes = (_top_bits(dimension)[None] >> bits) & 1
  return np.sum(planes << np.arange(_TICKS), axis=1).astype(np.uint32)


def _top_bits(dimension):
  """Returns the top five bits of the points of the first word, `[32]` int64."""
  rows = generator_matrix(dimension)[_LOW_BITS:]
  bits = np.bitwise_count(rows[:, None] & np.arange(_TICKS)) & 1
  return np.sum(bits.astype(np.int64) << np.arange(_TICK_BITS)[:, None], axis=0)


@functools.cache
def generator_matrix(dimension: int) -> np.ndarray:
  """Returns the generator matrix of a dimension, `[16]` int64.

  Row q is the mask of the bits of the tick whose parity is bit q of the point.
  """
  coefficients, numbers = _DIRECTIONS[dimension]
  numbers, degree = list(numbers), len(numbers)
  for _ in range(NUM_BITS - degree):
    number = numbers[-degree] ^ numbers[-degree] << degree
    for power, coefficient in enumerate(coefficients, 1):
      number ^= coefficient * numbers[-power] << power
    numbers.append(number)
  bits = np.arange(NUM_BITS)
  directions = np.array(numbers) << bits[::-1]  # the step to point 2**k
  columns = (directions[None, :] >> bits[:, None]) & 1
  return np.sum(columns << bits, axis=1)
