"""Training and evaluation: whole epochs as one jitted function of a state.

All functions treat one seed; `jax.vmap` over the state trains several at once.
"""

from collections.abc import Callable
import enum
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

from ssnn_jax import types
from ssnn_jax.hardware import devices
from ssnn_jax.training import metrics
from ssnn_jax.training import sharding


@flax.struct.dataclass
class TrainState:
  """What changes while a network trains."""

  params: types.Params
  opt_state: Any  # of the optimiser or of the devices that hold the weights
  key: jax.Array  # typed PRNG key of the seed; never changes
  epoch: jax.Array  # epochs done


@flax.struct.dataclass
class EpochMetrics:
  """Means over an epoch, taken while the weights change."""

  loss: jax.Array  # cross-entropy of the final potentials, in nats
  accuracy: jax.Array  # of the winners


class Stream(enum.IntEnum):
  """What the key of a seed is used for; each use has its own stream."""

  INIT = 0
  ORDER = 1
  PRESENT = 2
  EVALUATE = 3
  PROBE = 4
  OBSERVE = 5
  DEVICE = 6
  PULSE = 7
  FEEDBACK = 8


def stream_key(key: jax.Array, stream: Stream) -> jax.Array:
  """Derives the key of one stream from the key of a seed."""
  return jax.random.fold_in(key, stream)


def make_optimizer(
  learning_rate: jax.Array | float,
  schedule: optax.Schedule | None = None,
  weight_decay: float = 0.0,
) -> optax.GradientTransformation:
  """Builds stochastic gradient descent with decoupled weight decay.

  The decay is that of the weights, not of the biases, and is multiplied by the
  learning rate, as in `optax.adamw`.

  Args:
    learning_rate: step size for the mean gradient of a batch. It is kept in the
      optimiser's state, so that networks with rates of their own are trained
      together by `jax.vmap`, with an optimiser of any rate.
    schedule: factor on the learning rate, over steps; None leaves it constant.
    weight_decay: rate at which weights decay.

  Returns:
    The optimiser.
  """

  def weights_only(params):
    return tuple(types.LayerParams(weights=True, biases=False) for _ in params)

  def descend(learning_rate):
    factor = schedule or optax.constant_schedule(1.0)
    return optax.chain(
      optax.add_decayed_weights(weight_decay, mask=weights_only),
      optax.scale_by_learning_rate(lambda step: learning_rate * factor(step)),
    )

  return optax.inject_hyperparams(descend)(jnp.float32(learning_rate))


def init_state(
  network: types.Network,
  device: devices.Device | optax.GradientTransformation,
  seed: jax.Array | int,
) -> TrainState:
  """Makes the state before the first epoch from a seed."""
  key = jax.random.key(seed)
  params = network.init(stream_key(key, Stream.INIT))
  device_key = stream_key(key, Stream.DEVICE)
  params, state = devices.as_device(device).init(device_key, params)
  return TrainState(params, state, key, jnp.int32(0))


def make_train_epoch(
  network: types.Network,
  device: devices.Device | optax.GradientTransformation,
  batch_size: int,
  axis_name: str | None = None,
) -> Callable[..., tuple[TrainState, EpochMetrics]]:
  """Makes the function that trains one epoch.

  Args:
    network: the network to train.
    device: what holds its weights; an optimiser is the ideal device.
    batch_size: samples a batch; the order is drawn anew each epoch, and samples
      beyond the last whole batch wait for another one.
    axis_name: axis of a mesh whose devices share each batch; the network must
      have been built for it, and each device is given the whole data set.

  Returns:
    `(state, inputs, labels) -> (state, metrics)` on one seed, pure.

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
  device = devices.as_device(device)

  def learn(params, key, device_state, inputs, labels):
    pulse_gradient = device.pulse_gradient(device_state)
    options = {}
    if pulse_gradient is not None:
      options['pulse_gradient'] = pulse_gradient
    return network.learn(params, key, inputs, labels, **options)

  def train_epoch(state, inputs, labels):
    num_batches = inputs.shape[0] // batch_size
    order_key, present_key, pulse_key = (
      jax.random.fold_in(stream_key(state.key, stream), state.epoch)
      for stream in (Stream.ORDER, Stream.PRESENT, Stream.PULSE)
    )
    order = jax.random.permutation(order_key, inputs.shape[0])
    batches = order[: num_batches * batch_size].reshape(num_batches, batch_size)

    def step(carry, index_and_batch):
      params, device_state = carry
      index, batch = index_and_batch
      update, inference = learn(
        *(params, jax.random.fold_in(present_key, index), device_state),
        *(inputs[batch], labels[batch]),
      )
      correct = metrics.predict(inference) == labels[batch]
      key = jax.random.fold_in(pulse_key, index)
      return device.update(key, update, device_state, params), EpochMetrics(
        loss=metrics.cross_entropy(inference, labels[batch]),
        accuracy=correct.astype(jnp.float32),
      )

    (params, opt_state), samples = jax.lax.scan(
      step,
      (state.params, state.opt_state),
      (jnp.arange(num_batches), sharding.own_part(batches, axis_name)),
    )
    state = state.replace(
      params=params, opt_state=opt_state, epoch=state.epoch + 1
    )
    samples = sharding.all_parts(samples, axis_name)
    return state, jax.tree.map(jnp.mean, samples)

  return train_epoch


def make_evaluate(
  network: types.Network,
  reference: types.Network,
  batch_size: int,
  axis_name: str | None = None,
) -> Callable[..., metrics.Accuracy]:
  """Makes the function that evaluates parameters on a whole set.

  Args:
    network: the network to evaluate.
    reference: the ANN that reads the same parameters as rates.
    batch_size: samples a batch; the last one is padded.
    axis_name: axis of a mesh whose devices share each batch; both networks must
      have been built for it, and each device is given the whole set.

  Returns:
    `(params, key, inputs, labels) -> Accuracy` on one seed, pure.
  """

  def evaluate(params, key, inputs, labels):
    size = inputs.shape[0]
    num_batches = -(-size // batch_size)
    batches = jnp.arange(num_batches * batch_size).reshape(-1, batch_size)
    own = sharding.own_part(batches, axis_name, padding=size)

    def step(correct, index_and_batch):
      index, batch = index_and_batch
      chosen = jnp.minimum(batch, size - 1)
      batch_key = jax.random.fold_in(key, index)
      inference = network.infer(params, batch_key, inputs[chosen])
      rates = reference.infer(params, batch_key, inputs[chosen])
      predictions = metrics.Accuracy(
        winner=metrics.predict(inference),
        potential=jnp.argmax(inference.potential, axis=-1),
        rate=jnp.argmax(rates.potential, axis=-1),
      )
      hits = jax.tree.map(
        lambda guess: jnp.sum((guess == labels[chosen]) & (batch < size)),
        predictions,
      )
      return jax.tree.map(jnp.add, correct, hits), None

    start = metrics.Accuracy(*(jnp.int32(0),) * 3)
    correct, _ = jax.lax.scan(step, start, (jnp.arange(num_batches), own))
    if axis_name:
      correct = jax.lax.psum(correct, axis_name)
    return jax.tree.map(lambda hits: hits / size, correct)

  return evaluate
