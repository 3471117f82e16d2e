"""Real time: all layers at once, from the state of their neurons alone.

In each window every neuron emits spikes, forward and backward, from its state
at the end of the window before; every synapse counts the coincidences of the
spikes that meet at it (`updates.count`); and every neuron integrates the spikes
that reach it. Nothing else is stored of a sample: no trains, no phases.

A spike passes one layer in a window, so that an input reaches the output after
L windows, and its error the first layer after 2 L - 1. Layer l of weights, from
0, integrates from window l on: before, its inputs are silent. Errors start with
the output layer, and counts are divided by the ticks with errors
(`NetworkConfig.error_steps`). For static inputs the rates at both ends of a
synapse are those of one sample, and given the state its spikes are independent,
so that the counts are unbiased for given rates.
"""

from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane as membrane_lib
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import rules
from ssnn_jax.simulation import samples
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes import trains
from ssnn_jax.spikes.thresholds import Role


class State(NamedTuple):
  """All that the neurons of one sample store from window to window."""

  membranes: tuple[Any, ...]  # state of each layer's membranes
  errors: tuple[jax.Array, ...]  # [J] error current of each hidden layer
  inhibition: jax.Array  # inhibition shared by the output neurons, in nats


class Emission(NamedTuple):
  """Spikes of one window, tick by tick, and what they were sampled from."""

  rates: list[jax.Array]  # [N] of each hidden layer
  spikes: list[jax.Array]  # [n, N] of each hidden layer
  potentials: list[jax.Array]  # [J] of each layer of weights
  winners: jax.Array  # [n, C]
  errors: list[jax.Array]  # [J] of each layer of weights; none without a label
  streams: list[types.ErrorStreams]  # [n, J] of each layer of weights


class Arriving(NamedTuple):
  """What reaches the neurons in one window from outside of them."""

  drive: jax.Array  # [J] of the first layer, by the spikes of the inputs
  # [n, N] thresholds of each train; of a race, uniform numbers of its winners
  thresholds: dict[tuple[Role, int], jax.Array]
  window: spikes.Window


def init_state(config: NetworkConfig) -> State:
  """Returns the state of one sample at the start of a presentation."""
  membrane = membrane_lib.find(config.integration, config.tau)
  return State(
    membranes=tuple(map(membrane.init, config.layer_sizes[1:])),
    errors=tuple(map(jnp.zeros, config.layer_sizes[1:-1])),
    inhibition=jnp.float32(config.race.inhibition_start),
  )


def step(
  config: NetworkConfig,
  weights: types.Weights,
  sources: rules.Sources,
  sample: samples.Sample,
  state: State,
  arriving: Arriving,
) -> tuple[State, Emission]:
  """Advances all layers of one sample by one window.

  Args:
    config: the network.
    weights: weights of the two reads.
    sources: thresholds of the sample, for read noise.
    sample: the sample, without an axis B; errors need its label.
    state: state of the neurons before the window.
    arriving: the input of the window.

  Returns:
    The state after the window, and the spikes that the synapses count.
  """
  inhibition, emission = _emit(config, sample, state, arriving)
  membranes, errors = _integrate(
    config, weights, sources, state, arriving, emission
  )
  return State(membranes, errors, inhibition), emission


def _emit(config, sample, state, arriving):
  """Emits the spikes of all layers from the state before the window."""
  fire = firing.find(config.firing_function).probability
  potentials = _read_membranes(config, state, arriving.window)

  def sample_ticks(role, layer, rates, start):
    is_spike = thresholds.is_below(arriving.thresholds[role, layer], rates)
    return is_spike & _is_active(config, start, arriving.window)[:, None]

  rates, spikes_of_layers = [], []
  for layer, mask in enumerate(sample.dropout_masks, start=1):
    rates.append(fire(potentials[layer - 1]) * mask)
    emitted = sample_ticks(Role.FORWARD, layer, rates[-1], layer)
    spikes_of_layers.append(emitted)
  num_layers, inhibition = len(potentials), state.inhibition
  is_active = _is_active(config, num_layers, arriving.window)
  if config.winner == 'race':
    noise = arriving.thresholds[Role.WINNER, 0]
    inhibition, winners = wta.race(
      config.race, noise, inhibition, potentials[-1], is_active
    )
  else:
    cumulative = wta.cumulative_rates(potentials[-1])
    winners = wta.first(sample_ticks(Role.WINNER, 0, cumulative, num_layers))
  emission = Emission(rates, spikes_of_layers, potentials, winners, [], [])
  if sample.label is None:
    return inhibition, emission
  errors = [
    rules.hidden_error(config, *layer)
    for layer in zip(sample.dropout_masks, potentials, state.errors)
  ]
  output_window = _start_later(config, num_layers, arriving.window)
  errors.append(
    rules.output_error(config, sample.label, potentials[-1], output_window)
  )
  streams = []
  for layer, error in enumerate(errors):
    if layer == num_layers - 1 and config.output_errors == 'winner':
      own = wta.output_errors(winners, sample.label, is_active)
    else:
      error_rates = composite.error_rates(config.gains[layer], error)
      start = config.error_starts[layer]
      emitted = sample_ticks(Role.ERROR, layer, error_rates, start)
      own = composite.split_streams(emitted, error)
    streams.append(own)
  return inhibition, emission._replace(errors=errors, streams=streams)


