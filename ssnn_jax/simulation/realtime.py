"""Real time: all layers advance at once, tick by tick, as on a chip.

At each tick every neuron emits spikes, forward and backward, from its state at
the end of the tick before; every synapse counts the coincidences of the spikes
that meet at it; and every neuron integrates the spikes that reach it. Nothing
else is stored of a sample. A spike passes one layer in a tick, so that an input
reaches the output after L ticks, and its error the first layer after 2 L - 1.
Layer l of weights, from 0, integrates from tick l on: before, its inputs are
silent. Errors start with the output layer, and counts are divided by the ticks
with errors (`NetworkConfig.error_steps`). For static inputs the rates at both
ends of a synapse are those of one sample, and given the state its spikes are
independent, so that the counts are unbiased for given rates.

`ssnn_jax.reference.realtime` says it tick by tick. As errors change no
potential within a presentation, here each layer is computed for all ticks of a
word at once, forward and then back.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import crossbar
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane as membrane_lib
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import rules
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
  membrane = membrane_lib.find(config.integration)
  fire, gate = firing.find(config.firing_function)
  read = rules.make_drive(config)
  transposed_drive = rules.make_transposed_drive(config)
  last = len(config.wirings) - 1

  def init():
    membranes = tuple(map(membrane.init, config.layer_sizes[1:]))
    currents = tuple(map(jnp.zeros, config.layer_sizes[1:-1]))
    return rules.State(membranes, jnp.float32(wta.INHIBITION_START), currents)

  def integrate(state, tick):
    current, window = tick
    # Before the tick; reads may divide by the elapsed ticks.
    start = jnp.maximum(window.elapsed - window.length, 1)
    potential = membrane.read(state, window._replace(elapsed=start))
    return membrane.integrate(state, current, window), potential

  def drive(layer, params, sources, rates, words, counts, windows):
    """Reads a layer at the W ticks of a word, `[W, J]`."""
    if 'forward' in config.rates or config.read_noise:
      if 'forward' not in config.rates:
        ticks = jax.vmap(spikes.num_valid_ticks)(windows)
        rates = counts.astype(jnp.float32) / ticks[:, None]
      each = jax.vmap(lambda *tick: read(layer, params, sources, *tick))
      return each(rates, windows)
    rows, ticks = config.wirings[layer].gather(words[0]), windows.mask[:, 0]
    sums = crossbar.sum_rows(params.weights, rows, ticks, config.kernels)
    biases = jnp.broadcast_to(params.biases, sums.shape)
    drives = config.read_gains[layer] * sums + biases
    return jnp.moveaxis(drives, -2, 0).reshape(len(ticks), -1)

  def run_forward(weights, sources, sample, membranes, block):
    """Neurons spike from their potentials before a tick."""
    words, counts = rules.send_inputs(sample.inputs, sources, block)
    rates = sample.inputs.rates
    rates = jnp.broadcast_to(rates, (len(counts), len(rates)))
    forward, after, potentials = [], [], []
    for layer, params in enumerate(weights):
      windows = spikes.start_later(block.windows, config.starts[layer])
      forward.append(types.Signal(rates, words))
      currents = drive(layer, params, sources, rates, words, counts, windows)
      state, potential = jax.lax.scan(
        integrate, membranes[layer], (currents, windows)
      )
      after.append(state)
      potentials.append(potential)
      if layer < last:
        rates = fire(potential) * sample.dropout_masks[layer][None]
        source = sources(Role.FORWARD, layer + 1, rates.shape[1])
        masks = spikes.start_later(block.windows, config.starts[layer + 1]).mask
        words, counts = rules.send(source, rates, masks)
    return tuple(after), forward, potentials

  def run_back(weights, sources, sample, before, potentials, winners, block):
    """The errors of a tick reach the layer below in the next one."""
    windows = spikes.start_later(block.windows, config.error_starts[last])
    target = jax.nn.one_hot(sample.label, config.layer_sizes[-1])
    errors = jax.nn.softmax(potentials[last]) - target[None]
    errors = jnp.where(windows.length[:, None] > 0, errors, 0.0)
    streams, counts = rules.send_output_errors(
      config, sources, winners, sample.label, errors, windows.mask
    )
    signals, currents = [types.ErrorSignal(errors, streams)], []
    for layer in reversed(range(last)):
      above = layer + 1, weights[layer + 1], sources
      each = jax.vmap(lambda *tick, own=above: transposed_drive(*own, *tick))
      arriving = each(errors, counts, windows)
      currents.insert(0, arriving[-1])
      arriving = jnp.concatenate([before[layer][None], arriving[:-1]])
      gates = sample.dropout_masks[layer][None] * gate(potentials[layer])
      errors = gates * arriving
      windows = spikes.start_later(block.windows, config.error_starts[layer])
      source = sources(Role.ERROR, layer, errors.shape[1])
      streams, counts = rules.send_errors(
        source, config.gains[layer], errors, windows.mask
      )
      signals.insert(0, types.ErrorSignal(errors, streams))
    return tuple(currents), signals

  def run(weights, sources, sample, state, block):
    membranes, forward, potentials = run_forward(
      weights.forward, sources, sample, state.membranes, block
    )
    inhibition, winners = rules.compete(
      config.winner == 'race',
      sources,
      state.inhibition,
      potentials[last],
      spikes.start_later(block.windows, config.starts[-1]),
    )
    currents, errors = state.currents, []
    if sample.label is not None:
      currents, errors = run_back(
        weights.transposed, sources, sample, currents, potentials, winners,
        block,
      )  # fmt: skip
    end = spikes.start_later(block.windows, config.starts[last])
    end = jax.tree.map(lambda x: x[-1], end)
    is_vote = ~spikes.mask_before(config.settle_ticks, block.words)
    response = rules.respond(
      potentials[last],
      membrane.read(membranes[last], end),
      winners,
      votes=block.windows.mask & is_vote[None],
    )
    state = rules.State(membranes, inhibition, currents)
    return state, types.Signals(forward, errors, potentials, response, winners)

  return init, run
