"""Export to NIR, the graph format of spiking libraries and chips.

A trained network becomes a chain: the input; convolutions, each with its
integrate-and-fire neurons; flatten; affine layers, all but the last with such
neurons; the output. The predicted class is the largest output, summed over the
presentation. An input is a constant current, the grey value of a pixel in each
tick, or spikes. A tick is one second and r = 1, so that a membrane gains in one
tick the input of this tick.

The input of a convolution is `[C, H, W]`, also if our network has inputs
`[H, W]` or `[H, W, C]`, and the weights after flatten have rows in this order.

The reader must reset neurons by subtraction, as the metadata of the graph say,
and a neuron must fire at most once per tick. Under a constant drive u, its rate
over T ticks is then within 1 / T of clip(u, 0, 1), the rate of our neurons; for
long presentations, both networks approach the ANN of the same weights.
"""

import dataclasses
import io
import itertools
import os

import numpy as np

from ssnn_jax import network
from ssnn_jax import samples
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.layers import Conv
from ssnn_jax.layers import Dense

try:
  import h5py
  import nir
except ImportError as error:
  raise types.UserError(
    "the package nir is not installed; pip install 'ssnn_jax[nir]'."
  ) from error


def to_graph(config: NetworkConfig, params: types.Params) -> nir.NIRGraph:
  """Builds the graph of a trained network.

  The read gains of inference are multiplied into the float32 weights, on their
  grid if the network has `weight_bits`. Weights, `[M, F]` in our layers, are
  `[J, I]` in a dense layer and `[F, C, height, width]` in a convolution.

  Args:
    config: a dense network, or one of `layers.Conv` and `layers.Dense`.
    params: its parameters.

  Raises:
    UserError: if NIR cannot represent the network, or the parameters are those
      of another network.
  """
  if config.ceiling != 1:
    raise types.UserError(
      f'ceiling is {config.ceiling}, which integrate-and-fire neurons of NIR '
      'do not have; export a network with ceiling=1.'
    )
  layers = config.layers or tuple(map(Dense, config.layer_sizes[1:]))
  for layer in layers:
    if type(layer) not in (Conv, Dense) or layer.residual:
      raise types.UserError(
        f'layers has {layer!s:.80}, which no node of NIR represents; export a '
        'network of layers.Conv and layers.Dense without residual connections.'
      )
  num_convolutions = sum(isinstance(layer, Conv) for layer in layers)
  if not num_convolutions:  # the inputs are flat, of whatever shape they were
    config = dataclasses.replace(config, layers=None, input_shape=None)
  shape = config.wirings[0].input_shape
  if num_convolutions and layers[0].channel_axis != 0:
    shape = _channels_first(shape)
  nodes = {'input': nir.Input(input_type=np.array(shape))}
  gain, width = np.float32(config.input_gain), len(str(len(params)))
  samples.check_params(config, params)
  params = network.quantize(config, params)
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
        order = np.arange(wiring.num_inputs).reshape(wiring.input_shape)
        weights = weights[np.moveaxis(order, -1, 0).reshape(-1)]
      nodes[f'{name}_affine'] = nir.Affine(weights.T.copy(), biases)
    if index < len(params):
      ones = np.ones(shape, np.float32)
      nodes[f'{name}_if'] = nir.IF(r=ones, v_threshold=ones.copy())
    if index == num_convolutions:
      flat = nir.Flatten(input_type=np.array(shape), start_dim=0, end_dim=-1)
      nodes[f'{name}_vector'] = flat
  nodes['output'] = nir.Output(output_type=np.array(config.layer_sizes[-1:]))
  edges = list(itertools.pairwise(nodes))
  metadata = {'reset': 'subtract', 'dt': 1.0}
  return nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata)


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
