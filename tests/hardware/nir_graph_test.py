"""Tests of the export to NIR, and of the identity that it rests on."""

import dataclasses
import itertools
import pathlib

from absl.testing import absltest
from absl.testing import parameterized
import h5py
import jax
import nir
import numpy as np

import ssnn_jax
from ssnn_jax.hardware import nir_graph

SIZES = (6, 5, 4, 3)


def make_params(*sizes):
  """Makes parameters without a zero among them."""
  draw = np.random.default_rng(len(sizes))
  return tuple(
    ssnn_jax.LayerParams(
      draw.normal(size=shape).astype(np.float32),
      draw.normal(size=shape[1]).astype(np.float32),
    )
    for shape in itertools.pairwise(sizes)
  )


def make_step(graph, subtracts=True):
  """Makes the function from a graph's inputs of a tick to its outputs."""
  membranes = {name: 0.0 for name in graph.nodes}

  def step(signal):
    for name, node in sorted(graph.nodes.items()):  # in the order of the chain
      if isinstance(node, nir.Affine):
        signal = np.asarray(signal, float) @ node.weight.T + node.bias
      elif isinstance(node, nir.IF):
        charged = membranes[name] + node.r * signal
        signal = (charged >= node.v_threshold).astype(float)
        lost = node.v_threshold if subtracts else charged
        membranes[name] = charged - signal * lost
    return signal

  return step


def present(graph, frames, subtracts=True):
  """Returns the outputs of each tick, `[T, ...]`."""
  return np.array(list(map(make_step(graph, subtracts), frames)))


def driven(currents):
  """Makes a graph whose outputs are spikes of neurons under these currents."""
  size = len(currents)
  hidden = ssnn_jax.LayerParams(
    np.zeros((1, size), np.float32), np.float32(currents)
  )
  read = np.eye(size, dtype=np.float32), np.zeros(size, np.float32)
  return nir_graph.to_graph(
    ssnn_jax.NetworkConfig((1, size, size)),
    (hidden, ssnn_jax.LayerParams(*read)),
  )


class NirGraphTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'network.nir'

  def assert_same(self, params, expected):
    self.assertEqual(jax.tree.structure(params), jax.tree.structure(expected))
    for ours, exact in zip(jax.tree.leaves(params), jax.tree.leaves(expected)):
      self.assertEqual(ours.dtype, np.float32)
      np.testing.assert_array_equal(ours, exact, strict=True)

  def test_a_neuron_fires_at_the_clipped_rate(self):
    # Multiples of 1/64 are exact in floats, and so is the bound.
    currents = np.arange(-96, 160) / 64
    graph = driven(currents)
    spikes = np.cumsum(present(graph, np.zeros((300, 1))), axis=0)
    ticks = np.arange(1, 301)[:, None]
    expected = np.clip(currents, 0, 1) * ticks
    self.assertLessEqual(np.max(np.abs(spikes - expected)), 1.0)

  def test_a_reset_to_zero_does_not(self):
    reset = present(driven([0.6]), np.zeros((300, 1)), subtracts=False)
    self.assertEqual(np.mean(reset), 0.5)

  def test_one_hidden_layer_approaches_the_ann(self):
    sizes, ticks = (6, 40, 3), 50
    config, params = ssnn_jax.NetworkConfig(sizes), make_params(*sizes)
    rates = np.random.default_rng(0).uniform(size=(20, 6)).astype(np.float32)
    graph = nir_graph.to_graph(config, params)
    output = np.mean(present(graph, [rates] * ticks), axis=0)
    ann = ssnn_jax.ann(config).infer(params, jax.random.key(0), rates)
    bound = np.sum(np.abs(params[1].weights), axis=0) / ticks  # [C]
    error = np.abs(output - ann.potential)
    self.assertLessEqual(np.max(error - bound), 1e-5)
    self.assertGreater(np.max(error / bound), 0.05)

  @parameterized.parameters(
    ((6, 3),),
    (SIZES,),
    ((2, *[3] * 11, 2),),  # with more than nine layers
  )
  def test_a_file_holds_the_parameters_exactly(self, sizes):
    params = make_params(*sizes)
    graph = nir_graph.to_graph(ssnn_jax.NetworkConfig(sizes), params)
    nir.write(str(self.path), graph)
    for read in (graph, nir.read(str(self.path))):
      self.assertEqual(list(read.nodes), sorted(read.nodes))
      read_sizes, read_params = nir_graph.from_graph(read)
      self.assertEqual(read_sizes, sizes)
      self.assert_same(read_params, params)

  def test_our_file_holds_them_for_old_versions_too(self):
    params = make_params(*SIZES)
    graph = nir_graph.to_graph(ssnn_jax.NetworkConfig(SIZES), params)
    nir_graph.write(self.path, graph)
    read = nir_graph.read(self.path)
    self.assert_same(nir_graph.from_graph(read)[1], params)
    metadata = {'reset': 'subtract', 'dt': 1.0}
    self.assertEqual(read.metadata, metadata)
    names = []
    with h5py.File(self.path) as file:
      file.visit(names.append)
    self.assertIn('node/nodes/layer_1_if/v_threshold', names)
    self.assertNotIn('v_reset', ' '.join(names))

  def test_read_gains_are_those_of_inference(self):
    config = ssnn_jax.NetworkConfig(SIZES, input_gain=0.3, dropout=0.5)
    params = make_params(*SIZES)
    sizes, read = nir_graph.from_graph(nir_graph.to_graph(config, params))
    gain = np.float32(0.3)
    self.assert_same(
      read,
      (params[0]._replace(weights=gain * params[0].weights), *params[1:]),
    )
    rates = np.linspace(0, 1, 4 * SIZES[0], dtype=np.float32).reshape(4, -1)
    expected, potential = (
      ssnn_jax.ann(c).infer(p, jax.random.key(0), rates).potential
      for c, p in ((config, params), (ssnn_jax.NetworkConfig(sizes), read))
    )
    np.testing.assert_allclose(potential, expected, rtol=1e-5, atol=1e-5)

  @parameterized.parameters(
    ('firing_function', 'hard_sigmoid'),
    ('integration', 'leaky'),
    ('integration', 'memoryless'),
  )
  def test_other_neurons_are_refused(self, field, value):
    config = ssnn_jax.NetworkConfig(SIZES)
    config = dataclasses.replace(config, **{field: value})
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{field} is {value}, .*'):
      nir_graph.to_graph(config, make_params(*SIZES))

  def test_parameters_of_another_network_are_refused(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, r'asks for \[\(6, 3\)\]'):
      nir_graph.to_graph(ssnn_jax.NetworkConfig((6, 3)), make_params(*SIZES))

  def test_other_graphs_are_refused(self):
    config, params = ssnn_jax.NetworkConfig(SIZES), make_params(*SIZES)

    def refuse(change, message):
      graph = nir_graph.to_graph(config, params)
      change(graph)
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        nir_graph.from_graph(graph)

    def leak(graph):
      ones = np.ones(SIZES[1])
      graph.nodes['layer_1_if'] = nir.LIF(ones, ones, ones, ones)

    def skip(graph):
      graph.edges.append(('layer_1_affine', 'layer_2_if'))

    def join(graph):
      graph.nodes['other'] = graph.nodes['layer_2_affine']
      graph.edges.append(('other', 'layer_2_if'))

    def turn(graph):
      graph.edges[-1] = ('layer_3_affine', 'layer_3_affine')

    def scale(graph):
      graph.nodes['layer_2_if'].v_threshold[1] = 2.0

    for change in (leak, skip, join, turn):
      refuse(change, 'is no chain of Input, Affine and IF')
    refuse(scale, 'neurons whose v_threshold is not 1;')

  def test_the_order_of_nodes_and_edges_is_free(self):
    params = make_params(*SIZES)
    graph = nir_graph.to_graph(ssnn_jax.NetworkConfig(SIZES), params)
    graph.nodes = dict(reversed(graph.nodes.items()))
    graph.edges.reverse()
    self.assert_same(nir_graph.from_graph(graph)[1], params)

  def test_files_are_kept_and_mistakes_get_a_sentence(self):
    graph = nir_graph.to_graph(
      ssnn_jax.NetworkConfig((6, 3)), make_params(6, 3)
    )
    nir_graph.write(self.path, graph)
    before = self.path.read_bytes()
    with self.assertRaisesRegex(ssnn_jax.UserError, 'is there already'):
      nir_graph.write(self.path, graph)
    self.assertEqual(self.path.read_bytes(), before)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'cannot be written'):
      nir_graph.write(self.folder / 'no' / 'such', graph)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'is not a file'):
      nir_graph.read(self.folder)
    self.path.write_bytes(before[:100])
    with self.assertRaisesRegex(ssnn_jax.UserError, 'holds no NIR graph'):
      nir_graph.read(self.path)


if __name__ == '__main__':
  absltest.main()
