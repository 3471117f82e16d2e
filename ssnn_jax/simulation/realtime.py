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
import functools

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import crossbar
from ssnn_jax.neuron import firing
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
  membrane = membrane_lib.find(config.integration)
  fire, gate = firing.find(config.firing_function)
  drive = _make_drive(config)
  transposed_drive = rules.make_transposed_drive(config)
  last = len(config.wirings) - 1

  def init():
    membranes = tuple(map(membrane.init, config.layer_sizes[1:]))
    currents = tuple(map(jnp.zeros, config.layer_sizes[1:-1]))
    return rules.State(membranes, jnp.float32(wta.INHIBITION_START), currents)

  def integrate(state, tick):
    current, window = tick
    potential = membrane.read(state, spikes.window_before(window))
    return membrane.integrate(state, current, window), potential

  def run(weights, sources, sample, state, block):
    started = [start_later(block.windows, start) for start in config.starts]
    num_ticks = len(block.windows.length)

    # Forward: neurons spike from their potentials before a tick.
    words, counts = rules.send_inputs(sample.inputs, sources, block, False)
    rates = jnp.broadcast_to(
      sample.inputs.rates, (num_ticks, len(sample.inputs.rates))
    )
    forward, membranes, potentials = [], [], []
    for layer, params in enumerate(weights.forward):
      forward.append(types.Signal(rates, words))
      currents = drive(
        layer, params, sources, rates, words, counts, started[layer]
      )
      after, potential = jax.lax.scan(
        integrate, state.membranes[layer], (currents, started[layer])
      )
      membranes.append(after)
      potentials.append(potential)
      if layer < last:
        rates = fire(potential) * sample.dropout_masks[layer][None]
        source = sources(Role.FORWARD, layer + 1, rates.shape[1])
        masks = started[layer + 1].mask
        words, counts = rules.send(source, rates, masks, False)
    windows = started[-1]
    inhibition, winners = rules.compete(
      config.winner == 'race', sources, state.inhibition, potentials[-1],
      windows,
    )  # fmt: skip
    final = jax.tree.map(lambda x: x[-1], started[last])
    is_vote = ~spikes.mask_before(config.settle_ticks, block.words)
    response = rules.respond(
      potentials[-1],
      membrane.read(membranes[-1], final),
      winners,
      votes=block.windows.mask & is_vote[None],
    )

    # Back: the errors of a tick reach the layer below in the next one.
    def send_errors(layer, errors, masks):
      source = sources(Role.ERROR, layer, errors.shape[1])
      rates = composite.error_rates(config.gains[layer], errors)
      return types.ErrorStreams(
        *(thresholds.sample_words(source, each, masks) for each in rates)
      )

    errors, signals, arrived = None, [], list(state.currents)
    for layer in reversed(range(last + 1) if sample.label is not None else ()):
      if layer == last:
        target = jax.nn.one_hot(sample.label, config.layer_sizes[-1])
        errors = jax.nn.softmax(potentials[last]) - target[None]
        windows = start_later(block.windows, config.error_starts[last])
        errors = jnp.where(windows.length[:, None] > 0, errors, 0.0)
      else:
        above = layer + 1, weights.transposed[layer + 1], sources
        read = functools.partial(transposed_drive, *above)
        arriving = jax.vmap(read)(errors, counts, windows)
        before = state.currents[layer][None]
        arrived[layer] = arriving[-1]
        arriving = jnp.concatenate([before, arriving[:-1]])
        gates = sample.dropout_masks[layer][None] * gate(potentials[layer])
        errors = gates * arriving
        windows = start_later(block.windows, config.error_starts[layer])
      masks = windows.mask
      if layer == last and config.winner != 'exact':
        ticks = jnp.sum(masks, axis=0, dtype=jnp.uint32)
        streams = wta.output_errors(winners, sample.label, ticks)
      else:
        streams = send_errors(layer, errors, masks)
      positive, negative = (rules.count(own, masks) for own in streams)
      counts = positive - negative
      signals.insert(0, types.ErrorSignal(errors, streams))
    state = rules.State(tuple(membranes), inhibition, tuple(arrived))
    return state, types.Signals(forward, signals, potentials, response, winners)

  return init, run


def start_later(windows: spikes.Window, start: int) -> spikes.Window:
  """Returns windows as a layer sees them that starts some ticks later."""
  return jax.vmap(lambda window: spikes.start_later(window, start))(windows)


def _make_drive(config):
  """Returns the forward reads of a layer at the W ticks of a word, `[W, J]`."""
  read = rules.make_drive(config)
  wirings, gains = config.wirings, config.read_gains

  def drive_by_spikes(layer, params, sources, rates, words, counts, windows):
    del sources, rates, counts
    rows, ticks = wirings[layer].gather(words[0]), windows.mask[:, 0]
    sums = crossbar.sum_rows(params.weights, rows, ticks, config.kernels)
    biases = jnp.broadcast_to(params.biases, sums.shape)
    drives = gains[layer] * sums + biases
    return jnp.moveaxis(drives, -2, 0).reshape(len(ticks), -1)

  def drive_by_rates(layer, params, sources, rates, words, counts, windows):
    del words
    if 'forward' not in config.rates:
      ticks = jax.vmap(spikes.num_valid_ticks)(windows)
      rates = counts.astype(jnp.float32) / ticks[:, None]
    each = jax.vmap(lambda *tick: read(layer, params, sources, *tick))
    return each(rates, windows)

  is_exact = 'forward' in config.rates or config.read_noise
  return drive_by_rates if is_exact else drive_by_spikes
