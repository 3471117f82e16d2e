"""Evaluation of the accuracy on a dataset."""

from collections.abc import Callable
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import types
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding


class _Setup(NamedTuple):
  """Arguments of `make_evaluate`."""

  network: types.Network
  ann: types.Network | None
  batch_size: int
  axis_name: str | None


def make_evaluate(
  network: types.Network,
  ann: types.Network | None,
  batch_size: int,
  axis_name: str | None = None,
) -> Callable[..., metrics.Accuracy]:
  """Builds the function that evaluates parameters on a dataset.

  Args:
    network: the network to evaluate.
    ann: the ANN that evaluates the same parameters with rates; None leaves
      `Accuracy.rate` None.
    batch_size: number of samples in a batch; the last batch is padded.
    axis_name: mesh axis of the devices that share each batch; both networks
      must be built with the same axis. Every device receives the full dataset.

  Returns:
    The pure function `(params, key, inputs, labels) -> Accuracy` for one seed.
  """
  setup = _Setup(network, ann, batch_size, axis_name)
  return functools.partial(_evaluate, setup)


def _evaluate(setup, params, key, inputs, labels):
  """Evaluates parameters; implements `make_evaluate`."""
  size = inputs.shape[0]
  num_batches = -(-size // setup.batch_size)
  batches = jnp.arange(num_batches * setup.batch_size)
  batches = sharding.local_shard(
    batches.reshape(num_batches, setup.batch_size),
    setup.axis_name,
    padding=size,
  )
  counts = jax.lax.map(
    functools.partial(_count_correct, setup, params, key, inputs, labels),
    (jnp.arange(num_batches), batches),
  )
  correct = jax.tree.map(jnp.sum, counts)
  if setup.axis_name:
    correct = jax.lax.psum(correct, setup.axis_name)
  return jax.tree.map(lambda count: count / size, correct)


def _count_correct(setup, params, key, inputs, labels, index_and_batch):
  """Counts the correct predictions in one batch, without its padding."""
  index, batch = index_and_batch
  size = inputs.shape[0]
  samples = jnp.minimum(batch, size - 1)
  key = jax.random.fold_in(key, index)
  predictions = _predict(setup, params, key, inputs[samples])
  return jax.tree.map(
    lambda classes: jnp.sum((classes == labels[samples]) & (batch < size)),
    predictions,
  )


def _predict(setup, params, key, inputs):
  """Predicts the classes of one batch, `[B]` in each field of `Accuracy`."""
  inference = setup.network.infer(params, key, inputs)
  rate = None
  if setup.ann is not None:
    potential = setup.ann.infer(params, key, inputs).potential
    rate = jnp.argmax(potential, axis=-1)
  return metrics.Accuracy(
    winner=metrics.predict(inference),
    potential=jnp.argmax(inference.potential, axis=-1),
    rate=rate,
  )
