"""Export to NIR, the graph format of spiking libraries and chips.

A trained network becomes the chain

  input -> (affine -> integrate-and-fire) ... -> affine -> output.

Convolutions come first, and a node flattens the output of the last one:

  input -> (convolution -> integrate-and-fire) ... -> flatten
        -> (affine -> integrate-and-fire) ... -> affine -> output.

The predicted class is the largest output, summed over the presentation. An
input is a constant current, the grey value of a pixel in each tick, or spikes.

Images. NIR has the axis of the channels first: the input of a convolution is
`[C, H, W]`, also if our network has inputs `[H, W]` or `[H, W, C]`, and the
weights after flatten have rows in this order. The input of a network without
convolutions is flat, in the order of our network.

Time. A tick is one second and r = 1, so that a membrane gains in one tick the
input of this tick, also in libraries that simulate in steps of any duration.
The metadata of the graph specify the seconds per tick and the reset.

Reset. In continuous time a membrane meets its threshold exactly, so that reset
to 0 and reset by subtraction are equal. In discrete time membranes overshoot
the threshold. The reader must subtract the threshold, and a neuron must fire at
most once per tick: under a constant drive u, its rate over T ticks is then
within 1 / T of clip(u, 0, 1), the rate of our neurons. Reset to 0 discards the
overshoot: the rate is 1 / ceil(1 / u), which is 1/2 at u = 0.6.

Differences from our network. Our neurons sample their spikes, at a rate that
depends on the mean of all inputs so far, one window later. A neuron of the
graph is deterministic and fires in the same tick as its input. The bound of
1 / T holds in the first hidden layer under constant currents only: later layers
are driven by spikes, and a neuron whose mean drive is negative may still fire
if excitatory spikes arrive first. For long presentations, both networks
approach the ANN of the same weights.

Only `firing_function='clip'` and `integration='mean'` are exported, and other
neurons raise a UserError: 'hard_sigmoid' fires at potential 0 and 'leaky'
leaks, and integrate-and-fire neurons do neither. So do kernels that are not
square, where nir, as of 1.0.8, computes a wrong shape of their output.

The packages nir and h5py are optional: `pip install 'ssnn_jax[nir]'` adds them
to an installation.
"""

import dataclasses
import itertools

import nir
import numpy as np

from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.hardware import nir_layers
from ssnn_jax.hardware.nir_files import read
from ssnn_jax.hardware.nir_files import write
from ssnn_jax.layers.conv import Conv
from ssnn_jax.layers.dense import Dense
from ssnn_jax.simulation import inputs

__all__ = ('from_graph', 'read', 'to_graph', 'write')

_REQUIRED = {'firing_function': 'clip', 'integration': 'mean'}
_NEURON = {'r': 1.0, 'v_threshold': 1.0, 'v_reset': 0.0}
_FLATTEN = {'start_dim': 0, 'end_dim': -1}  # without an axis of the batch
_KINDS = {nir.Affine: 'affine', nir.Conv2d: 'conv'}
_METADATA = {'reset': 'subtract', 'dt': 1.0}


