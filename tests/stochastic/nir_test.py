"""Tests of the exchange in NIR, by the definitions of its nodes."""

import dataclasses
import functools
import importlib.util
import itertools
import pathlib
import unittest

from absl.testing import parameterized
import h5py
import jax
import nir
import numpy as np

import ssnn_jax
from ssnn_jax import spiking
from ssnn_jax import types
from ssnn_jax.stochastic import crossbars
from ssnn_jax.stochastic import nir as nir_lib
from tests.testing.networks import assert_same

Conv, Dense = ssnn_jax.layers.Conv, ssnn_jax.layers.Dense


def make_config(input_shape, *layers):
  return ssnn_jax.NetworkConfig(layers=layers, input_shape=input_shape)


NETWORKS = {
  'dense': ssnn_jax.NetworkConfig((6, 5, 4, 3)),
  'dense_of_images': make_config((2, 1, 3), Dense(5), Dense(3)),
  'more_than_nine_layers': ssnn_jax.NetworkConfig((2, *[3] * 11, 2)),
  # All kinds of images; the second convolution has an even kernel.
  'height_and_width': make_config(
    (9, 7),
    Conv(3, kernel=(3, 2), stride=2, padding=(1, 0)),
    Conv(4, kernel=2, stride=(2, 1), padding=(0, 2)),
    Dense(5),
    Dense(3),
  ),
  'channels_last': make_config(
    (7, 6, 2), Conv(3, kernel=3, padding=1), Conv(4, 2, stride=2), Dense(3)
  ),
  'channels_first': make_config(
    (2, 7, 6), Conv(3, 3, stride=2, padding=1, channel_axis=0), Dense(3)
  ),
  'last_convolution': make_config((6, 6), Conv(4, kernel=3), Conv(3, kernel=4)),
}


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


def as_image(values, shape, channel_axis=-1):
  """Arranges neurons `[B, ...]` of a shape with the channels first."""
  values = np.reshape(values, (-1, *shape))
  if len(shape) == 2:
    return values[:, None]
  is_last = len(shape) == 3 and channel_axis == -1
  return np.moveaxis(values, 3, 1) if is_last else values


def apply(node, signal):
  """Returns the output of a node without state for inputs `[B, ...]`."""
  if isinstance(node, nir.Affine):
    return signal @ node.weight.T + node.bias
  if isinstance(node, nir.Flatten):
    return signal.reshape(len(signal), -1)
  (up, left), (down, right) = node.padding, node.stride
  image = np.pad(signal, [(0, 0), (0, 0), (up, up), (left, left)])
  size = node.weight.shape[2:]
  patches = np.lib.stride_tricks.sliding_window_view(image, size, (2, 3))
  patches = patches[:, :, ::down, ::right]  # [B, C, H', W', h, w]
  output = np.tensordot(patches, node.weight, ((1, 4, 5), (1, 2, 3)))
  return np.moveaxis(output + node.bias, -1, 1)


def simulate(graph, signal, num_steps, start):
  """Returns the spikes `[T, B, ...]` of hidden layers, and the mean output."""
  potentials, spikes, output = {}, {}, 0
  for _ in range(num_steps):
    x = signal
    for name, node in graph.nodes.items():
      if isinstance(node, nir.IF):
        potential = potentials.get(name, start) + node.r * x
        x = np.float32(potential >= node.v_threshold)
        potentials[name] = potential - node.v_threshold * x
        spikes.setdefault(name, []).append(x)
      elif not isinstance(node, nir.Input | nir.Output):
        x = apply(node, x)
    output += x / num_steps
  return [np.stack(each) for each in spikes.values()], output


