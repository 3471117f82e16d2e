"""Tests for datasets of user-provided arrays."""

import os
import pathlib
from unittest import mock
import zipfile

from absl.testing import parameterized
import numpy as np

import ssnn_jax
from ssnn_jax import datasets
from tests.testing import datasets as data_util

IMAGES = np.arange(6 * 3 * 2, dtype=np.uint8).reshape(6, 3, 2)
LABELS = np.array([0, 1, 2, 0, 1, 2])
TEST_IMAGES, TEST_LABELS = IMAGES[:4], LABELS[:4]
ARRAYS = {
  'x_train': IMAGES,
  'y_train': LABELS,
  'x_test': TEST_IMAGES,
  'y_test': TEST_LABELS,
}
# The argument, its value, and two parts of the message.
INVALID_ARRAYS = (
  ('x_train', IMAGES[0, 0], 'the shape (2,)'),
  ('x_train', IMAGES[None, None], 'the shape (1, 1, 6, 3, 2)'),
  ('x_train', np.zeros((6, 1, 8, 8)), 'x_train.transpose(0, 2, 3, 1)'),
  ('x_test', np.zeros((4, 3, 8, 8)), 'x_test.transpose(0, 2, 3, 1)'),
  ('x_train', IMAGES.astype(np.uint16) * 100, 'values in [0, 3500]'),
  ('x_train', np.full((6, 3, 2), np.nan), 'values in [nan, nan]'),
  ('x_train', np.full((6, 2), -0.5), 'values in [-0.5, -0.5]'),
  ('x_train', IMAGES / 2.0, 'values in [0, 17.5]'),
  ('x_test', TEST_IMAGES.astype(np.int64) - 1, 'values in [-1, 22]'),
  ('x_train', (IMAGES > 5).astype(int), 'bool instead of 0 and 1'),
  ('x_test', TEST_IMAGES.astype(str), 'the dtype <U'),
  ('x_test', np.ma.masked_less(TEST_IMAGES, 2), 'masked'),
  ('y_train', np.ma.masked_equal(LABELS, 2), 'masked'),
  ('x_test', TEST_IMAGES.transpose(0, 2, 1), 'shape (2, 3)'),
  ('x_test', TEST_IMAGES / 255.0, 'dtype float32'),
  ('y_train', LABELS[:5], '5 labels and x_train has 6 samples'),
  ('y_train', LABELS / 1, 'the dtype float64'),
  ('y_train', np.eye(6, dtype=int), 'the shape (6, 6)'),
  ('y_train', LABELS - 1, 'the class -1; expected classes from 0'),
  ('y_test', TEST_LABELS + 1, 'the label 3, out of range 0 to 2'),
)


class FromArraysTest(data_util.DatasetTestCase):
  def test_keeps_uint8_images(self):
    dataset = datasets.from_arrays(**ARRAYS, name='own')
    self.assertEqual(dataset.name, 'own')
    self.assertEqual(dataset.class_names, ('0', '1', '2'))
    self.assertEqual((dataset.num_inputs, dataset.num_classes), (6, 3))
    self.assertIsNone(dataset.full_size)
    labels = LABELS.astype(np.int32)
    data_util.assert_arrays_equal(dataset.train, (IMAGES, labels))
    data_util.assert_arrays_equal(dataset.test, (TEST_IMAGES, labels[:4]))

  @parameterized.parameters((6, 6), (6, 3, 2, 1))
  def test_accepts_flat_and_single_channel_inputs(self, *shape):
    images = IMAGES.reshape(shape)
    dataset = datasets.from_arrays(images, LABELS, images, LABELS)
    self.assertEqual(dataset.num_inputs, 6)
    for split in (dataset.train, dataset.test):
      self.assertEqual(split.inputs.ndim, 3)
      np.testing.assert_array_equal(
        ssnn_jax.rate_encode(split.inputs), ssnn_jax.rate_encode(IMAGES)
      )

  @parameterized.parameters(2, 3, 4)
  def test_keeps_channels_as_the_last_axis(self, num_channels):
    shape = 6, 5, 5, num_channels
    images = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    rates = images.astype(np.float32) / np.float32(255)
    for own in (images, rates):
      dataset = datasets.from_arrays(own, LABELS, own, LABELS)
      np.testing.assert_array_equal(dataset.test.inputs, own, strict=True)
      self.assertEqual(dataset.input_shape, shape[1:])
      self.assertEqual(dataset.num_inputs, 25 * num_channels)
      np.testing.assert_array_equal(
        ssnn_jax.rate_encode(dataset.train.inputs),
        ssnn_jax.rate_encode(own.reshape(6, -1)),
      )

  @parameterized.parameters('>f4', 'float16', 'float64')
  def test_converts_rates_to_float32(self, dtype):
    rates = np.array([[0.0, 0.25], [0.5, 1.0]], dtype)
    dataset = datasets.from_arrays(rates, [0, 1], rates, [1, 0])
    expected = np.array([[[0.0, 0.25]], [[0.5, 1.0]]], np.float32)
    for split in (dataset.train, dataset.test):
      np.testing.assert_array_equal(split.inputs, expected, strict=True)

  def test_converts_integers_and_bool(self):
    grey = datasets.from_arrays(
      **ARRAYS | {name: ARRAYS[name].astype(int) for name in ARRAYS}
    )
    data_util.assert_arrays_equal(grey.train, (IMAGES, LABELS.astype(np.int32)))
    self.assertEqual(grey.train.inputs.dtype, np.uint8)
    images, labels = IMAGES > 5, LABELS[:, None] > 1
    binary = datasets.from_arrays(images, labels, images, labels)
    expected = images.astype(np.float32), (LABELS > 1).astype(np.int32)
    data_util.assert_arrays_equal(binary.train, expected)

  def test_errors_of_rounding_are_clipped(self):
    rates = np.array([[0.25, 1.0000000000000002], [-1e-9, 0.5]])
    dataset = datasets.from_arrays(rates, [0, 1], rates, [1, 0])
    expected = np.float32([[[0.25, 1.0]], [[0.0, 0.5]]])
    np.testing.assert_array_equal(dataset.train.inputs, expected, strict=True)

  def test_named_classes_may_lack_training_samples(self):
    dataset = datasets.from_arrays(
      **ARRAYS | {'y_test': [0, 3, 1, 2]}, class_names=('a', 'b', 'c', 'd')
    )
    self.assertEqual(dataset.class_names, ('a', 'b', 'c', 'd'))
    self.assertEqual(list(dataset.test.labels), [0, 3, 1, 2])

  @parameterized.parameters(*INVALID_ARRAYS)
  def test_rejects_invalid_array(self, name, array, problem):
    self.assert_refused(
      f'{name} ', problem, datasets.from_arrays, **ARRAYS | {name: array}
    )

  def test_rejects_labels_without_a_class_name(self):
    self.assert_refused(
      'y_train has the label 2',
      'class_names',
      datasets.from_arrays,
      **ARRAYS,
      class_names=['a', 'b'],
    )

  def test_rejects_another_number_of_channels_in_the_test_split(self):
    images = np.zeros((6, 3, 2, 3), np.uint8)
    arrays = ARRAYS | {'x_train': images}
    self.assert_refused(
      'x_test has inputs of shape (3, 2)',
      'x_train of shape (3, 2, 3)',
      datasets.from_arrays,
      **arrays,
    )


