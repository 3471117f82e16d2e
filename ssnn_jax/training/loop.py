"""The training loop: epochs of several seeds at once, and their evaluations.

`run` trains epoch by epoch with the compiled functions of `make_programs`:
`make_train_epoch` and `make_evaluate`, pure functions of one seed, which
`over_seeds` lifts over S seeds, and whose batches the devices of a mesh share.

All devices run the same program on the same arguments and return the same
result. In between, each processes its own shard of each batch. What is random
depends on the position of a sample in the full batch. Integer coincidences of
stochastic neurons are summed exactly, so that weights do not depend on the
number of devices, provided that the products of one sample are rounded alike;
sums of floats, as of the ANN and of bipolar neurons, do in their last bits.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types
from ssnn_jax.training import convolutions
from ssnn_jax.training import metrics
from ssnn_jax.training import prediction
from ssnn_jax.training import state as state_lib
from ssnn_jax.training.state import Stream

AXIS = 'batch'  # of the devices of a mesh

Split = tuple[jax.Array, jax.Array]  # inputs and labels


class Programs(NamedTuple):
  """Compiled functions of S seeds; states and results have a leading axis S.

  A `split` is inputs and labels, which the seeds share.
  """

  start: Callable  #: (seeds, ...) -> state before the first epoch
  train_epoch: Callable  #: (state, split) -> (state, loss, accuracy); donates
  evaluate: Callable  #: (state, split) -> Accuracy


class Epoch(NamedTuple):
  """Results of one epoch of S seeds."""

  number: int  #: epochs trained so far
  state: state_lib.TrainState  #: after the epoch; the next epoch deletes it
  loss: jax.Array  #: mean cross-entropy of the final potentials, in nats
  train_accuracy: jax.Array  #: mean while the weights were trained
  accuracy: metrics.Accuracy | None  #: None: not evaluated after the epoch


def run(
  programs: Programs,
  state: state_lib.TrainState,
  train_set: Split,
  eval_set: Split | None,
  num_epochs: int,
  eval_every: int = 1,
) -> Iterator[Epoch]:
  """Trains seeds epoch by epoch; yields each as soon as it is trained.

  Args:
    programs: the functions of the loop.
    state: the state of all seeds, after as many epochs each; it is deleted.
    train_set: inputs and labels of the training split.
    eval_set: those of the evaluation split; None evaluates nothing.
    num_epochs: number of epochs after which training ends, including those
      that the state was trained before.
    eval_every: number of epochs between evaluations; 0 evaluates after the
      last epoch only.
  """
  first = int(jax.device_get(state.epoch)[0])
  for number in range(first + 1, num_epochs + 1):
    state, *means = programs.train_epoch(state, train_set)
    is_due = number == num_epochs or (eval_every and number % eval_every == 0)
    accuracy = None
    if is_due and eval_set is not None:
      accuracy = programs.evaluate(state, eval_set)
    yield Epoch(number, state, *means, accuracy)


@functools.lru_cache(maxsize=8)
def make_programs(
  network: types.Network,
  optimizer: state_lib.Optimizer,
  batch_size: int,
  *,
  ann: types.Network | None = None,
  mesh: jax.sharding.Mesh | None = None,
  is_augmented: bool = False,
) -> Programs:
  """Makes the functions of the loop, the same for the same arguments.

  Each is compiled when it is first called.

  Args:
    network: the network to train.
    optimizer: an optax transformation, or the devices that store the weights.
    batch_size: number of samples in a batch.
    ann: the ANN with the same parameters, for `Accuracy.rate`; or None.
    mesh: the devices that share each batch, from `make_mesh`; the networks must
      be built with its axis. None is one device without an axis.
    is_augmented: whether training images are changed by `augment`.
  """
  axis_name = None if mesh is None else AXIS

  def start(seed):
    return state_lib.init_state(network, optimizer, seed)

  def train_epoch(state, split):
    train = make_train_epoch(
      network, optimizer, batch_size, axis_name, is_augmented=is_augmented
    )
    return train(state, *split)

  def evaluate(state, split):
    evaluate = make_evaluate(network, ann, prediction.BATCH_SIZE, axis_name)
    key = jax.random.fold_in(state.key, Stream.EVALUATE)
    return evaluate(state.params, key, *split)

  return Programs(
    over_seeds(start, (0,), mesh=mesh),
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

  A CPU computes one seed after another, so that a result has the same bits
  however many seeds there are; other devices compute them at once.

  Args:
    function: the function; by default of a state and a split.
    in_axes: 0 for arguments of each seed, such as the first, and None for
      arguments that the seeds share.
    mesh: the devices that run the function, which may use `AXIS`, with
      equal arguments and results. None is one device without an axis.
    **options: options of `jax.jit`.
  """

  def apply(*args):
    is_serial = jax.default_backend() == 'cpu'
    if not is_serial and len(jax.tree.leaves(args[0])[0]) > 1:
      return jax.vmap(function, in_axes)(*args)
    varied = [None if axis is None else x for x, axis in zip(args, in_axes)]

    def of_seed(own):
      return function(*(
        x if axis is None else y for x, y, axis in zip(args, own, in_axes)
      ))  # fmt: skip

    return jax.lax.map(of_seed, varied)

  if mesh is not None:
    spec = jax.sharding.PartitionSpec()  # equal on all devices
    # The check of equality needs annotations in every scan.
    apply = jax.shard_map(
      apply, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False
    )
  return jax.jit(apply, **options)


