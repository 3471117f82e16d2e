"""Training on a dataset: of one network, or of a network and its ANN.

`compare` trains both networks of a seed with the same initial weights, order of
samples, optimizer and evaluation samples, so that their difference has no
variance of these.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses
import functools
import numbers
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax
import tqdm

from ssnn_jax import checks
from ssnn_jax import temporal
from ssnn_jax import types
from ssnn_jax.datasets import arrays
from ssnn_jax.network import ann
from ssnn_jax.network import ssnn
from ssnn_jax.spiking.functions import Function
from ssnn_jax.spiking.functions import as_function
from ssnn_jax.stochastic.config import NetworkConfig
from ssnn_jax.training import loop
from ssnn_jax.training import prediction
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
  optimizer: state_lib.Optimizer | optax.Schedule | float,
  dataset: arrays.Dataset | Arrays,
  *,
  num_epochs: int,
  batch_size: int = 32,
  seed: int = 0,
  state: state_lib.TrainState | None = None,
  evaluate: bool | Arrays = True,
  callback: Callable[[dict[str, float]], None] | None = None,
  progress: bool = True,
) -> FitResult:
  """Trains a network and returns its final state and its history.

  Calls with the same network and optimizer share compiled programs.

  Args:
    network: the network to train.
    optimizer: an optax transformation; the devices that store the weights; or
      the learning rate of gradient descent, a number that falls linearly to 0,
      or an optax schedule by the number of updates.
    dataset: a dataset, whose training split is used, or a pair of arrays:
      inputs as for `Network`, and `[N]` or `[N, 1]` labels, integers or bool,
      or `[N, L]` of moments, -1 without one.
    num_epochs: number of epochs to train.
    batch_size: number of samples in a batch.
    seed: seed of all random streams; not used if `state` is given.
    state: state of an earlier call with the same network and optimizer, to
      train `num_epochs` more; with `make_optimizer` it includes the learning
      rate. Two calls equal a longer one bit for bit: numbers of epochs and a
      schedule go on. `init_state` with `params` starts the schedule again.
    evaluate: whether to evaluate after each epoch on the validation split, or
      on the test split if there is none; or a pair of arrays to evaluate on.
    callback: called after each epoch with its number and metrics, for a logger,
      as `wandb.log` or `mlflow.log_metrics`.
    progress: whether to show a progress bar.

  Raises:
    UserError: if the data do not fit the network.
  """
  train, held_out = _find_splits(dataset, evaluate)
  before = 0 if state is None else int(state.epoch)
  total = before + num_epochs
  num_updates = total * (np.shape(train[1])[0] // batch_size)
  optimizer = _as_optimizer(optimizer, num_updates)
  if state is None:
    state = state_lib.init_state(network, optimizer, seed)
  train, held_out = _load_splits(network, state.params, train, held_out)
  programs = loop.make_programs(network, optimizer, batch_size)
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
      shown = rows[-1]._asdict().items()
      metrics = {name: float(x) for name, x in shown if x is not None}
      bar.set_postfix(metrics)
      if callback is not None:
        callback({'epoch': epoch.number} | metrics)
  state = _first(epoch.state)
  history = jax.tree.map(lambda *values: np.stack(values), *rows)
  return FitResult(state, history)


def _as_optimizer(optimizer, num_updates):
  """Returns the optimizer of a learning rate or schedule, always the same."""
  if isinstance(optimizer, numbers.Real):
    return _descend(float(optimizer), optax.linear_schedule, num_updates)
  if not callable(optimizer):
    return optimizer
  return _descend(1.0, optimizer)


@functools.lru_cache  # programs are cached by their optimizers
def _descend(learning_rate, schedule, *num_updates):
  if num_updates:
    schedule = schedule(1.0, 0.0, *num_updates)
  return state_lib.make_optimizer(learning_rate, schedule)


def _chance(labels, answers):
  """Returns the accuracy of always predicting the most frequent class."""
  if labels.ndim == 2:
    labels = labels[np.asarray(temporal.weigh(labels, answers)[1]) > 0]
  return np.max(np.bincount(labels), initial=0) / max(1, len(labels))


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
  chance: float = 0.0  #: accuracy of the most frequent class

  @property
  def difference(self) -> statistics.Difference:
    """Mean of ssnn minus ann, with its 95 % interval, in percentage points."""
    return statistics.paired_difference(
      self.ssnn, self.ann, self.num_eval_samples
    )

  @property
  def verdict(self) -> str:
    """Whether the difference is within the margin; '' without a margin."""
    if statistics.is_at_chance(np.mean(self.ann), self.chance):
      return 'at chance, so that nothing is compared'
    if self.margin is None:
      return ''
    return statistics.verdict(self.difference, self.margin)

  def __repr__(self):
    text = (
      f'spiking network {100 * np.mean(self.ssnn):.2f} %, '
      f'ANN {100 * np.mean(self.ann):.2f} %: difference {self.difference} '
      f'percentage points ({len(self.seeds)} seeds)'
    )
    margin = '' if self.margin is None else f', margin {self.margin:g}'
    return f'{text}{margin}: {self.verdict}' if self.verdict else text


class Comparisons(dict[int | None, Comparison]):
  """Comparisons with one ANN, by `num_steps`; prints as a table."""

  def __repr__(self):
    first = next(iter(self.values()))
    margin = '' if first.margin is None else f', margin {first.margin:g}'
    lines = [
      f'accuracy in %, {len(first.seeds)} seeds{margin}',
      f'ANN     {100 * np.mean(first.ann):.2f}',
    ]
    for num_steps, own in self.items():
      cells = f'{100 * np.mean(own.ssnn):.2f}  {own.difference!s:14}'
      name = 'digits' if num_steps is None else f'N = {num_steps}'
      lines.append(f'{name:8}{cells}{own.verdict}'.rstrip())
    return '\n'.join(lines)


def compare(
  model: Any,
  dataset: arrays.Dataset | Arrays,
  seeds: Iterable[int] | int = 5,
  *,
  num_steps: Sequence[int | None] | None = None,
  num_epochs: int = 20,
  batch_size: int = 32,
  optimizer: optax.GradientTransformation | optax.Schedule | float = 0.5,
  margin: float | None = 1.0,
  evaluate: bool | Arrays = True,
  progress: bool = True,
) -> Comparison | Comparisons:
  """Trains `ssnn(model)` and `ann(model)` with the same seeds.

  The different seeds, two or more for an interval and five for a verdict, are
  trained together, in one program, and evaluated after the last epoch.

  Args:
    model: a module as of `as_function`, unchanged, whose ANN is what it is; a
      `Function`, or a configuration.
    dataset: as of `fit`.
    seeds: the seeds, or their number.
    num_steps: numbers of steps N, each of which is compared with the ANN; of a
      function one may be None, digits alone. None is that of the model.
    num_epochs: number of epochs to train.
    batch_size: number of samples in a batch.
    optimizer: as of `fit`, but no devices.
    margin: equivalence margin in percentage points; choose it before you see
      results. None has no verdict.
    evaluate: as of `fit`.
    progress: whether to show a progress bar.

  Returns:
    The comparison, or those of each N, which print as a table.

  Raises:
    UserError: if seeds are equal, the margin is not above 0, or the data do not
      fit the network.
  """
  splits = _find_splits(dataset, evaluate)
  if not isinstance(model, Function | NetworkConfig):
    model = as_function(model, splits[0][0])
  if checks.is_integer(seeds):
    seeds = range(seeds)
  seeds = tuple(seeds)
  if not seeds or len({*seeds}) < len(seeds):
    raise types.UserError(f'seeds are {seeds}; expected different ones.')
  if margin is not None and not margin > 0:
    raise types.UserError(f'margin is {margin}; expected points above 0.')
  steps = model.num_steps if num_steps is None else num_steps
  steps = tuple(steps) if isinstance(steps, Iterable) else (steps,)
  models = [dataclasses.replace(model, num_steps=own) for own in steps]
  networks = [ann(model), *map(ssnn, models)]
  params = jax.eval_shape(networks[0].init, jax.random.key(0))
  train, held_out = _load_splits(networks[0], params, *splits)
  if held_out is None:
    raise types.UserError('evaluate is missing; pass (inputs, labels).')
  num_updates = num_epochs * (len(train[1]) // batch_size)
  optimizer = _as_optimizer(optimizer, num_updates)
  accuracies = []
  with tqdm.tqdm(
    total=len(networks) * num_epochs, unit='epoch', disable=not progress
  ) as bar:
    for network in networks:
      programs = loop.make_programs(network, optimizer, batch_size)
      state = programs.start(jnp.array(seeds))
      for epoch in loop.run(programs, state, train, held_out, num_epochs, 0):
        accuracy = epoch.accuracy  # evaluated after the last epoch
        bar.update()
      accuracies.append(np.asarray(accuracy.default, np.float64))
  labels = np.asarray(held_out[1])
  of_ann, *of_ssnn = accuracies
  chance = _chance(labels, loop.find_answers(networks[0]))
  shared = of_ann, len(labels), margin, chance
  found = [Comparison(seeds, own, *shared) for own in of_ssnn]
  return found[0] if num_steps is None else Comparisons(zip(steps, found))


def _find_splits(dataset, evaluate):
  """Returns inputs and labels to train on, and those to evaluate on or None."""
  train, held_out = dataset, None if isinstance(evaluate, bool) else evaluate
  if isinstance(dataset, arrays.Dataset):
    train = dataset.train
    if evaluate is True:
      held_out = dataset.validation or dataset.test
  return train, held_out


def _load_splits(network, params, *splits):
  """Checks the data of `fit`, and puts them on the device, labels as int32."""

  def load(split):
    inputs, labels = (
      array if isinstance(array, jax.Array) else np.asarray(array)
      for array in split
    )
    *moments, num_classes = prediction.check_inputs(network, params, inputs)
    shape = (len(inputs),)
    if moments and labels.shape[1:] not in ((), (1,)):  # of each moment
      shape = (len(inputs), *moments)
      labels = np.maximum(np.asarray(labels, np.int64), -1)
      checks.check_labels(np.maximum(labels, 0), shape, num_classes)
      temporal.check_answers(labels, loop.find_answers(network))
    else:
      labels = arrays.as_classes(labels)
      checks.check_labels(labels, shape, num_classes)
    return jax.device_put((inputs, labels.astype(np.int32)))

  return [split and load(split) for split in splits]
