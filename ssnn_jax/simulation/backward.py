"""Backward pass of one sample in the windows of one block."""

import functools

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.hardware import periphery
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import forward as forward_lib
from ssnn_jax.simulation import inputs
from ssnn_jax.spikes import thresholds


def propagate(
  config: NetworkConfig,
  params: types.Params,
  draw: forward_lib.Draw,
  sample: inputs.Sample,
  forward: forward_lib.Forward,
  windows: spikes.Window,
) -> list[types.ErrorSignal]:
  """Propagates the errors of one sample back to the first layer.

  Args:
    config: the network.
    params: weights of the transposed reads, with the structure of the
      parameters.
    draw: `(role, layer, num_neurons)` to thresholds of the sample in the
      block.
    sample: the sample, without an axis B.
    forward: forward signals of the block.
    windows: `[W]` windows of the block.

  Returns:
    Error signal of the postsynaptic neurons of each layer, first layer first.
  """
  if config.delay:
    windows = spikes.start_later(windows, config.schedule.window)
  compare = functools.partial(output_error, config, draw, sample.label)
  signals = [
    jax.vmap(compare)(forward.potentials[-1], forward.winners, windows)
  ]
  for layer in reversed(range(len(sample.dropout_masks))):
    read = functools.partial(
      transposed_drive, config, layer + 1, params[layer + 1], draw
    )
    incoming = jax.vmap(read)(signals[0], windows)
    respond = functools.partial(hidden_error, config, layer, draw, sample)
    signals.insert(
      0, jax.vmap(respond)(forward.potentials[layer], incoming, windows)
    )
  return [
    signal._replace(streams=spikes.join_windows(signal.streams))
    for signal in signals
  ]


def output_error(
  config: NetworkConfig,
  draw: forward_lib.Draw,
  label: jax.Array,
  potential: jax.Array,
  winners: jax.Array,
  window: spikes.Window,
) -> types.ErrorSignal:
  """Compares the output layer with the target in one window.

  Args:
    config: the network.
    draw: `(role, layer, num_neurons)` to thresholds of the sample.
    label: target class.
    potential: `[C]` potentials of the output layer.
    winners: `[K, C]` uint32 winners.
    window: the window; without ticks it has no errors.

  Returns:
    Error signal of the output layer.
  """
  num_classes = potential.shape[0]
  probabilities = jax.nn.softmax(potential)
  if config.output_errors == 'argmax':
    probabilities = jax.nn.one_hot(jnp.argmax(potential), num_classes)
  errors = probabilities - jax.nn.one_hot(label, num_classes)
  if max(config.error_starts):
    errors = jnp.where(window.length > 0, errors, 0.0)
  if config.output_errors == 'winner':
    compare = wta.output_errors
    if config.defers_trains:
      compare = wta.DeferredErrors
    return types.ErrorSignal(errors, compare(winners, label, window))
  layer = len(config.layer_sizes) - 2
  source = draw(thresholds.Role.ERROR, layer, num_classes)
  streams = composite.split_streams(source, errors, window)
  return types.ErrorSignal(errors, streams)


def hidden_error(
  config: NetworkConfig,
  layer: int,
  draw: forward_lib.Draw,
  sample: inputs.Sample,
  potential: jax.Array,
  incoming: jax.Array,
  window: spikes.Window,
) -> types.ErrorSignal:
  """Gates the error of a hidden layer and splits it in two streams.

  Args:
    config: the network.
    layer: layer of weights whose postsynaptic neurons have the error.
    draw: `(role, layer, num_neurons)` to thresholds of the sample.
    sample: the sample, for its dropout masks.
    potential: `[J]` potentials of the neurons.
    incoming: `[J]` errors from the transposed read.
    window: the window.

  Returns:
    Error signal of the layer.
  """
  gate = firing.find(config.firing_function).derivative(potential)
  error = sample.dropout_masks[layer] * gate * incoming
  source = draw(thresholds.Role.ERROR, layer, error.shape[0])
  split = composite.split_streams
  if config.defers_trains:
    split = composite.defer_streams
  streams = split(source, config.gains[layer] * error, window)
  return types.ErrorSignal(error, streams)


def transposed_drive(
  config: NetworkConfig,
  layer: int,
  params: types.LayerParams,
  draw: forward_lib.Draw,
  error: types.ErrorSignal,
  window: spikes.Window,
) -> jax.Array:
  """Computes the `[I]` errors that reach the layer below in one window."""
  wiring, gain = config.wirings[layer], config.read_gains[layer]
  product = functools.partial(composite.transposed_drive, params, gain)
  source = None
  if config.reads.out_noise:
    num_rows = wiring.num_positions * wiring.num_rows
    source = draw(thresholds.Role.TRANSPOSED_READ, layer, num_rows)
  errors = wiring.split(propagated_error(config, layer, error, window))
  # Each position is a read of its own, before the errors of an input add up.
  rows = periphery.read(config.reads, product, gain, source, errors, window)
  return wiring.scatter(rows)


def propagated_error(
  config: NetworkConfig,
  layer: int,
  error: types.ErrorSignal,
  window: spikes.Window,
) -> jax.Array:
  """Returns the input of a transposed read in one window.

  Args:
    config: the network.
    layer: layer of weights that is read.
    error: error signal of its postsynaptic neurons in the window.
    window: the window.

  Returns:
    `[J]` errors: difference of the spike counts of the two streams, per tick
    and divided by the gain; with `backward='rates'` the exact errors.
  """
  if config.backward == 'rates':
    return error.errors
  if spikes.is_deferred(error.streams):
    signed = error.streams.count(config.schedule.has_whole_words)
  else:
    positive, negative = map(spikes.count, error.streams)
    signed = positive - negative
  ticks = spikes.num_valid_ticks(window) * config.gains[layer]
  return signed.astype(jnp.float32) / ticks
