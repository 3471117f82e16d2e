"""Exchange of networks in NIR, the graph format of spiking libraries and chips.

The network of a `NetworkConfig` is a chain: the input; convolutions, each with
its integrate-and-fire neurons; flatten; affine layers, all but the last with
such neurons; the output. The predicted class is the largest output, summed over
the presentation. An input is a constant current, the grey value of a pixel in
each tick, or spikes. A tick is one second and r = 1, so that a membrane gains
in one tick the input of this tick.

The input of a convolution is `[C, H, W]`, also if our network has inputs
`[H, W]` or `[H, W, C]`, and the weights after flatten have rows in this order.

The reader of a graph must reset neurons by subtraction, as the metadata say,
and a neuron must fire at most once per tick. With a constant drive u, and a
potential v_0 before the first tick, 0 <= v_0 < 1, it sends in T ticks

  floor(clip(T u + v_0, 0, T))

spikes: with v_0 = 1/2 the count of bipolar neurons, with v_0 = 0, as simulators
start, at most one less. So the first hidden layer has our counts, with the
rates of `spiking.encode` as constant currents and v_0 = 1/2. (A drive halfway
between two counts is decided by whether neurons fire at the threshold or above
it.) Neurons of deeper layers receive spikes that come unevenly, and cannot take
back their own; in long presentations, all approach T clip(u, 0, 1).
"""

import collections
import dataclasses
import io
import itertools
import math
import os
from typing import Any

import h5py
import nir
import numpy as np

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.stochastic.config import NetworkConfig
from ssnn_jax.stochastic.layers import Conv
from ssnn_jax.stochastic.layers import Dense


def to_graph(config: NetworkConfig, params: Any) -> nir.NIRGraph:
  """Builds the graph of a trained network.

  The read gain of the inputs is multiplied into the float32 weights, on their
  grid if the network has one. Weights are `[J, I]` between layers, and
  `[F, C, height, width]` in a convolution.

  Args:
    config: a configuration of `layers.Conv` and `layers.Dense`.
    params: its parameters.

  Raises:
    UserError: if NIR cannot represent the network, or the parameters are those
      of another network.
  """
  checks.check_type('config', config, NetworkConfig, 'a NetworkConfig')
  checks.check_params(config, params)
  layers = config.layers or tuple(map(Dense, config.layer_sizes[1:]))
  if any(type(own) not in (Conv, Dense) for own in layers):
    raise types.UserError(
      'layers are of your own, which NIR has not; export Dense and Conv alone.'
    )
  num_convolutions = sum(isinstance(layer, Conv) for layer in layers)
  if not num_convolutions:  # the inputs are flat, of whatever shape they were
    config = dataclasses.replace(config, layers=None, input_shape=None)
  shape = config.wirings[0].input_shape
  if num_convolutions and layers[0].channel_axis != 0:
    shape = _channels_first(shape)
  nodes = {'input': nir.Input(input_type=np.array(shape))}
  gain, width = np.float32(config.input_gain), len(str(len(params)))
  rows = enumerate(zip(layers, config.wirings, params), start=1)
  for index, (layer, wiring, (weights, biases)) in rows:
    # Files sort nodes by name, which is their order in the chain.
    name = f'layer_{index:0{width}}'
    inputs, shape = shape, _channels_first(wiring.output_shape)
    weights = gain * np.asarray(weights, np.float32)
    biases, gain = np.array(biases, np.float32), np.float32(1)
    if isinstance(layer, Conv):
      kernels = weights.reshape(*layer.kernel, -1, layer.features)
      node = nodes[f'{name}_conv'] = nir.Conv2d(
        input_shape=inputs[1:],
        weight=kernels.transpose(3, 2, 0, 1).copy(),
        stride=layer.stride,
        padding=layer.padding,
        dilation=(1, 1),
        groups=1,
        bias=biases,
      )
      if tuple(node.output_type['output']) != shape:
        raise types.UserError(
          f'kernel is {layer.kernel}, for which nir {nir.version} computes a '
          'wrong shape of the output; export a network with square kernels.'
        )
    else:
      if len(wiring.input_shape) == 3:  # neurons of a convolution, flattened
        image = weights.reshape(*wiring.input_shape, -1)
        weights = np.moveaxis(image, 2, 0).reshape(weights.shape)
      nodes[f'{name}_affine'] = nir.Affine(weights.T.copy(), biases)
    if index < len(params):
      nodes[f'{name}_if'] = _make_neurons(shape)
    if index == num_convolutions:
      flat = nir.Flatten(input_type=np.array(shape), start_dim=0, end_dim=-1)
      nodes[f'{name}_vector'] = flat
  nodes['output'] = nir.Output(output_type=np.array(config.layer_sizes[-1:]))
  return _make_graph(nodes, list(itertools.pairwise(nodes)))


