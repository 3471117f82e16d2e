"""Training on a dataset: of one network, or of a network and its ANN.

`compare` trains both networks of a seed with the same initial weights, order of
samples, optimizer and evaluation samples, so that their difference has no
variance of these.
"""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax
import tqdm

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.datasets import arrays
from ssnn_jax.network import ann
from ssnn_jax.network import ssnn
from ssnn_jax.training import loop
from ssnn_jax.training import state as state_lib
from ssnn_jax.training import statistics

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
  dataset: arrays.Dataset | Arrays,
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
      rate. Two calls equal a longer one bit for bit: numbers of epochs and a
      schedule go on. `init_state` with `params` starts the schedule again.
    evaluate: whether to evaluate after each epoch on the validation split, or
      on the test split if there is none; or a pair of arrays to evaluate on.
    progress: whether to show a progress bar.

  Raises:
    UserError: if there is no epoch, the data do not fit the network, or
      parameters of the state are not finite. A loss that is not finite is a
      UserWarning.
  """
  if num_epochs < 1:
    raise types.UserError(f'num_epochs is {num_epochs}; expected 1 or more.')
  if state is None:
    state = state_lib.init_state(network, optimizer, seed)
  params = jax.device_get(state.params)
  if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
    raise types.UserError(
      'state has parameters that are NaN or infinite; start from finite ones.'
    )
  train, held_out = _load_splits(network, state.params, dataset, evaluate)
  programs = loop.make_programs(network, optimizer, batch_size)
  total = int(state.epoch) + num_epochs
  # The axis of one seed; a copy, which the loop may delete.
  state = _add_axis(state)
  epochs, rows = loop.run(programs, state, train, held_out, total), []
  with tqdm.tqdm(
    epochs, total=num_epochs, unit='epoch', disable=not progress
  ) as bar:
    for epoch in bar:
      evaluated = epoch.accuracy and epoch.accuracy.default
      row = History(epoch.loss, epoch.train_accuracy, evaluated)
      rows.append(jax.tree.map(lambda x: x[0], jax.device_get(row)))
      if not np.isfinite(rows[-1].loss):
        warnings.warn(
          f'the loss of epoch {len(rows)} is {rows[-1].loss}; try a smaller '
          'learning rate, and look for NaN in your functions.',
          stacklevel=2,
        )
      shown = rows[-1]._asdict().items()
      bar.set_postfix({k: float(v) for k, v in shown if v is not None})
  state = _first(epoch.state)
  return FitResult(state, jax.tree.map(lambda *values: np.stack(values), *rows))


# One program each, of all leaves.
_add_axis = jax.jit(lambda tree: jax.tree.map(lambda x: x[None], tree))
_first = jax.jit(lambda tree: jax.tree.map(lambda x: x[0], tree))


class Comparison(NamedTuple):
  """Accuracies of a spiking network and its ANN, with their difference."""

  seeds: tuple[int, ...]  #: the S seeds
  ssnn: np.ndarray  #: [S] of the spiking network, with its readout
  ann: np.ndarray  #: [S] of the ANN of the same seeds
  num_eval_samples: int  #: samples of each accuracy
  margin: float | None = None  #: equivalence margin in percentage points

  @property
  def difference(self) -> statistics.Difference:
    """Mean of ssnn minus ann, with its 95 % interval, in percentage points."""
    return statistics.paired_difference(
      self.ssnn, self.ann, self.num_eval_samples
    )

  def __repr__(self):
    text = (
      f'spiking network {100 * np.mean(self.ssnn):.2f} %, '
      f'ANN {100 * np.mean(self.ann):.2f} %: difference {self.difference} '
      f'percentage points ({len(self.seeds)} seeds)'
    )
    if self.margin is None:
      return text
    verdict = statistics.verdict(self.difference, self.margin)
    return f'{text}, margin {self.margin:g}: {verdict}'


def compare(
  config: NetworkConfig,
  dataset: arrays.Dataset | Arrays,
  seeds: Iterable[int] = range(5),
  *,
  num_epochs: int = 20,
  batch_size: int = 32,
  optimizer: optax.GradientTransformation | None = None,
  margin: float | None = None,
  evaluate: bool | Arrays = True,
  progress: bool = True,
) -> Comparison:
  """Trains `ssnn(config)` and `ann(config)` with the same seeds.

  The different seeds, two or more for an interval and five for a verdict, are
  trained together, in one program, and evaluated after the last epoch. The
  optimizer of both networks is by default gradient descent with a learning rate
  of 0.5 that falls linearly to 0. Choose the equivalence margin, in percentage
  points, before you see results. Other arguments are those of `fit`.

  Raises:
    UserError: if seeds are equal, or the data do not fit the network.
  """
  seeds = tuple(seeds)
  if len({*seeds}) < len(seeds):
    raise types.UserError(f'seeds are {seeds}; expected different ones.')
  networks = ssnn(config), ann(config)
  params = jax.eval_shape(networks[0].init, jax.random.key(0))
  train, held_out = _load_splits(networks[0], params, dataset, evaluate)
  if held_out is None:
    raise types.UserError(
      'there are no samples to evaluate on; pass a Dataset, or arrays as '
      'evaluate=(inputs, labels).'
    )
  if optimizer is None:
    num_updates = num_epochs * (len(train[1]) // batch_size)
    schedule = optax.linear_schedule(1.0, 0.0, num_updates)
    optimizer = state_lib.make_optimizer(0.5, schedule)
  accuracies = []
  with tqdm.tqdm(
    total=2 * num_epochs, unit='epoch', disable=not progress
  ) as bar:
    for network in networks:
      programs = loop.make_programs(network, optimizer, batch_size)
      state = programs.start(jnp.array(seeds))
      for epoch in loop.run(programs, state, train, held_out, num_epochs, 0):
        accuracy = epoch.accuracy  # evaluated after the last epoch
        bar.update()
      accuracies.append(np.asarray(accuracy.default, np.float64))
  return Comparison(seeds, *accuracies, len(held_out[1]), margin)


def _load_splits(network, params, dataset, evaluate):
  """Checks the data of `fit`, and puts them on the device.

  Returns inputs and int32 labels to train on, and those to evaluate on or None.
  """
  train, held_out = dataset, None if isinstance(evaluate, bool) else evaluate
  if isinstance(dataset, arrays.Dataset):
    train = dataset.train
    if evaluate is True:
      held_out = dataset.validation or dataset.test

  def load(split):
    inputs, labels = (
      array if isinstance(array, jax.Array) else np.asarray(array)
      for array in split
    )
    labels = arrays.as_classes(labels)
    # The checks of `infer` see the values of a constant: here the smallest and
    # the largest over all samples. Nothing is computed.
    extremes = np.stack([np.min(inputs, axis=0), np.max(inputs, axis=0)])
    infer = lambda params, key: network.infer(params, key, extremes)
    inference = jax.eval_shape(infer, params, jax.random.key(0))
    checks.check_labels(labels, len(inputs), inference.potential.shape[-1])
    return jax.device_put((inputs, labels.astype(np.int32)))

  return load(train), held_out and load(held_out)
