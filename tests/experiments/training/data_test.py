"""Tests of the data for training and evaluation."""

import dataclasses
from unittest import mock

from absl.testing import parameterized
import numpy as np

from experiments.config import experiment
from experiments.config import grids
from experiments.training import data
import ssnn_jax
from ssnn_jax import datasets
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import parse_flags


class DataTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    data._load_once.cache_clear()
    self.addCleanup(data._load_once.cache_clear)

  def test_tests_on_another_dataset_of_the_same_shape(self):
    whole = blank_dataset('n_mnist')
    sets = {'n_mnist': whole, 'digits': blank_dataset('digits')}
    sets['synthetic_events/digits'] = whole._replace(name='synthetic')
    config = dataclasses.replace(
      experiment.CONFIGS['synthetic_events/digits'], test_dataset='n_mnist'
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

  @parameterized.parameters(
    (('--test_dataset=n_mnist', '--hold_out=0.1'), '--hold_out and --test_d'),
    (('--test_dataset=n_mnist',), '--test_dataset=n_mnist is also the train'),
    (('--dataset=digits', '--shuffle_ticks'), '--shuffle_ticks is for record'),
    (('--dataset=digits', '--event_window=9'), '--event_window is for record'),
    (('--pixel_range=0.3,0.7',), '--pixel_range is for images, and n_mnist'),
    (('--dataset=cifar10', '--polarity=on'), '--polarity is for recordings'),
    (('--dataset=nope', '--data_dir=no'), "There is no dataset named 'nope'; "),
    (('--dataset=tonic:nope',), "There is no event set 'tonic:nope'; "),
    (('--dataset=digits', '--batch_size=1438'), '.* 1437 training samples'),
    (('--dataset=digits', '--hold_out=0.9999'), '--hold_out: .*1437 items'),
    (('--dataset=digits', '--folds=1798'), '--folds: 1797 items'),
  )
  def test_rejects_flags_that_do_not_fit_the_data(self, arguments, message):
    config, _ = parse_flags('--dataset=n_mnist', *arguments)
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{message}'):
      data.load(config, None)

  @parameterized.parameters('n_mnist', 'tonic:SHD')
  def test_flags_set_the_binning_of_recordings(self, name):
    config, _ = parse_flags(
      f'--dataset={name}',
      '--num_steps=9',
      '--event_window=12.5',
      '--polarity=on',
      '--shuffle_ticks',
    )
    with mock.patch.object(
      datasets, 'load', return_value=blank_dataset('n_mnist')
    ) as load:
      data.load(config, 'somewhere')
    load.assert_called_once_with(
      name,
      'somewhere',
      download=False,
      binning=datasets.Binning(9, 12.5, 'on', True),
    )
    for flag, message in (
      ('--event_window=0', '--event_window is 0.0; expected 0.001 to'),
      ('--num_steps=0', '--num_steps is 0; expected 1 to 2147483647 ticks'),
    ):
      config, _ = parse_flags('--dataset=n_mnist', flag)
      with self.assertRaisesRegex(ssnn_jax.UserError, f'^{message}'):
        data.load(config, None)

  def test_describes_incomplete_datasets(self):
    partial = blank_dataset('n_mnist')._replace(full_size=70_000)
    self.assertEqual(
      data.describe(partial),
      'n_mnist: 1,000 of 70,000 samples found, 500 for training.\n',
    )
    late = partial._replace(full_size=None, late_fraction=0.25)
    self.assertEqual(
      data.describe(late),
      'n_mnist: 25% of the events come after --event_window, and are '
      'dropped.\n',
    )
    for full_size in (None, 1000):
      whole = partial._replace(full_size=full_size)
      self.assertEqual(data.describe(whole), '')

  def test_each_seed_is_tested_on_its_own_fold(self):
    config = experiment.ExperimentConfig(folds=3, hold_out=0.5)
    tests = []
    for seed in range(3):
      own = data.load(dataclasses.replace(config, seed=seed), None)
      again = data.load(dataclasses.replace(config, seed=seed + 3), None)
      np.testing.assert_array_equal(own.test.inputs, again.test.inputs)
      self.assertLen(own.train.labels, 599)
      self.assertLen(own.validation.labels, 599)
      tests.append(own.test.inputs)
    self.assertLen(np.concatenate(tests), 1797)
    self.assertFalse(np.array_equal(tests[0], tests[1]))

  def test_pixel_range_rescales_images(self):
    config = experiment.ExperimentConfig(hold_out=0.25)
    images = data.load(config, None)
    grey = data.load(
      dataclasses.replace(config, pixel_range=(0.25, 0.75)), None
    )
    for name in ('train', 'validation', 'test'):
      inputs, labels = getattr(images, name)
      self.assertEqual(inputs.dtype, np.uint8)  # the type of the files
      compressed = getattr(grey, name)
      np.testing.assert_array_equal(compressed.labels, labels)
      rates = np.asarray(ssnn_jax.rate_encode(inputs)).reshape(inputs.shape)
      expected = np.float32(0.25) + np.float32(0.5) * rates
      self.assertEqual(compressed.inputs.dtype, np.float32)
      np.testing.assert_array_equal(compressed.inputs, expected, strict=True)
      ends = compressed.inputs.min(), compressed.inputs.max()
      self.assertEqual(ends, (0.25, 0.75))

  def test_held_out_images_are_used_for_evaluation(self):
    config = experiment.ExperimentConfig(hold_out=0.25)
    dataset = data.load(config, None)
    self.assertLen(dataset.train.labels, 1078)
    self.assertLen(data.eval_split(dataset).labels, 359)
    self.assertLen(dataset.test.labels, 360)

  def save_digits(self):
    """Saves the digits as rates in an npz file; returns its path."""
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
  def test_npz_files_are_used_like_built_in_datasets(self, *flags):
    path = self.save_digits()
    config, _ = parse_flags(f'--dataset={path}', '--hold_out=0.25', *flags)
    own = data.load(config, None)
    same = dataclasses.replace(config, dataset='digits')
    self.assertEqual(same, parse_flags('--hold_out=0.25', *flags)[0])
    digits = data.load(same, None)
    self.assertEqual(own.name, path)
    self.assertEqual(data.describe(own), '')
    self.assertEqual(
      experiment.network_config(config, own),
      experiment.network_config(same, digits),
    )
    for name in ('train', 'validation', 'test'):
      ours, theirs = getattr(own, name), getattr(digits, name)
      np.testing.assert_array_equal(ours.labels, theirs.labels, strict=True)
      np.testing.assert_array_equal(
        ssnn_jax.rate_encode(ours.inputs), ssnn_jax.rate_encode(theirs.inputs)
      )

  def test_npz_files_are_used_as_test_dataset(self):
    path = self.save_digits()
    config, _ = parse_flags(f'--test_dataset={path}')
    self.assertLen(data.load(config, None).test.labels, 1797)
    config, _ = parse_flags(f'--dataset={path}', '--polarity=on')
    with self.assertRaisesRegex(
      ssnn_jax.UserError, f'^--polarity is for .*, and {path} holds images;'
    ):
      data.load(config, None)

  def test_names_classes_of_files_that_studies_use(self):
    arrays = {'x_train': np.eye(47), 'y_train': np.arange(47)}
    arrays |= {'x_test': np.eye(47), 'y_test': np.arange(47)}
    folder = self.create_tempdir().full_path
    letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt'
    own = tuple(map(str, range(100, 147)))
    for stem, stored, names in (
      ('emnist47', {}, tuple(letters)),
      ('emnist47', {'class_names': own}, own),
      ('other', {}, tuple(map(str, range(47)))),
    ):
      path = f'{folder}/{stem}.npz'
      np.savez(path, **arrays, **stored)
      config = experiment.ExperimentConfig(dataset=path)  # probe_size 128
      data._load_once.cache_clear()
      found = data.load(config, None)
      self.assertEqual((found.name, found.class_names), (path, names))

  def test_folder_names_replace_path_separators(self):
    config, _ = parse_flags('--dataset=~/some/own.npz')
    self.assertEqual(experiment.slug(config.dataset), 'own')
    grid = grids.parse('dataset=digits,~/some/own.npz')
    names = [s.name for s in grids.merge(config, [grids.Sweep(grid)])]
    self.assertIn('dataset=~-some-own.npz', names)

  def test_loads_images_for_commands_without_configuration(self):
    options = experiment.DataOptions()
    path = self.save_digits()
    for name in (path, 'digits'):
      loaded = data.load_images(name, options)
      self.assertEqual(loaded.name, name)
    for name in ('n_mnist', 'tonic:SHD'):
      with self.assertRaisesRegex(
        ssnn_jax.UserError,
        f'^--dataset={name} is not a set of images; .*, or path/to/own.npz.$',
      ):
        data.load_images(name, options)
