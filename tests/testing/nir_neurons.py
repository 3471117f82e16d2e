"""NIR graphs in NumPy, by the definitions of their nodes, for tests."""

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