def make_mesh(
  batch_size: int, devices: Sequence[jax.Device] | None = None
) -> jax.sharding.Mesh:
  """Builds the mesh of the given devices, or of all devices, with `AXIS`.

  Raises `UserError` if the number of devices does not divide the batch size.
  """
  devices = jax.devices() if devices is None else devices
  if batch_size % len(devices):
    raise types.UserError(
      f'batch_size={batch_size} cannot be shared evenly by {len(devices)} '
      'devices; make it a multiple of their number, or use fewer devices.'
    )
  return jax.sharding.Mesh(np.array(devices), (AXIS,))


def replicate(mesh: jax.sharding.Mesh, tree: Any) -> Any:
  """Copies arrays to all devices of a mesh."""
  spec = jax.sharding.PartitionSpec()
  return jax.device_put(tree, jax.sharding.NamedSharding(mesh, spec))


def own_positions(batch_size: int, axis_name: str | None) -> jax.Array:
  """Returns the positions in a batch of one of D devices, `[ceil(B / D)]`.

  Those of the last devices may be beyond the batch. Without an axis, all.
  """
  if axis_name is None:
    return jnp.arange(batch_size)
  size = -(-batch_size // jax.lax.axis_size(axis_name))
  return jax.lax.axis_index(axis_name) * size + jnp.arange(size)


def make_train_epoch(
  network: types.Network,
  optimizer: state_lib.Optimizer,
  batch_size: int,
  axis_name: str | None = None,
  *,
  is_augmented: bool = False,
) -> Callable[..., tuple[state_lib.TrainState, jax.Array, jax.Array]]:
  """Builds the function that trains one epoch of one seed.

  It is `(state, inputs, labels) -> (state, loss, accuracy)`, and pure; loss and
  accuracy are means over the samples. Each epoch visits them in a new random
  order, and leaves out those beyond the last full batch.

  Args:
    network: the network to train.
    optimizer: an optax transformation, or the devices that store the weights.
    batch_size: number of samples in a batch.
    axis_name: mesh axis of the accelerators that share each batch, with which
      the network was built. Every accelerator receives all data.
    is_augmented: whether images are changed by `augment` in each epoch.
  """
  device = state_lib.as_device(optimizer)

  def train_epoch(state, inputs, labels):
    inputs, labels = jnp.asarray(inputs), jnp.asarray(labels)
    batches = choose_batches(state, len(inputs), batch_size)
    if not len(batches):
      raise types.UserError(
        f'batch_size={batch_size} is larger than the training data of '
        f'{len(inputs)} samples; use a smaller batch_size.'
      )
    epoch_keys = [
      jax.random.fold_in(jax.random.fold_in(state.key, stream), state.epoch)
      for stream in (Stream.PRESENT, Stream.PULSE, Stream.AUGMENT)
    ]
    positions = own_positions(batch_size, axis_name)
    shards = batches[:, positions]

    def train_batch(carry, index_and_samples):
      index, samples = index_and_samples
      *keys, key = (jax.random.fold_in(key, index) for key in epoch_keys)
      images, targets = inputs[samples], labels[samples]
      if is_augmented:
        images = augment(key, positions, images)
      carry, inference = device.learn(network, keys, carry, images, targets)
      return carry, metrics.score(
        inference, targets, find_answers(network), network.readout
      )

    is_slow = jax.default_backend() == 'cpu'
    (params, opt_state), samples = jax.lax.scan(
      convolutions.lay_out(train_batch) if is_slow else train_batch,
      (state.params, state.opt_state),
      (jnp.arange(len(batches)), shards),
    )
    *sums, known = (jnp.sum(own) for own in samples)
    if axis_name:
      *sums, known = jax.lax.psum((*sums, known), axis_name)
    means = [own / jnp.maximum(known, 1.0) for own in sums]
    epoch = state.epoch + 1
    return state_lib.TrainState(params, opt_state, state.key, epoch), *means

  return train_epoch


def find_answers(network: types.Network) -> str:
  """Returns which moments of a signal count, as of `Function`."""
  return getattr(network.config, 'answers', 'last')


@functools.partial(jax.vmap, in_axes=(None, 0, 0))
def augment(key: jax.Array, position: jax.Array, image: jax.Array) -> jax.Array:
  """Shifts images by up to an eighth of their size, and mirrors half of them.

  Args:
    key: PRNG key of the batch.
    position: `[B]` positions of the images in the batch.
    image: `[B, H, W, ...]` images; pixels that are shifted in are 0.
  """
  height, width, *others = image.shape
  margins = height // 8, width // 8
  *keys, coin = jax.random.split(jax.random.fold_in(key, position), 3)
  starts = [
    jax.random.randint(own, (), 0, 2 * margin + 1)
    for own, margin in zip(keys, margins)
  ]
  padding = [(margin, margin) for margin in margins] + [(0, 0)] * len(others)
  starts += [0] * len(others)
  moved = jax.lax.dynamic_slice(jnp.pad(image, padding), starts, image.shape)
  return jnp.where(jax.random.bernoulli(coin), moved[:, ::-1], moved)


def choose_batches(
  state: state_lib.TrainState, num_samples: int, batch_size: int
) -> jax.Array:
  """Returns the samples of each batch of the next epoch, `[N // B, B]`."""
  key = jax.random.fold_in(state.key, Stream.ORDER)
  key = jax.random.fold_in(key, state.epoch)
  order = jax.random.permutation(key, num_samples)
  num_batches = num_samples // batch_size
  return order[: num_batches * batch_size].reshape(num_batches, batch_size)


def make_evaluate(
  network: types.Network,
  ann: types.Network | None,
  batch_size: int,
  axis_name: str | None = None,
) -> Callable[..., metrics.Accuracy]:
  """Builds the function that evaluates the parameters of one seed.

  It is `(params, key, inputs, labels) -> Accuracy`, and pure. The ANN is as for
  `make_programs`, the mesh axis of both networks as for `make_train_epoch`. The
  last batch is padded.
  """

  def evaluate(params, key, inputs, labels):
    inputs, labels = jnp.asarray(inputs), jnp.asarray(labels)
    size = len(inputs)
    positions = own_positions(batch_size, axis_name)

    def add_scores(index):
      numbers = index * batch_size + positions
      is_counted = (positions < batch_size) & (numbers < size)
      samples = jnp.minimum(numbers, size - 1)
      batch_key = jax.random.fold_in(key, index)
      inference = network.infer(params, batch_key, inputs[samples])
      score = lambda inference, readout: metrics.score(
        inference, labels[samples], find_answers(network), readout
      )
      found = {}
      for name in ('winner', 'potential'):
        found['loss'], found[name], found['known'] = score(inference, name)
      found['default'] = found[network.readout]
      if ann is not None:
        of_ann = ann.infer(params, batch_key, inputs[samples])
        _, found['rate'], _ = score(of_ann, 'potential')
      return {
        name: jnp.sum(jnp.where(is_counted, own, 0.0))
        for name, own in found.items()
      }

    sums = jax.lax.map(add_scores, jnp.arange(-(-size // batch_size)))
    sums = {name: jnp.sum(own) for name, own in sums.items()}
    if axis_name:
      sums = jax.lax.psum(sums, axis_name)
    known = jnp.maximum(sums.pop('known'), 1.0)
    return metrics.Accuracy(**{name: own / known for name, own in sums.items()})

  return evaluate
