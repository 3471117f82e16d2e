"""Tests of runs on colored images of the shape of CIFAR-10."""

import numpy as np
import tensorflow_datasets as tfds

import ssnn_jax
from tests.testing import datasets as data_util
from tests.testing.experiments import call_run
from tests.testing.experiments import lines

TRAIN = data_util.random_colors(48)
TEST = data_util.random_colors(20, seed=1)
FLAGS = '--batch_size=6 --num_epochs=3 --num_steps=16 --sampler=sobol'
FLAGS += ' --learning_rate=0.1'


class ColorTest(data_util.DatasetTestCase):
  def run_on(self, dataset, *flags):
    """Runs the command; returns the line of the run, and its folder."""
    folder = self.make_folder() / 'run'
    own = f'--dataset={dataset}', f'--data_dir={self.data_dir}'
    call_run(*own, f'--workdir={folder}', *FLAGS.split(), *flags)
    (line,) = lines(folder)
    self.assertGreater(line['test_accuracy'], 0.5)  # a tenth without learning
    return line, folder

  def test_dense_network_has_an_input_for_each_color_of_a_pixel(self):
    path = f'{self.data_dir}/own.npz'
    names = 'x_train', 'y_train', 'x_test', 'y_test'
    np.savez(path, **dict(zip(names, (*TRAIN, *TEST))))
    line, _ = self.run_on(path, '--layer_sizes=3072,20,10')
    self.assertEqual(line['layer_sizes'], [32 * 32 * 3, 20, 10])

  def test_convolution_sees_the_colors_of_a_set_that_tfds_has_prepared(self):
    data_util.prepare_tfds(
      'cifar10',
      self.data_dir,
      tfds.features.Image(shape=(32, 32, 3)),
      tfds.features.ClassLabel(num_classes=10),
      train=TRAIN,
      test=TEST,
    )
    line, folder = self.run_on('cifar10', '--layers=conv4k4s4,10')
    self.assertEqual(line['layer_sizes'], [32 * 32 * 3, 8 * 8 * 4, 10])
    config, params = ssnn_jax.load(folder)
    self.assertEqual(config.input_shape, (32, 32, 3))
    self.assertEqual(config.layers[0].channel_axis, -1)
    self.assertEqual(params[0].weights.shape, (4 * 4 * 3, 4))
