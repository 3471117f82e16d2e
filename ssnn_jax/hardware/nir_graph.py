"""Export to NIR, the graphs that spiking libraries and chips exchange.

A trained network becomes the chain

  input -> (affine -> integrate-and-fire) ... -> affine -> output

and its class is the largest output, summed over the presentation. An input is a
constant current, the grey value of a pixel at each tick, or spikes.

Time. NIR is continuous in time; here a tick is one second and r = 1, so that a
membrane gains in a tick what arrives in it. Libraries that step an
integrate-and-fire neuron do just that, whatever their own time step is.

Reset. In continuous time a membrane meets its threshold exactly, and there is
no difference between a reset to 0 and one by subtraction. Ticks overshoot. The
reader must subtract the threshold, and let a neuron fire once a tick at most:
one that a constant u drives for T ticks then fires at a rate within 1 / T of
clip(u, 0, 1), which is that of ours. Reset to 0 it would lose what overshot and
fire at 1 / ceil(1 / u), at 1/2 for u = 0.6.

What differs from our network: its neurons draw their spikes, at the rate that
the mean of all they have received asks for, and begin a window late. A neuron
of the graph does not draw, keeps the rest, and fires in the tick that drives
it. Behind the first hidden layer it is driven by spikes, for which 1 / T is no
bound: what it fires before inhibition arrives is not taken back. With long
presentations both approach the ANN of the same weights.

Refused are other firing functions than 'clip' and other membranes than 'mean',
since an integrate-and-fire neuron neither fires at rest nor forgets.
"""

import contextlib
import dataclasses
import io
import itertools
import os
import pathlib

import h5py
import nir
import numpy as np

from ssnn_jax import types
from ssnn_jax.config import NetworkConfig

_REQUIRED = {'firing_function': 'clip', 'integration': 'mean'}
_UNIT = {'r': 1.0, 'v_threshold': 1.0, 'v_reset': 0.0}
_METADATA = {'reset': 'subtract', 'dt': 1.0}


def to_graph(config: NetworkConfig, params: types.Params) -> nir.NIRGraph:
  """Makes the graph of a trained network.

  The gain of each read, as `Network.infer` reads, goes into the weights.

  Args:
    config: the network.
    params: its parameters.

  Returns:
    The graph; its weights are `[J, I]`, and its metadata say how to reset and
    how many seconds a tick has.

  Raises:
    UserError: if the network is none of integrate-and-fire neurons, or the
      parameters are not of it.
  """
  _check_network(config, params)
  # No unit is dropped, so that no read makes up for any.
  gains = dataclasses.replace(config, dropout=0.0).read_gains
  nodes = {'input': nir.Input(input_type=np.array(config.layer_sizes[:1]))}
  width = len(str(len(params)))
  for index, (layer, gain) in enumerate(zip(params, gains), start=1):
    # A file has nodes by name: their order is that of the chain.
    name = f'layer_{index:0{width}}'
    nodes[f'{name}_affine'] = nir.Affine(
      weight=np.float32(gain) * np.asarray(layer.weights, np.float32).T.copy(),
      bias=np.array(layer.biases, np.float32),
    )
    if index < len(params):
      ones = np.ones(layer.biases.shape, np.float32)
      nodes[f'{name}_if'] = nir.IF(r=ones, v_threshold=ones.copy())
  nodes['output'] = nir.Output(output_type=np.array(config.layer_sizes[-1:]))
  edges = list(itertools.pairwise(nodes))
  return nir.NIRGraph(nodes=nodes, edges=edges, metadata=dict(_METADATA))


def from_graph(
  graph: nir.NIRGraph,
) -> tuple[tuple[int, ...], types.Params]:
  """Takes the parameters out of a graph, as `to_graph` makes it.

  Args:
    graph: the graph, with nodes and edges in any order.

  Returns:
    The layers' sizes, and float32 parameters for reads of gain 1.

  Raises:
    UserError: if it is another graph.
  """
  chain = _follow(graph)
  _check_chain(graph, chain)
  params = tuple(
    types.LayerParams(
      weights=np.array(node.weight, np.float32).T.copy(),
      biases=np.array(node.bias, np.float32),
    )
    for node in chain
    if isinstance(node, nir.Affine)
  )
  first, *_ = params[0].weights.shape
  return (first, *(layer.biases.size for layer in params)), params


