"""Training epochs as pure functions of the state.

All functions train one seed; `jax.vmap` over the state trains several seeds.
"""

from collections.abc import Callable
import functools

import flax.struct
import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.hardware import devices
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding
from ssnn_jax.training import state as state_lib


@flax.struct.dataclass
class EpochMetrics:
  """Training metrics of one epoch, averaged over its samples."""

  loss: jax.Array  # cross-entropy of the final potentials, in nats
  accuracy: jax.Array  # fraction of samples whose winner is the label


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
  checks.check_network(network)
  batch_size = checks.check_count('batch_size', batch_size)
  device = devices.as_device(optimizer)
  train_batch = functools.partial(_train_batch, network, device)
  return functools.partial(_train_epoch, train_batch, batch_size, axis_name)


def _train_epoch(train_batch, batch_size, axis_name, state, inputs, labels):
  """Trains one epoch; implements `make_train_epoch`."""
  inputs, labels = map(jnp.asarray, (inputs, labels))
  batches = _draw_batches(batch_size, state, inputs.shape[0])
  shards = sharding.local_shard(batches, axis_name)
  (params, opt_state), samples = jax.lax.scan(
    functools.partial(train_batch, state, inputs, labels),
    (state.params, state.opt_state),
    (jnp.arange(batches.shape[0]), shards),
  )
  state = state.replace(
    params=params, opt_state=opt_state, epoch=state.epoch + 1
  )
  samples = sharding.gather_shards(samples, axis_name)
  return state, jax.tree.map(jnp.mean, samples)


def _draw_batches(batch_size, state, num_samples):
  """Draws the batches of an epoch, `[batches, B]` indices of samples."""
  num_batches = num_samples // batch_size
  if not num_batches:
    raise types.UserError(
      f'batch_size={batch_size} is larger than the training data of '
      f'{num_samples} samples; use a smaller batch_size.'
    )
  key = _epoch_key(state, state_lib.Stream.ORDER)
  order = jax.random.permutation(key, num_samples)
  return order[: num_batches * batch_size].reshape(num_batches, batch_size)


def _train_batch(
  network, device, state, inputs, labels, carry, index_and_batch
):
  """Trains on one batch; `state` is the state at the start of the epoch."""
  index, batch = index_and_batch
  labels = labels[batch]
  present_key, pulse_key = (
    jax.random.fold_in(_epoch_key(state, stream), index)
    for stream in (state_lib.Stream.PRESENT, state_lib.Stream.PULSE)
  )
  result, inference = _present(
    network, device, carry, (present_key, pulse_key), inputs[batch], labels
  )
  correct = metrics.predict(inference) == labels
  return result, EpochMetrics(
    loss=metrics.cross_entropy(inference, labels),
    accuracy=correct.astype(jnp.float32),
  )


def _present(network, device, carry, keys, inputs, labels):
  """Presents a batch and updates the weights, after it or during it."""
  params, opt_state = carry
  present_key, pulse_key = keys
  pulse_gradient = device.pulse_gradient(opt_state)
  options = {}
  if pulse_gradient is not None:
    options['pulse_gradient'] = pulse_gradient

  def apply(key, update, opt_state, params):
    if device.separate_signs and update.negative is None:
      raise types.UserError(
        'the devices need separate counts of positive and negative errors, but '
        'the network counts only their difference; build the network with '
        'ssnn(config, separate_signs=True).'
      )
    return device.update(key, update, opt_state, params)

  if network.learn_online is None:
    update, inference = network.learn(
      params, present_key, inputs, labels, **options
    )
    return apply(pulse_key, update, opt_state, params), inference

  def apply_window(index, *args):
    return apply(jax.random.fold_in(pulse_key, index), *args)

  return network.learn_online(
    params, present_key, inputs, labels, apply_window, opt_state, **options
  )


def _epoch_key(state, stream):
  """Derives the key of a stream in the current epoch."""
  key = state_lib.stream_key(state.key, stream)
  return jax.random.fold_in(key, state.epoch)
