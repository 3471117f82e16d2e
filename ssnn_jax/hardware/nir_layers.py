"""Layers of weights as nodes of NIR, and back.

Weights are `[M, F]` in our layers. In NIR they are `[J, I]` in a dense layer,
`nir.Affine`, and `[F, C, height, width]` in a convolution, `nir.Conv2d`. The
neurons of a convolution are `[H, W, F]` in our networks and `[F, H, W]` in NIR.
"""

from collections.abc import Sequence
import dataclasses
import math

import nir
import numpy as np

from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.layers.conv import Conv
from ssnn_jax.layers.dense import Dense
from ssnn_jax.layers.wiring import Layer
from ssnn_jax.layers.wiring import Wiring

Node = nir.Affine | nir.Conv2d


def check(layers: Sequence[Layer]) -> None:
  """Refuses layers that no node of NIR represents."""
  for layer in layers:
    if type(layer) not in (Conv, Dense):
      raise types.UserError(
        f'layers has {type(layer).__name__}, which no node of NIR represents; '
        'export a network of layers.Conv and layers.Dense.'
      )


def input_shape(layer: Layer, wiring: Wiring) -> tuple[int, ...]:
  """Returns the shape of a layer's inputs in NIR: `[C, H, W]`, or `[I]`."""
  shape = wiring.input_shape
  if not isinstance(layer, Conv):
    return (wiring.num_inputs,)
  if len(shape) == 2:
    return 1, *shape
  return shape if layer.channel_axis == 0 else (shape[-1], *shape[:-1])


def to_node(
  layer: Layer, wiring: Wiring, params: types.LayerParams, read_gain: float
) -> Node:
  """Makes the node of a layer.

  Args:
    layer: a dense layer or a convolution.
    wiring: its connections.
    params: its weights and biases.
    read_gain: factor on the weights.

  Returns:
    The node, with float32 weights and biases.

  Raises:
    UserError: if nir computes a wrong output shape for the layer.
  """
  weights = np.float32(read_gain) * np.asarray(params.weights, np.float32)
  biases = np.array(params.biases, np.float32)
  if isinstance(layer, Conv):
    return _make_convolution(layer, wiring, weights, biases)
  if len(wiring.input_shape) == 3:
    weights = weights[_channels_first(wiring.input_shape)]
  return nir.Affine(weight=weights.T.copy(), bias=biases)


def _make_convolution(layer, wiring, weights, biases):
  kernels = weights.reshape(*layer.kernel, -1, layer.features)
  _, *image_shape = input_shape(layer, wiring)
  node = nir.Conv2d(
    input_shape=tuple(image_shape),
    weight=kernels.transpose(3, 2, 0, 1).copy(),
    stride=layer.stride,
    padding=layer.padding,
    dilation=(1, 1),
    groups=1,
    bias=biases,
  )
  *sizes, features = wiring.output_shape
  if tuple(node.output_type['output']) != (features, *sizes):
    # nir 1.0.8 takes the width of a kernel to be its height.
    raise types.UserError(
      f'kernel is {layer.kernel}, for which nir {nir.version} computes a wrong '
      'shape of the output; export a network with square kernels.'
    )
  return node


def _channels_first(shape):
  """Returns the indices of `[H, W, C]` neurons in the order `[C, H, W]`."""
  index = np.arange(math.prod(shape)).reshape(shape)
  return np.moveaxis(index, -1, 0).reshape(-1)


def to_config(shape: Sequence[int], nodes: Sequence[Node]) -> NetworkConfig:
  """Makes the configuration of the network of a chain of nodes.

  Args:
    shape: shape of the inputs in NIR.
    nodes: the node of each layer, convolutions first.

  Returns:
    The configuration; that of a dense network has no `layers`.

  Raises:
    UserError: if our layers cannot represent a node or its inputs.
  """
  if isinstance(nodes[0], nir.Affine):
    return NetworkConfig((nodes[0].weight.shape[1], *map(_count, nodes)))
  shape = tuple(map(int, shape))
  if len(shape) != 3:
    raise types.UserError(
      f'the graph has a convolution of inputs of shape {shape}; give its '
      'inputs three dimensions: channels, height and width.'
    )
  layers = [
    _to_conv(node) if isinstance(node, nir.Conv2d) else Dense(_count(node))
    for node in nodes
  ]
  num_channels, *image_shape = shape
  if num_channels > 1:
    image_shape = shape
    layers[0] = dataclasses.replace(layers[0], channel_axis=0)
  return NetworkConfig(layers=tuple(layers), input_shape=tuple(image_shape))


def _count(node):
  """Counts the outputs of a dense layer, or the features of a convolution."""
  return len(node.weight)


def _to_conv(node):
  for field in ('dilation', 'groups'):
    if np.any(np.asarray(getattr(node, field)) != 1):
      raise types.UserError(
        f'the graph has a convolution whose {field} is not 1; use convolutions '
        'of dilation 1 and a single group.'
      )
  if isinstance(node.padding, str):
    raise types.UserError(
      f"the graph has a convolution whose padding is '{node.padding}'; give "
      'the padding as numbers.'
    )
  stride, padding = (
    tuple(map(int, np.broadcast_to(size, 2)))
    for size in (node.stride, node.padding)
  )
  return Conv(_count(node), node.weight.shape[2:], stride, padding)


def to_params(node: Node, wiring: Wiring) -> types.LayerParams:
  """Extracts the parameters of a node.

  Args:
    node: the node of a layer.
    wiring: the connections of the layer.

  Returns:
    Float32 weights and biases, for reads of gain 1.

  Raises:
    UserError: if the weights do not fit the inputs of the layer.
  """
  weights = np.asarray(node.weight, np.float32)
  is_dense = isinstance(node, nir.Affine)
  if not is_dense:
    weights = weights.transpose(0, 2, 3, 1)
  weights = weights.reshape(len(weights), -1).T
  if weights.shape != wiring.weights_shape:
    raise types.UserError(
      f'the graph has weights of shape {node.weight.shape}, which do not fit '
      'the nodes before them; pass a graph from to_graph.'
    )
  if is_dense and len(wiring.input_shape) == 3:
    weights = weights[np.argsort(_channels_first(wiring.input_shape))]
  return types.LayerParams(weights.copy(), np.array(node.bias, np.float32))
