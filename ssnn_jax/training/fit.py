"""Training of a network on a dataset, with checks and progress bar."""

from collections.abc import Sequence
import functools
from typing import NamedTuple
import warnings

import jax
import numpy as np
import numpy.typing as npt
import tqdm

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.datasets import types as dataset_types
from ssnn_jax.training import epochs
from ssnn_jax.training import evaluation
from ssnn_jax.training import state as state_lib

_EVAL_BATCH_SIZE = 256
_Arrays = Sequence[npt.ArrayLike]  # inputs and labels


class History(NamedTuple):
  """Metrics after each of E epochs."""

  loss: np.ndarray  # [E] mean cross-entropy during training, in nats
  train_accuracy: np.ndarray  # [E] mean accuracy during training
  eval_accuracy: np.ndarray | None  # [E] after the epoch; None: not evaluated


class FitResult(NamedTuple):
  """Result of `fit`."""

  state: state_lib.TrainState  # after the last epoch
  history: History


def fit(
  network: types.Network,
  optimizer: state_lib.Optimizer,
  dataset: dataset_types.Dataset | _Arrays,
  *,
  num_epochs: int,
  batch_size: int = 32,
  seed: int = 0,
  state: state_lib.TrainState | None = None,
  evaluate: bool | _Arrays = True,
  progress: bool = True,
) -> FitResult:
  """Trains a network and returns its final state and its history.

  Args:
    network: the network to train.
    optimizer: an optax transformation, or the devices that store the weights.
    dataset: a dataset, whose training split is used, or a pair of arrays:
      inputs as for `Network` and `[N]` integer labels.
    num_epochs: number of epochs to train.
    batch_size: number of samples in a batch.
    seed: seed of all random streams; not used if `state` is given.
    state: state of an earlier call with the same network and optimizer, to
      continue training; with `make_optimizer` it includes the learning rate.
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
  train, held_out = _select_splits(dataset, evaluate)
  state = _check_state(network, optimizer, seed, state)
  train = _check_split('training data', network, state.params, train)
  if held_out is not None:
    held_out = _check_split('evaluation data', network, state.params, held_out)
  # Raises errors of the batch size and of the devices before the bar is shown.
  _train_epoch.eval_shape(network, optimizer, batch_size, state, train)
  rows = []
  with tqdm.trange(num_epochs, unit='epoch', disable=not progress) as bar:
    for _ in bar:
      state, means = _train_epoch(network, optimizer, batch_size, state, train)
      accuracy = _evaluate(network, state, held_out)
      row = jax.device_get(History(means.loss, means.accuracy, accuracy))
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
  return FitResult(state, jax.tree.map(lambda *values: np.stack(values), *rows))


def _select_splits(dataset, evaluate):
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
  return state


def _check_split(name, network, params, split):
  """Checks inputs and labels against a network, and puts them on the device."""
  if not isinstance(split, tuple | list) or len(split) != 2:
    raise types.UserError(
      f'{name} is of type {type(split).__name__}; expected an '
      'ssnn_jax.datasets.Dataset, or a pair of arrays (inputs, labels).'
    )
  try:
    inputs, labels = (
      array if isinstance(array, jax.Array) else np.asarray(array)
      for array in split
    )
  except ValueError:
    raise types.UserError(
      f'{name} are not arrays; give all samples the same shape.'
    ) from None
  constants = inputs, labels
  if labels.shape == inputs.shape[:1]:  # otherwise `learn` refuses them
    constants = tuple(map(_extremes, constants))
  # The checks of `learn` see the values of constants, and nothing is computed.
  learn = lambda params, key: network.learn(params, key, *constants)
  try:
    jax.eval_shape(learn, params, jax.random.key(0))
  except types.UserError as error:
    raise types.UserError(f'{name}: {error}') from None
  return jax.device_put((inputs, labels.astype(np.int32)))


def _extremes(array):
  """Returns the smallest and largest values over the samples, `[2, ...]`."""
  if not array.size or array.dtype.kind not in 'biuf':
    return array
  return np.stack([np.min(array, axis=0), np.max(array, axis=0)])


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _train_epoch(network, optimizer, batch_size, state, split):
  """Trains one epoch; compiled once for all calls with the same network."""
  train_epoch = epochs.make_train_epoch(network, optimizer, batch_size)
  return train_epoch(state, *split)


@functools.partial(jax.jit, static_argnums=0)
def _evaluate(network, state, split):
  """Returns the fraction of samples whose winner is the label."""
  if split is None:
    return None
  evaluate = evaluation.make_evaluate(network, None, _EVAL_BATCH_SIZE)
  key = state_lib.stream_key(state.key, state_lib.Stream.EVALUATE)
  return evaluate(state.params, key, *split).winner
