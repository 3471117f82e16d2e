"""Coincidences: the only signal that changes a weight.

Synapse (i, j) counts the ticks at which a forward spike of presynaptic neuron i
coincides with an error spike of postsynaptic neuron j, for each error stream:

  C+[i, j] = #(s_i and e+_j),   C-[i, j] = #(s_i and e-_j).

The count of a batch is the sum of the counts of its samples, and the count of a
weight that several positions share (`layers`) the sum over the positions.
"""

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.neuron import composite

_ROWS_AT_ONCE = 16


def count_coincidences(
  counts: types.LayerParams,
  presynaptic: jax.Array,
  errors: types.ErrorStreams,
) -> types.LayerParams:
  """Adds the signed coincidences of a batch, positive minus negative.

  Args:
    counts: int32 counts so far, with the structure of the layer's parameters.
    presynaptic: `[..., I]` uint32 spikes of the presynaptic neurons, in words
      of all samples, times and positions.
    errors: `[..., J]` uint32 error streams of the layer's neurons; a neuron
      spikes in at most one of them at a tick.

  Returns:
    int32 counts with the structure of the layer's parameters; a bias is an
    always-on input.

  Example:
    >>> presynaptic = jnp.array([[0b011, 0b110]], jnp.uint32)
    >>> errors = ssnn_jax.ErrorStreams(
    ...   positive=jnp.array([[0b011]], jnp.uint32),
    ...   negative=jnp.array([[0b100]], jnp.uint32))
    >>> zeros = ssnn_jax.LayerParams(
    ...   weights=jnp.zeros((2, 1), jnp.int32), biases=jnp.zeros(1, jnp.int32))
    >>> counts = ssnn_jax.neuron.count_coincidences(zeros, presynaptic, errors)
    >>> counts.weights.tolist(), counts.biases.tolist()
    ([[2], [0]], [1])
  """
  count = count_packed if jax.default_backend() == 'cpu' else count_dense
  rows = [x.reshape(-1, x.shape[-1]) for x in (presynaptic, *errors)]
  weights, error_spikes = count(counts.weights, *rows)
  return types.LayerParams(weights, counts.biases + error_spikes)


def count_packed(
  counts: jax.Array,
  presynaptic: jax.Array,
  positive: jax.Array,
  negative: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Adds the common bits of words `[R, N]` to counts; and the error spikes."""
  # The run time is the memory traffic of the counts.
  at_once = min(max(1, len(presynaptic)), _ROWS_AT_ONCE)

  def step(counts, rows):
    presynaptic, positive, negative = rows
    presynaptic = presynaptic[:, :, None]
    rises = jax.lax.population_count(presynaptic & positive[:, None])
    falls = jax.lax.population_count(presynaptic & negative[:, None])
    return counts + jnp.sum((rises - falls).astype(jnp.int32), axis=0), None

  def group(words):
    padding = -len(words) % at_once
    words = jnp.pad(words, ((0, padding), (0, 0)))
    return words.reshape(-1, at_once, words.shape[1])

  rows = group(presynaptic), group(positive), group(negative)
  counts, _ = jax.lax.scan(step, counts, rows)
  return counts, spikes.count(positive) - spikes.count(negative)


def count_dense(
  counts: jax.Array,
  presynaptic: jax.Array,
  positive: jax.Array,
  negative: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Counts as `count_packed`, by a matrix product over ticks."""
  # int8 spikes with ticks along the rows, the layout of matrix units.
  product = jax.lax.dot_general(
    _unpack(presynaptic),
    _unpack(positive) - _unpack(negative),
    (((1,), (1,)), ((), ())),
    preferred_element_type=jnp.int32,
  )
  return counts + product, spikes.count(positive) - spikes.count(negative)


def _unpack(words):
  """Unpacks words `[R, N]` to `[N, 32 R]` int8 spikes."""
  trains = jax.vmap(spikes.unpack, in_axes=1)(words[:, :, None])
  return trains.reshape(words.shape[1], -1)


def multiply_rates(
  counts: types.LayerParams, presynaptic: jax.Array, errors: jax.Array
) -> types.LayerParams:
  """Adds the expected signed coincidences of a batch.

  Args:
    counts: float32 counts so far, with the structure of the layer's parameters.
    presynaptic: `[..., I]` spikes per tick of the presynaptic neurons, of all
      samples, windows and positions.
    errors: `[..., J]` expected error spikes in each window, positive minus
      negative.

  Returns:
    float32 counts with the structure of the layer's parameters.
  """
  products = jnp.einsum(
    '...i,...j->ij', presynaptic, errors, precision=composite.PRECISION
  )
  return types.LayerParams(
    weights=counts.weights + products,
    biases=counts.biases + jnp.sum(errors, axis=tuple(range(errors.ndim - 1))),
  )


def as_gradient(update: types.Update) -> types.Params:
  """Computes the gradient that the counts estimate, for optax.

    dL/dW_l ~ r_l (C+_l - C-_l) / (T B gain_l).

  Args:
    update: counts of one batch and the gradient of one coincidence.

  Returns:
    float32 gradients with the structure of the parameters.

  Example:
    >>> layer = ssnn_jax.LayerParams
    >>> update = ssnn_jax.Update(
    ...   positive=(layer(jnp.array([[5]]), jnp.array([5])),),
    ...   negative=(layer(jnp.array([[2]]), jnp.array([2])),),
    ...   unit=(layer(0.25, 0.25),))
    >>> ssnn_jax.as_gradient(update)[0].weights
    Array([[0.75]], dtype=float32)
  """
  counts = update.positive
  if update.negative is not None:
    counts = jax.tree.map(jnp.subtract, counts, update.negative)
  return jax.tree.map(
    lambda count, unit: count.astype(jnp.float32) * unit, counts, update.unit
  )
