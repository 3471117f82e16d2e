"""A small convolutional network, and the dense network with equal weights.

A convolution is a dense layer whose weights are equal at all positions and 0
elsewhere. Neurons have the same numbers in both networks, and therefore the
same thresholds. Weights are multiples of a power of 2, with which all sums are
exact, so that the networks emit the same spikes.
"""

import itertools

import jax
import numpy as np

import ssnn_jax
from ssnn_jax import types
from tests.testing import networks

INPUT_SHAPE, NUM_CLASSES = (7, 6, 2), 3
LAYERS = (
  ssnn_jax.layers.Conv(3, kernel=3, stride=2, padding=1),
  ssnn_jax.layers.Conv(4, kernel=(2, 3)),
  ssnn_jax.layers.Dense(NUM_CLASSES),
)
SIZES = 84, 48, 12, NUM_CLASSES


def make_config(**options):
  """Returns the configuration of the convolutional network."""
  options = {'layers': LAYERS, 'input_shape': INPUT_SHAPE} | options
  return networks.stochastic(**options)


def make_params(config, seed=0):
  """Draws weights and biases that are multiples of 1 / 32."""
  rng = np.random.default_rng(seed)

  def draw(*shape):
    return np.float32(rng.integers(-20, 24, shape) / 32)

  shapes = [wiring.weights_shape for wiring in config.wirings]
  return tuple(types.LayerParams(draw(*s), draw(s[1])) for s in shapes)


def batch(size=6):
  """Returns images whose rates are multiples of 1 / 8, and labels."""
  rng = np.random.default_rng(1)
  images = np.float32(rng.integers(0, 9, (size, *INPUT_SHAPE)) / 8)
  return images, np.arange(size, dtype=np.int32) % NUM_CLASSES


def synapses(conv, input_shape):
  """Yields each synapse: its input, position, and row of the crossbar."""
  height, width, channels = input_shape
  sizes = [
    (size + 2 * padding - kernel) // stride + 1
    for size, padding, kernel, stride in zip(
      input_shape, conv.padding, conv.kernel, conv.stride
    )
  ]
  places = itertools.product(*map(range, (*sizes, *conv.kernel, channels)))
  for across, along, row, column, channel in places:
    y = across * conv.stride[0] + row - conv.padding[0]
    x = along * conv.stride[1] + column - conv.padding[1]
    if 0 <= y < height and 0 <= x < width:
      yield (
        (y * width + x) * channels + channel,
        across * sizes[1] + along,
        (row * conv.kernel[1] + column) * channels + channel,
      )


def expand(config, params):
  """Returns the parameters of the dense network with the same weights."""
  expanded, params = [], jax.tree.map(np.asarray, params)
  for layer, wiring, own in zip(config.layers, config.wirings, params):
    if isinstance(layer, ssnn_jax.layers.Conv):
      features, positions = layer.features, wiring.num_positions
      weights = np.zeros((wiring.num_inputs, positions, features), np.float32)
      for source, position, row in synapses(layer, wiring.input_shape):
        weights[source, position] = own.weights[row]
      own = types.LayerParams(
        weights.reshape(wiring.num_inputs, -1), np.tile(own.biases, positions)
      )
    expanded.append(own)
  return tuple(expanded)


def fold(config, counts):
  """Adds up what the dense network counts at the positions of each weight."""
  folded = []
  for layer, wiring, own in zip(config.layers, config.wirings, counts):
    if isinstance(layer, ssnn_jax.layers.Conv):
      features, positions = layer.features, wiring.num_positions
      dense = np.asarray(own.weights).reshape(-1, positions, features)
      weights = np.zeros(wiring.weights_shape, dense.dtype)
      for source, position, row in synapses(layer, wiring.input_shape):
        weights[row] += dense[source, position]
      biases = np.asarray(own.biases).reshape(positions, features).sum(axis=0)
      own = types.LayerParams(weights, biases)
    folded.append(own)
  return tuple(folded)
