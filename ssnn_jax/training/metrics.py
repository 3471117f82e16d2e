"""Metrics: predicted class, accuracy, loss and relative error of the update."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import types
from ssnn_jax.neuron import coincidence


class Accuracy(NamedTuple):
  """Fractions of samples classified correctly, with three readouts."""

  winner: jax.Array  # class with most winning ticks, ties broken by potential
  potential: jax.Array  # class with the highest final potential
  rate: jax.Array | None  # class predicted by the ANN with the same weights


def predict(inference: types.Inference) -> jax.Array:
  """Returns the classes with most winning ticks; the potential breaks ties.

  Example:
    >>> inference = ssnn_jax.Inference(
    ...   winner_counts=jnp.array([[3, 5], [4, 4]]),
    ...   potential=jnp.array([[0.9, 0.8], [0.7, 0.6]]))
    >>> ssnn_jax.training.metrics.predict(inference)
    Array([1, 0], dtype=int32)
  """
  counts, potential = inference
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

  It is sqrt(mean_draws |update - gradient|^2) / |gradient| over all weights,
  for independent draws of the spikes.

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


def _weight_gradient(network, params, key, inputs, labels):
  """Returns the gradient that a network estimates, without biases."""
  update, _ = network.learn(params, key, inputs, labels)
  return [layer.weights for layer in coincidence.as_gradient(update)]


def _squared_norm(arrays):
  return sum(jnp.sum(array**2) for array in arrays)