@functools.cache
def settle(name):
  """Settles a network of one hidden layer for 16 ticks.

  All sums are exact, as weights and currents are multiples of 1 / 16.

  Returns:
    Its graph, currents of the input, settled counts of the hidden layer in the
    shapes of the graph, and the potential.
  """
  config = dataclasses.replace(NETWORKS[name], input_gain=0.5, num_steps=16)
  params = tuple(
    jax.tree.map(lambda own, bits=bits: np.round(own * bits) / bits, layer)
    for layer, bits in zip(draw_params(config), (16, 8))
  )
  graph, rng = nir_lib.to_graph(config, params), np.random.default_rng(2)
  images = rng.integers(0, 17, (20, *config.input_shape)) / np.float32(16)

  @jax.jit
  def run(images):
    counts = []

    def respond(drives):
      counts.append(spiking.fire(drives, 16, 1.0))
      return counts[-1]

    rates = images.reshape(20, -1)
    potential = crossbars.read_layers(config, params, rates, respond)
    return 16 * counts[0], potential

  counts, potential = run(images)
  shape = graph.nodes['input'].input_type['input']
  if len(shape) == 3:
    images = as_image(images, config.input_shape, config.layers[0].channel_axis)
  counts = as_image(counts, config.wirings[0].output_shape)
  return graph, images.reshape(20, *shape), counts, potential


class NirTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'network.nir'

  @parameterized.parameters(
    *(x for x in NETWORKS if x != 'more_than_nine_layers')
  )
  def test_nodes_compute_the_drives_of_the_layers(self, name):
    config = dataclasses.replace(NETWORKS[name], input_gain=0.3, dropout=0.5)
    params = draw_params(config)
    graph = nir_lib.to_graph(config, params)
    kinds = [type(node) for node in graph.nodes.values()]
    self.assertEqual(kinds.count(nir.IF), len(params) - 1)  # of hidden layers
    nodes = (n for n in graph.nodes.values() if not isinstance(n, nir.IF))
    shape = next(nodes).input_type['input']
    rng, gain = np.random.default_rng(1), 0.3
    axis = config.layers[0].channel_axis if nir.Conv2d in kinds else -1
    for wiring, layer in zip(config.wirings, params):
      rates = np.float32(rng.uniform(size=(5, wiring.num_inputs)))
      signal = as_image(rates, wiring.input_shape, axis)
      signal = signal if nir.Conv2d in kinds else rates
      node = next(nodes)
      if gain == 0.3:
        np.testing.assert_array_equal(shape, signal.shape[1:])
      if isinstance(node, nir.Flatten):
        signal, node = apply(node, signal), next(nodes)
      expected = jax.jit(wiring.read)(layer, gain, rates)
      expected = as_image(expected, wiring.output_shape)
      np.testing.assert_allclose(apply(node, signal), expected, 1e-5, 1e-5)
      axis, gain = -1, 1.0  # inference has no dropout

  @parameterized.parameters('more_than_nine_layers', 'height_and_width')
  def test_file_has_the_graph_and_is_kept(self, name):
    config = NETWORKS[name]
    graph = nir_lib.to_graph(config, draw_params(config))
    nir_lib.write(self.path, graph)
    read, names = nir.read(str(self.path)), []
    # Neurons of these values fire at the rate clip(u, 0, 1) of a drive u.
    self.assertEqual(read.metadata, {'reset': 'subtract', 'dt': 1.0})
    for node in read.nodes.values():
      if isinstance(node, nir.IF):
        self.assertEqual(np.unique([node.r, node.v_threshold]).tolist(), [1.0])
    self.assertEqual(list(read.nodes), list(graph.nodes))
    self.assertEqual(graph.edges, list(itertools.pairwise(graph.nodes)))
    self.assertCountEqual(read.edges, graph.edges)
    for name, node in graph.nodes.items():
      for field in ('weight', 'bias', 'stride', 'padding', 'r', 'v_threshold'):
        if hasattr(node, field):
          pair = (getattr(each, field) for each in (node, read.nodes[name]))
          np.testing.assert_array_equal(*pair, strict=True)
    # Old versions cannot read `v_reset`.
    with h5py.File(self.path) as file:
      file.visit(names.append)
    self.assertIn('v_threshold', ' '.join(names))
    self.assertNotIn('v_reset', ' '.join(names))
    before = self.path.read_bytes()
    for path in (self.path, self.folder / 'no' / 'such'):
      with self.assertRaisesRegex(OSError, str(path)):
        nir_lib.write(path, graph)
    self.assertEqual(self.path.read_bytes(), before)

  @parameterized.parameters(*NETWORKS)
  def test_graph_becomes_the_same_network(self, name):
    config = dataclasses.replace(NETWORKS[name], input_gain=0.5)
    params = draw_params(config)
    nir_lib.write(self.path, nir_lib.to_graph(config, params))
    read = nir_lib.from_graph(nir_lib.read(self.path), num_steps=8)
    self.assertEqual(read.config.num_steps, 8)
    first = params[0]._replace(weights=0.5 * params[0].weights)
    assert_same(read.params, (first, *params[1:]))
    order = np.arange(config.layer_sizes[0])  # our inputs, in that of the graph
    if read.config.layers:
      axis = config.layers[0].channel_axis
      order = as_image(order, config.input_shape, axis).reshape(-1)
    for ours, theirs in zip(config.wirings, read.config.wirings, strict=True):
      self.assertEqual(theirs.output_shape, ours.output_shape)
      if ours.inputs is not None:
        inputs = np.append(order, ssnn_jax.layers.SILENT)[theirs.inputs]
        np.testing.assert_array_equal(inputs, ours.inputs, strict=True)
      order = np.arange(ours.num_neurons)

  @parameterized.parameters('dense', 'channels_first')
  def test_weights_are_in_units_of_the_threshold(self, name):
    params = draw_params(NETWORKS[name])
    last = types.LayerParams(params[-1].weights, np.zeros(3, np.float32))
    params, rng = (*params[:-1], last), np.random.default_rng(1)
    *nodes, output = nir_lib.to_graph(NETWORKS[name], params).nodes.values()
    nodes[-1] = nir.Linear(nodes[-1].weight)  # of a last layer with neurons
    nodes += [nir.IF(np.ones(3), np.ones(3)), output]
    for index, node in enumerate(nodes):
      if isinstance(node, nir.IF):
        r, threshold = np.exp2(rng.integers(-2, 3, (2, len(node.r))))
        node.r = (node.r.T * r).T
        node.v_threshold = (node.v_threshold.T * threshold).T
        weights = next(
          own for own in nodes[index::-1] if hasattr(own, 'weight')
        )
        weights.weight = (weights.weight.T * threshold / r).T
        if isinstance(weights, nir.Affine | nir.Conv2d):
          weights.bias = weights.bias * threshold / r
    graph = nir.NIRGraph.from_list(*nodes)
    graph.nodes = dict(reversed(graph.nodes.items()))  # edges have the order
    assert_same(nir_lib.from_graph(graph).params, params)

  @parameterized.parameters('dense_of_images', 'last_convolution')
  def test_constant_currents_send_the_settled_counts(self, name):
    graph, currents, counts, potential = settle(name)
    (spikes,), output = simulate(graph, currents, 16, start=0.5)
    np.testing.assert_array_equal(spikes.sum(0), counts)
    np.testing.assert_array_equal(output, potential)
    (spikes,), _ = simulate(graph, currents, 16, start=0.0)
    missing = np.unique(counts - spikes.sum(0))
    self.assertEqual(missing.tolist(), [0, 1])

  @parameterized.parameters('dense_of_images', 'last_convolution')
  @unittest.skipUnless(importlib.util.find_spec('spyx'), 'pip install spyx')
  def test_spyx_computes_the_settled_potential(self, name):
    import spyx

    graph, currents, _, potential = settle(name)
    # Neurons fire above the threshold, not at it: half a step more is the same.
    start = 0.5 + 2**-9
    nir_lib.write(self.path, graph)
    with (
      jax.numpy_dtype_promotion('standard'),
      jax.numpy_rank_promotion('allow'),
    ):
      # Spikes are those of the potential before the tick.
      images = np.moveaxis(currents, 1, -1)
      ticks = np.broadcast_to(images, (17, *images.shape))
      model, _ = spyx.nir.from_nir(nir_lib.read(self.path), ticks)
      states = [
        state if state is None else np.full(state.shape, start, np.float32)
        for state in model.initial_state(20)
      ]
      outputs, _ = spyx.nn.run(model, ticks, states)
    outputs = np.asarray(outputs[1:])
    np.testing.assert_array_equal(outputs.mean(axis=0), potential)
