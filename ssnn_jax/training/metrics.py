"""Metrics: predicted class, accuracy, loss and errors of the update."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import types
from ssnn_jax.neuron import coincidence


class Accuracy(NamedTuple):
  """Fractions of samples classified correctly, with four readouts."""

  #: spike-count readout: class with most winning ticks
  winner: jax.Array
  #: counts of the largest potential: class with most ticks of the largest one
  largest: jax.Array
  potential: jax.Array  #: final potential: class with the highest one
  #: ANN readout (exact rates, same weights): class predicted by the ANN
  rate: jax.Array | None


class UpdateStatistics(NamedTuple):
  """Errors of a network's update as an estimate of the gradient.

  Tuples have one number for each layer of weights.
  """

  #: norm(E[update] - gradient) / norm(gradient)
  bias: tuple[jax.Array, ...]
  #: sqrt(E[norm(update - E[update])^2]) / norm(gradient)
  deviation: tuple[jax.Array, ...]
  cosine: tuple[jax.Array, ...]  #: mean cosine of update and gradient
  #: E[norm(update - gradient)^2] over the variance of the gradient of a
  #: minibatch of this size, over all weights
  noise_ratio: jax.Array


def predict(inference: types.Inference, readout: str = 'winner') -> jax.Array:
  """Predicts the classes `[B]`; the final potential breaks ties of counts.

  Args:
    inference: the response to a batch.
    readout: `winner`, `largest` or `potential`, as in `Accuracy`.

  Returns:
    The classes.

  Example:
    >>> inference = ssnn_jax.Inference(
    ...   winner_counts=jnp.array([[3, 5], [4, 4]]),
    ...   potential=jnp.array([[0.9, 0.8], [0.7, 0.6]]),
    ...   largest_counts=jnp.array([[5, 3], [0, 8]]))
    >>> ssnn_jax.training.metrics.predict(inference)
    Array([1, 0], dtype=int32)
    >>> ssnn_jax.training.metrics.predict(inference, 'largest')
    Array([0, 1], dtype=int32)
  """
  potential = inference.potential
  counts = {
    'winner': inference.winner_counts,
    'largest': inference.largest_counts,
    'potential': potential,
  }[readout]
  most = jnp.max(counts, axis=-1, keepdims=True)
  return jnp.argmax(jnp.where(counts == most, potential, -jnp.inf), axis=-1)


def cross_entropy(inference: types.Inference, labels: jax.Array) -> jax.Array:
  """Computes the `[B]` softmax cross-entropies of potentials, in nats."""
  return optax.softmax_cross_entropy_with_integer_labels(
    inference.potential, labels
  )


def update_error(
  network: types.Network,
  reference: types.Network,
  params: types.Params,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array,
  num_draws: int,
) -> jax.Array:
  """Computes the relative error of a network's update of the weights.

  It is sqrt(mean_draws norm(update - gradient)^2) / norm(gradient) over all
  weights, for independent draws of the spikes.

  Args:
    network: the network whose update is measured.
    reference: the network whose update is the gradient, without randomness.
    params: the parameters of both networks.
    key: PRNG key; consumed.
    inputs: inputs of a batch, as for `Network.learn`.
    labels: `[B]` integer classes.
    num_draws: number of independent draws of the spikes.

  Returns:
    The relative error, 0 for backpropagation.
  """
  gradient = _weight_gradient(reference, params, key, inputs, labels)

  def squared_distance(draw):
    draw_key = jax.random.fold_in(key, draw)
    update = _weight_gradient(network, params, draw_key, inputs, labels)
    return _squared_norm(jax.tree.map(jnp.subtract, update, gradient))

  distances = jax.lax.map(squared_distance, jnp.arange(num_draws))
  return jnp.sqrt(jnp.mean(distances) / _squared_norm(gradient))


def update_statistics(
  network: types.Network,
  reference: types.Network,
  params: types.Params,
  key: jax.Array,
  inputs: jax.Array,
  labels: jax.Array,
  num_draws: int,
) -> UpdateStatistics:
  """Estimates bias and variance of a network's update of the weights.

  The estimate of the squared bias is unbiased: the variance of the mean over
  draws is subtracted (and a negative result is reported as 0).

  Args:
    network: as for `update_error`.
    reference: as for `update_error`.
    params: as for `update_error`.
    key: PRNG key; consumed.
    inputs: inputs of a batch of at least 2 samples, as for `Network.learn`.
    labels: `[B]` integer classes.
    num_draws: number of independent draws of the spikes, at least 2.

  Returns:
    The statistics. A layer whose gradient is 0 has NaN.
  """
  gradient = _weight_gradient(reference, params, key, inputs, labels)
  norms = _squared_norms(gradient)

  def add_draw(total, draw):
    draw_key = jax.random.fold_in(key, draw)
    update = _weight_gradient(network, params, draw_key, inputs, labels)
    difference = jax.tree.map(jnp.subtract, update, gradient)
    products = jnp.stack([jnp.vdot(*pair) for pair in zip(update, gradient)])
    cosine = products / jnp.sqrt(norms * _squared_norms(update))
    total = jax.tree.map(jnp.add, total, difference)
    return total, (_squared_norms(difference), cosine)

  total, (distances, cosines) = jax.lax.scan(
    add_draw, jax.tree.map(jnp.zeros_like, gradient), jnp.arange(num_draws)
  )
  of_mean = _squared_norms(total) / num_draws**2
  spread = jnp.maximum(jnp.mean(distances, 0) - of_mean, 0.0)
  variance = spread * num_draws / (num_draws - 1)
  squared_bias = jnp.maximum(of_mean - variance / num_draws, 0.0)

  def sample_distance(sample):
    """Distance of the gradient of one sample from that of the batch."""
    batch = jax.tree.map(lambda leaf: leaf[None], sample)
    of_sample = _weight_gradient(reference, params, key, *batch)
    return _squared_norm(jax.tree.map(jnp.subtract, of_sample, gradient))

  sample_distances = jax.lax.map(sample_distance, (inputs, labels))
  minibatch_variance = jnp.mean(sample_distances) / (len(labels) - 1)
  return UpdateStatistics(
    bias=tuple(jnp.sqrt(squared_bias / norms)),
    deviation=tuple(jnp.sqrt(variance / norms)),
    cosine=tuple(jnp.mean(cosines, 0)),
    noise_ratio=jnp.mean(jnp.sum(distances, 1)) / minibatch_variance,
  )


def _weight_gradient(network, params, key, inputs, labels):
  """Returns the gradient that a network estimates, without biases."""
  update, _ = network.learn(params, key, inputs, labels)
  return [layer.weights for layer in coincidence.as_gradient(update)]


def _squared_norm(layers):
  return sum(jnp.sum(layer**2) for layer in layers)


def _squared_norms(layers):
  return jnp.stack([jnp.sum(layer**2) for layer in layers])
