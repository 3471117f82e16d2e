"""Compiled training and readout steps to be timed.

The representation `naive` is `ssnn_jax.reference`: spikes that are plain
floats, one presentation of a sample at a time.
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax import reference
from ssnn_jax import training
from ssnn_jax.hardware import devices
from ssnn_jax.hardware.device_config import PRESETS

_LEARNING_RATE = 0.1
_NUM_BATCHES = 8  # minibatches that steps alternate between
Step = Callable[..., Any]  # (state, key, images, labels) -> state


class Setting(NamedTuple):
  """A timed setting."""

  name: str  # learn, infer or epoch
  config: ssnn_jax.NetworkConfig
  batch_size: int
  method: str
  representation: str | None  # None for methods without coincidence counts
  device: str = synapses.IDEAL
  layers: tuple[str, ...] | None = None  # text of layers that are not dense


class Compiled(NamedTuple):
  """A compiled loop over steps or epochs."""

  run: Callable[[int], None]  # runs a number of steps
  peak_mib: float  # temporaries and outputs, MiB


def compile_setting(setting: Setting, num_images: int) -> Compiled:
  """Compiles a setting, with epochs of `num_images` images."""
  name, config, batch_size, method, representation, device, _ = setting
  params = ssnn_jax.ssnn(config).init(jax.random.key(0))
  if representation == 'naive':
    network = reference.ssnn(config)
  else:
    form = representation or 'auto'
    config = dataclasses.replace(config, representation=form)
    network = methods.METHODS[method].make(config, jax.random.key(2))
  if name == 'epoch':
    return _compile_epoch(network, config, batch_size, num_images)
  if name == 'infer':
    step, state = functools.partial(_infer_step, network), params
  elif device == synapses.IDEAL:
    step = learn_step(network, is_spiking=method != methods.ANN)
    state = params
  else:
    resistive = devices.make_resistive(PRESETS[device], _LEARNING_RATE)
    network = ssnn_jax.ssnn(config, separate_signs=resistive.separate_signs)
    step = functools.partial(_device_step, network, resistive)
    state = resistive.init(jax.random.key(1), params)
  return _compile_steps(step, state, config, batch_size)


def learn_step(network: ssnn_jax.Network, is_spiking: bool) -> Step:
  """Makes a training step whose state is the parameters."""

  def loss(params, key, images, labels):
    potential = network.infer(params, key, images).potential
    losses = optax.softmax_cross_entropy_with_integer_labels(potential, labels)
    return jnp.mean(losses)

  def step(params, *batch):
    if is_spiking:
      gradient = ssnn_jax.as_gradient(network.learn(params, *batch)[0])
    else:
      gradient = jax.value_and_grad(loss)(params, *batch)[1]
    return jax.tree.map(
      lambda leaf, slope: leaf - _LEARNING_RATE * slope, params, gradient
    )

  return step


def _device_step(network, device, state, key, images, labels):
  """Makes a training step; the state is parameters and device state."""
  params, device_state = state
  learn_key, pulse_key = jax.random.split(key)
  gradient = device.pulse_gradient(device_state)
  update, _ = network.learn(
    params, learn_key, images, labels, pulse_gradient=gradient
  )
  return device.update(pulse_key, update, device_state, params)


def _infer_step(network, params, key, images, labels):
  """Makes a readout step; the state is the parameters."""
  del labels
  counts = network.infer(params, key, images).winner_counts
  last = params[-1]
  # A negligible dependency, so that the compiler removes no step.
  trace = 1e-30 * jnp.sum(counts.astype(jnp.float32))
  return *params[:-1], last._replace(biases=last.biases + trace)


def _compile_steps(step, state, config, batch_size):
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
  compiled, peak_mib = _compile(loop, state, key, jnp.int32(1), images, labels)

  def run(num_steps):
    nonlocal state
    state = compiled(state, key, jnp.int32(num_steps), images, labels)
    jax.block_until_ready(state)

  return Compiled(run, peak_mib)


def _compile_epoch(network, config, batch_size, num_images):
  """Compiles an epoch over random images."""
  images, labels = _random_images(config, num_images)
  optimizer = training.make_optimizer(_LEARNING_RATE)
  train_epoch = training.make_train_epoch(network, optimizer, batch_size)
  state = training.init_state(network, optimizer, seed=0)
  compiled, peak_mib = _compile(train_epoch, state, images, labels)

  def run(num_epochs):
    nonlocal state
    for _ in range(num_epochs):
      state, _ = compiled(state, images, labels)
    jax.block_until_ready(state.params)

  return Compiled(run, peak_mib)


def _random_images(config, size):
  image_key, label_key = jax.random.split(jax.random.key(1))
  shape = size, config.layer_sizes[0]
  images = jax.random.bits(image_key, shape, jnp.uint8)
  labels = jax.random.randint(label_key, (size,), 0, config.layer_sizes[-1])
  return images, labels


def _compile(function, *arguments):
  """Returns the compiled function and its memory in MiB."""
  compiled = jax.jit(function, donate_argnums=0).lower(*arguments).compile()
  memory = compiled.memory_analysis()
  size = memory.temp_size_in_bytes + memory.output_size_in_bytes
  return compiled, round(size / 2**20, 4)
