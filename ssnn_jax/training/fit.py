"""Training of a network on a dataset, with checks and progress bar."""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import functools
from typing import Any
from typing import NamedTuple
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import tqdm

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import types as dataset_types
from ssnn_jax.simulation import samples
from ssnn_jax.training import loop
from ssnn_jax.training import state as state_lib

Arrays = Sequence[npt.ArrayLike]  # inputs and labels


class History(NamedTuple):
  """Metrics after each of E epochs, with the spike-count readout."""

  loss: np.ndarray  #: [E] mean cross-entropy during training, in nats
  train_accuracy: np.ndarray  #: [E] mean accuracy during training
  eval_accuracy: np.ndarray | None  #: [E] after the epoch; None: not evaluated


class FitResult(NamedTuple):
  """Result of `fit`."""

  state: state_lib.TrainState  #: after the last epoch
  history: History


def fit(
  network: types.Network,
  optimizer: state_lib.Optimizer,
  dataset: dataset_types.Dataset | Arrays,
  *,
  num_epochs: int,
  batch_size: int = 32,
  seed: int = 0,
  state: state_lib.TrainState | None = None,
  evaluate: bool | Arrays = True,
  progress: bool = True,
) -> FitResult:
  """Trains a network and returns its final state and its history.

  Networks and devices of equal configurations, and results of equal calls of
  `make_optimizer`, share compiled programs.

  Args:
    network: the network to train.
    optimizer: an optax transformation, or the devices that store the weights.
    dataset: a dataset, whose training split is used, or a pair of arrays:
      inputs as for `Network`, and `[N]` or `[N, 1]` labels, integers or bool.
    num_epochs: number of epochs to train.
    batch_size: number of samples in a batch.
    seed: seed of all random streams; not used if `state` is given.
    state: state of an earlier call with the same network and optimizer, to
      train `num_epochs` more; with `make_optimizer` it includes the learning
      rate. Two calls equal a longer one bit for bit: the numbers of epochs, of
      which orders of samples and spikes are functions, go on, and so does a
      schedule, which stays at its last value after its end. `init_state` with
      `params` starts the schedule again.
    evaluate: whether to evaluate after each epoch on the validation split, or
      on the test split if there is none; or a pair of arrays to evaluate on.
    progress: whether to show a progress bar.

  Returns:
    The state after the last epoch, and the metrics of each epoch.

  Raises:
    UserError: if an argument is invalid, or the data do not fit the network.

  Warns:
    UserWarning: if the loss is not finite.

  Example:
    >>> digits = ssnn_jax.datasets.load('digits')
    >>> network = ssnn_jax.ssnn(ssnn_jax.NetworkConfig((64, 10), num_steps=32))
    >>> optimizer = ssnn_jax.training.make_optimizer(0.5)
    >>> result = ssnn_jax.training.fit(
    ...   network, optimizer, digits, num_epochs=5, progress=False)
    >>> bool(result.history.eval_accuracy[-1] > 0.9)
    True
  """
  num_epochs = checks.check_count('num_epochs', num_epochs)
  batch_size = checks.check_count('batch_size', batch_size)
  train, held_out = select_splits(dataset, evaluate)
  state = _check_state(network, optimizer, seed, state)
  train = check_split('training data', network, state.params, train)
  if held_out is not None:
    held_out = check_split('evaluation data', network, state.params, held_out)
  programs = make_programs(network, optimizer, batch_size)
  total = int(state.epoch) + num_epochs
  state = _add_axis(state)  # a copy, which the loop may delete
  # Raises errors of the batch size and of the devices before the bar is shown.
  programs.train_epoch.eval_shape(state, train)
  results = loop.run(programs, state, train, held_out, total)
  rows = []
  with tqdm.tqdm(
    results, total=num_epochs, unit='epoch', disable=not progress
  ) as bar:
    for epoch in bar:
      means, accuracy = jax.device_get((epoch.metrics, epoch.accuracy))
      row = History(means.loss[0], means.accuracy[0], None)
      if accuracy is not None:
        row = row._replace(eval_accuracy=accuracy.winner[0])
      rows.append(row)
      if not np.isfinite(row.loss):
        warnings.warn(
          f'the loss of epoch {len(rows)} is {row.loss}; try a smaller '
          'learning rate, and look for NaN in functions of your own.',
          stacklevel=2,
        )
      bar.set_postfix(
        {k: float(v) for k, v in row._asdict().items() if v is not None}
      )
  state = _remove_axis(epoch.state)
  return FitResult(state, jax.tree.map(lambda *values: np.stack(values), *rows))


