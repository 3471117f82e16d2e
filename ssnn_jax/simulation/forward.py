"""What one block of windows does to one sample, forward.

The rules of one window are lifted over the windows of the block by `vmap`; only
a membrane that integrates is scanned over them.
"""

from collections.abc import Callable
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.hardware import periphery
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import wta
from ssnn_jax.spikes import thresholds

# (role, layer, num_neurons) -> [K, ...] thresholds of the block's words
Sources = Callable[[thresholds.Role, int, int], thresholds.Thresholds]


class Membranes(NamedTuple):
  """What a block hands to the next one."""

  potentials: tuple[jax.Array, ...]  # [J] membrane of each layer
  output: jax.Array  # [C] what was last read of the output layer
  winner_counts: jax.Array  # [C] ticks won so far


class Forward(NamedTuple):
  """What a block has sent forward."""

  signals: list[types.Signal]  # what enters each layer of weights
  # [W, J] what comes out of it; with a delay, in the window before
  potentials: list[jax.Array]
  winners: jax.Array  # [W, K, C] uint32 trains of the output layer; likewise
  membranes: Membranes  # after the block


def at_rest(config: NetworkConfig, batch_size: int) -> Membranes:
  """Makes the membranes of a batch before a presentation."""
  sizes = config.layer_sizes[1:]
  potentials = tuple(jnp.zeros((batch_size, size)) for size in sizes)
  winner_counts = jnp.zeros((batch_size, sizes[-1]), jnp.int32)
  return Membranes(potentials, potentials[-1], winner_counts)


def make_sources(
  config: NetworkConfig,
  keys: jax.Array,
  position: jax.Array,
  words: jax.Array,
) -> Sources:
  """Makes the function that makes the thresholds of one sample in a block.

  Args:
    config: names the sampler.
    keys: keys of the trains, from `thresholds.make_keys`.
    position: position of the sample in the batch.
    words: `[K]` indices of the block's words.

  Returns:
    The function.
  """
  samplers = {
    is_noise: thresholds.make_sampler(name, config.kernels)
    for is_noise, name in ((False, config.sampler), (True, 'bernoulli'))
  }

  def sources(role, layer, num_neurons):
    make = samplers[role in thresholds.NOISES]
    return jax.vmap(
      lambda word: make(keys, role, layer, word, position, num_neurons)
    )(words)

  return sources


def forward(
  config: NetworkConfig,
  params: types.Params,
  sources: Sources,
  inputs: types.Inputs,
  kept: tuple[jax.Array, ...],
  before: Membranes,
  block: spikes.Block,
) -> Forward:
  """Sends one block of one sample forward.

  Args:
    config: the network.
    params: its parameters.
    sources: makes thresholds.
    inputs: `[I]` rates and, where they are given, all spikes `[K, I]`.
    kept: for each hidden layer `[J]`, 0 where a unit is dropped and else 1.
    before: the membranes before the block.
    block: its place in the presentation.

  Returns:
    The signals, potentials and winners of the block.
  """
  fire = firing.find(config.firing_function).probability
  windows = block.windows
  signals, after, potentials = [_enter(sources, inputs, block)], [], []
  for layer, layer_params in enumerate(params):
    drives = _drive(
      config, layer, layer_params, sources, signals[layer], windows
    )
    membrane, potential = _integrate(
      config, before.potentials[layer], drives, windows
    )
    after.append(membrane)
    potentials.append(potential)
    if layer < len(kept):
      rates = jax.vmap(jnp.multiply, (0, None))(fire(potential), kept[layer])
      source = sources(thresholds.Role.FORWARD, layer + 1, rates.shape[1])
      signals.append(_emit(source, rates, windows))
  compete = functools.partial(
    jax.vmap(wta.winner_take_all, in_axes=(None, 0, 0)),
    sources(thresholds.Role.WINNER, 0, 1),
  )
  winners = compete(potentials[-1], windows)
  last = jnp.sum(windows.length > 0) - 1
  membranes = Membranes(
    potentials=tuple(after),
    output=potentials[-1][last],
    winner_counts=before.winner_counts + jnp.sum(spikes.count(winners), axis=0),
  )
  if config.delay:
    potentials = _lag(config, before, potentials, windows)
    winners = compete(potentials[-1], but_the_first(windows))
  return Forward(signals, potentials, winners, membranes)