def _make_neurons(shape):
  ones = np.ones(shape, np.float32)
  return nir.IF(r=ones, v_threshold=ones.copy())


def _make_graph(nodes, edges):
  metadata = {'reset': 'subtract', 'dt': 1.0}
  return nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata)


def read(path: str | os.PathLike) -> nir.NIRGraph:
  """Reads a graph from a file, for `from_graph`."""
  return nir.read(os.fspath(path))


def from_graph(
  graph: nir.NIRGraph | str | os.PathLike, **fields: Any
) -> types.SavedNetwork:
  """Builds the network of a graph, which another library may have made.

  Neurons are taken to reset by subtraction, and r / v_threshold is multiplied
  into their weights and biases. Neurons of the last layer are left out, as the
  class is the largest potential. Images of a convolution are `[C, H, W]`.

  Args:
    graph: a chain as above, or the path of its file; affine layers may lack
      biases, as `nir.Linear`.
    fields: others of `NetworkConfig`, as `num_steps`, which a graph lacks.

  Returns:
    The configuration, for `ssnn`, and the parameters, float32.

  Raises:
    UserError: if the graph has what no layer of this library represents.
  """
  if isinstance(graph, str | os.PathLike):
    graph = read(graph)
  (_, node), *chain = _follow(graph)
  input_shape = shape = tuple(map(int, node.input_type['input']))
  layers, params, has_neurons = [], [], True
  for name, node in chain:
    if isinstance(node, nir.Affine | nir.Linear | nir.Conv2d):
      if not has_neurons:
        raise _refuse(name, node, 'follows weights without neurons; insert IF')
      has_neurons = False
      weights = np.moveaxis(np.asarray(node.weight, float), 0, -1)
      num_columns = weights.shape[-1]
      if isinstance(node, nir.Conv2d):
        layer = _as_conv(name, node, channel_axis=-1 if layers else 0)
        weights = np.moveaxis(weights, 0, 2).reshape(-1, num_columns)
      else:
        layer = Dense(num_columns)
        if layers and len(shape) == 3:  # neurons of a convolution, flattened
          image = weights.reshape(*_channels_first(shape), -1)
          weights = np.moveaxis(image, 0, 2).reshape(weights.shape)
      biases = getattr(node, 'bias', None)
      biases = np.zeros(num_columns) if biases is None else np.asarray(biases)
      params.append(types.LayerParams(weights, biases))
      shape = layer.connect(shape).output_shape
      layers.append(layer)
    elif isinstance(node, nir.IF):
      if has_neurons:
        raise _refuse(name, node, 'follows no weights; insert an affine layer')
      has_neurons = True
      scale = _find_scale(name, node, num_columns)
      params[-1] = types.LayerParams(*(array * scale for array in params[-1]))
    elif isinstance(node, nir.Flatten):
      if np.size(node.output_type['output']) != 1:
        raise _refuse(name, node, 'leaves several axes; flatten all of them')
    elif not isinstance(node, nir.Output):
      raise _refuse(
        name,
        node,
        'is none of Conv2d, Affine, Linear, IF and Flatten; build the network '
        'of these, with strides instead of pooling',
      )
  if any(isinstance(layer, Conv) for layer in layers):
    config = NetworkConfig(
      layers=tuple(layers), input_shape=input_shape, **fields
    )
  else:  # the inputs are flat, of whatever shape they were
    sizes = math.prod(input_shape), *(layer.units for layer in layers)
    config = NetworkConfig(sizes, **fields)
  params = tuple(types.LayerParams(*map(np.float32, own)) for own in params)
  checks.check_params(config, params)
  return types.SavedNetwork(config, params)


