"""Compiled training and readout steps to be timed.

Several seeds run together, as the training loop runs them.
"""

from collections.abc import Callable
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.config import ANN
from experiments.config import IDEAL
from experiments.config import METHODS
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.hardware import counts
from ssnn_jax.hardware import devices
from ssnn_jax.hardware.device_config import PRESETS
from ssnn_jax.training import loop

_LEARNING_RATE = 0.1
_NUM_BATCHES = 8  # minibatches that steps alternate between
Step = Callable[..., Any]  # (state, key, images, labels) -> state
BASELINES = 'feedback_alignment', 'rpu', 'bp_stdp', 'surrogate_gradient'
# The memory of a sample, by methods.
MEMORY = {
  'ssnn': counts.spiking_memory,
  'feedback_alignment': counts.spiking_memory,
  ANN: counts.backprop_memory,
  'rpu': counts.backprop_memory,  # pulses are made for the update
  'bp_stdp': counts.bp_stdp_memory,
  'surrogate_gradient': counts.surrogate_gradient_memory,
}


class Setting(NamedTuple):
  """A timed setting."""

  name: str  # learn, infer or epoch
  config: ssnn_jax.NetworkConfig
  batch_size: int
  method: str
  device: str = IDEAL
  num_seeds: int = 1  # seeds that run together
  dataset: str | None = None  # of the images; None: random ones
  layers: str | None = None  # text of layers that are not dense


class Compiled(NamedTuple):
  """A compiled loop over steps or epochs of all seeds."""

  run: Callable[[int], None]  # runs a number of steps
  peak_mib: float  # temporaries and outputs, MiB


def compile_setting(setting: Setting, num_images: int) -> Compiled:
  """Compiles a setting, with epochs of `num_images` images."""
  config, resistive = setting.config, None
  if setting.device != IDEAL:
    resistive = devices.make_resistive(PRESETS[setting.device], _LEARNING_RATE)

  def make_network(key):
    options = {'separate_signs': resistive.separate_signs} if resistive else {}
    return METHODS[setting.method].make(config, key, **options)

  def make_step(key):
    network = make_network(key)
    if setting.name == 'infer':  # of ideal synapses
      return functools.partial(_infer_step, network)
    if resistive:
      return functools.partial(_device_step, network, resistive)
    return learn_step(network)

  def init_device(seed, params):
    key = jax.random.key(seed)
    device_key = training.stream_key(key, training.Stream.DEVICE)
    return resistive.init(device_key, params)

  if setting.name == 'epoch':
    return _compile_epoch(make_network, config, setting, num_images)
  seeds = jnp.arange(setting.num_seeds)
  state = _init(setting.config, seeds)
  if resistive:
    state = jax.jit(jax.vmap(init_device))(seeds, state)
  return _compile_steps(make_step, state, seeds, setting)


@functools.partial(jax.jit, static_argnums=0)
def _init(config, seeds):
  """Returns the parameters of each seed, which all methods share."""
  network = ssnn_jax.ssnn(config)
  return jax.vmap(lambda seed: network.init(jax.random.key(seed)))(seeds)


def learn_step(network: ssnn_jax.Network) -> Step:
  """Makes a training step whose state is the parameters."""

  def step(params, *batch):
    gradient, _ = jax.grad(network.loss, has_aux=True)(params, *batch)
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
  inference = network.infer(params, key, images)
  # With the readout of the network, so that nothing else is timed.
  counts = inference.winner_counts
  if network.readout == 'potential':
    counts = inference.potential
  last = params[-1]
  # A negligible dependency, so that the compiler removes no step.
  trace = 1e-30 * jnp.sum(counts.astype(jnp.float32))
  return *params[:-1], last._replace(biases=last.biases + trace)


def _compile_steps(make_step, state, seeds, setting):
  """Compiles a loop over steps of minibatches."""
  batch_size = setting.batch_size
  images, labels = _load_images(setting, _NUM_BATCHES * batch_size)
  images = images.reshape(_NUM_BATCHES, batch_size, -1)
  labels = labels.reshape(_NUM_BATCHES, batch_size)

  def run_steps(state, seed, num_steps, images, labels):
    key = jax.random.key(seed)
    step = make_step(key)
    present_key = training.stream_key(key, training.Stream.PRESENT)

    def body(index, state):
      batch = (index + seed) % _NUM_BATCHES  # Seeds differ in their minibatch.
      step_key = jax.random.fold_in(present_key, index)
      return step(state, step_key, images[batch], labels[batch])

    return jax.lax.fori_loop(0, num_steps, body, state)

  in_axes = 0, 0, None, None, None
  run_seeds = loop.over_seeds(run_steps, in_axes, donate_argnums=0)
  compiled, peak_mib = _compile(
    run_seeds, state, seeds, jnp.int32(1), images, labels
  )

  def run(num_steps):
    nonlocal state
    state = compiled(state, seeds, jnp.int32(num_steps), images, labels)
    jax.block_until_ready(state)

  return Compiled(run, peak_mib)


def _compile_epoch(make_network, config, setting, num_images):
  """Compiles an epoch."""
  split = _load_images(setting, num_images)
  optimizer = training.make_optimizer(_LEARNING_RATE)
  programs = loop.make_programs(make_network, optimizer, setting.batch_size)
  network = ssnn_jax.ssnn(config)
  start = functools.partial(training.init_state, network, optimizer)
  state = jax.jit(jax.vmap(start))(jnp.arange(setting.num_seeds))
  compiled, peak_mib = _compile(programs.train_epoch, state, split)

  def run(num_epochs):
    nonlocal state
    for _ in range(num_epochs):
      state, _ = compiled(state, split)
    jax.block_until_ready(state.params)

  return Compiled(run, peak_mib)


def _load_images(setting, size):
  """Returns the first training images, or random ones, and their labels."""
  if setting.dataset:
    train = ssnn_jax.datasets.load(setting.dataset).train
    chosen = np.arange(size) % len(train.labels)
    images, labels = train.inputs[chosen], train.labels[chosen]
    return jnp.asarray(images).reshape(size, -1), jnp.asarray(labels)
  sizes = setting.config.layer_sizes
  image_key, label_key = jax.random.split(jax.random.key(1))
  images = jax.random.bits(image_key, (size, sizes[0]), jnp.uint8)
  return images, jax.random.randint(label_key, (size,), 0, sizes[-1])


def _compile(function, *arguments):
  """Compiles a jitted function; returns it and its memory in MiB."""
  compiled = function.lower(*arguments).compile()
  memory = compiled.memory_analysis()
  size = memory.temp_size_in_bytes + memory.output_size_in_bytes
  return compiled, round(size / 2**20, 4)
