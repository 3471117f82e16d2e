"""Tests of layers as text."""

from absl.testing import parameterized
import numpy as np

from experiments.config import experiment
from experiments.config import layers
import ssnn_jax
from ssnn_jax.layers import Conv
from ssnn_jax.layers import Dense


def blank(shape=(8, 8), dtype=np.uint8):
  """Returns a data set of ten classes without samples."""
  split = ssnn_jax.datasets.Split(
    np.zeros((0, *shape), dtype), np.zeros(0, int)
  )
  return ssnn_jax.datasets.Dataset('blank', split, split, tuple('0123456789'))


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
    # Recordings have an axis of polarities first.
    trains = blank((1, 2 * 34 * 34), np.uint32)
    network = experiment.network_config(config, trains)
    self.assertEqual(network.input_shape, (2, 34, 34))
    self.assertEqual(network.layers[0].channel_axis, 0)
    self.assertEqual(network.wirings[0].weights_shape, (18, 4))
    merged = experiment.network_config(config, blank((1, 34 * 34), np.uint32))
    self.assertEqual(merged.wirings[0].weights_shape, (9, 4))

  def test_layers_that_do_not_fit_are_refused(self):
    for texts, message in (
      (('conv4k3', '9'), '^--layers=conv4k3,9 does not fit blank'),
      (('conv4k9', '10'), r'^--layers: kernel is \(9, 9\), larger than'),
      (('20', 'conv4k3', '10'), '^--layers: inputs of a convolution'),
    ):
      config = experiment.ExperimentConfig(layers=texts)
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        experiment.network_config(config, blank())
