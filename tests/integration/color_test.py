"""Tests of runs on colored images of the shape of CIFAR-10."""

import tensorflow_datasets as tfds

import ssnn_jax
from tests.testing import datasets as data_util
from tests.testing.experiments import call_run
from tests.testing.experiments import lines

TRAIN = data_util.random_colors(48)
TEST = data_util.random_colors(20, seed=1)
FLAGS = '--method=bp --neuron=stochastic --batch_size=6 --num_epochs=3 '
FLAGS += '--learning_rate=0.1'


class ColorTest(data_util.DatasetTestCase):
  def test_convolution_sees_the_colors_of_a_set_that_tfds_has_prepared(self):
    data_util.prepare_tfds(
      'cifar10',
      self.data_dir,
      tfds.features.Image(shape=(32, 32, 3)),
      tfds.features.ClassLabel(num_classes=10),
      train=TRAIN,
      test=TEST,
    )
    # Imports grain, whose flags must outlive those of the run.
    ssnn_jax.datasets.load('cifar10', self.data_dir)
    folder = self.make_folder() / 'run'
    own = f'--data_dir={self.data_dir}', f'--workdir={folder}'
    call_run('--dataset=cifar10', '--layers=conv4k4s4,10', *own, *FLAGS.split())
    (line,) = lines(folder)
    self.assertGreater(line['test_accuracy'], 0.5)  # a tenth without learning
    self.assertEqual(line['layers'], 'conv4k4s4,10')
    config, params, _ = ssnn_jax.load(folder)
    self.assertEqual(config.input_shape, (32, 32, 3))
    self.assertEqual(config.layers[0].channel_axis, -1)
    self.assertEqual(params[0].weights.shape, (4 * 4 * 3, 4))
