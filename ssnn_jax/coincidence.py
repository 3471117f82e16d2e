"""Coincidences: the only way in which a weight learns anything.

Synapse (i, j) sees the spikes of its own two ends, and counts the ticks at
which both were there:

  C+[i, j] = #(s_i and delta+_j),   C-[i, j] = #(s_i and delta-_j).

The count of a batch is the sum of the counts of its samples.
"""

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types


def _count_dense(presynaptic, errors):
  """Counts by a matrix product over ticks and batch, a word at a time."""

  def step(counts, word):
    pre, positive, negative = (
      spikes.unpack(train).astype(jnp.float32) for train in word
    )
    # Float products are exact: sums of 0, 1 and -1 far below 2**24.
    product = pre.T @ (positive - negative)
    return counts + product.astype(jnp.int32), None

  words = [jnp.moveaxis(x, 1, 0) for x in (presynaptic, *errors)]
  shape = (presynaptic.shape[-1], errors.positive.shape[-1])
  return jax.lax.scan(step, jnp.zeros(shape, jnp.int32), words)[0]


def _count_packed(presynaptic, errors):
  """Counts the common bits of words, one sample and word after another."""
  words = [x.reshape(-1, x.shape[-1]) for x in (presynaptic, *errors)]
  largest = spikes.TICKS_PER_WORD * len(words[0])
  # The traffic of the accumulator is what this takes its time for.
  dtype = jnp.int16 if largest <= jnp.iinfo(jnp.int16).max else jnp.int32

  def step(counts, words):
    pre, positive, negative = words
    pre = pre[:, None]
    agree = jax.lax.population_count(pre & positive[None, :])
    differ = jax.lax.population_count(pre & negative[None, :])
    return counts + (agree - differ).astype(dtype), None

  shape = (presynaptic.shape[-1], errors.positive.shape[-1])
  counts, _ = jax.lax.scan(step, jnp.zeros(shape, dtype), words)
  return counts.astype(jnp.int32)


def _count_auto(presynaptic, errors):
  """Counts packed words on CPU and matrix products elsewhere."""
  return jax.lax.platform_dependent(
    presynaptic, errors, cpu=_count_packed, default=_count_dense
  )


_COUNTERS = {
  'auto': _count_auto,
  'dense': _count_dense,
  'packed': _count_packed,
}


def count_coincidences(
  presynaptic: jax.Array,
  errors: types.ErrorStreams,
  representation: str = 'auto',
) -> types.LayerParams:
  """Counts the signed coincidences of a batch, positive minus negative.

  Args:
    presynaptic: `[B, K, I]` uint32 spikes entering the layer.
    errors: `[B, K, J]` uint32 error streams of the layer's neurons.
    representation: 'dense', 'packed' or 'auto'; the counts are the same.

  Returns:
    int32 counts with the structure of the layer's parameters; a bias is an
    always-on input.
  """
  signed = spikes.count(errors.positive) - spikes.count(errors.negative)
  return types.LayerParams(
    weights=_COUNTERS[representation](presynaptic, errors),
    biases=jnp.sum(signed, axis=0),
  )


def multiply_rates(
  presynaptic: jax.Array, errors: jax.Array, lengths: jax.Array
) -> types.LayerParams:
  """Expects the signed coincidences of a batch from the rates at both ends.

  Args:
    presynaptic: `[B, W, I]` spikes per tick entering the layer.
    errors: `[B, W, J]` signed error spikes per tick of the layer's neurons.
    lengths: `[W]` ticks of each window.

  Returns:
    float32 expected counts with the structure of the layer's parameters.
  """
  errors = errors * lengths.astype(errors.dtype)[None, :, None]
  return types.LayerParams(
    weights=jnp.einsum('bwi,bwj->ij', presynaptic, errors),
    biases=jnp.sum(errors, axis=(0, 1)),
  )


def as_gradient(update: types.Update) -> types.Params:
  """Merges counts into the gradient that they estimate, for optax.

    dL/dW_l ~ r_l (C+_l - C-_l) / (T B gain_l)

  Args:
    update: the counts of one batch and the gradient of one coincidence.

  Returns:
    float32 gradients with the structure of the parameters.
  """
  counts = update.positive
  if update.negative is not None:
    counts = jax.tree.map(jnp.subtract, counts, update.negative)
  return jax.tree.map(
    lambda count, unit: count.astype(jnp.float32) * unit, counts, update.unit
  )
