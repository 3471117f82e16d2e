"""Reads of a crossbar by spikes: sums of the weights of the rows that spike.

A spike adds the weights of its row to the currents of the columns. The weights
are rounded to multiples of a unit so small that their sum keeps the precision
of float32, and so large that it fits into 32 bits: the sum of integers is
exact, in any order. The currents of a tick are therefore equal bit for bit with
and without the compiled kernel, on every platform and for every batch size.
"""

import functools

import jax
import jax.numpy as jnp

from ssnn_jax.neuron import composite
from ssnn_jax.spikes import kernels

_SUM_BITS = 30  # of the largest sum, in units; one bit is left for rounding
_LOW_BITS = 8  # of a weight, which the reference sums apart


def sum_rows(
  weights: jax.Array,
  words: jax.Array,
  ticks: jax.Array,
  use_kernels: bool = True,
) -> jax.Array:
  """Sums the weights of the rows that spike, tick by tick.

  Args:
    weights: `[I, J]` float32.
    words: `[..., I]` uint32 spikes of the rows in the 32 ticks of a word.
    ticks: `[W]` uint32; each has the bit of one tick, or of none.
    use_kernels: whether the compiled kernel may sum, on CPU.

  Returns:
    `[..., W, J]` float32 currents; 0 without a tick.

  Example:
    >>> from ssnn_jax.neuron import crossbar
    >>> weights = jnp.array([[1.0, -1.0], [0.5, 2.0]])
    >>> words = jnp.array([0b01, 0b11], jnp.uint32)
    >>> crossbar.sum_rows(weights, words, jnp.array([0b01, 0b10], jnp.uint32))
    Array([[1.5, 1. ],
           [0.5, 2. ]], dtype=float32)
  """
  largest = jnp.max(jnp.sum(jnp.abs(weights), axis=0))
  # Weights that are not finite have a unit, and a sum, that is not.
  unit = jnp.where(largest > 0, largest, 1.0)
  unit = jnp.ldexp(unit / jnp.frexp(unit)[0], -_SUM_BITS)
  integers = jnp.round(weights / unit).astype(jnp.int32)
  add = functools.partial(kernels.sum_rows, _sum_rows, use_kernels, integers)
  for _ in words.shape[:-1]:
    add = jax.vmap(add, in_axes=(0, None))
  return add(words, ticks).astype(jnp.float32) * unit


def _sum_rows(integers, words, ticks):
  """Sums as the compiled kernel does, by a product of exact floats.

  The sums of the high bits, and of the low bits of up to 2**16 rows, are below
  2**24, so that float32 holds them.
  """
  high = integers >> _LOW_BITS
  low = integers - (high << _LOW_BITS)
  parts = jnp.concatenate([high, low], axis=1).astype(jnp.float32)
  is_spike = (words[None] & ticks[:, None]) != 0
  sums = jnp.matmul(
    is_spike.astype(jnp.float32), parts, precision=composite.PRECISION
  )
  high, low = jnp.split(sums.astype(jnp.int32), 2, axis=1)
  return (high << _LOW_BITS) + low
