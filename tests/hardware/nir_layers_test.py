"""Tests of convolutions in NIR graphs."""

import dataclasses
import pathlib

from absl.testing import parameterized
import jax.numpy as jnp
import nir
import numpy as np

import ssnn_jax
from ssnn_jax.hardware import nir as nir_lib
from tests.testing import nir_neurons

Conv, Dense = ssnn_jax.layers.Conv, ssnn_jax.layers.Dense


def make_config(input_shape, *layers, **options):
  return ssnn_jax.NetworkConfig(
    layers=layers, input_shape=input_shape, **options
  )


# Networks with all kinds of images; the second convolution has an even kernel.
IMAGES = {
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


def as_image(values, shape, channel_axis=-1):
  """Arranges neurons `[B, ...]` of a shape with the channels first."""
  values = np.reshape(values, (-1, *shape))
  if len(shape) == 2:
    return values[:, None]
  is_last = len(shape) == 3 and channel_axis == -1
  return np.moveaxis(values, 3, 1) if is_last else values


def change(name, field, value):
  """Returns a function that changes a node of a graph."""
  return lambda graph: setattr(graph.nodes[name], field, value)


def skip_flatten(graph):
  del graph.nodes['layer_2_vector']
  graph.edges.remove(('layer_2_if', 'layer_2_vector'))
  graph.edges.remove(('layer_2_vector', 'layer_3_affine'))
  graph.edges.append(('layer_2_if', 'layer_3_affine'))


class Other(ssnn_jax.layers.Dense):
  """A layer that NIR does not have."""


class NirLayersTest(parameterized.TestCase):
  @parameterized.parameters(*IMAGES)
  def test_file_has_the_exact_convolutions(self, name):
    config, params = IMAGES[name], nir_neurons.draw_params(IMAGES[name])
    graph = nir_lib.to_graph(config, params)
    path = pathlib.Path(self.create_tempdir().full_path, 'network.nir')
    nir_lib.write(path, graph)
    if name == 'channels_last':  # the same layers of inputs in another order
      first = dataclasses.replace(config.layers[0], channel_axis=0)
      config = make_config((2, 7, 6), first, *config.layers[1:])
    for read in (graph, nir_lib.read(path), nir.read(str(path))):
      self.assertEqual(list(read.nodes), sorted(read.nodes))
      read_config, read_params = nir_lib.from_graph(read)
      self.assertEqual(read_config, config)
      nir_neurons.assert_same(read_params, params)

  @parameterized.parameters(*IMAGES)
  def test_nodes_compute_the_drives_of_the_layers(self, name):
    config = dataclasses.replace(IMAGES[name], input_gain=0.3, dropout=0.5)
    params = nir_neurons.draw_params(config)
    graph = nir_lib.to_graph(config, params)
    kinds = nir.Conv2d, nir.Affine, nir.Flatten
    nodes = (n for n in graph.nodes.values() if isinstance(n, kinds))
    axis, rng = config.layers[0].channel_axis, np.random.default_rng(1)
    for gain, wiring, own in zip((0.3, 1.0, 1.0, 1.0), config.wirings, params):
      rates = jnp.float32(rng.uniform(size=(5, wiring.num_inputs)))
      signal, node = as_image(rates, wiring.input_shape, axis), next(nodes)
      if gain == 0.3:
        shape = graph.nodes['input'].input_type['input']
        np.testing.assert_array_equal(shape, signal.shape[1:])
      if isinstance(node, nir.Flatten):
        signal, node = nir_neurons.apply(node, signal), next(nodes)
      drive = nir_neurons.apply(node, signal)
      expected = as_image(wiring.drive(own, gain, rates), wiring.output_shape)
      np.testing.assert_allclose(drive, expected, rtol=1e-5, atol=1e-5)
      axis = -1

  def test_inputs_of_a_network_without_convolutions_are_flat(self):
    config = make_config((2, 1, 3), Dense(5), Dense(4), Dense(3))
    params = nir_neurons.draw_params(config)
    graph = nir_lib.to_graph(config, params)
    read_config, read_params = nir_lib.from_graph(graph)
    self.assertEqual(read_config, ssnn_jax.NetworkConfig((6, 5, 4, 3)))
    nir_neurons.assert_same(read_params, params)

  @parameterized.parameters(
    ((Other(3),), '^layers has Other, .* of layers.Conv and'),
    ((Conv(2, (3, 2)), Dense(3)), r'^kernel is \(3, 2\), for which nir'),
  )
  def test_rejects_other_layers(self, layers, message):
    config = make_config((6, 5), *layers)
    params = nir_neurons.draw_params(config)
    self.assert_rejected(message, nir_lib.to_graph, config, params)

  @parameterized.parameters(
    (skip_flatten, 'is not a chain of Input, Conv2d and IF'),
    (change('layer_1_conv', 'dilation', (1, 2)), 'dilation is not 1;'),
    (change('layer_2_conv', 'groups', 2), 'groups is not 1;'),
    (change('layer_2_conv', 'padding', 'same'), "padding is 'same';"),
    (change('layer_2_conv', 'stride', (1, 1)), 'which do not fit'),
    (change('layer_2_vector', 'start_dim', 1), 'start_dim is not 0;'),
    (
      change('input', 'input_type', {'input': np.array([63])}),
      r'of inputs of shape \(63,\);',
    ),
  )
  def test_rejects_other_convolutions(self, change, message):
    config = IMAGES['height_and_width']
    graph = nir_lib.to_graph(config, nir_neurons.draw_params(config))
    change(graph)
    self.assert_rejected(message, nir_lib.from_graph, graph)

  def assert_rejected(self, message, function, *arguments):
    with self.assertRaisesRegex(ssnn_jax.UserError, message) as caught:
      function(*arguments)
    self.assertRegex(str(caught.exception), r'\A[^\n]+\.\Z')
