"""Training and readout steps, compiled to be timed."""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.hardware import devices
from ssnn_jax.hardware.presets import PRESETS

_LEARNING_RATE = 0.1
_NUM_BATCHES = 8  # steps alternate between these

# (state, key, images, labels) -> state
Step = Callable[..., Any]


class Compiled(NamedTuple):
  """A compiled loop over steps or epochs."""

  run: Callable[[int], None]  # runs a number of steps
  peak_mib: float  # temporaries and outputs, MiB


def make_step(
  name: str,
  network: ssnn_jax.Network,
  config: ssnn_jax.NetworkConfig,
  method: str,
  device: str,
) -> tuple[Step, Any]:
  """Returns a step, 'learn' or 'infer', and its initial state."""
  params = ssnn_jax.ssnn(config).init(jax.random.key(0))
  if name == 'infer':
    return infer_step(network), params
  if device == synapses.IDEAL:
    return learn_step(network, is_spiking=method != methods.ANN), params
  resistive = devices.make_resistive(PRESETS[device], _LEARNING_RATE)
  network = ssnn_jax.ssnn(config, separate_signs=resistive.separate_signs)
  state = resistive.init(jax.random.key(1), params)
  return device_step(network, resistive), state


def learn_step(network: ssnn_jax.Network, is_spiking: bool) -> Step:
  """Makes a training step whose state is the parameters."""

  def loss(params, key, images, labels):
    potential = network.infer(params, key, images).potential
    losses = optax.softmax_cross_entropy_with_integer_labels(potential, labels)
    return jnp.mean(losses)

  def gradient(params, key, images, labels):
    if is_spiking:
      return ssnn_jax.as_gradient(network.learn(params, key, images, labels)[0])
    return jax.value_and_grad(loss)(params, key, images, labels)[1]

  def step(params, *batch):
    return jax.tree.map(
      lambda leaf, slope: leaf - _LEARNING_RATE * slope,
      params,
      gradient(params, *batch),
    )

  return step


def device_step(network: ssnn_jax.Network, device: devices.Device) -> Step:
  """Makes a training step whose state is parameters and device state."""

  def step(state, key, images, labels):
    params, device_state = state
    learn_key, pulse_key = jax.random.split(key)
    gradient = device.pulse_gradient(device_state)
    update, _ = network.learn(
      params, learn_key, images, labels, pulse_gradient=gradient
    )
    return device.update(pulse_key, update, device_state, params)

  return step


def infer_step(network: ssnn_jax.Network) -> Step:
  """Makes a readout step whose state is the parameters."""

  def step(params, key, images, labels):
    del labels
    counts = network.infer(params, key, images).winner_counts
    last = params[-1]
    # Adds 0, so that the compiler removes no step.
    trace = 1e-30 * jnp.sum(counts.astype(jnp.float32))
    return *params[:-1], last._replace(biases=last.biases + trace)

  return step


def compile_steps(
  step: Step, state: Any, config: ssnn_jax.NetworkConfig, batch_size: int
) -> Compiled:
  """Compiles a loop over steps of minibatches of random images."""
  images, labels = _random_images(config, _NUM_BATCHES * batch_size)
  images = images.reshape(_NUM_BATCHES, batch_size, -1)
  labels = labels.reshape(_NUM_BATCHES, batch_size)

  def loop(state, key, num_steps, images, labels):
    def body(index, state):
      batch = index % _NUM_BATCHES
      step_key = jax.random.fold_in(key, index)
      return step(state, step_key, images[batch], labels[batch])

    return jax.lax.fori_loop(0, num_steps, body, state)

  key = jax.random.key(0)
  compiled = _compile(loop, state, key, jnp.int32(1), images, labels)

  def run(num_steps):
    nonlocal state
    state = compiled(state, key, jnp.int32(num_steps), images, labels)
    jax.block_until_ready(state)

  return Compiled(run, _peak_mib(compiled))


def compile_epoch(
  network: ssnn_jax.Network,
  config: ssnn_jax.NetworkConfig,
  batch_size: int,
  num_images: int,
) -> Compiled:
  """Compiles an epoch over random images; `run` takes a number of epochs."""
  images, labels = _random_images(config, num_images)
  optimizer = training.make_optimizer(_LEARNING_RATE)
  train_epoch = training.make_train_epoch(network, optimizer, batch_size)
  state = training.init_state(network, optimizer, seed=0)
  compiled = _compile(train_epoch, state, images, labels)

  def run(num_epochs):
    nonlocal state
    for _ in range(num_epochs):
      state, _ = compiled(state, images, labels)
    jax.block_until_ready(state.params)

  return Compiled(run, _peak_mib(compiled))


def _random_images(config, size):
  image_key, label_key = jax.random.split(jax.random.key(1))
  shape = size, config.layer_sizes[0]
  images = jax.random.bits(image_key, shape, jnp.uint8)
  labels = jax.random.randint(label_key, (size,), 0, config.layer_sizes[-1])
  return images, labels


def _compile(function, *arguments):
  return jax.jit(function, donate_argnums=0).lower(*arguments).compile()


def _peak_mib(compiled):
  memory = compiled.memory_analysis()
  size = memory.temp_size_in_bytes + memory.output_size_in_bytes
  return round(size / 2**20, 4)
