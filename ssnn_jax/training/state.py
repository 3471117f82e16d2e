"""State of training, its optimizer, and the random streams of a seed."""

import enum
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssnn_jax import checks
from ssnn_jax import types

# An optax transformation, or the devices that store the weights.
Optimizer = optax.GradientTransformation | types.Device


class TrainState(NamedTuple):
  """Parameters, optimizer state and progress of one seed."""

  params: Any  #: types.Params, or those of a model
  opt_state: Any  #: of the optimizer, or of the devices that store the weights
  key: jax.Array  #: typed PRNG key of the seed; constant
  epoch: jax.Array  #: int32 number of epochs trained


class Stream(enum.IntEnum):
  """Random streams of a seed: `jax.random.fold_in(key, stream)` is its key."""

  INIT = 0  # initial parameters
  ORDER = 1  # order of the training samples
  PRESENT = 2  # spikes and dropout of training
  EVALUATE = 3  # spikes of evaluation
  PROBE = 4  # spikes of measured update errors
  OBSERVE = 5  # spikes of samples that are looked at
  DEVICE = 6  # device-to-device variability
  PULSE = 7  # cycle-to-cycle variability of weight updates
  AUGMENT = 9  # changes of training images


def init_state(
  network: types.Network,
  optimizer: Optimizer,
  seed: jax.Array | int,
  *,
  params: Any = None,
  epoch: jax.Array | int = 0,
) -> TrainState:
  """Returns the state before the first epoch of one seed, or a later one.

  Args:
    network: the network.
    optimizer: an optax transformation, or the devices that store the weights.
    seed: seed of all random streams; below 2**31.
    params: parameters to start from, with a new state of the optimizer, and so
      with the first learning rate of a schedule; None draws them.
    epoch: number of epochs that the parameters were trained before. Seed and
      epoch decide the order of the samples, and their spikes.
  """
  is_array = isinstance(seed, jax.Array | np.ndarray)  # `jax.vmap` traces seeds
  if not is_array and not checks.is_count(seed, smallest=0):
    raise types.UserError(f'seed is {seed}; expected 0 to {checks.MAX_COUNT}.')
  key = jax.random.key(seed)
  if params is None:
    params = network.init(jax.random.fold_in(key, Stream.INIT))
  params, opt_state = as_device(optimizer).init(
    jax.random.fold_in(key, Stream.DEVICE), jax.tree.map(jnp.asarray, params)
  )
  return TrainState(params, opt_state, key, jnp.int32(epoch))


def as_device(
  device: types.Device | optax.GradientTransformation,
) -> types.Device:
  """Returns an optimizer as the ideal device, and a device unchanged."""
  if isinstance(device, types.Device):
    return device

  def learn(network, keys, carry, inputs, labels):
    params, state = carry
    gradient, inference = jax.grad(network.loss, has_aux=True)(
      params, keys[0], inputs, labels
    )
    steps, state = device.update(gradient, state, params)
    return (optax.apply_updates(params, steps), state), inference

  return types.Device(lambda key, params: (params, device.init(params)), learn)


def make_optimizer(
  learning_rate: jax.Array | float,
  schedule: optax.Schedule | None = None,
  weight_decay: float = 0.0,
  rule: str = 'sgd',
) -> optax.GradientTransformation:
  """Builds gradient descent with a schedule and decoupled weight decay.

  As in `optax.adamw`, the decay is multiplied by the learning rate. Parameters
  of one axis, as biases, do not decay.

  Args:
    learning_rate: step size for the mean gradient of a batch. It is part of the
      optimizer state, so that `jax.vmap` can train with different values.
    schedule: factor on the learning rate by number of updates; None for 1.
    weight_decay: coefficient of the weight decay.
    rule: 'sgd', stochastic gradient descent; 'adam'; or 'muon', whose steps of
      the weights of a layer are equally large in every direction (K. Jordan et
      al., 2024), each as large as one of Adam.

  Raises:
    UserError: if a number is negative, or infinite as a float32.
  """
  checks.check_rate('learning_rate', learning_rate)
  checks.check_rate('weight_decay', weight_decay)
  transformations = {'sgd': (), 'adam': (optax.scale_by_adam(),)}
  factor = schedule or optax.constant_schedule(1.0)

  def mask(params):
    return jax.tree.map(lambda leaf: jnp.ndim(leaf) > 1, params)

  def find_matrices(params):  # of what a layer reads, and of its neurons
    def find(leaf):
      last = jnp.ndim(leaf) - 1
      if last < 1:
        return None
      return optax.contrib.MuonDimensionNumbers(tuple(range(last)), last)

    return jax.tree.map(find, params)

  def descend(learning_rate):
    rate = lambda count: learning_rate * factor(count)
    if rule == 'muon':
      return optax.contrib.muon(
        rate,
        weight_decay=weight_decay,
        consistent_rms=0.2,  # of a step of Adam
        muon_weight_dimension_numbers=find_matrices,
      )
    return optax.chain(
      *transformations[rule],
      optax.add_decayed_weights(weight_decay, mask=mask),
      optax.scale_by_learning_rate(rate),
    )

  return optax.inject_hyperparams(descend)(jnp.float32(learning_rate))
