"""Stochastic neurons: a sample runs forward and back, window by window.

A neuron emits the spikes of a window from its potential at the end of that
window, and errors of a window coincide with the spikes of the same window,
which wait for them. `ssnn_jax.reference.stochastic` says it tick by tick.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import rules
from ssnn_jax.spikes.thresholds import Role


def make_run(
  config: NetworkConfig,
) -> tuple[Callable[[], rules.State], Callable[..., types.Signals]]:
  """Returns how a sample starts, and how it runs through a window.

  Args:
    config: the network.

  Returns:
    `() -> State`, and `(weights, sources, sample, state, block) -> (State,
    Signals)` of a sample without an axis B and a block of one window; without a
    label there are no errors.
  """
  drive = rules.make_drive(config)
  transposed_drive = rules.make_transposed_drive(config)
  last = len(config.wirings) - 1

  def init():
    potentials = tuple(map(jnp.zeros, config.layer_sizes[1:]))
    return rules.State(potentials, jnp.float32(wta.INHIBITION_START))

  def run_forward(weights, sources, sample, before, block):
    """Every layer integrates the spikes of the layer below."""
    window = jax.tree.map(lambda x: x[0], block.windows)
    masks, ticks = block.windows.mask, spikes.num_valid_ticks(window)
    words, counts = rules.send_inputs(sample.inputs, sources, block)
    share = jnp.float32(window.length) / jnp.float32(window.elapsed)
    rates, forward, potentials = sample.inputs.rates, [], []
    for layer, params in enumerate(weights):
      forward.append(types.Signal(rates[None], words))
      if 'forward' not in config.rates:
        rates = counts[0].astype(jnp.float32) / ticks
      current = drive(layer, params, sources, rates, window)
      v = before[layer]
      v = v + share * (current - v)
      potentials.append(v)
      if layer < last:
        rates = jnp.clip(v, 0.0, 1.0) * sample.dropout_masks[layer]
        source = sources(Role.FORWARD, layer + 1, len(rates))
        words, counts = rules.send(source, rates[None], masks)
    return forward, tuple(potentials)

  def run_back(weights, sources, sample, potentials, winners, windows):
    """Every layer sends the errors that the layer above asks for."""
    window = jax.tree.map(lambda x: x[0], windows)
    target = jax.nn.one_hot(sample.label, len(potentials[last]))
    errors = jax.nn.softmax(potentials[last]) - target
    streams, counts = rules.send_output_errors(
      config, sources, winners, sample.label, errors[None], windows.mask
    )
    signals = [types.ErrorSignal(errors[None], streams)]
    for layer in reversed(range(last)):
      above = layer + 1, weights[layer + 1], sources
      arriving = transposed_drive(*above, errors, counts[0], window)
      gates = sample.dropout_masks[layer] * _gate(potentials[layer])
      errors = gates * arriving
      source = sources(Role.ERROR, layer, len(errors))
      streams, counts = rules.send_errors(
        source, config.gains[layer], errors[None], windows.mask
      )
      signals.insert(0, types.ErrorSignal(errors[None], streams))
    return signals

  def run(weights, sources, sample, state, block):
    windows, errors = block.windows, []
    forward, potentials = run_forward(
      weights.forward, sources, sample, state.potentials, block
    )
    output = potentials[last]
    inhibition, winners = rules.compete(
      config.winner == 'race', sources, state.inhibition, output, windows
    )
    if sample.label is not None:
      errors = run_back(
        weights.transposed, sources, sample, potentials, winners, windows
      )
    response = rules.respond(output, winners, windows.mask[0])
    state = rules.State(potentials, inhibition)
    return state, types.Signals(forward, errors, response, winners)

  return init, run


def _gate(potential):
  """Returns 1 where the rate follows the potential, so that errors pass."""
  return jnp.float32((0.0 < potential) & (potential < 1.0))
