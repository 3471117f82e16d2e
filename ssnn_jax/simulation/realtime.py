"""Real time: all layers advance at once, tick by tick, as on a chip.

At each tick every neuron emits spikes, forward and backward, from its state at
the end of the tick before; every synapse counts the coincidences of the spikes
that meet at it; and every neuron integrates the spikes that reach it. Nothing
else is stored of a sample. A spike passes one layer in a tick, so that an input
reaches the output after L ticks, and its error the first layer after 2 L - 1.
Layer l of weights, from 0, integrates from tick l on: before, its inputs are
silent. Errors start with the output layer, and counts are divided by the ticks
with errors (`NetworkConfig.error_steps`).

Hidden neurons integrate and fire (`neuron.integrate_and_fire`); or, with
`neuron='stochastic'`, they sample spikes at the rates of their potentials and
errors. `ssnn_jax.reference.realtime` says it tick by tick. As errors change no
potential within a presentation, here each layer is computed for all ticks of a
word at once, forward and then back.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import crossbar
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import integrate_and_fire
from ssnn_jax.neuron import membrane as membrane_lib
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import rules
from ssnn_jax.spikes import thresholds
from ssnn_jax.spikes.thresholds import Role


def make_run(
  config: NetworkConfig,
) -> tuple[Callable[[], rules.State], Callable[..., types.Signals]]:
  """Returns how a sample starts, and how it runs through the ticks of a word.

  Args:
    config: the network.

  Returns:
    As `buffered.make_run`, with blocks of W windows of one tick each.
  """
  make_hidden = _stochastic if config.is_stochastic else _integrate_and_fire
  hidden, membrane = make_hidden(config), membrane_lib.find(config.integration)
  read, transposed_read = _make_reads(config)
  last = len(config.wirings) - 1

  def init():
    *sizes, num_classes = config.layer_sizes[1:]
    membranes = *map(hidden.init, sizes), membrane.init(num_classes)
    errors = tuple(map(hidden.init_errors, sizes))
    return rules.State(membranes, jnp.float32(wta.INHIBITION_START), errors)

  def run_forward(weights, sources, sample, membranes, block):
    """Every layer fires, and integrates the spikes of the layer below."""
    num_ticks, rates = len(block.windows.length), sample.inputs.rates
    rates = jnp.broadcast_to(rates, (num_ticks, len(rates)))
    words, _ = rules.send_inputs(sample.inputs, sources, block)
    forward, after, gates = [], [], []
    for layer, params in enumerate(weights):
      windows = spikes.start_later(block.windows, config.starts[layer])
      forward.append(types.Signal(rates, words))
      currents = read(layer, params, sources, rates, words, windows)
      if layer == last:
        state, potentials = _integrate(
          membrane, membranes[last], currents, windows
        )
      else:
        state, rates, words, is_open = hidden.send(
          layer, membranes[layer], currents, sources, block
        )
        mask = sample.dropout_masks[layer][None]
        rates, words = rates * mask, jnp.where(mask > 0, words, jnp.uint32(0))
        gates.append(is_open * mask.astype(is_open.dtype))
      after.append(state)
    return tuple(after), forward, gates, potentials

  def run_back(weights, sources, sample, before, gates, potentials, winners,
               block):  # fmt: skip
    """Every layer sends errors, which reach the one below in the next tick."""
    windows = spikes.start_later(block.windows, config.error_starts[last])
    target = jax.nn.one_hot(sample.label, config.layer_sizes[-1])
    errors = jax.nn.softmax(potentials) - target[None]
    errors = jnp.where(windows.length[:, None] > 0, errors, 0.0)
    streams, counts = rules.send_output_errors(
      config, sources, winners, sample.label, errors, windows.mask
    )
    signals, after = [types.ErrorSignal(errors, streams)], []
    for layer in reversed(range(last)):
      above = layer + 1, weights[layer + 1], sources
      arriving = transposed_read(*above, errors, counts, windows)
      windows = spikes.start_later(block.windows, config.error_starts[layer])
      state, errors, streams, counts = hidden.send_errors(
        layer, before[layer], arriving, gates[layer], sources, windows
      )
      after.insert(0, state)
      signals.insert(0, types.ErrorSignal(errors, streams))
    return tuple(after), signals

  def run(weights, sources, sample, state, block):
    membranes, forward, gates, potentials = run_forward(
      weights.forward, sources, sample, state.membranes, block
    )
    windows = spikes.start_later(block.windows, config.starts[-1])
    inhibition, winners = rules.compete(
      config.winner == 'race', sources, state.inhibition, potentials, windows
    )
    after, errors = state.errors, []
    if sample.label is not None:
      after, errors = run_back(
        weights.transposed, sources, sample, state.errors, gates, potentials,
        winners, block,
      )  # fmt: skip
    end = spikes.start_later(block.windows, config.starts[last])
    end = jax.tree.map(lambda x: x[-1], end)
    potential = membrane.read(membranes[last], end)
    is_vote = ~spikes.mask_before(config.first_vote, block.words)
    votes = block.windows.mask & is_vote[None]
    response = rules.respond(potentials, potential, winners, votes)
    state = rules.State(membranes, inhibition, after)
    return state, types.Signals(forward, errors, response, winners)

  return init, run


class _Hidden(NamedTuple):
  """The neurons of a hidden layer, at the ticks of a word.

  Attributes:
    init: `(num_neurons) -> state`, forward.
    init_errors: `(num_neurons) -> state`, backward.
    send: `(layer, state, currents, sources, block) -> (state, rates, spikes,
      gates)`, of `[W, J]` currents; rates and gates are those of `send_errors`.
    send_errors: `(layer, state, arriving, gates, sources, windows) -> (state,
      errors, streams, counts)`, of `[W, J]` errors that arrive in each tick.
  """

  init: Callable
  init_errors: Callable
  send: Callable
  send_errors: Callable


def _integrate_and_fire(config):
  """Neurons that fire when they have integrated a spike."""

  def send(layer, state, currents, sources, block):
    del sources
    windows = spikes.start_later(block.windows, config.starts[layer])
    neurons, sent = state
    before = block.words[0] * spikes.TICKS_PER_WORD - config.starts[layer]
    # Exact rates, for which spikes stand, are computed only where they replace
    # spikes.
    ticks = jnp.maximum(before + jnp.arange(len(currents)), 0)
    drives = neurons.drive[None] + jnp.cumsum(currents, axis=0) - currents
    known = jnp.clip(drives, 0.0, ticks.astype(jnp.float32)[:, None])
    rates = known - jnp.concatenate([sent[None], known[:-1]])
    neurons, words, gates = integrate_and_fire.fire_forward(
      neurons, currents, _merge(windows), before, config.kernels
    )
    words = words[None] & _merge(block.windows)
    return (neurons, known[-1]), rates, words, gates[None]

  def send_errors(layer, state, arriving, gates, sources, windows):
    del sources
    residue, latest = state
    # Exact errors, too, are computed only where they replace spikes.
    is_open = spikes.unpack(gates)[: len(arriving)].astype(jnp.float32)
    gated = jnp.concatenate([latest[None], is_open * arriving])
    residue, streams = integrate_and_fire.fire_back(
      residue, arriving, gates[0], config.gains[layer], config.kernels
    )
    streams = jax.tree.map(lambda own: own & _merge(windows), streams)
    counts = rules.count_signed(streams, windows.mask)
    return (residue, gated[-1]), gated[:-1], streams, counts

  def init(num_neurons):
    return integrate_and_fire.init(num_neurons), jnp.zeros(num_neurons)

  def init_errors(num_neurons):
    return jnp.zeros(num_neurons), jnp.zeros(num_neurons)

  return _Hidden(init, init_errors, send, send_errors)


def _stochastic(config):
  """Neurons that sample spikes at the rates of their potentials and errors."""
  membrane = membrane_lib.find(config.integration)
  fire, gate = firing.find(config.firing_function)

  def send(layer, state, currents, sources, block):
    windows = spikes.start_later(block.windows, config.starts[layer])
    state, potentials = _integrate(membrane, state, currents, windows)
    masks = spikes.start_later(block.windows, config.starts[layer + 1]).mask
    source = sources(Role.FORWARD, layer + 1, currents.shape[1])
    rates = fire(potentials)
    words = thresholds.sample_words(source, rates, masks)
    return state, rates, words, gate(potentials)

  def send_errors(layer, latest, arriving, gates, sources, windows):
    errors = gates * jnp.concatenate([latest[None], arriving[:-1]])
    source = sources(Role.ERROR, layer, errors.shape[1])
    streams, counts = rules.send_errors(
      source, config.gains[layer], errors, windows.mask
    )
    return arriving[-1], errors, streams, counts

  return _Hidden(membrane.init, jnp.zeros, send, send_errors)


def _integrate(membrane, state, currents, windows):
  """Integrates `[W, J]` currents; also returns the potential before each."""

  def integrate(state, tick):
    current, window = tick
    # Reads may divide by the elapsed ticks.
    start = jnp.maximum(window.elapsed - window.length, 1)
    potential = membrane.read(state, window._replace(elapsed=start))
    return membrane.integrate(state, current, window), potential

  return jax.lax.scan(integrate, state, (currents, windows))


def _make_reads(config):
  """Returns the two reads of a layer at all ticks of a word.

  They are `(layer, params, sources, rates, words, windows) -> [W, J]` currents
  and `(layer, params, sources, errors, counts, windows) -> [W, I]` errors.
  """
  wirings, gains = config.wirings, config.read_gains
  drive = rules.make_drive(config)
  transposed_drive = rules.make_transposed_drive(config)

  def read(layer, params, sources, rates, words, windows):
    if 'forward' in config.rates or config.read_noise:
      if 'forward' not in config.rates:
        rates = rules.count(words, windows.mask).astype(jnp.float32)
      each = jax.vmap(lambda *tick: drive(layer, params, sources, *tick))
      return each(rates, windows)
    rows, ticks = wirings[layer].gather(words[0]), windows.mask[:, 0]
    sums = crossbar.sum_rows(params.weights, rows, ticks, config.kernels)
    biases = jnp.broadcast_to(params.biases, sums.shape)
    drives = gains[layer] * sums + biases
    return jnp.moveaxis(drives, -2, 0).reshape(len(ticks), -1)

  def transposed_read(layer, params, sources, errors, counts, windows):
    is_ideal = not ('backward' in config.rates or config.read_noise)
    if is_ideal and not config.is_stochastic:
      weights = gains[layer] / config.gains[layer] * params.weights
      most = config.most_error_spikes[layer]
      return crossbar.sum_columns(
        wirings[layer], weights, counts.astype(jnp.float32), most,
        config.kernels,
      )  # fmt: skip
    own = layer, params, sources
    return jax.vmap(lambda *tick: transposed_drive(*own, *tick))(
      errors, counts, windows
    )

  return read, transposed_read


def _merge(windows):
  """Returns the uint32 ticks of all windows of a word."""
  return jnp.sum(windows.mask, dtype=jnp.uint32)
