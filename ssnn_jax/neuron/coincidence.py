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
from ssnn_jax.spikes import kernels


def _count_dense(counts, presynaptic, errors):
  """Counts by a matrix product over ticks and batch, a word at a time."""

  def step(counts, word):
    pre, positive, negative = map(_unpack, word)
    # int8 spikes, with ticks along rows: what matrix units ask for.
    product = jax.lax.dot_general(
      pre,
      positive - negative,
      (((1,), (1,)), ((), ())),
      preferred_element_type=jnp.int32,
    )
    return counts + product, None

  words = [jnp.moveaxis(x, 1, 0) for x in (presynaptic, *errors)]
  return jax.lax.scan(step, counts, words)[0]


def _unpack(words):
  """Unpacks a word of each sample, `[B, N]`, to int8 spikes `[N, 32 B]`."""
  trains = jax.vmap(spikes.unpack, in_axes=1)(words[:, :, None])
  return trains.reshape(words.shape[1], -1)


def _count_packed(counts, presynaptic, errors):
  """Counts the common bits of words, one sample and word after another."""
  words = _rows(presynaptic, errors)
  largest = spikes.TICKS_PER_WORD * len(words[0])
  # The traffic of the accumulator is what this takes its time for.
  dtype = jnp.int16 if largest <= jnp.iinfo(jnp.int16).max else jnp.int32

  def step(more, words):
    pre, positive, negative = words
    pre = pre[:, None]
    agree = jax.lax.population_count(pre & positive[None, :])
    differ = jax.lax.population_count(pre & negative[None, :])
    return more + (agree - differ).astype(dtype), None

  more, _ = jax.lax.scan(step, jnp.zeros(counts.shape, dtype), words)
  return counts + more.astype(jnp.int32)


def _count_kernel(counts, presynaptic, errors):
  """Counts packed words by a compiled kernel."""
  return kernels.count(counts, *_rows(presynaptic, errors))


def _rows(presynaptic, errors):
  """Lays words of all samples in one column: `[R, N]` each."""
  return [x.reshape(-1, x.shape[-1]) for x in (presynaptic, *errors)]


def count_coincidences(
  counts: types.LayerParams,
  presynaptic: jax.Array,
  errors: types.ErrorStreams,
  representation: str = 'auto',
  use_kernels: bool = True,
) -> types.LayerParams:
  """Adds the signed coincidences of a batch, positive minus negative.

  Args:
    counts: int32 counts so far, with the structure of the layer's parameters.
    presynaptic: `[B, K, I]` uint32 spikes entering the layer.
    errors: `[B, K, J]` uint32 error streams of the layer's neurons.
    representation: 'dense', 'packed' or 'auto', which is packed on CPU and
      dense elsewhere; the counts are the same.
    use_kernels: whether a compiled kernel may count packed words, on CPU.

  Returns:
    int32 counts with the structure of the layer's parameters; a bias is an
    always-on input.

  Example:
    >>> presynaptic = jnp.array([[[0b011, 0b110]]], jnp.uint32)
    >>> errors = ssnn_jax.ErrorStreams(
    ...   positive=jnp.array([[[0b011]]], jnp.uint32),
    ...   negative=jnp.array([[[0b100]]], jnp.uint32))
    >>> zeros = jnp.zeros((2, 1), jnp.int32), jnp.zeros(1, jnp.int32)
    >>> none = ssnn_jax.LayerParams(*zeros)
    >>> ssnn_jax.neuron.count_coincidences(none, presynaptic, errors)
    LayerParams(weights=Array([[2],
           [0]], dtype=int32), biases=Array([1], dtype=int32))
  """
  signed = spikes.count(errors.positive) - spikes.count(errors.negative)
  use_kernels = use_kernels and kernels.is_available('ssnn_count')
  on_cpu = _count_kernel if use_kernels else _count_packed
  elsewhere = _count_packed if representation == 'packed' else _count_dense
  if representation == 'dense':
    on_cpu = _count_dense
  return types.LayerParams(
    weights=jax.lax.platform_dependent(
      *(counts.weights, presynaptic, errors), cpu=on_cpu, default=elsewhere
    ),
    biases=counts.biases + jnp.sum(signed, axis=0),
  )


def multiply_rates(
  counts: types.LayerParams, presynaptic: jax.Array, errors: types.ErrorStreams
) -> types.LayerParams:
  """Adds the signed coincidences that a batch is expected to have.

  Args:
    counts: float32 counts so far, with the structure of the layer's parameters.
    presynaptic: `[B, W, I]` spikes per tick entering the layer.
    errors: `[B, W, J]` error spikes expected in each window.

  Returns:
    float32 counts with the structure of the layer's parameters.
  """
  signed = errors.positive - errors.negative
  return types.LayerParams(
    weights=counts.weights + jnp.einsum('bwi,bwj->ij', presynaptic, signed),
    biases=counts.biases + jnp.sum(signed, axis=(0, 1)),
  )


def as_gradient(update: types.Update) -> types.Params:
  """Merges counts into the gradient that they estimate, for optax.

    dL/dW_l ~ r_l (C+_l - C-_l) / (T B gain_l)

  Args:
    update: the counts of one batch and the gradient of one coincidence.

  Returns:
    float32 gradients with the structure of the parameters.

  Example:
    >>> counts = [ssnn_jax.LayerParams(jnp.array([[n]]), 0) for n in (5, 2)]
    >>> unit = ssnn_jax.LayerParams(0.25, 0.25)
    >>> update = ssnn_jax.Update(*((count,) for count in (*counts, unit)))
    >>> ssnn_jax.as_gradient(update)[0].weights
    Array([[0.75]], dtype=float32)
  """
  counts = update.positive
  if update.negative is not None:
    counts = jax.tree.map(jnp.subtract, counts, update.negative)
  return jax.tree.map(
    lambda count, unit: count.astype(jnp.float32) * unit, counts, update.unit
  )
