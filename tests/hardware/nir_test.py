"""Tests of the export to NIR, by the definitions of its nodes."""

import dataclasses
import itertools
import pathlib

from absl.testing import parameterized
import h5py
import jax
import nir
import numpy as np

import ssnn_jax
from ssnn_jax.hardware import nir as nir_lib

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


class NirTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'network.nir'

  @parameterized.parameters(*NETWORKS)
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

  def test_weights_lie_on_the_grid_of_the_network(self):
    config = dataclasses.replace(
      NETWORKS['dense'], weight_bits=4, fraction_bits=(1, 2, 3), input_gain=2.0
    )
    graph = nir_lib.to_graph(config, draw_params(config))
    gain, bits = 2.0, iter(config.fractions)
    for node in graph.nodes.values():
      if isinstance(node, nir.Affine):
        steps = node.weight / gain * 2 ** next(bits)
        np.testing.assert_array_equal(steps, np.round(steps))
        self.assertBetween(np.abs(steps).max(), 1, 8)
        gain = 1.0

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
