"""Forward pass of one sample in the windows of one block."""

from collections.abc import Callable
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.hardware import periphery
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane as membrane_lib
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import inputs
from ssnn_jax.spikes import thresholds

# (role, layer, num_neurons) -> [K, ...] thresholds of a sample in a block
Draw = Callable[[thresholds.Role, int, int], thresholds.Thresholds]


class Membranes(NamedTuple):
  """State of the membranes and of the readout between two blocks."""

  states: tuple[Any, ...]  # state of each layer's membranes
  output: jax.Array  # [C] potential of the output layer at its last read
  winner_counts: jax.Array  # [C] ticks won so far


class Forward(NamedTuple):
  """Forward signals of one block."""

  signals: list[types.Signal]  # presynaptic signal of each layer
  # [W, J] potentials of each layer that errors are computed from: of the same
  # window, or of the previous window with delay 1
  potentials: list[jax.Array]
  # [W, K, C] uint32 winners that output errors are computed from; with delay 1
  # sampled in the window from the potentials of the previous window
  winners: jax.Array
  membranes: Membranes  # after the block


def make_draw(
  config: NetworkConfig, keys: jax.Array, words: jax.Array, position: jax.Array
) -> Draw:
  """Returns the function `draw` of the thresholds of a sample in a block.

  Args:
    config: the network, with the name of its sampler.
    keys: keys of the presentation's trains, from `thresholds.make_keys`.
    words: `[K]` indices of the words of the block.
    position: position of the sample in the global batch.

  Returns:
    `(role, layer, num_neurons) -> Thresholds`.
  """
  return functools.partial(_draw, config, keys, words, position)


def _draw(config, keys, words, position, role, layer, num_neurons):
  sampler = thresholds.make_sampler(config.sampler, config.kernels)
  address = thresholds.Address(role, layer, words, position)
  return thresholds.of_words(sampler, keys, address, num_neurons)


def init_membranes(config: NetworkConfig, batch_size: int) -> Membranes:
  """Returns the membranes of a batch at the start of a presentation."""
  membrane = membrane_lib.find(config.integration, config.tau)
  sizes = config.layer_sizes[1:]
  states = tuple(membrane.init(size) for size in sizes)
  states = jax.tree.map(
    lambda x: jnp.broadcast_to(x, (batch_size, *x.shape)), states
  )
  shape = batch_size, sizes[-1]
  return Membranes(states, jnp.zeros(shape), jnp.zeros(shape, jnp.int32))


def propagate(
  config: NetworkConfig,
  params: types.Params,
  draw: Draw,
  sample: inputs.Sample,
  membranes: Membranes,
  block: spikes.Block,
) -> Forward:
  """Propagates one sample forward through the windows of one block.

  Args:
    config: the network.
    params: its parameters.
    draw: `(role, layer, num_neurons)` to thresholds of the sample in the
      block.
    sample: the sample, without an axis B.
    membranes: membranes before the block.
    block: words and windows of the block.

  Returns:
    The signals, potentials and winners of the block.
  """
  firing_probability = firing.find(config.firing_function).probability
  windows = block.windows
  signals, states, potentials = (
    [_emit_inputs(draw, sample.inputs, block)],
    [],
    [],
  )
  for layer, layer_params in enumerate(params):
    drives = _drive(config, layer, layer_params, draw, signals[layer], windows)
    state, potential = _integrate(
      config, membranes.states[layer], drives, windows
    )
    states.append(state)
    potentials.append(potential)
    if layer < len(sample.dropout_masks):
      rates = firing_probability(potential) * sample.dropout_masks[layer][None]
      source = draw(thresholds.Role.FORWARD, layer + 1, rates.shape[1])
      signals.append(_emit(source, rates, windows))
  winners = _compete(draw, potentials[-1], windows)
  after = Membranes(
    states=tuple(states),
    output=potentials[-1][jnp.sum(windows.length > 0) - 1],
    winner_counts=membranes.winner_counts
    + jnp.sum(spikes.count(winners), axis=0),
  )
  if config.delay:
    potentials = _delay_potentials(config, membranes, potentials, windows)
    error_windows = spikes.mask_first_window(windows)
    winners = _compete(draw, potentials[-1], error_windows)
  return Forward(signals, potentials, winners, after)


def _emit_inputs(draw, inputs, block):
  """Returns the signal of the input layer; input trains are passed on."""
  num_windows, num_inputs = len(block.windows.length), inputs.rates.shape[0]
  rates = jnp.broadcast_to(inputs.rates, (num_windows, num_inputs))
  if inputs.train is None:
    source = draw(thresholds.Role.INPUT, 0, num_inputs)
    return _emit(source, rates, block.windows)
  # A block may overlap a word past the end, in which no window has ticks.
  words = inputs.train.at[block.words].get(mode='clip')
  train = words[None] & block.windows.mask[:, :, None]
  return types.Signal(rates, train)


def _emit(source, rates, windows):
  """Samples the spikes of a layer with firing rates `[W, N]`."""
  train = jax.vmap(spikes.sample, in_axes=(None, 0, 0))(source, rates, windows)
  return types.Signal(rates, train)


def _drive(config, layer, layer_params, draw, signal, windows):
  """Computes the drive of a layer in each window: `[W, J]`."""
  rates = signal.rates
  if config.forward == 'spikes':
    rates = jax.vmap(spikes.mean_rates)(signal.train, windows)
  gain = config.read_gains[layer]
  product = functools.partial(composite.drive, layer_params, gain)
  source = None
  if config.reads.out_noise:
    source = draw(thresholds.Role.READ, layer, layer_params.biases.shape[0])
  read = functools.partial(periphery.read, config.reads, product, gain, source)
  return jax.vmap(read)(rates, windows)


def _integrate(config, state, drives, windows):
  """Integrates drives `[W, J]`; returns the state and the potentials."""
  membrane = membrane_lib.find(config.integration, config.tau)

  def step(state, drive_and_window):
    drive, window = drive_and_window
    state = membrane.integrate(state, drive, window)
    return state, membrane.read(state, window)

  return jax.lax.scan(step, state, (drives, windows))


def _compete(draw, potentials, windows):
  """Samples the winners of each window: `[W, K, C]`."""
  source = draw(thresholds.Role.WINNER, 0, 1)
  compete = jax.vmap(wta.winner_take_all, in_axes=(None, 0, 0))
  return compete(source, potentials, windows)


def _delay_potentials(config, membranes, potentials, windows):
  """Replaces the potentials of each window by those of the window before."""
  membrane = membrane_lib.find(config.integration, config.tau)
  start = windows.elapsed[0] - windows.length[0]
  # The first window has no errors; without ticks, a leaky read divides by 0.
  before = spikes.Window(
    mask=windows.mask[0],
    length=windows.length[0],
    elapsed=jnp.maximum(start, 1),
  )

  def delay(state, potential):
    earlier = membrane.read(state, before)
    return jnp.concatenate([earlier[None], potential[:-1]])

  return list(map(delay, membranes.states, potentials))