def _integrate(config, weights, sources, state, arriving, emission):
  """Integrates the spikes of the window in the neurons that they reach."""
  membrane = membrane_lib.find(config.integration, config.tau)
  membranes, errors = [], []
  for layer, params in enumerate(weights.forward):
    window = _start_later(config, layer, arriving.window)
    drive = arriving.drive
    if layer:
      rates = emission.rates[layer - 1]
      if config.forward == 'spikes':
        rates = _count(emission.spikes[layer - 1]).astype(jnp.float32)
        rates = rates / spikes.num_valid_ticks(window)
      drive = rules.drive(config, layer, params, sources, rates, window)
    membranes.append(membrane.integrate(state.membranes[layer], drive, window))
  for layer in range(1, len(emission.errors)):
    window = _start_later(config, config.error_starts[layer], arriving.window)
    streams = emission.streams[layer]
    counts = _count(streams.positive) - _count(streams.negative)
    error = rules.mean_errors(
      config, layer, emission.errors[layer], counts, window
    )
    errors.append(
      rules.transposed_drive(
        config, layer, weights.transposed[layer], sources, error, window
      )
    )
  return tuple(membranes), tuple(errors) or state.errors


def _count(is_spike):
  """Counts the spikes of a window, `[n, N]` to `[N]` int32."""
  return jnp.sum(is_spike, axis=0, dtype=jnp.int32)


def _start_later(config, num_windows, window):
  """Returns the window of a layer that starts some windows later."""
  return spikes.start_later(window, num_windows * config.schedule.window)


def _is_active(config, num_windows, window):
  """Returns `[n]` whether a layer that starts later is active at each tick."""
  length = _start_later(config, num_windows, window).length
  return jnp.arange(config.schedule.window) < length


def _read_membranes(config, state, window):
  """Reads the membranes of all layers at the start of the window."""
  membrane = membrane_lib.find(config.integration, config.tau)
  before = [
    spikes.window_before(_start_later(config, layer, window))
    for layer in range(len(state.membranes))
  ]
  return list(map(membrane.read, state.membranes, before))


def run_block(
  config: NetworkConfig,
  weights: types.Weights,
  sources: rules.Sources,
  sample: samples.Sample,
  state: State,
  block: spikes.Block,
) -> tuple[State, types.Signals]:
  """Advances one sample through the windows of one block.

  What does not depend on the state is computed for all windows at once: the
  reads of the inputs and all thresholds. Emitted spikes are packed to words, on
  which coincidences are counted.

  Args:
    config: the network.
    weights: weights of the two reads.
    sources: thresholds of the sample in the block.
    sample: the sample, without an axis B; errors need its label.
    state: state of the neurons before the block.
    block: words and windows of the block.

  Returns:
    The state after the block, and its signals; without a label no errors.
  """
  encoded, windows = sample.inputs, block.windows
  if encoded.train is None:
    source = sources(Role.INPUT, 0, encoded.rates.shape[0])
    mask = jnp.sum(windows.mask, axis=0, dtype=jnp.uint32)
    words = thresholds.sample_words(source, encoded.rates, mask)
  else:
    words = samples.given_words(encoded.train, block)

  def read_inputs(window):
    rates = encoded.rates
    if config.forward == 'spikes':
      counts = spikes.count(words & window.mask[:, None])
      rates = counts.astype(jnp.float32) / spikes.num_valid_ticks(window)
    return rules.drive(config, 0, weights.forward[0], sources, rates, window)

  arriving = Arriving(
    drive=jax.vmap(read_inputs)(windows),
    thresholds=_thresholds(config, sources, sample.label is not None, block),
    window=windows,
  )
  places = _places(config, block)

  def advance(carry, own):
    (state, packed), (arriving, places) = carry, own
    state, emission = step(config, weights, sources, sample, state, arriving)
    # Packed at once, as it is slow to store a spike as a number.
    pack = lambda words, spikes: words | _pack(spikes, places)
    emitted = emission.spikes, emission.streams
    packed = jax.tree.map(pack, packed, emitted)
    return (state, packed), emission._replace(spikes=None, streams=None)

  silent = _silent(config, sample.label is not None, len(block.words))
  (state, packed), emission = jax.lax.scan(
    advance, (state, silent), (arriving, places)
  )
  num_windows = len(windows.length)
  rates = jnp.broadcast_to(encoded.rates, (num_windows, *encoded.rates.shape))
  forward = [types.Signal(rates, trains.stored(words))]
  for rates, emitted in zip(emission.rates, packed[0]):
    forward.append(types.Signal(rates, trains.stored(emitted)))
  errors = [
    types.ErrorSignal(error, trains.stored(streams))
    for error, streams in zip(emission.errors, packed[1])
  ]
  response = _respond(config, state, emission, windows)
  return state, types.Signals(forward, errors, emission.potentials, response)


