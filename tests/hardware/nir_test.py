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

Conv, Dense = ssnn_jax.layers.Conv, ssnn_jax.layers.Dense
SIZES = (6, 5, 4, 3)


def make_config(input_shape, *layers):
  return ssnn_jax.NetworkConfig(layers=layers, input_shape=input_shape)


NETWORKS = {
  'one_layer': ssnn_jax.NetworkConfig((6, 3)),
  'dense': ssnn_jax.NetworkConfig(SIZES),
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


def make_driven(drives):
  """Returns a graph whose outputs are spikes of neurons with given drives."""
  size = len(drives)
  layer = ssnn_jax.LayerParams
  hidden = layer(np.zeros((1, size), np.float32), np.float32(drives))
  output = layer(np.eye(size, dtype=np.float32), np.zeros(size, np.float32))
  config = ssnn_jax.NetworkConfig((1, size, size))
  return nir_lib.to_graph(config, (hidden, output))


def as_image(values, shape, channel_axis=-1):
  """Arranges neurons `[B, ...]` of a shape with the channels first."""
  values = np.reshape(values, (-1, *shape))
  if len(shape) == 2:
    return values[:, None]
  is_last = len(shape) == 3 and channel_axis == -1
  return np.moveaxis(values, 3, 1) if is_last else values


class Other(Dense):
  """A layer that NIR does not have."""


class NirTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'network.nir'

  @parameterized.parameters(*NETWORKS)
  def test_graph_and_file_have_the_exact_network(self, name):
    config, params = NETWORKS[name], nir_neurons.draw_params(NETWORKS[name])
    graph = nir_lib.to_graph(config, params)
    nir_lib.write(self.path, graph)
    if name == 'channels_last':  # the same layers of inputs in another order
      first = dataclasses.replace(config.layers[0], channel_axis=0)
      config = make_config((2, 7, 6), first, *config.layers[1:])
    for read in (graph, nir.read(str(self.path))):
      self.assertEqual(list(read.nodes), sorted(read.nodes))
      self.assertEqual(read.metadata, {'reset': 'subtract', 'dt': 1.0})
      read_config, read_params = nir_neurons.to_network(read)
      self.assertEqual(read_config, config)
      nir_neurons.assert_same(read_params, params)

  def test_file_is_readable_by_old_versions(self):
    config = NETWORKS['dense']
    graph = nir_lib.to_graph(config, nir_neurons.draw_params(config))
    nir_lib.write(self.path, graph)
    names = []
    with h5py.File(self.path) as file:
      file.visit(names.append)
    self.assertIn('node/nodes/layer_1_if/v_threshold', names)
    self.assertNotIn('v_reset', ' '.join(names))

  @parameterized.parameters(*NETWORKS)
  def test_nodes_compute_the_drives_of_the_layers(self, name):
    config = dataclasses.replace(NETWORKS[name], input_gain=0.3, dropout=0.5)
    params = nir_neurons.draw_params(config)
    graph = nir_lib.to_graph(config, params)
    kinds = nir.Conv2d, nir.Affine, nir.Flatten
    nodes = (n for n in graph.nodes.values() if isinstance(n, kinds))
    rng, gain = np.random.default_rng(1), 0.3
    axis = config.layers[0].channel_axis if config.layers else -1
    for wiring, own in zip(config.wirings, params):
      rates = np.float32(rng.uniform(size=(5, wiring.num_inputs)))
      signal, node = as_image(rates, wiring.input_shape, axis), next(nodes)
      if gain == 0.3:
        shape = graph.nodes['input'].input_type['input']
        np.testing.assert_array_equal(shape, signal.shape[1:])
      if isinstance(node, nir.Flatten):
        signal, node = nir_neurons.apply(node, signal), next(nodes)
      drive = nir_neurons.apply(node, signal)
      expected = jax.jit(wiring.drive)(own, gain, rates)
      expected = as_image(expected, wiring.output_shape)
      np.testing.assert_allclose(drive, expected, rtol=1e-5, atol=1e-5)
      axis, gain = -1, 1.0  # inference has no dropout

  def test_inputs_of_a_network_without_convolutions_are_flat(self):
    config = make_config((2, 1, 3), Dense(5), Dense(4), Dense(3))
    params = nir_neurons.draw_params(config)
    network = nir_neurons.to_network(nir_lib.to_graph(config, params))
    self.assertEqual(network[0], ssnn_jax.NetworkConfig((6, 5, 4, 3)))
    nir_neurons.assert_same(network[1], params)

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
    (make_config((6, 5), Conv(3, kernel=3, padding=1), Dense(3)), (1, 6, 5)),
  )
  def test_one_hidden_layer_approaches_the_ann(self, config, shape):
    ticks, params = 50, nir_neurons.draw_params(config)
    rates = np.random.default_rng(0).uniform(size=(20, *shape))
    rates = rates.astype(np.float32)
    graph = nir_lib.to_graph(config, params)
    output = np.mean(nir_neurons.present(graph, [rates] * ticks), axis=0)
    infer = jax.jit(ssnn_jax.ann(config).infer)
    ann = infer(params, jax.random.key(0), rates)
    bound = np.sum(np.abs(params[1].weights), axis=0) / ticks  # [C]
    error = np.abs(output - ann.potential)
    self.assertLessEqual(np.max(error - bound), 1e-5)
    self.assertGreater(np.max(error / bound), 0.05)

  @parameterized.parameters(
    ('integration', 'ramp'),
    ('layers', (Other(3),)),
  )
  def test_rejects_other_neurons_and_layers(self, field, value):
    config = make_config((6,), Dense(3))
    config = dataclasses.replace(config, **{field: value})
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{field} '):
      nir_lib.to_graph(config, nir_neurons.draw_params(config))

  def test_rejects_kernels_whose_output_nir_computes_wrong(self):
    config = make_config((6, 5), Conv(2, (3, 2)), Dense(3))
    with self.assertRaisesRegex(ssnn_jax.UserError, '^kernel'):
      nir_lib.to_graph(config, nir_neurons.draw_params(config))

  def test_write_keeps_existing_files(self):
    config = NETWORKS['one_layer']
    graph = nir_lib.to_graph(config, nir_neurons.draw_params(config))
    nir_lib.write(self.path, graph)
    before = self.path.read_bytes()
    for path in (self.path, self.folder / 'no' / 'such'):
      with self.assertRaisesRegex(OSError, str(path)):
        nir_lib.write(path, graph)
    self.assertEqual(self.path.read_bytes(), before)
