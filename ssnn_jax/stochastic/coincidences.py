"""Coincidences: the only signal that changes a weight.

Synapse (i, j) counts the ticks at which a forward spike of presynaptic neuron i
coincides with an error spike of postsynaptic neuron j. The count of a batch is
the sum over its samples, and that of a weight which several positions share
(`layers`) the sum over the positions.
"""

import jax
import jax.numpy as jnp

from ssnn_jax import types
from ssnn_jax.stochastic import layers
from ssnn_jax.trains import words as words_lib


def count_coincidences(
  wiring: layers.Wiring,
  presynaptic: jax.Array,
  errors: jax.Array,
  is_negative: jax.Array,
) -> types.LayerParams:
  """Counts the signed coincidences of a batch, positive minus negative.

  Args:
    wiring: connections of the layer.
    presynaptic: `[B, K, I]` uint32 words of the presynaptic spikes.
    errors: `[B, S, K, J]` uint32 words of the error spikes, in S streams.
    is_negative: `[B, S, J]` whether a stream is negative, or broadcast to it.

  Returns:
    int32 counts in the structure of the layer's parameters; a bias is an input
    that spikes in every tick.
  """
  # Words of a position that are counted at once: on CPU the run time is the
  # memory traffic of the counts, and patches of a convolution take memory.
  most, multiply = 2**14, _multiply_unpacked
  if jax.default_backend() == 'cpu':
    most, multiply = 16, _multiply_packed
  num_samples, num_streams, num_words, _ = errors.shape
  signs = jnp.where(is_negative, jnp.int32(-1), jnp.int32(1))
  sent = jnp.sum(signs * words_lib.count(errors), axis=1)
  # A stream is as many more words.
  presynaptic = jnp.tile(presynaptic, (1, num_streams, 1))
  signs = jnp.repeat(signs, num_words, axis=1)
  signs = jnp.broadcast_to(signs, (num_samples, *signs.shape[1:]))
  errors = errors.reshape(num_samples, num_streams * num_words, -1)
  num_words *= num_streams
  rows = num_words * wiring.num_positions  # of a sample
  at_once = min(num_samples, max(1, most // rows))

  def add(counts, samples):
    presynaptic, errors, signs = samples
    gathered = wiring.gather(presynaptic).reshape(-1, wiring.num_rows)
    signs = jnp.broadcast_to(signs, errors.shape)
    ends = (
      wiring.split(x).reshape(-1, wiring.num_columns) for x in (errors, signs)
    )
    return counts + multiply(gathered, *ends), None

  def group(x):
    padding = [(0, -num_samples % at_once)] + [(0, 0)] * (x.ndim - 1)
    return jnp.pad(x, padding).reshape(-1, at_once, *x.shape[1:])

  counts = jnp.zeros(wiring.weights_shape, jnp.int32)
  samples = jax.tree.map(group, (presynaptic, errors, signs))
  counts, _ = jax.lax.scan(add, counts, samples)
  biases = jnp.sum(wiring.split(sent), axis=(0, 1), dtype=jnp.int32)
  return types.LayerParams(counts, biases)


def _multiply_packed(presynaptic, errors, signs):
  """Counts the common bits of words `[R, M]` and `[R, F]`, with signs."""
  common = jax.lax.population_count(presynaptic[:, :, None] & errors[:, None])
  products = signs[:, None] * common.astype(jnp.int32)
  return jnp.sum(products, axis=0, dtype=jnp.int32)


def _multiply_unpacked(presynaptic, errors, signs):
  """Counts by a product of int8 matrices, with ticks along their rows."""

  def unpack(words):  # [R, N] to [32 R, N]
    return words_lib.unpack(words[:, None]).reshape(-1, words.shape[1])

  signs = jnp.repeat(signs.astype(jnp.int8), words_lib.TICKS_PER_WORD, axis=0)
  return jax.lax.dot_general(
    unpack(presynaptic),
    signs * unpack(errors),
    (((0,), (0,)), ((), ())),
    preferred_element_type=jnp.int32,
  )
