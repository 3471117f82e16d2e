"""Tests of layers as text."""

import math

from absl.testing import parameterized
import numpy as np

from experiments.config import experiment
from experiments.config import layers
import ssnn_jax
from ssnn_jax.layers import Conv
from ssnn_jax.layers import Dense


def blank(shape=(8, 8), sensor_shape=None):
  """Returns images, or recordings of a sensor, without samples."""
  inputs = np.zeros((0, *shape), np.uint8)
  if sensor_shape:
    inputs = np.zeros((0, 1, math.prod(sensor_shape)), np.uint32)
  split = ssnn_jax.datasets.Split(inputs, np.zeros(0, int))
  names = tuple('0123456789')
  return ssnn_jax.datasets.Dataset(
    'blank', split, split, names, sensor_shape=sensor_shape
  )


class LayersTest(parameterized.TestCase):
  @parameterized.parameters(
    ('10', Dense(10)),
    ('conv16k5', Conv(16, 5)),
    ('conv16k5s2', Conv(16, 5, stride=2)),
    ('conv16k5p1', Conv(16, 5, padding=1)),
    ('conv16k5x3s2x1p0x1', Conv(16, (5, 3), (2, 1), (0, 1))),
  )
  def test_texts_describe_layers(self, text, expected):
    self.assertEqual(layers.parse([text]), (expected,))

  @parameterized.parameters('conv16', 'conv16s2k5', '', 'conv0k5')
  def test_other_texts_are_refused(self, text):
    with self.assertRaisesRegex(ssnn_jax.UserError, '^--layers: '):
      experiment.ExperimentConfig(layers=(text, '10'))

  def test_layers_exclude_layer_sizes(self):
    message = '^--layers is 10; expected none, as --layer_sizes describes'
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      experiment.ExperimentConfig(layers=('10',), layer_sizes=(64, 10))

  def test_network_has_the_shape_of_the_data(self):
    config = experiment.ExperimentConfig(layers=('conv4k3s2', '10'))
    network = experiment.network_config(config, blank())
    self.assertEqual(network.layer_sizes, (64, 36, 10))
    # Recordings have an axis of polarities first, images of colors last.
    for dataset, axis, num_rows in (
      (blank(sensor_shape=(2, 34, 34)), 0, 18),
      (blank(sensor_shape=(34, 34)), 0, 9),
      (blank((32, 24, 3)), -1, 27),
    ):
      network = experiment.network_config(config, dataset)
      self.assertEqual(network.input_shape, dataset.input_shape)
      self.assertEqual(network.layers[0].channel_axis, axis)
      self.assertEqual(network.wirings[0].weights_shape, (num_rows, 4))

  def test_layers_that_do_not_fit_are_refused(self):
    for texts, message in (
      (('conv4k3', '9'), '^--layers=conv4k3,9 does not fit blank'),
      (('conv4k9', '10'), r'^--layers: kernel is \(9, 9\), larger than'),
      (('20', 'conv4k3', '10'), '^--layers: inputs of a convolution'),
    ):
      config = experiment.ExperimentConfig(layers=texts)
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        experiment.network_config(config, blank())
