"""Reads of a crossbar: by spikes, and with noise.

A spike adds the weights of its row to the currents of the columns. The weights
are rounded to multiples of a unit in which every sum of a column has at most 24
bits, so that float32 holds it: it is exact, in any order. The currents of a
tick are therefore equal bit for bit with and without the compiled kernel, on
every platform and for every batch size. The unit is at most 2**-22 of the
largest current that spikes can cause: with a thousand inputs, and currents up
to 16, potentials are rounded to about the resolution of thresholds, 2**-16.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax.neuron import composite
from ssnn_jax.spikes import bernoulli
from ssnn_jax.spikes import kernels
from ssnn_jax.spikes.thresholds import NUM_BITS

_SUM_BITS = 23  # of the largest sum, in units; one bit is left for rounding


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
    ticks: `[W]` uint32, at most 32; each has the bit of one tick, or of none.
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
  rounded = round_rows(weights)

  def add(words, ticks):
    kernel = kernels.find(
      'ssnn_sum_rows',
      jax.ShapeDtypeStruct((len(ticks), rounded.shape[1]), jnp.float32),
      _sum_rows,
      use_kernel=use_kernels,
    )
    return kernel(rounded, words, ticks)

  for _ in words.shape[:-1]:
    add = jax.vmap(add, in_axes=(0, None))
  return add(words, ticks)


def round_rows(weights: jax.Array) -> jax.Array:
  """Rounds weights `[I, J]` so that sums of rows are exact."""
  # A sum of some rows lies between those of all negative and positive weights.
  signs = jnp.stack([weights, -weights])
  return _round(weights, jnp.sum(jnp.maximum(signs, 0.0), axis=1))


def sum_columns(
  wiring: Any,
  weights: jax.Array,
  errors: jax.Array,
  most: int,
  use_kernels: bool = True,
) -> jax.Array:
  """Sums the weights of the columns that spike: a transposed read.

  Args:
    wiring: connections of the layer, a `layers.Wiring`.
    weights: `[M, F]` float32.
    errors: `[W, J]` float32 numbers of error spikes in each tick, with their
      signs.
    most: the largest number of spikes.
    use_kernels: whether the compiled kernel may sum, on CPU.

  Returns:
    `[W, I]` float32 errors of the inputs.
  """
  largest = most * wiring.num_reads * jnp.sum(jnp.abs(weights), axis=1)
  rounded = _round(weights, largest)
  inputs = wiring.inputs
  if inputs is None:
    inputs = np.arange(wiring.num_inputs)[None]

  def multiply(columns, inputs, errors):
    del inputs
    errors = wiring.split(errors)
    rows = jnp.matmul(errors, columns, precision=composite.PRECISION)
    return wiring.scatter(rows)

  shape = len(errors), wiring.num_inputs
  result = jax.ShapeDtypeStruct(shape, jnp.float32)
  add = kernels.find(
    'ssnn_sum_columns', result, multiply, use_kernel=use_kernels
  )
  return add(rounded.T, jnp.asarray(inputs, jnp.int32), errors)


def _round(weights, sums):
  """Rounds weights so that all sums up to these ones are exact."""
  largest = jnp.max(sums)
  # If a weight is not finite, the unit and all rounded weights are not.
  largest = jnp.where(largest == 0.0, 1.0, largest)
  unit = jnp.ldexp(largest / jnp.frexp(largest)[0], -_SUM_BITS)
  return jnp.round(weights / unit) * unit


def _sum_rows(weights, words, ticks):
  """Sums as the compiled kernel does."""
  is_spike = (words[None] & ticks[:, None]) != 0
  return jnp.matmul(
    is_spike.astype(jnp.float32), weights, precision=composite.PRECISION
  )


def mean_noise(source: spikes.Source, window: spikes.Window) -> jax.Array:
  """Returns read noise averaged over the ticks of a window.

  The noise of one tick is a sum of 16 fair bits, scaled to mean 0 and variance
  1: it has 17 levels, and its mean over several ticks is nearly normal. As for
  thresholds, the noise of a tick does not depend on T or the window.

  Args:
    source: random bits of the N neurons of one sample that are read.
    window: the window.

  Returns:
    `[N]` means; 0 in a window without ticks.
  """

  def count(word, mask):
    ones = jax.lax.population_count(bernoulli.planes(source, word) & mask)
    return jnp.sum(ones, axis=0).astype(jnp.int32)

  ones = jnp.sum(jax.vmap(count)(source.words, window.mask), axis=0)
  excess = ones - NUM_BITS // 2 * window.length
  deviation = math.sqrt(NUM_BITS) / 2  # of the ones in one tick
  ticks = spikes.num_valid_ticks(window)
  return excess.astype(jnp.float32) / (deviation * ticks)
