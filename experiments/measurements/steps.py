"""Steps of training and reading, and how they are compiled to be timed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

import ssnn_jax
from ssnn_jax import training
from ssnn_jax.hardware import devices

LEARNING_RATE = 0.1
_NUM_BATCHES = 8  # that the steps take turns with

# (state, key, images, labels) -> state
Step = Callable[..., Any]


def learn_step(network: ssnn_jax.Network, is_spiking: bool) -> Step:
  """Makes one step of training, whose state are the parameters."""

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
      lambda leaf, slope: leaf - LEARNING_RATE * slope,
      params,
      gradient(params, *batch),
    )

  return step


def device_step(network: ssnn_jax.Network, device: devices.Device) -> Step:
  """Makes one step of training devices; the state is theirs, too."""

  def step(state, key, images, labels):
    params, own = state
    learn_key, pulse_key = jax.random.split(key)
    gradient = device.pulse_gradient(own)
    update, _ = network.learn(
      *(params, learn_key, images, labels), pulse_gradient=gradient
    )
    return device.update(pulse_key, update, own, params)

  return step


def infer_step(network: ssnn_jax.Network) -> Step:
  """Makes one readout, which leaves a trace in the parameters."""

  def step(params, key, images, labels):
    del labels
    counts = network.infer(params, key, images).winner_counts
    last = params[-1]
    # A sum of 0, so that the parameters stay and no step can be left out.
    trace = 1e-30 * jnp.sum(counts.astype(jnp.float32))
    return *params[:-1], last._replace(biases=last.biases + trace)

  return step


def time_steps(
  step: Step, state: Any, config: ssnn_jax.NetworkConfig, batch_size: int
) -> tuple[Callable[[int], None], float]:
  """Compiles a loop over steps.

  Args:
    step: one step.
    state: what it starts from.
    config: the network, for the sizes of images.
    batch_size: samples a step.

  Returns:
    A function that takes so many steps, and the compiled loop's peak memory in
    MiB: temporaries and outputs.
  """
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
  arguments = state, key, jnp.int32(1), images, labels
  compiled = jax.jit(loop, donate_argnums=0).lower(*arguments).compile()

  def run(num_steps):
    nonlocal state
    state = compiled(state, key, jnp.int32(num_steps), images, labels)
    jax.block_until_ready(state)

  return run, _peak_mib(compiled)


def time_epoch(
  network: ssnn_jax.Network,
  config: ssnn_jax.NetworkConfig,
  batch_size: int,
  num_images: int,
) -> tuple[Callable[[int], None], float]:
  """Compiles an epoch; returns as `time_steps` does, a step being an epoch."""
  images, labels = _random_images(config, num_images)
  optimizer = training.make_optimizer(LEARNING_RATE)
  train_epoch = training.make_train_epoch(network, optimizer, batch_size)
  state = training.init_state(network, optimizer, seed=0)
  compiled = jax.jit(train_epoch, donate_argnums=0)
  compiled = compiled.lower(state, images, labels).compile()

  def run(num_epochs):
    nonlocal state
    for _ in range(num_epochs):
      state, _ = compiled(state, images, labels)
    jax.block_until_ready(state.params)

  return run, _peak_mib(compiled)


def _random_images(config, size):
  image_key, label_key = jax.random.split(jax.random.key(1))
  shape = size, config.layer_sizes[0]
  images = jax.random.bits(image_key, shape, jnp.uint8)
  labels = jax.random.randint(label_key, (size,), 0, config.layer_sizes[-1])
  return images, labels


def _peak_mib(compiled):
  memory = compiled.memory_analysis()
  size = memory.temp_size_in_bytes + memory.output_size_in_bytes
  return round(size / 2**20, 4)