class LoadNpzTest(data_util.DatasetTestCase):
  def setUp(self):
    super().setUp()
    self.path = self.data_dir / 'own.npz'

  def assert_file_refused(self, problem):
    self.assert_load_refused(str(self.path), f'{self.path}{problem}')

  @parameterized.parameters(np.savez, np.savez_compressed)
  def test_loads_saved_arrays(self, save):
    save(self.path, **ARRAYS, class_names=['a', 'b', 'c'], other=LABELS)
    dataset = datasets.load(str(self.path))
    expected = datasets.from_arrays(**ARRAYS, class_names=('a', 'b', 'c'))
    self.assertEqual(dataset.name, str(self.path))
    self.assertEqual(dataset.class_names, expected.class_names)
    data_util.assert_arrays_equal(dataset.train, expected.train)
    data_util.assert_arrays_equal(dataset.test, expected.test)

  def test_accepts_home_and_relative_paths(self):
    np.savez(self.path, **ARRAYS)
    with mock.patch.dict(os.environ, {'HOME': str(self.data_dir)}):
      self.assertLen(datasets.load('~/own.npz').train.labels, 6)
    self.addCleanup(os.chdir, pathlib.Path.cwd())
    os.chdir(self.data_dir)
    self.assertEqual(datasets.load('own.npz').name, 'own.npz')

  @parameterized.parameters('x_train', 'y_train', 'x_test', 'y_test')
  def test_rejects_missing_array(self, name):
    np.savez(self.path, **{k: v for k, v in ARRAYS.items() if k != name})
    self.assert_file_refused(f' lacks {name}; create it with np.savez(')

  @parameterized.parameters('x_train', 'class_names')
  def test_never_unpickles_objects(self, name):
    np.savez(self.path, **ARRAYS | {name: np.array(['a', None], object)})
    with mock.patch('pickle.load', side_effect=AssertionError):
      self.assert_file_refused(' cannot be read (Object arrays cannot be')

  def test_error_of_invalid_array_names_the_file(self):
    np.savez(self.path, **ARRAYS | {'y_test': LABELS[:3]})
    self.assert_file_refused(': y_test has 3 labels and x_test has 4 samples;')

  def test_rejects_files_of_other_formats(self):
    self.assert_load_refused(
      str(self.path), f'There is no file {self.path}; create it with np.savez('
    )
    with open(self.path, 'wb') as file:
      np.save(file, IMAGES)
    for content in (self.path.read_bytes(), b'', b'text', b'PK\3\4'):
      self.path.write_bytes(content)
      self.assert_file_refused(' cannot be read (')
    with zipfile.ZipFile(self.path, 'w') as archive:
      for name in ARRAYS:
        archive.writestr(f'{name}.npy', b'no array')
    self.assert_file_refused(': x_train has ')

  def test_rejects_damaged_file(self):
    np.savez(self.path, **ARRAYS)
    content = self.path.read_bytes()
    damaged = data_util.flipped(content, content.index(IMAGES.tobytes()))
    self.path.write_bytes(damaged)
    self.assert_file_refused(' cannot be read (Bad CRC-32 for file ')
    self.path.write_bytes(content[:-30])
    self.assert_file_refused(' cannot be read (File is not a zip file')
