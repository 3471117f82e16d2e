"""Tests for datasets of user-provided arrays."""

import os
from unittest import mock

from absl.testing import parameterized
import numpy as np

from ssnn_jax import datasets
from tests.testing import datasets as data_util

IMAGES = np.arange(6 * 3 * 2, dtype=np.uint8).reshape(6, 3, 2)
LABELS = np.array([0, 1, 2, 0, 1, 2])
NAMES = 'x_train', 'y_train', 'x_test', 'y_test'
ARRAYS = dict(zip(NAMES, (IMAGES, LABELS, IMAGES[:4], LABELS[:4])))


RATES = np.linspace(0, 1, 36, dtype=np.float32).reshape(6, 3, 2)
ROUNDED = RATES.astype(float)  # of a scaler of data
ROUNDED[0, 0, 0], ROUNDED[-1, -1, -1] = -1e-9, 1.0000000000000002
COLORS = np.random.default_rng(0).integers(256, size=(6, 5, 5, 3))
TABLE = {  # inputs given, and as they are kept
  'uint8': (IMAGES, IMAGES),
  'flat': (IMAGES.reshape(6, 6), IMAGES.reshape(6, 1, 6)),
  'one channel': (IMAGES[..., None], IMAGES),
  'colors': (np.uint8(COLORS), np.uint8(COLORS)),
  'rates of colors': (COLORS / 255, np.float32(COLORS / 255)),
  'integers': (IMAGES.astype(int), IMAGES),
  'bool': (IMAGES > 5, np.float32(IMAGES > 5)),
  'big-endian': (RATES.astype('>f4'), RATES),
  'float64': (RATES.astype(float), RATES),
  'float16': (
    RATES.astype(np.float16),
    RATES.astype(np.float16).astype(np.float32),
  ),
  'errors of rounding': (ROUNDED, RATES),
}


class FromArraysTest(data_util.DatasetTestCase):
  @parameterized.named_parameters(*((k, *v) for k, v in TABLE.items()))
  def test_converts_inputs(self, given, expected):
    dataset = datasets.from_arrays(given, LABELS, given[:4], LABELS[:4])
    labels = LABELS.astype(np.int32)
    data_util.assert_arrays_equal(dataset.train, (expected, labels))
    data_util.assert_arrays_equal(dataset.test, (expected[:4], labels[:4]))
    self.assertEqual(dataset.input_shape, expected.shape[1:])
    self.assertEqual(dataset.num_inputs, expected[0].size)
    self.assertEqual(dataset.class_names, ('0', '1', '2'))
    self.assertIsNone(dataset.full_size)

  def test_labels_may_be_a_column_of_bool(self):
    dataset = datasets.from_arrays(
      IMAGES, LABELS[:, None] > 1, IMAGES, LABELS > 1
    )
    data_util.assert_arrays_equal(
      (dataset.train.labels, dataset.test.labels), 2 * (np.int32(LABELS > 1),)
    )

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
