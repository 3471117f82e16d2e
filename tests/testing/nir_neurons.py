"""NIR graphs in NumPy, by the definitions of their nodes, for tests."""

import dataclasses

import jax
import nir
import numpy as np

import ssnn_jax


def draw_params(config):
  """Returns random parameters, none of which is 0."""
  rng = np.random.default_rng(len(config.layer_sizes))
  return tuple(
    ssnn_jax.LayerParams(
      rng.normal(size=wiring.weights_shape).astype(np.float32),
      rng.normal(size=wiring.num_columns).astype(np.float32),
    )
    for wiring in config.wirings
  )


def assert_same(params, expected):
  """Asserts that parameters are float32 and have exactly the same values."""
  assert jax.tree.structure(params) == jax.tree.structure(expected)
  for leaf, exact in zip(jax.tree.leaves(params), jax.tree.leaves(expected)):
    assert leaf.dtype == np.float32, leaf.dtype
    np.testing.assert_array_equal(leaf, exact, strict=True)


def to_network(graph):
  """Returns the configuration and the parameters of an exported network.

  Inverts `to_graph`, up to read gains, and inputs `[H, W, C]`, whose channels
  come first in NIR.
  """
  following, name, chain = dict(graph.edges), 'input', []
  assert len(following) == len(graph.edges) == len(graph.nodes) - 1
  while name in following:
    name = following[name]
    chain.append(graph.nodes[name])
  assert isinstance(chain[-1], nir.Output)
  layers, params, image = [], [], None
  for node in chain:
    if isinstance(node, nir.Conv2d):
      features, _, *kernel = node.weight.shape
      stride, padding = (
        tuple(map(int, x)) for x in (node.stride, node.padding)
      )
      layers.append(ssnn_jax.layers.Conv(features, kernel, stride, padding))
      weights = node.weight.transpose(2, 3, 1, 0).reshape(-1, features)
    elif isinstance(node, nir.Affine):
      weights, units = node.weight.T, len(node.weight)
      layers.append(ssnn_jax.layers.Dense(units))
      if image is not None:  # from `[F, H, W]` to `[H, W, F]`
        weights = np.moveaxis(weights.reshape(*image, units), 0, 2)
        weights, image = weights.reshape(-1, units), None
    elif isinstance(node, nir.Flatten):
      image = tuple(map(int, node.input_type['input']))
      continue
    else:
      assert isinstance(node, nir.IF | nir.Output), node
      continue
    params.append(ssnn_jax.LayerParams(weights, node.bias))
  shape = tuple(map(int, graph.nodes['input'].input_type['input']))
  if len(shape) == 1:
    sizes = *shape, *(layer.units for layer in layers)
    return ssnn_jax.NetworkConfig(sizes), tuple(params)
  if shape[0] == 1:
    shape = shape[1:]
  else:
    layers[0] = dataclasses.replace(layers[0], channel_axis=0)
  config = ssnn_jax.NetworkConfig(layers=tuple(layers), input_shape=shape)
  return config, tuple(params)


def apply(node, signal):
  """Returns the output of a node without state.

  Args:
    node: an affine node, a convolution or a Flatten.
    signal: its input, `[..., I]` or `[..., C, H, W]`.

  Returns:
    `[..., J]` or `[..., F, H', W']` float64.
  """
  signal = np.asarray(signal, float)
  if isinstance(node, nir.Affine):
    return signal @ node.weight.T + node.bias
  if isinstance(node, nir.Conv2d):
    return _convolve(node, signal)
  assert isinstance(node, nir.Flatten) and node.start_dim == 0, node
  return signal.reshape(*signal.shape[:-3], -1)


def _convolve(node, image):
  """Multiplies each patch of an image with the kernels."""
  (up, left), (down, right) = node.padding, node.stride
  margins = [(0, 0)] * (image.ndim - 2) + [(up, up), (left, left)]
  image = np.pad(image, margins)
  num_features, _, height, width = node.weight.shape
  num_rows = (image.shape[-2] - height) // down + 1
  num_columns = (image.shape[-1] - width) // right + 1
  output = np.zeros((*image.shape[:-3], num_features, num_rows, num_columns))
  for row in range(num_rows):
    for column in range(num_columns):
      y, x = row * down, column * right
      patch = image[..., y : y + height, x : x + width]
      product = np.tensordot(patch, node.weight, ((-3, -2, -1), (1, 2, 3)))
      output[..., row, column] = product + node.bias
  return output


def make_step(graph, subtracts=True):
  """Returns the function from the inputs of a tick to the outputs.

  Args:
    graph: a graph from `to_graph`.
    subtracts: whether a spike subtracts the threshold from the membrane;
      otherwise it resets the membrane to 0.

  Returns:
    `(inputs) -> outputs`; it keeps the membranes between calls.
  """
  membranes = {name: 0.0 for name in graph.nodes}

  def step(signal):
    for name, node in sorted(graph.nodes.items()):  # in the order of the chain
      if isinstance(node, nir.Affine | nir.Conv2d | nir.Flatten):
        signal = apply(node, signal)
      elif isinstance(node, nir.IF):
        charged = membranes[name] + node.r * signal
        signal = (charged >= node.v_threshold).astype(float)
        reset = node.v_threshold if subtracts else charged
        membranes[name] = charged - signal * reset
    return signal

  return step


def present(graph, frames, subtracts=True):
  """Returns the outputs of all ticks, `[T, ...]`."""
  return np.array(list(map(make_step(graph, subtracts), frames)))
