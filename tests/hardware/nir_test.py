"""Tests of the export to NIR."""

import dataclasses
import pathlib

from absl.testing import parameterized
import h5py
import jax
import nir
import numpy as np

import ssnn_jax
from ssnn_jax.hardware import nir as nir_lib
from tests.testing import nir_neurons

SIZES = (6, 5, 4, 3)
IMAGE = ssnn_jax.NetworkConfig(
  layers=(
    ssnn_jax.layers.Conv(3, kernel=3, padding=1),
    ssnn_jax.layers.Dense(3),
  ),
  input_shape=(6, 5),
)


def make_params(*sizes):
  return nir_neurons.draw_params(ssnn_jax.NetworkConfig(sizes))


def make_graph(*sizes):
  return nir_lib.to_graph(ssnn_jax.NetworkConfig(sizes), make_params(*sizes))


def make_driven(drives):
  """Returns a graph whose outputs are spikes of neurons with given drives."""
  size = len(drives)
  layer = ssnn_jax.LayerParams
  hidden = layer(np.zeros((1, size), np.float32), np.float32(drives))
  output = layer(np.eye(size, dtype=np.float32), np.zeros(size, np.float32))
  config = ssnn_jax.NetworkConfig((1, size, size))
  return nir_lib.to_graph(config, (hidden, output))


def leak(graph):
  ones = np.ones(SIZES[1])
  graph.nodes['layer_1_if'] = nir.LIF(ones, ones, ones, ones)


def skip_neurons(graph):
  graph.edges.append(('layer_1_affine', 'layer_2_if'))


def add_branch(graph):
  graph.nodes['other'] = graph.nodes['layer_2_affine']
  graph.edges.append(('other', 'layer_2_if'))


def add_cycle(graph):
  graph.edges[-1] = ('layer_3_affine', 'layer_3_affine')


def scale_threshold(graph):
  graph.nodes['layer_2_if'].v_threshold[1] = 2.0


def remove_input(graph):
  weight = graph.nodes['layer_2_affine'].weight
  graph.nodes['layer_2_affine'].weight = weight[:, 1:]


class NirTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'network.nir'

  def test_neurons_fire_at_the_clipped_rate(self):
    drives = np.arange(-96, 160) / 64  # exact in floats, and so is the bound
    outputs = nir_neurons.present(make_driven(drives), np.zeros((300, 1)))
    ticks = np.arange(1, 301)[:, None]
    expected = np.clip(drives, 0, 1) * ticks
    counts = np.cumsum(outputs, axis=0)
    self.assertLessEqual(np.max(np.abs(counts - expected)), 1.0)

  def test_reset_to_zero_fires_at_another_rate(self):
    graph, frames = make_driven([0.6]), np.zeros((300, 1))
    outputs = nir_neurons.present(graph, frames, subtracts=False)
    self.assertEqual(np.mean(outputs), 0.5)

  @parameterized.parameters(
    (ssnn_jax.NetworkConfig((6, 40, 3)), (6,)),
    (IMAGE, (1, 6, 5)),
  )
  def test_one_hidden_layer_approaches_the_ann(self, config, shape):
    ticks, params = 50, nir_neurons.draw_params(config)
    rates = np.random.default_rng(0).uniform(size=(20, *shape))
    rates = rates.astype(np.float32)
    graph = nir_lib.to_graph(config, params)
    output = np.mean(nir_neurons.present(graph, [rates] * ticks), axis=0)
    ann = ssnn_jax.ann(config).infer(params, jax.random.key(0), rates)
    bound = np.sum(np.abs(params[1].weights), axis=0) / ticks  # [C]
    error = np.abs(output - ann.potential)
    self.assertLessEqual(np.max(error - bound), 1e-5)
    self.assertGreater(np.max(error / bound), 0.05)

  @parameterized.parameters(
    ((6, 3),),
    (SIZES,),
    ((2, *[3] * 11, 2),),  # more than nine layers
  )
  def test_graph_and_file_have_the_exact_parameters(self, sizes):
    graph = make_graph(*sizes)
    nir.write(str(self.path), graph)
    for read in (graph, nir.read(str(self.path))):
      self.assertEqual(list(read.nodes), sorted(read.nodes))
      config, read_params = nir_lib.from_graph(read)
      self.assertEqual(config, ssnn_jax.NetworkConfig(sizes))
      nir_neurons.assert_same(read_params, make_params(*sizes))

  def test_file_is_readable_by_old_versions(self):
    nir_lib.write(self.path, make_graph(*SIZES))
    read = nir_lib.read(self.path)
    nir_neurons.assert_same(nir_lib.from_graph(read)[1], make_params(*SIZES))
    self.assertEqual(read.metadata, {'reset': 'subtract', 'dt': 1.0})
    names = []
    with h5py.File(self.path) as file:
      file.visit(names.append)
    self.assertIn('node/nodes/layer_1_if/v_threshold', names)
    self.assertNotIn('v_reset', ' '.join(names))

  def test_weights_include_the_read_gains_of_inference(self):
    config = ssnn_jax.NetworkConfig(SIZES, input_gain=0.3, dropout=0.5)
    params = make_params(*SIZES)
    exported, read = nir_lib.from_graph(nir_lib.to_graph(config, params))
    first = params[0]._replace(weights=np.float32(0.3) * params[0].weights)
    nir_neurons.assert_same(read, (first, *params[1:]))
    rates = np.linspace(0, 1, 4 * SIZES[0], dtype=np.float32).reshape(4, -1)
    expected, potential = (
      ssnn_jax.ann(c).infer(p, jax.random.key(0), rates).potential
      for c, p in ((config, params), (exported, read))
    )
    np.testing.assert_allclose(potential, expected, rtol=1e-5, atol=1e-5)

  @parameterized.parameters(
    ('firing_function', 'hard_sigmoid'),
    ('integration', 'leaky'),
    ('integration', 'memoryless'),
  )
  def test_rejects_other_neurons(self, field, value):
    config = ssnn_jax.NetworkConfig(SIZES)
    config = dataclasses.replace(config, **{field: value})
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{field} is {value}, .*'):
      nir_lib.to_graph(config, make_params(*SIZES))

  def test_rejects_parameters_of_another_network(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, r'asks for \[\(6, 3\)\]'):
      nir_lib.to_graph(ssnn_jax.NetworkConfig((6, 3)), make_params(*SIZES))

  @parameterized.parameters(
    (leak, 'is not a chain of Input, Conv2d and IF'),
    (skip_neurons, 'is not a chain of Input, Conv2d and IF'),
    (add_branch, 'is not a chain of Input, Conv2d and IF'),
    (add_cycle, 'is not a chain of Input, Conv2d and IF'),
    (scale_threshold, 'neurons whose v_threshold is not 1;'),
    (remove_input, r'weights of shape \(4, 4\), which do not fit'),
  )
  def test_rejects_other_graphs(self, change, message):
    graph = make_graph(*SIZES)
    change(graph)
    self.assert_rejected(message, nir_lib.from_graph, graph)

  def test_accepts_nodes_and_edges_in_any_order(self):
    graph = make_graph(*SIZES)
    graph.nodes = dict(reversed(graph.nodes.items()))
    graph.edges.reverse()
    nir_neurons.assert_same(nir_lib.from_graph(graph)[1], make_params(*SIZES))

  def assert_rejected(self, message, function, *arguments):
    with self.assertRaisesRegex(ssnn_jax.UserError, message) as caught:
      function(*arguments)
    self.assertRegex(str(caught.exception), r'\A[^\n]+\.\Z')

  def test_write_rejects_existing_and_unwritable_files(self):
    graph = make_graph(6, 3)
    nir_lib.write(self.path, graph)
    before = self.path.read_bytes()
    self.assert_rejected('exists already', nir_lib.write, self.path, graph)
    self.assertEqual(self.path.read_bytes(), before)
    missing = self.folder / 'no' / 'such'
    self.assert_rejected('cannot be written', nir_lib.write, missing, graph)

  def test_read_rejects_folders_and_damaged_files(self):
    self.assert_rejected('is not a file', nir_lib.read, self.folder)
    nir_lib.write(self.path, make_graph(6, 3))
    self.path.write_bytes(self.path.read_bytes()[:100])
    self.assert_rejected('contains no NIR graph', nir_lib.read, self.path)