def write(path: str | os.PathLike, graph: nir.NIRGraph) -> None:
  """Writes a graph to a new file that old versions of nir read, too.

  Args:
    path: the file.
    graph: the graph.

  Raises:
    UserError: if the file is there already, or cannot be written.
  """
  path, content = pathlib.Path(path), io.BytesIO()
  nir.write(content, graph)
  with h5py.File(content, 'r+') as file:
    # Versions of nir before 1.0.6, to which sinabs 3.1.3 is bound, fail to read
    # what they do not know; later ones take 0 for it.
    for node in file['node/nodes'].values():
      if 'v_reset' in node and not np.any(node['v_reset'][()]):
        del node['v_reset']
  try:
    with open(path, 'xb') as file:
      try:
        file.write(content.getvalue())
      except OSError:
        with contextlib.suppress(OSError):
          path.unlink()
        raise
  except FileExistsError:
    raise types.UserError(
      f'{path} is there already, and nothing is overwritten; choose another '
      'file.'
    ) from None
  except OSError as error:
    raise types.UserError(
      f'{path} cannot be written ({error.strerror}); choose another file, or '
      'make room and permission there.'
    ) from None


def read(path: str | os.PathLike) -> nir.NIRGraph:
  """Reads a graph from a file.

  Args:
    path: the file.

  Returns:
    The graph.

  Raises:
    UserError: if there is no such file, or it holds no graph.
  """
  if not os.path.isfile(path):
    raise types.UserError(
      f'{path} is not a file; give that of an exported network.'
    )
  try:
    return nir.read(path)
  except Exception as error:  # nir and h5py raise what their formats raise
    raise types.UserError(
      f'{path} holds no NIR graph ({type(error).__name__}); give that of '
      'an exported network.'
    ) from None


def _check_network(config, params):
  """Refuses what a chain of integrate-and-fire neurons is not."""
  for field, value in _REQUIRED.items():
    if getattr(config, field) != value:
      raise types.UserError(
        f'{field} is {getattr(config, field)}, which no integrate-and-fire '
        f'neuron of NIR has; export a network that was trained with {value}.'
      )
  shapes = [layer.weights.shape for layer in params]
  expected = list(itertools.pairwise(config.layer_sizes))
  if shapes != expected:
    raise types.UserError(
      f'params have weights of shapes {shapes}, but layer_sizes asks for '
      f'{expected}; pass the params of this network.'
    )


def _check_chain(graph, chain):
  """Refuses what `to_graph` does not make."""
  num_hidden = sum(isinstance(node, nir.IF) for node in chain)
  hidden = [nir.Affine, nir.IF] * num_hidden
  expected = [nir.Input, *hidden, nir.Affine, nir.Output]
  is_all = len(graph.nodes) == len(chain) == len(graph.edges) + 1
  if not is_all or [type(node) for node in chain] != expected:
    kinds = ', '.join(type(node).__name__ for node in graph.nodes.values())
    raise types.UserError(
      f'the graph of {kinds} is no chain of Input, Affine and IF for each '
      'hidden layer, Affine, Output; give one that to_graph has made.'
    )
  for node in chain:
    for field, value in _UNIT.items() if isinstance(node, nir.IF) else ():
      # Versions of nir before 1.0.6 have no v_reset, which is 0.
      if np.any(np.asarray(getattr(node, field, value)) != value):
        raise types.UserError(
          f'the graph has neurons whose {field} is not {value:g}; scale their '
          'weights.'
        )


def _follow(graph):
  """Follows the edges from the input on, as long as there is one way."""
  names = [n for n, node in graph.nodes.items() if isinstance(node, nir.Input)]
  # Going round in a circle ends when there are more nodes than in the graph.
  while len(names) <= len(graph.nodes):
    following = [end for start, end in graph.edges if start == names[-1]]
    if len(following) != 1:
      break
    names += following
  return [graph.nodes[name] for name in names]
