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
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane as membrane_lib
from ssnn_jax.simulation import backward
from ssnn_jax.simulation import forward
from ssnn_jax.simulation import inputs
from ssnn_jax.spikes.thresholds import Role


class State(NamedTuple):
  """All that the neurons of one sample store from window to window."""

  membranes: tuple[Any, ...]  # state of each layer's membranes
  errors: tuple[jax.Array, ...]  # [J] error current of each hidden layer
  inhibition: jax.Array  # inhibition shared by the output neurons, in nats


class Arriving(NamedTuple):
  """Input spikes of one window; they do not depend on the state."""

  signal: types.Signal
  drive: jax.Array  # [J] drive of the first layer


class Emission(NamedTuple):
  """Spikes of one window, and the values that they were sampled from."""

  signals: list[types.Signal]  # presynaptic signal of each layer, [N], [K, N]
  potentials: list[jax.Array]  # [J] of each layer, before the window
  winners: jax.Array  # [K, C]
  errors: list[types.ErrorSignal]  # of each layer; empty without a label


def init_state(config: NetworkConfig) -> State:
  """Returns the state of one sample at the start of a presentation."""
  membranes, inhibition = forward.init_state(config)
  errors = tuple(map(jnp.zeros, config.layer_sizes[1:-1]))
  return State(membranes, errors, inhibition)


def step(
  config: NetworkConfig,
  weights: types.Weights,
  draw: forward.Draw,
  sample: inputs.Sample,
  state: State,
  arriving: Arriving,
  window: spikes.Window,
) -> tuple[State, Emission]:
  """Advances all layers of one sample by one window.

  The synapses count the coincidences of the spikes in the emission.

  Args:
    config: the network.
    weights: weights of the two reads.
    draw: `(role, layer, num_neurons)` to thresholds of the window.
    sample: the sample, without an axis B; errors need its label.
    state: state of the neurons before the window.
    arriving: spikes of the inputs in the window.
    window: the window.

  Returns:
    The state after the window, and the emission of the window.
  """
  inhibition, emission = _emit(config, draw, sample, state, arriving, window)
  membranes, errors = _integrate(
    config, weights, draw, state, arriving, emission, window
  )
  return State(membranes, errors, inhibition), emission


def _emit(config, draw, sample, state, arriving, window):
  """Emits the spikes of all layers from the state before the window."""
  firing_probability = firing.find(config.firing_function).probability
  potentials = _read_membranes(config, state, window)
  signals = [arriving.signal]
  for layer, mask in enumerate(sample.dropout_masks, start=1):
    rates = firing_probability(potentials[layer - 1]) * mask
    source = draw(Role.FORWARD, layer, rates.shape[0])
    train = spikes.sample(source, rates, start_later(config, layer, window))
    signals.append(types.Signal(rates, train))
  output_window = start_later(config, len(state.membranes), window)
  inhibition, winners = forward.compete(
    config,
    draw(Role.WINNER, 0, 1),
    state.inhibition,
    potentials[-1],
    output_window,
  )
  errors = []
  if sample.label is not None:
    for layer, incoming in enumerate(state.errors):
      later = start_later(config, config.error_starts[layer], window)
      errors.append(
        backward.hidden_error(
          config, layer, draw, sample, potentials[layer], incoming, later
        )
      )
    errors.append(
      backward.output_error(
        config, draw, sample.label, potentials[-1], winners, output_window
      )
    )
  return inhibition, Emission(signals, potentials, winners, errors)


def _integrate(config, weights, draw, state, arriving, emission, window):
  """Integrates the spikes of the window in the neurons that they reach."""
  membrane = membrane_lib.find(config.integration, config.tau)
  membranes = []
  for layer, params in enumerate(weights.forward):
    later = start_later(config, layer, window)
    drive = arriving.drive
    if layer:
      signal = emission.signals[layer]
      drive = forward.drive(config, layer, params, draw, signal, later)
    membranes.append(membrane.integrate(state.membranes[layer], drive, later))
  errors = []
  for layer, error in enumerate(emission.errors[1:], start=1):
    later = start_later(config, config.error_starts[layer], window)
    params = weights.transposed[layer]
    errors.append(
      backward.transposed_drive(config, layer, params, draw, error, later)
    )
  return tuple(membranes), tuple(errors) or state.errors


def start_later(
  config: NetworkConfig, num_windows: int, window: spikes.Window
) -> spikes.Window:
  """Returns the window of a part of the network that starts later."""
  return spikes.start_later(window, num_windows * config.schedule.window)


def _read_membranes(config, state, window):
  """Reads the membranes of all layers at the start of the window."""
  membrane = membrane_lib.find(config.integration, config.tau)
  before = [
    spikes.window_before(start_later(config, layer, window))
    for layer in range(len(state.membranes))
  ]
  return list(map(membrane.read, state.membranes, before))
