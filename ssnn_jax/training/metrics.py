"""Metrics: predicted class, probabilities of the classes, and accuracy."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import types


class Accuracy(NamedTuple):
  """Fractions of samples classified correctly, with each readout."""

  default: jax.Array  #: of the readout of the network
  #: spike-count readout: class with most winning ticks
  winner: jax.Array
  potential: jax.Array  #: final potential: class with the highest one
  #: ANN readout (exact rates, same weights): class predicted by the ANN
  rate: jax.Array | None = None


def predict(inference: types.Inference, readout: str = 'winner') -> jax.Array:
  """Predicts the classes `[B]`; -1 where potentials are NaN or infinite.

  The readout is `winner`, where the final potential breaks ties of counts, or
  `potential`; that of a network is `Network.readout`.

  Example:
    >>> inference = ssnn_jax.Inference(
    ...   winner_counts=jnp.array([[3, 5], [4, 4]]),
    ...   potential=jnp.array([[0.9, 0.8], [0.7, 0.6]]))
    >>> ssnn_jax.training.metrics.predict(inference)
    Array([1, 0], dtype=int32)
    >>> ssnn_jax.training.metrics.predict(inference, 'potential')
    Array([0, 0], dtype=int32)
  """
  potential = inference.potential
  counts = inference.winner_counts if readout == 'winner' else potential
  most = jnp.max(counts, axis=-1, keepdims=True)
  best = jnp.argmax(jnp.where(counts == most, potential, -jnp.inf), axis=-1)
  is_finite = jnp.all(jnp.isfinite(potential), axis=-1)
  return jnp.where(is_finite, best, -1)


def probabilities(
  inference: types.Inference, readout: str = 'winner'
) -> jax.Array:
  """Estimates the probabilities of the classes, `[B, C]`.

  They are the softmax of settled potentials, or, with the readout `winner`, the
  share of the ticks that each class has won.
  """
  if readout == 'potential':
    return jax.nn.softmax(inference.potential)
  counts = inference.winner_counts
  return counts / jnp.maximum(jnp.sum(counts, axis=-1, keepdims=True), 1)
