"""A small convolutional network, and the dense network with equal weights.

A convolution is a dense layer whose weights are equal at all positions and 0
elsewhere (`layers_test` compares the wiring with JAX's convolution). Neurons
have the same numbers in both networks, and therefore the same thresholds.
Weights are multiples of a power of 2, with which all sums are exact, so that
the networks emit the same spikes.
"""

import numpy as np

import ssnn_jax
from ssnn_jax import types

INPUT_SHAPE, NUM_CLASSES = (7, 6, 2), 3
LAYERS = (
  ssnn_jax.layers.Conv(3, kernel=3, stride=2, padding=1),
  ssnn_jax.layers.Conv(4, kernel=(2, 3)),
  ssnn_jax.layers.Dense(NUM_CLASSES),
)


def make_config(**options):
  """Returns the configuration of the convolutional network."""
  options = {'layers': LAYERS, 'input_shape': INPUT_SHAPE} | options
  return ssnn_jax.NetworkConfig(**options)


def make_params(config, seed=0):
  """Draws weights and biases that are multiples of 1 / 32."""
  rng = np.random.default_rng(seed)

  def draw(*shape):
    return np.float32(rng.integers(-20, 24, shape) / 32)

  shapes = [wiring.weights_shape for wiring in config.wirings]
  return tuple(types.LayerParams(draw(*s), draw(s[1])) for s in shapes)


def batch(size=6, shape=INPUT_SHAPE):
  """Returns images whose rates are multiples of 1 / 8, and labels."""
  rng = np.random.default_rng(1)
  images = np.float32(rng.integers(0, 9, (size, *shape)) / 8)
  return images, np.arange(size, dtype=np.int32) % NUM_CLASSES


def synapses(layer, input_shape):
  """Returns `[n, 3]`: input, position, and row of the crossbar."""
  inputs = layer.connect(input_shape).inputs
  position, row = np.nonzero(inputs >= 0)
  return np.stack([inputs[position, row], position, row], axis=1)


def expand(config, params):
  """Returns the parameters of the dense network with the same weights."""
  expanded = []
  for wiring, (weights, biases) in zip(config.wirings, params):
    if wiring.inputs is not None:
      shape = wiring.num_inputs, wiring.num_positions, wiring.num_columns
      position, row = np.nonzero(wiring.inputs >= 0)
      dense = np.zeros(shape, np.float32)
      dense[wiring.inputs[position, row], position] = weights[row]
      weights = dense.reshape(wiring.num_inputs, -1)
      biases = np.tile(biases, wiring.num_positions)
    expanded.append(types.LayerParams(weights, biases))
  return tuple(expanded)


def fold(config, counts):
  """Adds up what the dense network counts at the positions of each weight."""
  folded = []
  for wiring, (weights, biases) in zip(config.wirings, counts):
    if wiring.inputs is not None:
      shape = wiring.num_inputs, wiring.num_positions, wiring.num_columns
      position, row = np.nonzero(wiring.inputs >= 0)
      dense = np.asarray(weights).reshape(shape)
      weights = np.zeros(wiring.weights_shape, dense.dtype)
      np.add.at(weights, row, dense[wiring.inputs[position, row], position])
      biases = np.reshape(biases, shape[1:]).sum(axis=0)
    folded.append(types.LayerParams(weights, biases))
  return tuple(folded)