def _follow(graph):
  """Lists the names and nodes of a chain, from the input on."""
  for names in zip(*graph.edges, strict=True):  # sources, then targets
    for name, number in collections.Counter(names).items():
      if number > 1:
        problem = 'has several inputs or outputs; remove branches and loops'
        raise _refuse(name, graph.nodes[name], problem)
  after, nodes = dict(graph.edges), dict(graph.nodes)
  name = next(name for name in nodes if isinstance(nodes[name], nir.Input))
  chain = []
  while name in nodes:
    chain.append((name, nodes.pop(name)))
    name = after.get(name)
  for name, node in nodes.items():
    raise _refuse(name, node, 'is not connected to the input; remove the node')
  return chain


def _as_conv(name, node, channel_axis):
  """Returns the layer of a convolution."""
  features, _, *kernel = np.shape(node.weight)
  if node.groups != 1 or np.any(np.asarray(node.dilation) != 1):
    raise _refuse(name, node, 'has groups or dilation; choose 1 for both')
  stride, padding = np.broadcast_to(node.stride, 2).tolist(), node.padding
  if isinstance(padding, str):  # 'valid' or 'same'
    margins = [(padding == 'same') * (size - 1) for size in kernel]
    if max(margins) > 0 and max(stride) > 1 or any(n % 2 for n in margins):
      problem = "has padding 'same' of uneven sides; choose numbers"
      raise _refuse(name, node, problem)
    padding = [margin // 2 for margin in margins]
  padding = np.broadcast_to(padding, 2).tolist()
  return Conv(features, kernel, stride, padding, channel_axis)


def _find_scale(name, node, num_features):
  """Returns r / v_threshold of each feature of neurons."""
  r, threshold, reset = (
    np.asarray(getattr(node, field, 0), float)  # nir 1.0.4 has no v_reset
    for field in ('r', 'v_threshold', 'v_reset')
  )
  if np.any(threshold <= 0) or np.any(reset):
    problem = 'has a v_reset, or no v_threshold above 0; choose 0 and 1'
    raise _refuse(name, node, problem)
  scale = (r / threshold).reshape(num_features, -1)
  if np.any(scale != scale[:, :1]):
    problem = 'has a feature with several r / v_threshold; choose one'
    raise _refuse(name, node, problem)
  return scale[:, 0]


def _refuse(name, node, problem):
  """Returns an error that names a node, its type and the problem."""
  return types.UserError(f'node {name} ({type(node).__name__}) {problem}.')


def _channels_first(shape):
  """Returns the shape in NIR of neurons `[H, W, F]`, `[H, W]` or `[J]`."""
  return (1, *shape) if len(shape) == 2 else (shape[-1], *shape[:-1])


def write(path: str | os.PathLike, graph: nir.NIRGraph) -> None:
  """Writes a graph to a new file; raises `FileExistsError` if there is one."""
  content = io.BytesIO()
  nir.write(content, graph)
  with h5py.File(content, 'r+') as file:
    # Versions of nir before 1.0.6, which sinabs 3.1.3 requires, cannot read
    # v_reset; later versions default to 0.
    for node in file['node/nodes'].values():
      if 'v_reset' in node and not np.any(node['v_reset'][()]):
        del node['v_reset']
  with open(path, 'xb') as file:
    file.write(content.getvalue())