def _lag(config, membranes, potentials, windows):
  """Puts the potentials of each window in the place of the next one's."""
  start = windows.elapsed[0] - windows.length[0]
  # At the start of all, where there are no errors, a leak divides by it.
  start = spikes.Window(None, None, jnp.maximum(start, 1))

  def lag(membrane, potential):
    first = composite.read_membrane(
      membrane, start, config.integration, config.tau
    )
    return jnp.concatenate([first[None], potential[:-1]])

  return list(map(lag, membranes.potentials, potentials))


def _enter(sources, inputs, block):
  """Makes the signal of the input layer; spikes that are given are relayed."""
  rates = jax.vmap(lambda _: inputs.rates)(block.windows)
  if inputs.train is None:
    source = sources(thresholds.Role.INPUT, 0, rates.shape[1])
    return _emit(source, rates, block.windows)
  # A block may touch a word past the end, in which no window has a tick.
  words = inputs.train.at[block.words].get(mode='clip')
  train = jax.vmap(lambda window: words & window.mask[:, None])(block.windows)
  return types.Signal(rates, train)


def _emit(source, rates, windows):
  """Samples the spikes of a layer that fires at rates `[W, N]`."""
  train = jax.vmap(spikes.sample, in_axes=(None, 0, 0))(source, rates, windows)
  return types.Signal(rates, train)


def _drive(config, layer, layer_params, sources, signal, windows):
  """Drives a layer by what it receives in each window: `[W, J]`."""
  read = make_read(
    *(config, layer, composite.drive, layer_params),
    sources(thresholds.Role.READ, layer, layer_params.biases.shape[0]),
  )

  def drive(signal, window):
    rates = signal.rates
    if config.forward == 'spikes':
      rates = spikes.count(signal.train).astype(jnp.float32) / spikes.ticks(
        window
      )
    return read(rates, window)

  return jax.vmap(drive)(signal, windows)


def make_read(
  config: NetworkConfig,
  layer: int,
  product: Callable[..., jax.Array],
  layer_params: types.LayerParams,
  source: thresholds.Thresholds,
) -> Callable[[jax.Array, spikes.Window], jax.Array]:
  """Makes the function that reads a layer in one window.

  It is the bare product, unless there is something between array and neurons.

  Args:
    config: the network.
    layer: which of its layers of weights.
    product: `composite.drive` or `composite.transposed_drive`.
    layer_params: the parameters of the layer.
    source: `[K, ...]` of the noise, in the words of a block.

  Returns:
    `(values, window) -> current`.
  """
  gain = config.read_gains[layer]

  def read(values, window):
    if config.reads.is_perfect:
      return product(layer_params, gain, values)
    values = periphery.drive_in(config.reads, values)
    # Where the array ends the gain has not come yet.
    current = product(layer_params, gain, values) / gain
    return gain * periphery.read_out(config.reads, current, source, window)

  return read


def _integrate(config, membrane, drives, windows):
  """Integrates drives `[W, J]`; returns the membrane and its potentials."""

  def step(membrane, drive_and_window):
    drive, window = drive_and_window
    kind = config.integration, config.tau
    membrane = composite.integrate(membrane, drive, window, *kind)
    return membrane, composite.read_membrane(membrane, window, *kind)

  if config.integration == 'memoryless':
    lifted = jax.vmap(step, in_axes=(None, 0))
    potentials = lifted(membrane, (drives, windows))[1]
    return potentials[-1] if config.delay else membrane, potentials
  return jax.lax.scan(step, membrane, (drives, windows))


def but_the_first(windows: spikes.Window) -> spikes.Window:
  """Takes the ticks of the first window of a presentation away."""
  is_later = windows.elapsed > windows.length
  return windows._replace(
    mask=jnp.where(is_later[:, None], windows.mask, jnp.uint32(0)),
    length=jnp.where(is_later, windows.length, 0),
  )
