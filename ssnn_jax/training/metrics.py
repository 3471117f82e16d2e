"""What a network gets right, and how far its update is from the gradient."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import types
from ssnn_jax.neuron import coincidence


class Accuracy(NamedTuple):
  """The fraction of samples classified correctly, read in three ways."""

  winner: jax.Array  # most ticks won, ties by potential
  potential: jax.Array  # highest potential at the end
  rate: jax.Array  # the weights read as an ANN


def predict(inference: types.Inference) -> jax.Array:
  """Takes the class that won most ticks; the potential breaks ties.

  Args:
    inference: `[B, C]` winner counts and potentials.

  Returns:
    `[B]` int32 classes.

  Example:
    >>> said = ssnn_jax.Inference(
    ...   winner_counts=jnp.array([[3, 5], [4, 4]]),
    ...   potential=jnp.array([[0.9, 0.8], [0.7, 0.6]]))
    >>> ssnn_jax.training.metrics.predict(said)
    Array([1, 0], dtype=int32)
  """
  counts, potential = inference
  most = jnp.max(counts, axis=-1, keepdims=True)
  return jnp.argmax(jnp.where(counts == most, potential, -jnp.inf), axis=-1)


def cross_entropy(inference: types.Inference, labels: jax.Array) -> jax.Array:
  """Takes the cross-entropy of the final potential of each sample, in nats.

  Args:
    inference: `[B, C]` winner counts and potentials.
    labels: `[B]` classes.

  Returns:
    `[B]` losses.
  """
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
  """Measures how far a network's update is from a reference's gradient.

  The distance is the root mean square over all weights and over draws of the
  spikes, relative to that of the gradient:

    sqrt(mean_draws |update - gradient|^2) / |gradient|.

  Args:
    network: the network whose update is measured.
    reference: the network whose update is the gradient; it draws nothing.
    params: the parameters at which both are taken.
    key: PRNG key; consumed.
    inputs: `[B, ...]` the probe batch, as `Network.learn` takes it.
    labels: `[B]` its classes.
    num_draws: independent draws of the spikes.

  Returns:
    The relative error; 0 is backpropagation itself.
  """

  def weights(network, key):
    update, _ = network.learn(params, key, inputs, labels)
    return [layer.weights for layer in coincidence.as_gradient(update)]

  gradient = weights(reference, key)

  def squared_distance(draw):
    update = weights(network, jax.random.fold_in(key, draw))
    return sum(
      jnp.sum((ours - exact) ** 2) for ours, exact in zip(update, gradient)
    )

  distances = jax.lax.map(squared_distance, jnp.arange(num_draws))
  norm = sum(jnp.sum(exact**2) for exact in gradient)
  return jnp.sqrt(jnp.mean(distances) / norm)
