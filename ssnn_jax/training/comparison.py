"""Fair comparison of a spiking network with its ANN: the same seeds, in pairs.

Both networks of a seed have the same initial weights, order of samples,
optimizer and evaluation samples, so that their difference has no variance of
these.
"""

from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tqdm

from ssnn_jax import types
from ssnn_jax.baselines.ann import ann
from ssnn_jax.config import NetworkConfig
from ssnn_jax.datasets import types as dataset_types
from ssnn_jax.network import ssnn
from ssnn_jax.training import fit as fit_lib
from ssnn_jax.training import loop
from ssnn_jax.training import state as state_lib
from ssnn_jax.training import statistics

_LEARNING_RATE = 0.5  # of the default optimizer


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
  dataset: dataset_types.Dataset | fit_lib.Arrays,
  seeds: Iterable[int] = range(5),
  *,
  num_epochs: int = 20,
  batch_size: int = 32,
  optimizer: optax.GradientTransformation | None = None,
  margin: float | None = None,
  evaluate: bool | fit_lib.Arrays = True,
  progress: bool = True,
) -> Comparison:
  """Trains `ssnn(config)` and `ann(config)` with the same seeds.

  The seeds of a network are trained together, in one program.

  Args:
    config: the network.
    dataset: a dataset, whose training split is used, or a pair of arrays, as
      for `fit`.
    seeds: different seeds, two or more for an interval, five for a verdict.
    num_epochs: number of epochs to train.
    batch_size: number of samples in a batch.
    optimizer: of both networks; None is gradient descent with a learning rate
      of 0.5 that falls linearly to 0.
    margin: equivalence margin in percentage points; choose it before you see
      results.
    evaluate: True to evaluate on the validation split, or on the test split if
      there is none; or a pair of arrays to evaluate on.
    progress: whether to show a progress bar.

  Returns:
    The accuracies after the last epoch, and their paired differences.

  Raises:
    UserError: if seeds are equal, or the data do not fit the network.

  Example:
    >>> config = ssnn_jax.NetworkConfig((64, 10), num_steps=32)
    >>> digits = ssnn_jax.datasets.load('digits')
    >>> ssnn_jax.training.compare(  # doctest: +SKIP
    ...   config, digits, range(5), num_epochs=2, margin=3)
  """
  seeds = tuple(seeds)
  if len(set(seeds)) < len(seeds):
    raise types.UserError(f'seeds are {seeds}; expected different numbers.')
  networks = ssnn(config), ann(config)
  params = jax.eval_shape(networks[0].init, jax.random.key(0))
  train, held_out = fit_lib.load_splits(networks[0], params, dataset, evaluate)
  if held_out is None:
    raise types.UserError(
      'there are no samples to evaluate on; pass a Dataset, or arrays as '
      'evaluate=(inputs, labels).'
    )
  if optimizer is None:
    num_updates = num_epochs * (len(train[1]) // batch_size)
    schedule = optax.linear_schedule(1.0, 0.0, num_updates)
    optimizer = state_lib.make_optimizer(_LEARNING_RATE, schedule)
  start = jax.jit(
    jax.vmap(lambda seed: state_lib.init_state(networks[0], optimizer, seed))
  )
  accuracies = []
  with tqdm.tqdm(
    total=2 * num_epochs, unit='epoch', disable=not progress
  ) as bar:
    for network in networks:
      programs = fit_lib.make_programs(network, optimizer, batch_size)
      state = start(jnp.array(seeds))
      for epoch in loop.run(programs, state, train, held_out, num_epochs, 0):
        accuracy = epoch.accuracy  # evaluated after the last epoch
        bar.update()
      accuracies.append(np.asarray(accuracy.default, np.float64))
  return Comparison(seeds, *accuracies, len(held_out[1]), margin)
