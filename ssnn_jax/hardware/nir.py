"""Export to NIR, the graph format of spiking libraries and chips.

A trained network becomes the chain

  input -> (affine -> integrate-and-fire) ... -> affine -> output.

The predicted class is the largest output, summed over the presentation. An
input is a constant current, the grey value of a pixel in each tick, or spikes.

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
leaks, and integrate-and-fire neurons do neither.
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
from ssnn_jax.simulation import inputs

_REQUIRED = {'firing_function': 'clip', 'integration': 'mean'}
_NEURON = {'r': 1.0, 'v_threshold': 1.0, 'v_reset': 0.0}
_METADATA = {'reset': 'subtract', 'dt': 1.0}


def to_graph(config: NetworkConfig, params: types.Params) -> nir.NIRGraph:
  """Builds the graph of a trained network, with float32 weights `[J, I]`.

  The read gains of inference are multiplied into the weights.
  """
  for field, value in _REQUIRED.items():
    if getattr(config, field) != value:
      raise types.UserError(
        f'{field} is {getattr(config, field)}, which integrate-and-fire '
        f'neurons of NIR do not have; export a network with {field}={value!r}.'
      )
  inputs.check_params(config, params)
  # Inference has no dropout, so that its reads have no gain for dropped units.
  gains = dataclasses.replace(config, dropout=0.0).read_gains
  nodes = {'input': nir.Input(input_type=np.array(config.layer_sizes[:1]))}
  width = len(str(len(params)))
  for index, (layer, gain) in enumerate(zip(params, gains), start=1):
    # Files sort nodes by name, which is their order in the chain.
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


def from_graph(graph: nir.NIRGraph) -> tuple[tuple[int, ...], types.Params]:
  """Extracts layer sizes and float32 parameters (for reads of gain 1).

  Raises a UserError if the graph is not a chain as `to_graph` builds it.
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
  num_inputs = params[0].weights.shape[0]
  return (num_inputs, *(layer.biases.size for layer in params)), params


def write(path: str | os.PathLike, graph: nir.NIRGraph) -> None:
  """Writes a graph to a new file, readable by old versions of nir.

  Raises a UserError if the file exists or cannot be written.
  """
  path, content = pathlib.Path(path), io.BytesIO()
  nir.write(content, graph)
  with h5py.File(content, 'r+') as file:
    # Versions of nir before 1.0.6, which sinabs 3.1.3 requires, cannot read
    # v_reset; later versions default to 0.
    for node in file['node/nodes'].values():
      if 'v_reset' in node and not np.any(node['v_reset'][()]):
        del node['v_reset']
  try:
    _write_new(path, content.getvalue())
  except FileExistsError:
    raise types.UserError(
      f'{path} exists already and is not overwritten; choose another file.'
    ) from None
  except OSError as error:
    raise types.UserError(
      f'{path} cannot be written ({error.strerror}); choose another file, or '
      'check its folder, the permissions and the free space.'
    ) from None


def _write_new(path, content):
  """Writes a new file, or none at all."""
  with open(path, 'xb') as file:
    try:
      file.write(content)
    except OSError:
      with contextlib.suppress(OSError):
        path.unlink()
      raise


def read(path: str | os.PathLike) -> nir.NIRGraph:
  """Reads a graph from a file; raises a UserError if there is none."""
  if not os.path.isfile(path):
    raise types.UserError(
      f'{path} is not a file; pass the file of an exported network.'
    )
  try:
    return nir.read(path)
  except Exception as error:  # of any type, from nir or h5py
    raise types.UserError(
      f'{path} contains no NIR graph ({type(error).__name__}); pass the file '
      'of an exported network.'
    ) from None


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
  num_hidden = sum(isinstance(node, nir.IF) for node in chain)
  hidden = [nir.Affine, nir.IF] * num_hidden
  expected = [nir.Input, *hidden, nir.Affine, nir.Output]
  is_all = len(graph.nodes) == len(chain) == len(graph.edges) + 1
  if not is_all or [type(node) for node in chain] != expected:
    kinds = ', '.join(type(node).__name__ for node in graph.nodes.values())
    raise types.UserError(
      f'the graph of {kinds} is not a chain of Input, Affine and IF for each '
      'hidden layer, Affine, Output; pass a graph from to_graph.'
    )
  neurons = [node for node in chain if isinstance(node, nir.IF)]
  for node, (field, value) in itertools.product(neurons, _NEURON.items()):
    # Versions of nir before 1.0.6 have no v_reset, which is 0.
    if np.any(np.asarray(getattr(node, field, value)) != value):
      raise types.UserError(
        f'the graph has neurons whose {field} is not {value:g}; use '
        'neurons of resistance 1, threshold 1 and reset 0.'
      )
