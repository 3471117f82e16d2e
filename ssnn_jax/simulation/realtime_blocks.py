"""Blocks of windows in real time: the step of all layers, window by window.

What does not depend on the state is computed for all windows of a block at
once: the reads of the inputs and the thresholds of all trains. Emitted spikes
are joined to words of 32 ticks, on which coincidences are counted.
"""

import functools

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import membrane as membrane_lib
from ssnn_jax.simulation import forward
from ssnn_jax.simulation import inputs
from ssnn_jax.simulation import realtime
from ssnn_jax.spikes.thresholds import Role


def propagate(
  config: NetworkConfig,
  weights: types.Weights,
  draw: forward.Draw,
  sample: inputs.Sample,
  state: realtime.State,
  block: spikes.Block,
) -> tuple[forward.Forward, list[types.ErrorSignal]]:
  """Advances all layers of one sample through the windows of one block.

  Args:
    config: the network.
    weights: weights of the two reads.
    draw: `(role, layer, num_neurons)` to thresholds of the sample in the
      block.
    sample: the sample, without an axis B; errors need its label.
    state: state of the neurons before the block.
    block: words and windows of the block.

  Returns:
    The forward signals of the block, and the error signal of each layer; none
    without a label.
  """
  # Inputs do not depend on the state: their reads are one product.
  train = forward.emit_inputs(draw, sample.inputs, block)
  arrive = functools.partial(forward.input_signal, sample.inputs, train)
  read = functools.partial(forward.drive, config, 0, weights.forward[0], draw)
  drives = jax.vmap(lambda window: read(arrive(window), window))(block.windows)
  ticks = _draw_ticks(config, draw, sample.label is not None, block)

  def advance(carry, window_inputs):
    state, trains = carry
    ticks, drive, window = window_inputs

    def draw_window(role, layer, num_neurons):
      source = ticks.get((role, layer))
      return draw(role, layer, num_neurons) if source is None else source

    arriving = realtime.Arriving(arrive(window), drive)
    state, emission = realtime.step(
      config, weights, draw_window, sample, state, arriving, window
    )
    trains = jax.tree.map(jnp.bitwise_or, trains, _trains(emission))
    return (state, trains), _without_trains(emission)

  if config.schedule.has_empty_windows:
    advance = _skip_empty(advance)
  (state, trains), emission = jax.lax.scan(
    advance,
    (state, _no_trains(config, sample, block)),
    (ticks, drives, block.windows),
  )
  response = forward.respond(
    emission.winners,
    emission.potentials[-1],
    realtime.start_later(config, len(state.membranes), block.windows),
    _last_potential(config, state, block),
  )
  emission = _with_trains(emission, trains, sample.inputs.rates, train)
  signals, potentials, winners, errors = emission
  return forward.Forward(signals, potentials, winners, state, response), errors


def _last_potential(config, state, block):
  """Reads the output layer after the last window of a block."""
  last = jax.tree.map(lambda x: x[-1], block.windows)
  last = realtime.start_later(config, len(state.membranes) - 1, last)
  membrane = membrane_lib.find(config.integration, config.tau)
  return membrane.read(state.membranes[-1], last)


def _skip_empty(advance):
  """Returns a step that does nothing in windows without ticks."""

  def advance_or_skip(carry, window_inputs):
    *_, window = window_inputs
    _, emission = jax.eval_shape(advance, carry, window_inputs)

    def skip(carry, window_inputs):
      del window_inputs
      return carry, jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype), emission
      )

    return jax.lax.cond(window.length > 0, advance, skip, carry, window_inputs)

  return advance_or_skip


def _trains(emission):
  """Returns the trains that were emitted, without those of the inputs."""
  signals = [signal.train for signal in emission.signals[1:]]
  return signals, [error.streams for error in emission.errors]


def _no_trains(config, sample, block):
  """Returns the trains of a block before its first window."""
  sizes, num_words = config.layer_sizes, len(block.words)

  def silent(size):
    return jnp.zeros((num_words, size), jnp.uint32)

  signals, errors = [silent(size) for size in sizes[1:-1]], []
  if sample.label is not None:
    errors = [types.ErrorStreams(silent(n), silent(n)) for n in sizes[1:]]
  return signals, errors


def _without_trains(emission):
  return emission._replace(
    signals=[signal._replace(train=None) for signal in emission.signals[1:]],
    errors=[error._replace(streams=None) for error in emission.errors],
  )


def _with_trains(emission, trains, input_rates, input_train):
  """Adds the trains of a block, and the signal of its inputs."""
  num_windows = len(emission.winners)
  rates = jnp.broadcast_to(input_rates, (num_windows, *input_rates.shape))
  pairs = zip(emission.signals, trains[0]), zip(emission.errors, trains[1])
  signals = [signal._replace(train=train) for signal, train in pairs[0]]
  return emission._replace(
    signals=[types.Signal(rates, input_train), *signals],
    errors=[error._replace(streams=streams) for error, streams in pairs[1]],
  )


def _draw_ticks(config, draw, has_errors, block):
  """Draws the thresholds of all trains in a block, by window."""
  sizes, is_race = config.layer_sizes, config.winner == 'race'
  trains = [(Role.FORWARD, layer) for layer in range(1, len(sizes) - 1)]
  num_errors = len(sizes) - 1 - (config.output_errors == 'winner')
  if has_errors:
    trains += [(Role.ERROR, layer) for layer in range(num_errors)]
  by_window = {}
  for role, layer in trains:
    size = sizes[layer + (role == Role.ERROR)]
    values = spikes.draw_thresholds(draw(role, layer, size), size)
    by_window[role, layer] = values
  values = draw(Role.WINNER, 0, sizes[-1] if is_race else 1)
  if not is_race:
    values = spikes.draw_thresholds(values, 1)
  by_window[Role.WINNER, 0] = values
  return {
    train: spikes.split_ticks(values, config.schedule, block)
    for train, values in by_window.items()
  }
