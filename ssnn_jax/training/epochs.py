"""Epochs of training, and evaluations, as pure functions of one seed.

`jax.vmap` lifts them over several seeds.
"""

from collections.abc import Callable

import flax.struct
import jax
import jax.numpy as jnp

from ssnn_jax import types
from ssnn_jax.hardware import devices
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding
from ssnn_jax.training import state as state_lib


@flax.struct.dataclass
class EpochMetrics:
  """Training metrics of one epoch, averaged over its samples."""

  loss: jax.Array  #: cross-entropy of the final potentials, in nats
  accuracy: jax.Array  #: fraction of samples whose winner is the label


def make_train_epoch(
  network: types.Network,
  optimizer: state_lib.Optimizer,
  batch_size: int,
  axis_name: str | None = None,
) -> Callable[..., tuple[state_lib.TrainState, EpochMetrics]]:
  """Builds the function that trains one epoch.

  Each epoch visits the samples in a new random order, and leaves out the
  samples beyond the last full batch.

  Args:
    network: the network to train.
    optimizer: an optax transformation, or a `Device` of resistive synapses.
    batch_size: number of samples in a batch.
    axis_name: mesh axis of the accelerators that share each batch; the network
      must be built with the same axis. Every accelerator receives all data.

  Returns:
    The pure function `(state, inputs, labels) -> (state, EpochMetrics)` for one
    seed. When traced, the function raises `UserError` if a batch is larger than
    the dataset, or if `optimizer` needs separate counts of positive and
    negative errors and the network counts their difference.

  Example:
    >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((2, 2), num_steps=32))
    >>> optimizer = ssnn_jax.training.make_optimizer(1.0)
    >>> train = ssnn_jax.training.make_train_epoch(network, optimizer, 4)
    >>> state = ssnn_jax.training.init_state(network, optimizer, seed=0)
    >>> inputs, labels = jnp.tile(jnp.eye(2), (32, 1)), jnp.arange(64) % 2
    >>> for _ in range(4):
    ...   state, metrics = jax.jit(train)(state, inputs, labels)
    >>> int(state.epoch), float(metrics.accuracy)
    (4, 1.0)
  """
  device = devices.as_device(optimizer)

  def train_epoch(state, inputs, labels):
    inputs, labels = jnp.asarray(inputs), jnp.asarray(labels)
    num_batches = len(inputs) // batch_size
    if not num_batches:
      raise types.UserError(
        f'batch_size={batch_size} is larger than the training data of '
        f'{len(inputs)} samples; use a smaller batch_size.'
      )
    order_key, present_key, pulse_key = (
      jax.random.fold_in(state_lib.stream_key(state.key, stream), state.epoch)
      for stream in (
        state_lib.Stream.ORDER,
        state_lib.Stream.PRESENT,
        state_lib.Stream.PULSE,
      )
    )
    order = jax.random.permutation(order_key, len(inputs))
    batches = order[: num_batches * batch_size].reshape(num_batches, batch_size)
    shards = sharding.local_shard(batches, axis_name)

    def train_batch(carry, index_and_samples):
      index, samples = index_and_samples
      batch = inputs[samples], labels[samples]
      keys = [
        jax.random.fold_in(key, index) for key in (present_key, pulse_key)
      ]
      carry, inference = _train_batch(network, device, keys, carry, *batch)
      correct = metrics.predict(inference) == labels[samples]
      return carry, EpochMetrics(
        loss=metrics.cross_entropy(inference, labels[samples]),
        accuracy=correct.astype(jnp.float32),
      )

    (params, opt_state), samples = jax.lax.scan(
      train_batch,
      (state.params, state.opt_state),
      (jnp.arange(num_batches), shards),
    )
    samples = sharding.gather_shards(samples, axis_name)
    state = state.replace(
      params=params, opt_state=opt_state, epoch=state.epoch + 1
    )
    return state, jax.tree.map(jnp.mean, samples)

  return train_epoch


def _train_batch(network, device, keys, carry, inputs, labels):
  """Presents a batch and updates the parameters and the optimizer state."""
  present_key, pulse_key = keys
  params, opt_state = carry
  if network.learn is None:  # a chip updates its weights during the batch
    return network.learn_online(
      params,
      present_key,
      inputs,
      labels,
      lambda _, *args: device.update(pulse_key, *args),
      opt_state,
    )
  options = {}
  pulse_gradient = device.pulse_gradient(opt_state)
  if pulse_gradient is not None:
    options['pulse_gradient'] = pulse_gradient
  update, inference = network.learn(
    params, present_key, inputs, labels, **options
  )
  if device.separate_signs and update.negative is None:
    raise types.UserError(
      'the devices need separate counts of positive and negative errors, but '
      'the network counts only their difference; build the network with '
      'ssnn(config, separate_signs=True).'
    )
  return device.update(pulse_key, update, opt_state, params), inference


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

  def evaluate(params, key, inputs, labels):
    inputs, labels = jnp.asarray(inputs), jnp.asarray(labels)
    size = len(inputs)
    num_batches = -(-size // batch_size)
    batches = jnp.arange(num_batches * batch_size)
    batches = batches.reshape(num_batches, batch_size)
    shards = sharding.local_shard(batches, axis_name, padding=size)

    def count_correct(index_and_batch):
      """Counts the correct predictions in one batch, without its padding."""
      index, batch = index_and_batch
      batch_key = jax.random.fold_in(key, index)
      samples = jnp.minimum(batch, size - 1)
      inference = network.infer(params, batch_key, inputs[samples])
      rate = None
      if ann is not None:
        of_ann = ann.infer(params, batch_key, inputs[samples])
        rate = metrics.predict(of_ann, 'potential')
      predicted = metrics.Accuracy(
        winner=metrics.predict(inference, 'winner'),
        largest=metrics.predict(inference, 'largest'),
        potential=metrics.predict(inference, 'potential'),
        rate=rate,
      )
      return jax.tree.map(
        lambda classes: jnp.sum((classes == labels[samples]) & (batch < size)),
        predicted,
      )

    counts = jax.lax.map(count_correct, (jnp.arange(num_batches), shards))
    correct = jax.tree.map(jnp.sum, counts)
    if axis_name:
      correct = jax.lax.psum(correct, axis_name)
    return jax.tree.map(lambda count: count / size, correct)

  return evaluate
