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
from ssnn_jax.neuron import race
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import inputs
from ssnn_jax.simulation import loops
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes.sobol import SobolWord

# (role, layer, num_neurons) -> thresholds of a sample in the words of a block
Draw = Callable[[thresholds.Role, int, int], thresholds.Thresholds]


class State(NamedTuple):
  """State of the neurons of one sample between two blocks."""

  membranes: tuple[Any, ...]  # state of each layer's membranes
  inhibition: jax.Array  # inhibition shared by the output neurons, in nats


class Forward(NamedTuple):
  """Forward signals of one block."""

  signals: list[types.Signal]  # presynaptic signal of each layer
  # [W, J] potentials of each layer that errors are computed from: of the same
  # window, or of the previous window with delay 1 and in real time
  potentials: list[jax.Array]
  # [W, K, C] uint32 winners that output errors are computed from; with delay 1
  # sampled in the window from the potentials of the previous window
  winners: jax.Array
  state: Any  # of the neurons after the block, `State` or `realtime.State`
  response: types.Inference  # winners in the block, and potentials after it


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
    `(role, layer, num_neurons) -> Thresholds`; for the winners of a race,
    `[K, 32, C]` uniform numbers.
  """
  return functools.partial(_draw, config, keys, words, position)


def _draw(config, keys, words, position, role, layer, num_neurons):
  address = thresholds.Address(role, layer, words, position)
  if role == thresholds.Role.WINNER and config.winner == 'race':
    return spikes.draw_uniforms(keys, address, num_neurons)
  sampler = thresholds.make_sampler(config.sampler, config.kernels)
  source = sampler(keys, address, num_neurons)
  is_sending = role in (thresholds.Role.INPUT, thresholds.Role.FORWARD)
  has_patches = is_sending and config.wirings[layer].inputs is not None
  if isinstance(source, SobolWord) and len(words) == 1 and not has_patches:
    # Without the kernel one word is fused with what uses it, but drawn again
    # for each patch.
    return source.without_kernel()
  return source


def init_state(config: NetworkConfig) -> State:
  """Returns the state of one sample at the start of a presentation."""
  membrane = membrane_lib.find(config.integration, config.tau)
  return State(
    membranes=tuple(map(membrane.init, config.layer_sizes[1:])),
    inhibition=jnp.float32(config.race.inhibition_start),
  )


def propagate(
  config: NetworkConfig,
  params: types.Params,
  draw: Draw,
  sample: inputs.Sample,
  state: State,
  block: spikes.Block,
) -> Forward:
  """Propagates one sample forward through the windows of one block.

  Args:
    config: the network.
    params: its parameters.
    draw: `(role, layer, num_neurons)` to thresholds of the sample in the
      block.
    sample: the sample, without an axis B.
    state: state of the neurons before the block.
    block: words and windows of the block.

  Returns:
    The signals, potentials and winners of the block, and the state after it.
  """
  firing_probability = firing.find(config.firing_function).probability
  windows = block.windows
  signals = [_input_signals(config, draw, sample.inputs, block)]
  membranes, potentials = [], []
  for layer, layer_params in enumerate(params):
    read = functools.partial(drive, config, layer, layer_params, draw)
    drives = jax.vmap(read)(signals[layer], windows)
    membrane, potential = _integrate(
      config, state.membranes[layer], drives, windows
    )
    membranes.append(membrane)
    potentials.append(potential)
    if layer < len(sample.dropout_masks):
      rates = firing_probability(potential) * sample.dropout_masks[layer][None]
      source = draw(thresholds.Role.FORWARD, layer + 1, rates.shape[1])
      signals.append(_emit(config, source, rates, windows))
  inhibition, winners = _compete(
    config, draw, state.inhibition, potentials[-1], block
  )
  last = jnp.sum(windows.length > 0) - 1
  response = respond(winners, potentials[-1], windows, potentials[-1][last])
  if config.delay:
    potentials = _delay_potentials(config, state, potentials, windows)
    later = spikes.start_later(windows, config.schedule.window)
    later = block._replace(windows=later)
    _, winners = _compete(config, draw, inhibition, potentials[-1], later)
  state = State(tuple(membranes), inhibition)
  signals = [_join(signal) for signal in signals]
  return Forward(signals, potentials, winners, state, response)


def respond(
  winners: jax.Array,
  potentials: jax.Array,
  windows: spikes.Window,
  potential: jax.Array,
) -> types.Inference:
  """Returns the response of a block.

  Args:
    winners: `[W, K, C]` winners in the windows.
    potentials: `[W, C]` potentials from which the winners are drawn.
    windows: the windows of the output layer.
    potential: `[C]` potentials after the block.

  Returns:
    The response, without an axis B.
  """
  classes = jnp.arange(len(potential))[None]
  largest = jnp.argmax(potentials, axis=1)[:, None] == classes
  return types.Inference(
    winner_counts=jnp.sum(spikes.count(winners), axis=0),
    potential=potential,
    largest_counts=jnp.sum(
      jnp.where(largest, windows.length[:, None], 0), axis=0
    ),
  )


def _join(signal):
  """Joins the trains of all windows."""
  return types.Signal(signal.rates, spikes.join_windows(signal.train))


def emit_inputs(
  draw: Draw, encoded: types.Inputs, block: spikes.Block
) -> jax.Array:
  """Returns the `[K, I]` input train of a block, given or sampled."""
  mask = jnp.sum(block.windows.mask, axis=0, dtype=jnp.uint32)
  if encoded.train is None:
    source = draw(thresholds.Role.INPUT, 0, encoded.rates.shape[0])
    # The rates are constant, so that all windows are sampled at once.
    everything = block.windows._replace(mask=mask)
    return spikes.sample(source, encoded.rates, everything)
  # A block may overlap a word past the end, in which no window has ticks.
  return encoded.train.at[block.words].get(mode='clip') & mask[:, None]


def input_signal(
  encoded: types.Inputs, train: jax.Array, window: spikes.Window
) -> types.Signal:
  """Returns the input signal of one window from the train of its block."""
  return types.Signal(encoded.rates, train & window.mask[:, None])


def _input_signals(config, draw, encoded, block):
  """Returns the input signals of all windows of a block."""
  windows = block.windows
  if encoded.train is None and len(windows.length) == 1:
    source = draw(thresholds.Role.INPUT, 0, encoded.rates.shape[0])
    return _emit(config, source, encoded.rates[None], windows)
  train = emit_inputs(draw, encoded, block)
  return jax.vmap(input_signal, in_axes=(None, None, 0))(
    encoded, train, windows
  )


def _emit(config, source, rates, windows):
  """Samples the spikes of a layer with firing rates `[W, N]`."""
  over_windows = functools.partial(jax.vmap, in_axes=(None, 0, 0))
  is_whole = config.schedule.has_whole_words
  if config.defers_trains:
    train = over_windows(spikes.defer)(source, rates, windows)
    counts = jax.vmap(lambda train: train.count(is_whole))(train)
    return types.Signal(rates, train, counts)
  train = over_windows(spikes.sample)(source, rates, windows)
  counts = None
  if is_whole:
    counts = over_windows(spikes.count_whole_words)(source, rates, windows.mask)
  return types.Signal(rates, train, counts)


def drive(
  config: NetworkConfig,
  layer: int,
  params: types.LayerParams,
  draw: Draw,
  signal: types.Signal,
  window: spikes.Window,
) -> jax.Array:
  """Computes the `[J]` drive of a layer by its presynaptic signal."""
  rates = signal.rates
  if config.forward == 'spikes':
    counts = signal.counts
    if counts is None:
      counts = spikes.count(signal.train)
    rates = spikes.mean_rates(counts, window)
  wiring, gain = config.wirings[layer], config.read_gains[layer]
  product = functools.partial(composite.drive, params, gain)
  source = None
  if config.reads.out_noise:
    source = draw(thresholds.Role.READ, layer, wiring.num_neurons)
  rows = wiring.gather(rates)
  drives = periphery.read(config.reads, product, gain, source, rows, window)
  return drives.reshape(-1)


def _integrate(config, state, drives, windows):
  """Integrates drives `[W, J]`; returns the state and the potentials."""
  membrane = membrane_lib.find(config.integration, config.tau)

  def step(state, drive_and_window):
    drive, window = drive_and_window
    state = membrane.integrate(state, drive, window)
    return state, membrane.read(state, window)

  return loops.scan(step, state, (drives, windows))


def _compete(config, draw, inhibition, potentials, block):
  """Finds the winners of each window: `[W, K, C]`."""
  if config.winner == 'softmax':
    source = draw(thresholds.Role.WINNER, 0, 1)
    find = functools.partial(compete, config, source, inhibition)
    return inhibition, jax.vmap(find)(potentials, block.windows)[1]

  def step(inhibition, inputs):
    noise, potential, window = inputs
    return compete(config, noise, inhibition, potential, window)

  noise = draw(thresholds.Role.WINNER, 0, config.layer_sizes[-1])
  noise = spikes.split_ticks(noise, config.schedule, block)
  return jax.lax.scan(step, inhibition, (noise, potentials, block.windows))


def compete(
  config: NetworkConfig,
  source: thresholds.Thresholds | spikes.Ticks,
  inhibition: jax.Array,
  potential: jax.Array,
  window: spikes.Window,
) -> tuple[jax.Array, jax.Array]:
  """Finds the winners `[K, C]` of one window; returns the inhibition, too."""
  if config.winner == 'race':
    return race.run(config.race, source, inhibition, potential, window)
  return inhibition, wta.winner_take_all(source, potential, window)


def _delay_potentials(config, state, potentials, windows):
  """Replaces the potentials of each window by those of the window before."""
  membrane = membrane_lib.find(config.integration, config.tau)
  before = spikes.window_before(jax.tree.map(lambda x: x[0], windows))

  def delay(membrane_state, potential):
    earlier = membrane.read(membrane_state, before)
    return jnp.concatenate([earlier[None], potential[:-1]])

  return list(map(delay, state.membranes, potentials))