@jax.jit
def _add_axis(tree):
  """Adds the leading axis of one seed to all leaves."""
  return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], tree)


@jax.jit
def _remove_axis(tree):
  return jax.tree.map(lambda leaf: leaf[0], tree)


def select_splits(
  dataset: dataset_types.Dataset | Arrays, evaluate: bool | Arrays
) -> tuple[Arrays, Arrays | None]:
  """Returns the training split, and the split to evaluate on or None."""
  held_out = None if isinstance(evaluate, bool) else evaluate
  if not isinstance(dataset, dataset_types.Dataset):
    return dataset, held_out
  if evaluate is True:
    held_out = dataset.validation or dataset.test
  return dataset.train, held_out


def _check_state(network, optimizer, seed, state):
  """Returns the initial state, or a given state of the same structure."""
  if state is None:
    return state_lib.init_state(network, optimizer, seed)
  init = functools.partial(state_lib.init_state, network, optimizer)
  expected = jax.eval_shape(init, seed)
  if jax.tree.structure(state) != jax.tree.structure(expected):
    raise types.UserError(
      'state has another structure than the state of this network and '
      'optimizer; continue with the network and optimizer of the earlier call.'
    )
  if not all(
    jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params)
  ):
    raise types.UserError(
      'state has parameters that are NaN or infinite; continue from an earlier '
      'state, with a smaller learning rate.'
    )
  return state


def check_split(
  name: str,
  network: types.Network,
  params: types.Params,
  split: Arrays,
) -> tuple[jax.Array, jax.Array]:
  """Checks inputs and labels against a network, and puts them on the device.

  Args:
    name: name of the split in errors.
    network: the network.
    params: parameters of the network.
    split: inputs and labels.

  Returns:
    The inputs, and int32 labels.

  Raises:
    UserError: if they do not fit the network.
  """
  if not isinstance(split, tuple | list) or len(split) != 2:
    raise types.UserError(
      f'{name} is of type {type(split).__name__}; expected an '
      'ssnn_jax.datasets.Dataset, or a pair of arrays (inputs, labels).'
    )
  for part, array in zip(('inputs', 'labels'), split):
    checks.check_unmasked(f'{part} of the {name}', array)
  try:
    inputs, labels = (
      array if isinstance(array, jax.Array) else np.asarray(array)
      for array in split
    )
  except ValueError:
    raise types.UserError(
      f'{name} are not arrays; give all samples the same shape.'
    ) from None
  labels = arrays.as_classes(labels)
  few = _extremes(inputs)
  # The checks of `infer` see the values of a constant; nothing is computed.
  infer = lambda params, key: network.infer(params, key, few)
  try:
    inference = jax.eval_shape(infer, params, jax.random.key(0))
    checks.check_array('labels', labels)
    samples.check_labels(labels, len(inputs), inference.potential.shape[-1])
  except types.UserError as error:
    raise types.UserError(f'{name}: {error}') from None
  return jax.device_put((inputs, labels.astype(np.int32)))


def _extremes(array):
  """Returns the smallest and largest values over the samples, `[2, ...]`."""
  is_number = array.dtype == bool or jnp.issubdtype(array.dtype, jnp.number)
  if not array.size or not array.ndim or not is_number:
    return array
  return np.stack([np.min(array, axis=0), np.max(array, axis=0)])


def make_programs(
  network: types.Network, optimizer: state_lib.Optimizer, batch_size: int
) -> loop.Programs:
  """Returns the programs of the loop, the same for equal arguments."""
  return _make_programs(_by_value(network), _by_value(optimizer), batch_size)


@functools.lru_cache(maxsize=8)
def _make_programs(network, optimizer, batch_size):
  return loop.make_programs(lambda key: network, optimizer, batch_size)


@dataclasses.dataclass(frozen=True)
class _Partial:
  """A partial function, equal to those of equal functions and arguments."""

  function: Callable[..., Any]
  args: tuple[Any, ...]
  keywords: tuple[tuple[str, Any], ...]

  def __call__(self, *args, **keywords):
    return self.function(*self.args, *args, **dict(self.keywords, **keywords))


def _by_value(value):
  """Makes the partial functions of a network or an optimizer comparable."""
  if isinstance(value, tuple) and hasattr(value, '_fields'):
    return type(value)(*map(_by_value, value))
  if not isinstance(value, functools.partial):
    return value
  partial = _Partial(
    function=value.func,
    args=tuple(map(_by_value, value.args)),
    keywords=tuple(sorted(value.keywords.items())),
  )
  try:
    hash(partial)
  except TypeError:  # of arrays, such as feedback weights
    return value
  return partial