def _thresholds(config, sources, has_errors, block):
  """Returns the thresholds of all trains, `[W, n, N]`, tick by tick."""
  sizes, is_race = config.layer_sizes, config.winner == 'race'
  of_trains = [(Role.FORWARD, layer) for layer in range(1, len(sizes) - 1)]
  num_errors = len(sizes) - 1 - (config.output_errors == 'winner')
  if has_errors:
    of_trains += [(Role.ERROR, layer) for layer in range(num_errors)]
  num_windows, length = len(block.windows.length), config.schedule.window
  # The ticks of a block that is a part of a word start within the word.
  start = block.windows.elapsed[0] - block.windows.length[0]
  first = start - block.words[0] * spikes.TICKS_PER_WORD

  def split(values):
    size = num_windows * length
    own = jax.lax.dynamic_slice_in_dim(values, first, size)
    return own.reshape(num_windows, length, -1)

  found = {
    (role, layer): sources(
      role, layer, sizes[layer + (role == Role.ERROR)]
    ).thresholds()
    for role, layer in of_trains
  }
  source = sources(Role.WINNER, 0, sizes[-1] if is_race else 1)
  winners = thresholds.uniforms(source) if is_race else source.thresholds()
  return {
    train: split(values)
    for train, values in (found | {(Role.WINNER, 0): winners}).items()
  }


def _places(config, block):
  """Returns the bit of each tick in the words of a block, `[W, n, K]`."""
  num_windows, length = len(block.windows.length), config.schedule.window
  start = block.windows.elapsed[0] - block.windows.length[0]
  first = start - block.words[0] * spikes.TICKS_PER_WORD
  ticks = first + jnp.arange(num_windows * length)
  word, bit = jnp.divmod(ticks, spikes.TICKS_PER_WORD)
  is_own = word[:, None] == jnp.arange(len(block.words))[None]
  bits = jnp.uint32(1) << bit.astype(jnp.uint32)
  places = jnp.where(is_own, bits[:, None], jnp.uint32(0))
  return places.reshape(num_windows, length, -1)


def _pack(is_spike, places):
  """Packs the spikes of a window, `[n, N]`, to `[K, N]` words, by `_places`."""
  words = jnp.where(is_spike[:, None], places[:, :, None], jnp.uint32(0))
  # The ticks have different bits, so their sum is their union.
  return jnp.sum(words, axis=0, dtype=jnp.uint32)


def _silent(config, has_errors, num_words):
  """Returns the words of all emitted trains before a block."""
  silent = lambda size: jnp.zeros((num_words, size), jnp.uint32)
  sizes = config.layer_sizes[1:] if has_errors else ()
  streams = [types.ErrorStreams(silent(n), silent(n)) for n in sizes]
  return list(map(silent, config.layer_sizes[1:-1])), streams


def _respond(config, state, emission, windows):
  """Returns the votes of a block, and the potential after it."""
  length = config.schedule.window
  starts = windows.elapsed - windows.length
  ticks = starts[:, None] + jnp.arange(length)[None]
  num_layers = len(state.membranes)
  is_vote = ticks >= config.settle_ticks
  is_vote &= ticks < windows.elapsed[:, None]
  votes = jnp.sum(is_vote, axis=1)
  potentials = emission.potentials[-1]
  largest = jnp.argmax(potentials, axis=1)
  largest = jax.nn.one_hot(largest, potentials.shape[1], dtype=jnp.int32)
  last = jax.tree.map(lambda x: x[-1], windows)
  membrane = membrane_lib.find(config.integration, config.tau)
  return types.Inference(
    winner_counts=jnp.sum(
      emission.winners & is_vote[:, :, None], axis=(0, 1), dtype=jnp.int32
    ),
    potential=membrane.read(
      state.membranes[-1], _start_later(config, num_layers - 1, last)
    ),
    largest_counts=jnp.sum(votes[:, None] * largest, axis=0),
  )
