"""What one block of windows does to one sample, backward."""

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import forward
from ssnn_jax.spikes import thresholds


def errors(
  config: NetworkConfig,
  params: types.Params,
  sources: forward.Sources,
  label: jax.Array,
  kept: tuple[jax.Array, ...],
  sent: forward.Forward,
  windows: spikes.Window,
) -> list[types.ErrorSignal]:
  """Sends the errors of one block of one sample back to the first layer.

  Args:
    config: the network.
    params: what errors are read back through: its parameters, or others of
      their shapes.
    sources: makes thresholds.
    label: the target class.
    kept: for each hidden layer `[J]`, 0 where a unit is dropped and else 1.
    sent: what the block has sent forward.
    windows: `[W]` the windows of the block.

  Returns:
    The error of the neurons behind each layer of weights, first layer first.
  """
  if config.delay:
    windows = forward.but_the_first(windows)
  signals = [_output_error(config, sources, label, sent, windows)]
  for layer in reversed(range(len(kept))):
    arriving = _transposed_drive(
      config, layer + 1, params[layer + 1], sources, signals[0], windows
    )
    num_neurons = config.layer_sizes[layer + 1]
    source = sources(thresholds.Role.ERROR, layer, num_neurons)
    signals.insert(
      0,
      _split(
        config,
        layer,
        source,
        kept[layer],
        arriving,
        sent.potentials[layer],
        windows,
      ),
    )
  return signals


def _output_error(config, sources, label, sent, windows):
  """Compares the output layer with the target in each window."""
  num_classes = config.layer_sizes[-1]
  target = jax.nn.one_hot(label, num_classes)
  potentials = sent.potentials[-1]
  if config.output_errors == 'argmax':
    best = jnp.argmax(potentials, axis=-1)
    probabilities = jax.nn.one_hot(best, num_classes)
  else:
    probabilities = jax.nn.softmax(potentials)
  rates = jax.vmap(jnp.subtract, (0, None))(probabilities, target)
  if config.delay:
    rates = jnp.where(windows.length[:, None] > 0, rates, 0.0)
  if config.output_errors == 'winner':
    streams = jax.vmap(wta.output_errors, in_axes=(0, None, 0))(
      sent.winners, label, windows
    )
  else:
    layer = len(config.layer_sizes) - 2
    source = sources(thresholds.Role.ERROR, layer, num_classes)
    split = jax.vmap(composite.split_streams, in_axes=(None, 0, 0))
    streams = split(source, rates, windows)
  return types.ErrorSignal(rates, streams)


def _transposed_drive(config, layer, layer_params, sources, error, windows):
  """Reads a layer backward in each window: `[W, I]`."""
  num_rows = layer_params.weights.shape[0]
  read = forward.make_read(
    *(config, layer, composite.transposed_drive, layer_params),
    sources(thresholds.Role.TRANSPOSED_READ, layer, num_rows),
  )

  def drive(error, window):
    return read(carried(config, layer, error, window), window)

  return jax.vmap(drive)(error, windows)


def carried(
  config: NetworkConfig,
  layer: int,
  error: types.ErrorSignal,
  window: spikes.Window,
) -> jax.Array:
  """Takes what a transposed read carries of the errors of one window.

  Args:
    config: the network.
    layer: the layer of weights that is read.
    error: that of the neurons behind it.
    window: the window.

  Returns:
    `[J]` errors: spikes by count, per tick and without the gain, or exact.
  """
  if config.backward == 'rates':
    return error.rates
  positive, negative = map(spikes.count, error.streams)
  ticks = spikes.ticks(window) * config.gains[layer]
  return (positive - negative).astype(jnp.float32) / ticks


def _split(config, layer, source, kept, arriving, potentials, windows):
  """Gates the errors that arrive at hidden neurons and splits them."""
  gate = firing.find(config.firing_function).gate

  def split(arriving, potential, window):
    rates = kept * gate(potential) * arriving
    streams = composite.split_streams(
      source, config.gains[layer] * rates, window
    )
    return types.ErrorSignal(rates, streams)

  return jax.vmap(split)(arriving, potentials, windows)
