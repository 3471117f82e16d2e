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
    windows = spikes.mask_first_window(windows)
  signals = [_output_error(config, draw, sample.label, forward, windows)]
  for layer in reversed(range(len(sample.dropout_masks))):
    incoming = _transposed_drive(
      config, layer + 1, params[layer + 1], draw, signals[0], windows
    )
    gates = _gates(config, forward.potentials[layer])
    error = sample.dropout_masks[layer][None] * gates * incoming
    source = draw(thresholds.Role.ERROR, layer, error.shape[1])
    streams = _split(source, config.gains[layer] * error, windows)
    signals.insert(0, types.ErrorSignal(error, streams))
  return signals


def _output_error(config, draw, label, forward, windows):
  """Compares the output layer with the target in each window."""
  potentials = forward.potentials[-1]
  num_classes = potentials.shape[-1]
  target = jax.nn.one_hot(label, num_classes)
  probabilities = jax.nn.softmax(potentials)
  if config.output_errors == 'argmax':
    best = jnp.argmax(potentials, axis=-1)
    probabilities = jax.nn.one_hot(best, num_classes)
  errors = probabilities - target[None]
  if config.delay:
    errors = jnp.where(windows.length[:, None] > 0, errors, 0.0)
  if config.output_errors == 'winner':
    compare = jax.vmap(wta.output_errors, in_axes=(0, None, 0))
    streams = compare(forward.winners, label, windows)
  else:
    layer = len(config.layer_sizes) - 2
    source = draw(thresholds.Role.ERROR, layer, num_classes)
    streams = _split(source, errors, windows)
  return types.ErrorSignal(errors, streams)


def _transposed_drive(config, layer, layer_params, draw, error, windows):
  """Computes the errors that reach the layer below: `[W, I]`."""
  errors = jax.vmap(functools.partial(propagated_error, config, layer))(
    error, windows
  )
  gain = config.read_gains[layer]
  product = functools.partial(composite.transposed_drive, layer_params, gain)
  source = None
  if config.reads.out_noise:
    num_rows = layer_params.weights.shape[0]
    source = draw(thresholds.Role.TRANSPOSED_READ, layer, num_rows)
  read = functools.partial(periphery.read, config.reads, product, gain, source)
  return jax.vmap(read)(errors, windows)


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
  positive, negative = map(spikes.count, error.streams)
  ticks = spikes.num_valid_ticks(window) * config.gains[layer]
  return (positive - negative).astype(jnp.float32) / ticks


def _gates(config, potentials):
  return firing.find(config.firing_function).derivative(potentials)


def _split(source, errors, windows):
  """Samples the error streams in each window."""
  split = jax.vmap(composite.split_streams, in_axes=(None, 0, 0))
  return split(source, errors, windows)
