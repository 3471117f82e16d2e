"""Tests for datasets of user-provided arrays."""

import os
from unittest import mock

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


class LoadNpzTest(data_util.DatasetTestCase):
  @parameterized.parameters(np.savez, np.savez_compressed)
  def test_loads_saved_arrays(self, save):
    path = self.data_dir / 'own.npz'
    save(path, **ARRAYS, class_names=['a', 'b', 'c'], other=LABELS)
    expected = datasets.from_arrays(**ARRAYS, class_names=('a', 'b', 'c'))
    with mock.patch.dict(os.environ, {'HOME': str(self.data_dir)}):
      for name in (str(path), '~/own.npz'):
        dataset = datasets.load(name)
        self.assertEqual(dataset.name, name)
        self.assertEqual(dataset.class_names, expected.class_names)
        data_util.assert_arrays_equal(dataset.train, expected.train)
        data_util.assert_arrays_equal(dataset.test, expected.test)

  def test_never_unpickles_objects(self):
    path = self.data_dir / 'own.npz'
    np.savez(path, **ARRAYS | {'x_train': np.array(['a', None], object)})
    with mock.patch('pickle.load', side_effect=AssertionError):
      with self.assertRaisesRegex(datasets.DatasetError, 'Object arrays'):
        datasets.load(str(path))
