"""Training of a network on a dataset, with checks and progress bar."""

from collections.abc import Sequence
import functools
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
from ssnn_jax.training import loop
from ssnn_jax.training import state as state_lib

Arrays = Sequence[npt.ArrayLike]  # inputs and labels


class History(NamedTuple):
  """Metrics after each of E epochs, with the readout of the network."""

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

  Calls with the same network and optimizer share compiled programs.

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
    UserError: if the data do not fit the network, or parameters of the state
      are not finite.

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
  if state is None:
    state = state_lib.init_state(network, optimizer, seed)
  elif not all(
    np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params)
  ):
    raise types.UserError(
      'state has parameters that are NaN or infinite; start from finite ones.'
    )
  train, held_out = load_splits(network, state.params, dataset, evaluate)
  programs = make_programs(network, optimizer, batch_size)
  total = int(state.epoch) + num_epochs
  # The axis of one seed; a copy, which the loop may delete.
  state = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], state)
  results = loop.run(programs, state, train, held_out, total)
  rows = []
  with tqdm.tqdm(
    results, total=num_epochs, unit='epoch', disable=not progress
  ) as bar:
    for epoch in bar:
      means, accuracy = jax.device_get((epoch.metrics, epoch.accuracy))
      row = History(means.loss[0], means.accuracy[0], None)
      if accuracy is not None:
        row = row._replace(eval_accuracy=accuracy.default[0])
      rows.append(row)
      if not np.isfinite(row.loss):
        warnings.warn(
          f'the loss of epoch {len(rows)} is {row.loss}; try a smaller '
          'learning rate, and look for NaN in your functions.',
          stacklevel=2,
        )
      bar.set_postfix(
        {k: float(v) for k, v in row._asdict().items() if v is not None}
      )
  state = jax.tree.map(lambda leaf: leaf[0], epoch.state)
  return FitResult(state, jax.tree.map(lambda *values: np.stack(values), *rows))


@functools.lru_cache(maxsize=8)
def make_programs(
  network: types.Network, optimizer: state_lib.Optimizer, batch_size: int
) -> loop.Programs:
  """Returns the programs of the loop, the same for the same arguments."""
  return loop.make_programs(lambda key: network, optimizer, batch_size)


def load_splits(
  network: types.Network,
  params: types.Params,
  dataset: dataset_types.Dataset | Arrays,
  evaluate: bool | Arrays,
) -> tuple[Arrays, Arrays | None]:
  """Checks the data of `fit`, and puts them on the device.

  Returns inputs and int32 labels to train on, and those to evaluate on or None.
  """
  train, held_out = dataset, None if isinstance(evaluate, bool) else evaluate
  if isinstance(dataset, dataset_types.Dataset):
    train = dataset.train
    if evaluate is True:
      held_out = dataset.validation or dataset.test

  def load(name, split):
    inputs, labels = (
      array if isinstance(array, jax.Array) else np.asarray(array)
      for array in split
    )
    labels = arrays.as_classes(labels)
    # The checks of `infer` see the values of a constant: here the smallest and
    # the largest over all samples. Nothing is computed.
    extremes = inputs
    if len(inputs):
      extremes = np.stack([np.min(inputs, axis=0), np.max(inputs, axis=0)])
    infer = lambda params, key: network.infer(params, key, extremes)
    try:
      inference = jax.eval_shape(infer, params, jax.random.key(0))
      num_classes = inference.potential.shape[-1]
      checks.check_labels(labels, len(inputs), num_classes)
    except types.UserError as error:
      raise types.UserError(f'{name}: {error}') from None
    return jax.device_put((inputs, labels.astype(np.int32)))

  train = load('training data', train)
  return train, held_out and load('evaluation data', held_out)
