"""Tests for the data that a run trains on and is judged on."""

import dataclasses
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from experiments import configs
from experiments import data
from experiments import defaults
from experiments import grids
import ssnn_jax
from ssnn_jax import datasets
from tests.experiments import configs_test


class DataTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    data._load_once.cache_clear()
    self.addCleanup(data._load_once.cache_clear)

  def test_another_set_may_be_tested_on_if_it_fits(self):
    whole = configs_test.blank('n_mnist')
    sets = {'n_mnist': whole, 'digits': configs_test.blank('digits')}
    sets['synthetic_events/digits'] = whole._replace(name='synthetic')
    config = dataclasses.replace(
      defaults.CONFIGS['synthetic_events/digits'], test_dataset='n_mnist'
    )

    def load(name, data_dir, **options):
      del data_dir, options
      return sets[name]

    with mock.patch.object(datasets, 'load', load):
      dataset = data.load(config, None)
      self.assertLen(dataset.train.labels, 500)
      self.assertLen(dataset.test.labels, 1000)
      self.assertEqual(data.describe(dataset), '')
      config = dataclasses.replace(config, test_dataset='digits')
      with self.assertRaisesRegex(
        ssnn_jax.UserError, '^--test_dataset=digits has 64 inputs and 10 cla'
      ):
        data.load(config, None)

  def test_flags_that_would_do_nothing_are_refused(self):
    for arguments, message in (
      (['--test_dataset=n_mnist', '--hold_out=0.1'], '--hold_out and --test_d'),
      (['--test_dataset=n_mnist'], '--test_dataset=n_mnist is what is trained'),
      (
        ['--dataset=digits', '--shuffle_ticks'],
        '--shuffle_ticks is for record',
      ),
      (
        ['--dataset=digits', '--polarity=on'],
        '--polarity is for recordings of',
      ),
      (
        ['--dataset=digits', '--event_window=9'],
        '--event_window is for record',
      ),
      (['--pixel_range=0.3,0.7'], '--pixel_range is for images, and n_mnist'),
    ):
      config, _ = configs_test.parse('--dataset=n_mnist', *arguments)
      with self.assertRaisesRegex(ssnn_jax.UserError, f'^{message}'):
        data.load(config, None)

  def test_recordings_are_cut_as_the_flags_say(self):
    config, _ = configs_test.parse(
      *('--dataset=n_mnist', '--num_steps=9', '--event_window=12.5'),
      *('--polarity=on', '--shuffle_ticks'),
    )
    with mock.patch.object(
      datasets, 'load', return_value=configs_test.blank('n_mnist')
    ) as load:
      data.load(config, 'somewhere')
    load.assert_called_once_with(
      'n_mnist',
      'somewhere',
      download=False,
      binning=datasets.Binning(9, 12.5, 'on', True),
    )
    for flag, message in (
      (
        '--event_window=0',
        '--event_window is 0.0; expected 0.001 milliseconds',
      ),
      ('--num_steps=0', '--num_steps is 0; expected 1 tick or more'),
    ):
      config, _ = configs_test.parse('--dataset=n_mnist', flag)
      with self.assertRaisesRegex(ssnn_jax.UserError, f'^{message}'):
        data.load(config, None)

  def test_what_is_there_of_a_set_is_told_if_it_is_not_all(self):
    partial = configs_test.blank('n_mnist')._replace(full_size=70_000)
    self.assertEqual(
      data.describe(partial),
      'n_mnist: 1,000 of 70,000 found, 500 of them to train on.\n',
    )
    for full_size in (None, 1000):
      whole = partial._replace(full_size=full_size)
      self.assertEqual(data.describe(whole), '')

  def test_a_batch_larger_than_the_data_is_refused(self):
    config = configs.ExperimentConfig(batch_size=1438)
    with self.assertRaisesRegex(ssnn_jax.UserError, '1437 training samples'):
      data.load(config, None)

  @parameterized.parameters(1e-4, 0.9999)
  def test_what_is_held_out_leaves_images_on_either_side(self, hold_out):
    config = configs.ExperimentConfig(hold_out=hold_out)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, f'^--hold_out: .*{hold_out} .*1437 items; choose'
    ):
      data.load(config, None)

  def test_greyer_images_keep_their_order_and_shape(self):
    config = configs.ExperimentConfig(hold_out=0.25)
    images = data.load(config, None)
    grey = data.load(
      dataclasses.replace(config, pixel_range=(0.25, 0.75)), None
    )
    for name in ('train', 'validation', 'test'):
      inputs, labels = getattr(images, name)
      self.assertEqual(inputs.dtype, np.uint8)  # as they are in files
      compressed = getattr(grey, name)
      np.testing.assert_array_equal(compressed.labels, labels)
      rates = np.asarray(ssnn_jax.rate_encode(inputs)).reshape(inputs.shape)
      expected = np.float32(0.25) + np.float32(0.5) * rates
      self.assertEqual(compressed.inputs.dtype, np.float32)
      np.testing.assert_array_equal(compressed.inputs, expected, strict=True)
      ends = compressed.inputs.min(), compressed.inputs.max()
      self.assertEqual(ends, (0.25, 0.75))

  def test_held_out_images_stand_for_the_test_images(self):
    config = configs.ExperimentConfig(hold_out=0.25)
    dataset = data.load(config, None)
    self.assertLen(dataset.train.labels, 1078)
    self.assertLen(data.judged_on(dataset).labels, 359)
    self.assertLen(dataset.test.labels, 360)

  def save_digits(self):
    """Saves the digits as own arrays, of rates; returns the path."""
    digits = datasets.load('digits')
    path = f'{self.create_tempdir().full_path}/own.npz'
    np.savez(
      path,
      x_train=ssnn_jax.rate_encode(digits.train.inputs),
      y_train=digits.train.labels,
      x_test=ssnn_jax.rate_encode(digits.test.inputs),
      y_test=digits.test.labels,
    )
    return path

  @parameterized.parameters((), ('--pixel_range=0.25,0.75',))
  def test_own_arrays_are_a_data_set_like_any(self, *flags):
    path = self.save_digits()
    config, _ = configs_test.parse(
      f'--dataset={path}', '--hold_out=0.25', *flags
    )
    own = data.load(config, None)
    same = dataclasses.replace(config, dataset='digits')
    self.assertEqual(same, configs_test.parse('--hold_out=0.25', *flags)[0])
    digits = data.load(same, None)
    self.assertEqual(own.name, path)
    self.assertEqual(data.describe(own), '')
    self.assertEqual(
      configs.network_config(config, own), configs.network_config(same, digits)
    )
    for name in ('train', 'validation', 'test'):
      ours, theirs = getattr(own, name), getattr(digits, name)
      np.testing.assert_array_equal(ours.labels, theirs.labels, strict=True)
      np.testing.assert_array_equal(
        ssnn_jax.rate_encode(ours.inputs), ssnn_jax.rate_encode(theirs.inputs)
      )

  def test_own_arrays_may_be_tested_on(self):
    path = self.save_digits()
    config, _ = configs_test.parse(f'--test_dataset={path}')
    self.assertLen(data.load(config, None).test.labels, 1797)
    config, _ = configs_test.parse(f'--dataset={path}', '--polarity=on')
    with self.assertRaisesRegex(
      ssnn_jax.UserError, f'^--polarity is for .*, and {path} holds images;'
    ):
      data.load(config, None)

  def test_a_path_is_one_part_of_the_name_of_a_folder(self):
    config, _ = configs_test.parse('--dataset=~/some/own.npz')
    self.assertEqual(configs.slug(config), 'own')
    grid = grids.parse('dataset=digits,~/some/own.npz')
    names = [setting.name for setting in grids.settings(config, grid)]
    self.assertIn('dataset=~-some-own.npz', names)

  def test_images_of_commands_without_a_configuration(self):
    flags = {'data_dir': None, 'download': False}
    path = self.save_digits()
    for name in (path, 'digits'):
      loaded = data.load_images({'dataset': name, **flags})
      self.assertEqual(loaded.name, name)
    for name in ('n_mnist', 'nope'):
      with self.assertRaisesRegex(
        ssnn_jax.UserError,
        f'^--dataset={name} is no set of images; .*, or path/to/own.npz.$',
      ):
        data.load_images({'dataset': name, **flags})


if __name__ == '__main__':
  absltest.main()
