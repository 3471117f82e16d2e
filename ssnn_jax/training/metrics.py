"""Metrics: predicted class, probabilities of the classes, and accuracy."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssnn_jax import temporal
from ssnn_jax import types


class Accuracy(NamedTuple):
  """Fractions of samples classified correctly, with each readout, and loss."""

  default: jax.Array  #: of the readout of the network
  #: spike-count readout: class with most winning ticks
  winner: jax.Array
  potential: jax.Array  #: final potential: class with the highest one
  loss: jax.Array  #: mean cross-entropy of the final potential, in nats
  #: ANN readout (exact rates, same weights): class predicted by the ANN
  rate: jax.Array | None = None


@functools.partial(jax.jit, static_argnames='readout')
def predict(inference: types.Inference, readout: str = 'winner') -> jax.Array:
  """Predicts classes `[B]`, or of moments; -1 where potentials are not finite.

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


@functools.partial(jax.jit, static_argnames='readout')
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


def score(
  inference: types.Inference,
  labels: jax.Array,
  answers: str,
  readout: str = 'winner',
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Scores a batch: losses, which samples are right, and which have a label.

  Args:
    inference: the response.
    labels: `[B]` classes, or `[B, L]` of moments, -1 without one.
    answers: as of `Function`: which moments count; with 'each' the fraction
      of moments that are right.
    readout: as of `predict`.

  Returns:
    `[B]` float32 each: cross-entropy of the potential in nats, 0 to 1, and 0 or
    1; 0 of a signal without a label.
  """
  potential, known = inference.potential, jnp.ones(len(labels), jnp.float32)
  if potential.ndim == 3:
    labels = temporal.spread(labels, potential.shape[1])
  losses = optax.softmax_cross_entropy_with_integer_labels(
    potential, jnp.maximum(labels, 0)
  )
  is_right = (predict(inference, readout) == labels).astype(jnp.float32)
  if potential.ndim == 3:
    of_loss, of_answer = temporal.weigh(labels, answers)
    losses = jnp.sum(of_loss * losses, axis=1)
    is_right = jnp.sum(of_answer * is_right, axis=1)
    known = jnp.any(labels >= 0, axis=1).astype(jnp.float32)
  return losses, is_right, known
