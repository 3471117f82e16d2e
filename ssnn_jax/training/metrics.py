"""Metrics: predicted class, accuracy, loss and error of the update."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import types


class Accuracy(NamedTuple):
  """Fractions of samples classified correctly, with each readout."""

  default: jax.Array  #: of the readout of the network
  #: spike-count readout: class with most winning ticks
  winner: jax.Array
  potential: jax.Array  #: final potential: class with the highest one
  #: counts of the largest potential: class with most ticks of the largest one;
  #: None of neurons that settle
  largest: jax.Array | None = None
  #: ANN readout (exact rates, same weights): class predicted by the ANN
  rate: jax.Array | None = None


def predict(inference: types.Inference, readout: str = 'winner') -> jax.Array:
  """Predicts the classes `[B]`; the final potential breaks ties of counts.

  Args:
    inference: the response to a batch.
    readout: `winner`, `largest` or `potential`, as in `Accuracy`; that of a
      network is `Network.readout`.

  Returns:
    The classes; -1 where potentials are NaN or infinite.

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
  best = jnp.argmax(jnp.where(counts == most, potential, -jnp.inf), axis=-1)
  is_finite = jnp.all(jnp.isfinite(potential), axis=-1)
  return jnp.where(is_finite, best, -1)


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
    inputs: inputs of a batch, as for `Network`.
    labels: `[B]` integer classes.
    num_draws: number of independent draws of the spikes.

  Returns:
    The relative error, 0 for backpropagation.
  """

  def estimate(network, key):
    """Returns the gradient that a network estimates, without biases."""
    gradient, _ = jax.grad(network.loss, has_aux=True)(
      params, key, inputs, labels
    )
    return [layer.weights for layer in gradient]

  def squared_norm(layers):
    return sum(jnp.sum(layer**2) for layer in layers)

  gradient = estimate(reference, key)

  def squared_distance(draw):
    update = estimate(network, jax.random.fold_in(key, draw))
    return squared_norm(jax.tree.map(jnp.subtract, update, gradient))

  distances = jax.lax.map(squared_distance, jnp.arange(num_draws))
  return jnp.sqrt(jnp.mean(distances) / squared_norm(gradient))
