"""The training loop: epochs of several seeds at once, and their evaluations.

In reading order: `run` trains epoch by epoch with the compiled functions of
`make_programs`, which lift `make_train_epoch` and `make_evaluate`, pure
functions of one seed, over S seeds: `jax.vmap` trains all of them in one
program, on the same data, and the devices of a mesh share each batch.
"""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp

from ssnn_jax import types
from ssnn_jax.hardware import devices
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding
from ssnn_jax.training import state as state_lib
from ssnn_jax.training.state import Stream

_EVAL_BATCH_SIZE = 256

Split = tuple[jax.Array, jax.Array]  # inputs and labels


@flax.struct.dataclass
class EpochMetrics:
  """Training metrics of one epoch, averaged over its samples."""

  loss: jax.Array  #: cross-entropy of the final potentials, in nats
  accuracy: jax.Array  #: fraction of samples classified as their label


class Programs(NamedTuple):
  """Compiled functions of the states of S seeds, with a leading axis S."""

  train_epoch: Callable  #: (state, split) -> (state, EpochMetrics); donates
  evaluate: Callable  #: (state, split) -> Accuracy


class Epoch(NamedTuple):
  """Results of one epoch of S seeds."""

  number: int  #: epochs trained so far
  state: state_lib.TrainState  #: after the epoch; the next epoch deletes it
  metrics: EpochMetrics
  accuracy: metrics.Accuracy | None  #: None: not evaluated after the epoch


def run(
  programs: Programs,
  state: state_lib.TrainState,
  train_set: Split,
  eval_set: Split | None,
  num_epochs: int,
  eval_every: int = 1,
) -> Iterator[Epoch]:
  """Trains seeds epoch by epoch.

  Args:
    programs: the functions of the loop.
    state: the state of all seeds, after as many epochs each; it is deleted.
    train_set: inputs and labels of the training split.
    eval_set: those of the evaluation split; None evaluates nothing.
    num_epochs: number of epochs after which training ends, including those
      that the state was trained before.
    eval_every: number of epochs between evaluations; 0 evaluates after the
      last epoch only.

  Yields:
    The results of each epoch, as soon as the epoch is trained.

  docs/training_loop.md has an example.
  """
  first = int(jax.device_get(state.epoch)[0])
  for number in range(first + 1, num_epochs + 1):
    state, means = programs.train_epoch(state, train_set)
    is_due = number == num_epochs or (eval_every and number % eval_every == 0)
    accuracy = None
    if is_due and eval_set is not None:
      accuracy = programs.evaluate(state, eval_set)
    yield Epoch(number, state, means, accuracy)


def make_programs(
  make_network: Callable[[jax.Array], types.Network],
  optimizer: state_lib.Optimizer,
  batch_size: int,
  *,
  ann: types.Network | None = None,
  mesh: jax.sharding.Mesh | None = None,
) -> Programs:
  """Makes the functions of the loop; each is compiled when first called.

  Args:
    make_network: `(key) -> Network`, with the key of the seed.
    optimizer: an optax transformation, or the devices that store the weights.
    batch_size: number of samples in a batch.
    ann: the ANN with the same parameters, for `Accuracy.rate`; or None.
    mesh: the devices that share each batch, from `sharding.make_mesh`; the
      networks must be built with its axis. None is one device without an axis.

  Returns:
    The functions.
  """
  axis_name = None if mesh is None else sharding.AXIS

  def train_epoch(state, split):
    network = make_network(state.key)
    train = make_train_epoch(network, optimizer, batch_size, axis_name)
    return train(state, *split)

  def evaluate(state, split):
    network = make_network(state.key)
    evaluate = make_evaluate(network, ann, _EVAL_BATCH_SIZE, axis_name)
    key = state_lib.stream_key(state.key, Stream.EVALUATE)
    return evaluate(state.params, key, *split)

  return Programs(
    over_seeds(train_epoch, mesh=mesh, donate_argnums=0),
    over_seeds(evaluate, mesh=mesh),
  )


def over_seeds(
  function: Callable[..., Any],
  in_axes: tuple[int | None, ...] = (0, None),
  *,
  mesh: jax.sharding.Mesh | None = None,
  **options: Any,
) -> Callable[..., Any]:
  """Compiles a function of one seed for the leading axis of several seeds.

  Args:
    function: the function; by default of a state and a split.
    in_axes: 0 for arguments of each seed, such as the first, and None for
      arguments that the seeds share.
    mesh: the devices that run the function, which may use `sharding.AXIS`.
    **options: options of `jax.jit`.

  Returns:
    The function of S seeds.
  """

  def apply(*args):
    if len(jax.tree.leaves(args[0])[0]) > 1:
      return jax.vmap(function, in_axes)(*args)
    # One seed is not slowed down by an axis.
    of_seed = [
      arg if axis is None else jax.tree.map(lambda leaf: leaf[0], arg)
      for arg, axis in zip(args, in_axes)
    ]
    result = function(*of_seed)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], result)

  return sharding.run_on(mesh, apply, **options)