def to_graph(config: NetworkConfig, params: types.Params) -> nir.NIRGraph:
  """Builds the graph of a trained network.

  The read gains of inference are multiplied into the float32 weights.

  Args:
    config: a dense network, or one of `layers.Conv` and `layers.Dense`.
    params: its parameters.

  Returns:
    The graph.

  Raises:
    UserError: if NIR cannot represent the network, or the parameters are those
      of another network.
  """
  for field, value in _REQUIRED.items():
    if getattr(config, field) != value:
      raise types.UserError(
        f'{field} is {getattr(config, field)}, which integrate-and-fire '
        f'neurons of NIR do not have; export a network with {field}={value!r}.'
      )
  inputs.check_params(config, params)
  layers = config.layers or tuple(map(Dense, config.layer_sizes[1:]))
  nir_layers.check(layers)
  num_convolutions = sum(isinstance(layer, Conv) for layer in layers)
  if not num_convolutions:  # the inputs are flat, of whatever shape they were
    config = dataclasses.replace(config, layers=None, input_shape=None)
  # Inference has no dropout, so that its reads have no gain for dropped units.
  gains = dataclasses.replace(config, dropout=0.0).read_gains
  shape = nir_layers.input_shape(layers[0], config.wirings[0])
  nodes = {'input': nir.Input(input_type=np.array(shape))}
  width = len(str(len(params)))
  rows = zip(layers, config.wirings, params, gains)
  for index, row in enumerate(rows, start=1):
    # Files sort nodes by name, which is their order in the chain.
    name = f'layer_{index:0{width}}'
    node = nir_layers.to_node(*row)
    nodes[f'{name}_{_KINDS[type(node)]}'] = node
    if index < len(params):
      ones = np.ones(node.output_type['output'], np.float32)
      nodes[f'{name}_if'] = nir.IF(r=ones, v_threshold=ones.copy())
    if index == num_convolutions:
      flat = nir.Flatten(input_type=node.output_type['output'], **_FLATTEN)
      nodes[f'{name}_vector'] = flat
  nodes['output'] = nir.Output(output_type=np.array(config.layer_sizes[-1:]))
  edges = list(itertools.pairwise(nodes))
  return nir.NIRGraph(nodes=nodes, edges=edges, metadata=dict(_METADATA))


def from_graph(graph: nir.NIRGraph) -> tuple[NetworkConfig, types.Params]:
  """Extracts the network of a graph and its float32 parameters.

  Args:
    graph: a graph as `to_graph` builds it.

  Returns:
    The configuration and the parameters, for reads of gain 1. The inputs of a
    convolution have the shape `[H, W]`, or of several channels `[C, H, W]`.

  Raises:
    UserError: if the graph has other nodes or edges.
  """
  chain = _follow(graph)
  _check_chain(graph, chain)
  nodes = [node for node in chain if isinstance(node, nir_layers.Node)]
  config = nir_layers.to_config(chain[0].input_type['input'], nodes)
  params = map(nir_layers.to_params, nodes, config.wirings)
  return config, tuple(params)


def _follow(graph):
  """Lists the nodes from the input on, up to a fork or an end."""
  names = [n for n, node in graph.nodes.items() if isinstance(node, nir.Input)]
  while len(names) <= len(graph.nodes):  # a cycle repeats nodes
    following = [end for start, end in graph.edges if start == names[-1]]
    if len(following) != 1:
      break
    names += following
  return [graph.nodes[name] for name in names]


def _check_chain(graph, chain):
  """Checks that a chain is the whole graph, and as `to_graph` builds it."""
  kinds = [type(node) for node in chain]
  num_convolutions = kinds.count(nir.Conv2d)
  expected = [nir.Conv2d, nir.IF] * num_convolutions
  expected += [nir.Affine, nir.IF] * kinds.count(nir.Affine)
  expected = expected[:-1] or [nir.Affine]  # one layer at least
  if num_convolutions:
    expected.insert(2 * num_convolutions, nir.Flatten)
  is_all = len(graph.nodes) == len(chain) == len(graph.edges) + 1
  if not is_all or kinds != [nir.Input, *expected, nir.Output]:
    names = ', '.join(type(node).__name__ for node in graph.nodes.values())
    raise types.UserError(
      f'the graph of {names} is not a chain of Input, Conv2d and IF for each '
      'convolution, Flatten after them, Affine and IF for each dense layer, '
      'and Output after a layer without IF; pass a graph from to_graph.'
    )
  for node in chain:
    if isinstance(node, nir.IF):
      remedy = 'neurons of resistance 1, threshold 1 and reset 0'
      _check_fields('neurons', node, _NEURON, remedy)
    if isinstance(node, nir.Flatten):
      remedy = 'a Flatten from axis 0 to axis -1'
      _check_fields('a Flatten', node, _FLATTEN, remedy)


def _check_fields(kind, node, fields, remedy):
  for field, value in fields.items():
    # Versions of nir before 1.0.6 have no v_reset, which is 0.
    if np.any(np.asarray(getattr(node, field, value)) != value):
      raise types.UserError(
        f'the graph has {kind} whose {field} is not {value:g}; use {remedy}.'
      )
