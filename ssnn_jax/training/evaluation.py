"""Evaluation of the accuracy on a dataset."""

from collections.abc import Callable
import functools

import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding


def make_evaluate(
  network: types.Network,
  ann: types.Network | None,
  batch_size: int,
  axis_name: str | None = None,
) -> Callable[..., metrics.Accuracy]:
  """Builds the function that evaluates parameters on a dataset.

  Args:
    network: the network to evaluate.
    ann: the ANN with the same parameters, for `Accuracy.rate`; or None.
    batch_size: number of samples in a batch; the last batch is padded.
    axis_name: mesh axis of the devices that share each batch; both networks
      must be built with the same axis. Every device receives the full dataset.

  Returns:
    The pure function `(params, key, inputs, labels) -> Accuracy` for one seed.
  """
  checks.check_network(network)
  batch_size = checks.check_count('batch_size', batch_size)
  predict = functools.partial(_predict, network, ann)
  return functools.partial(_evaluate, predict, batch_size, axis_name)


def _evaluate(predict, batch_size, axis_name, params, key, inputs, labels):
  """Evaluates parameters; implements `make_evaluate`."""
  checks.check_array('inputs', inputs)
  inputs, labels = map(jnp.asarray, (inputs, labels))
  size = inputs.shape[0]
  num_batches = -(-size // batch_size)
  batches = jnp.arange(num_batches * batch_size)
  batches = batches.reshape(num_batches, batch_size)
  shards = sharding.local_shard(batches, axis_name, padding=size)
  counts = jax.lax.map(
    functools.partial(_count_correct, predict, params, key, inputs, labels),
    (jnp.arange(num_batches), shards),
  )
  correct = jax.tree.map(jnp.sum, counts)
  if axis_name:
    correct = jax.lax.psum(correct, axis_name)
  return jax.tree.map(lambda count: count / size, correct)


def _count_correct(predict, params, key, inputs, labels, index_and_batch):
  """Counts the correct predictions in one batch, without its padding."""
  index, batch = index_and_batch
  size = inputs.shape[0]
  samples = jnp.minimum(batch, size - 1)
  predictions = predict(params, jax.random.fold_in(key, index), inputs[samples])
  return jax.tree.map(
    lambda classes: jnp.sum((classes == labels[samples]) & (batch < size)),
    predictions,
  )


def _predict(network, ann, params, key, inputs):
  """Predicts the classes of one batch, `[B]` in each field of `Accuracy`."""
  inference = network.infer(params, key, inputs)
  rate = None
  if ann is not None:
    rate = jnp.argmax(ann.infer(params, key, inputs).potential, axis=-1)
  return metrics.Accuracy(
    winner=metrics.predict(inference),
    potential=jnp.argmax(inference.potential, axis=-1),
    rate=rate,
  )