def make_train_epoch(
  network: types.Network,
  optimizer: state_lib.Optimizer,
  batch_size: int,
  axis_name: str | None = None,
) -> Callable[..., tuple[state_lib.TrainState, EpochMetrics]]:
  """Builds the function that trains one epoch of one seed.

  Each epoch visits the samples in a new random order, and leaves out the
  samples beyond the last full batch.

  Args:
    network: the network to train.
    optimizer: an optax transformation, or a `Device` of resistive synapses.
    batch_size: number of samples in a batch.
    axis_name: mesh axis of the accelerators that share each batch; the network
      must be built with the same axis. Every accelerator receives all data.

  Returns:
    The pure function `(state, inputs, labels) -> (state, EpochMetrics)`. When
    traced, it raises `UserError` if a batch is larger than the dataset, or if
    `optimizer` needs separate counts of positive and negative errors and the
    network counts their difference.

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
    present_key, pulse_key = (
      jax.random.fold_in(state_lib.stream_key(state.key, stream), state.epoch)
      for stream in (Stream.PRESENT, Stream.PULSE)
    )
    batches = choose_batches(state, len(inputs), batch_size)
    shards = sharding.local_shard(batches, axis_name)

    def train_batch(carry, index_and_samples):
      index, samples = index_and_samples
      batch = inputs[samples], labels[samples]
      keys = [
        jax.random.fold_in(key, index) for key in (present_key, pulse_key)
      ]
      carry, inference = _train_batch(network, device, keys, carry, *batch)
      predicted = metrics.predict(inference, network.readout)
      correct = predicted == labels[samples]
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


def choose_batches(
  state: state_lib.TrainState, num_samples: int, batch_size: int
) -> jax.Array:
  """Returns the samples of each batch of the next epoch, `[N // B, B]`."""
  key = state_lib.stream_key(state.key, Stream.ORDER)
  order = jax.random.permutation(
    jax.random.fold_in(key, state.epoch), num_samples
  )
  num_batches = num_samples // batch_size
  return order[: num_batches * batch_size].reshape(num_batches, batch_size)


def _train_batch(network, device, keys, carry, inputs, labels):
  """Presents a batch and updates the parameters and the optimizer state."""
  present_key, pulse_key = keys
  params, opt_state = carry
  if network.learn_online:  # a chip updates its weights during the batch
    return network.learn_online(
      params,
      present_key,
      inputs,
      labels,
      lambda _, *args: device.update(pulse_key, *args),
      opt_state,
    )
  pulse_gradient = device.pulse_gradient(opt_state)
  if pulse_gradient is None and not device.separate_signs:
    gradient, inference = jax.grad(network.loss, has_aux=True)(
      params, present_key, inputs, labels
    )
    update = types.exact_update(gradient)
    return device.update(pulse_key, update, opt_state, params), inference
  if network.learn is None:
    raise types.UserError(
      'the devices move by pulses, coincidences of spikes that this network '
      "does not count; build it with neuron='stochastic'."
    )
  update, inference = network.learn(
    params, present_key, inputs, labels, pulse_gradient=pulse_gradient
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
  """Builds the function that evaluates the parameters of one seed.

  Args:
    network: the network to evaluate.
    ann: the ANN with the same parameters, for `Accuracy.rate`; or None.
    batch_size: number of samples in a batch; the last batch is padded.
    axis_name: as for `make_train_epoch`, for both networks.

  Returns:
    The pure function `(params, key, inputs, labels) -> Accuracy`.
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
      readouts = ['winner', 'potential']
      readouts += ['largest'] * (inference.largest_counts is not None)
      predicted = {name: metrics.predict(inference, name) for name in readouts}
      predicted['default'] = predicted[network.readout]
      if ann is not None:
        of_ann = ann.infer(params, batch_key, inputs[samples])
        predicted['rate'] = metrics.predict(of_ann, 'potential')
      return {
        name: jnp.sum((classes == labels[samples]) & (batch < size))
        for name, classes in predicted.items()
      }

    counts = jax.lax.map(count_correct, (jnp.arange(num_batches), shards))
    correct = {name: jnp.sum(count) for name, count in counts.items()}
    if axis_name:
      correct = jax.lax.psum(correct, axis_name)
    return metrics.Accuracy(**{k: count / size for k, count in correct.items()})

  return evaluate
