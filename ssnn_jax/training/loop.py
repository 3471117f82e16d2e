"""The training loop: epochs of several seeds at once, and their evaluations.

The state of S seeds is a `TrainState` whose leaves have a leading axis S. Seeds
share the data; `jax.vmap` trains all of them in one program, and the devices of
a mesh share each batch.
"""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import types
from ssnn_jax.training import epochs
from ssnn_jax.training import metrics as metrics_lib
from ssnn_jax.training import sharding
from ssnn_jax.training import state as state_lib

_EVAL_BATCH_SIZE = 256


class Programs(NamedTuple):
  """Compiled functions of the states of S seeds.

  A split is inputs and labels; all results have a leading axis S.
  """

  train_epoch: Callable  #: (state, split) -> (state, EpochMetrics); donates
  evaluate: Callable  #: (state, split) -> Accuracy


class Epoch(NamedTuple):
  """Results of one epoch of S seeds."""

  number: int  #: epochs trained so far
  state: state_lib.TrainState  #: after the epoch; the next epoch deletes it
  metrics: epochs.EpochMetrics
  accuracy: metrics_lib.Accuracy | None  #: None: not evaluated after the epoch


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
    train = epochs.make_train_epoch(network, optimizer, batch_size, axis_name)
    return train(state, *split)

  def evaluate(state, split):
    network = make_network(state.key)
    evaluate = epochs.make_evaluate(network, ann, _EVAL_BATCH_SIZE, axis_name)
    key = state_lib.stream_key(state.key, state_lib.Stream.EVALUATE)
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


def run(
  programs: Programs,
  state: state_lib.TrainState,
  train_set: tuple[jax.Array, jax.Array],
  eval_set: tuple[jax.Array, jax.Array] | None,
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

  Example:
    >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((2, 2), num_steps=32))
    >>> optimizer = ssnn_jax.training.make_optimizer(1.0)
    >>> loop = ssnn_jax.training.loop
    >>> programs = loop.make_programs(lambda key: network, optimizer, 4)
    >>> start = lambda s: ssnn_jax.training.init_state(network, optimizer, s)
    >>> state = jax.vmap(start)(jnp.arange(3))
    >>> data = jnp.tile(jnp.eye(2), (32, 1)), jnp.arange(64) % 2
    >>> for epoch in loop.run(programs, state, data, data, num_epochs=4):
    ...   winner = epoch.accuracy.winner
    >>> winner  # of each seed
    Array([1., 1., 1.], dtype=float32)
  """
  first = int(jax.device_get(state.epoch)[0])
  for number in range(first + 1, num_epochs + 1):
    state, metrics = programs.train_epoch(state, train_set)
    is_due = number == num_epochs or (eval_every and number % eval_every == 0)
    accuracy = None
    if is_due and eval_set is not None:
      accuracy = programs.evaluate(state, eval_set)
    yield Epoch(number, state, metrics, accuracy)
