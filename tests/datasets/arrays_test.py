"""Tests for datasets of arrays, their files and their splits."""

import os
from unittest import mock

from absl.testing import parameterized
import numpy as np

from ssnn_jax import datasets
from tests.testing import datasets as data_util

IMAGES = 7 * np.arange(6 * 3 * 2, dtype=np.uint8).reshape(6, 3, 2)
LABELS = np.array([0, 1, 2, 0, 1, 2])
NAMES = 'x_train', 'y_train', 'x_test', 'y_test'
ARRAYS = dict(zip(NAMES, (IMAGES, LABELS, IMAGES[:4], LABELS[:4])))
RATES = np.linspace(0, 1, 36, dtype=np.float32).reshape(6, 3, 2)
ROUNDED = RATES.astype(float)  # of a scaler of data
ROUNDED[0, 0, 0], ROUNDED[-1, -1, -1] = -1e-9, 1.0000000000000002
HALVES = RATES.astype(np.float16)
COLORS = np.random.default_rng(0).integers(256, size=(6, 5, 5, 3))
TABLE = {  # inputs given, and as they are kept
  'uint8': (IMAGES, IMAGES),
  'flat': (IMAGES.reshape(6, 6), IMAGES.reshape(6, 1, 6)),
  'one channel': (IMAGES[..., None], IMAGES),
  'colors': (COLORS, np.uint8(COLORS)),
  'rates of colors': (COLORS / 255, np.float32(COLORS / 255)),
  'bool': (IMAGES > 5, np.float32(IMAGES > 5)),
  'big-endian': (RATES.astype('>f4'), RATES),
  'float16': (HALVES, HALVES.astype(np.float32)),
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

  def test_test_samples_may_be_dark(self):
    dark = dict(x_test=IMAGES[:1], y_test=LABELS[:1])  # as one of 255
    test = datasets.from_arrays(**ARRAYS | dark).test
    np.testing.assert_array_equal(test.inputs, IMAGES[:1])

  def test_labels_may_be_a_column_of_bool(self):
    column, labels = LABELS[:, None] > 1, LABELS > 1
    dataset = datasets.from_arrays(IMAGES, column, IMAGES, labels)
    found = dataset.train.labels, dataset.test.labels
    data_util.assert_arrays_equal(found, 2 * (labels.astype(np.int32),))

  def test_named_classes_may_lack_training_samples(self):
    labels = {'y_train': 4 * LABELS, 'y_test': [0, 3, 1, 8]}
    dataset = datasets.from_arrays(**ARRAYS | labels, class_names='abcdefghi')
    self.assertEqual(dataset.class_names, tuple('abcdefghi'))
    self.assertEqual(list(dataset.test.labels), [0, 3, 1, 8])

  def test_loads_saved_arrays(self):
    path = self.data_dir / 'own.npz'
    np.savez(path, **ARRAYS, class_names=['a', 'b', 'c'], other=LABELS)
    expected = datasets.from_arrays(**ARRAYS, class_names=('a', 'b', 'c'))
    with mock.patch.dict(os.environ, {'HOME': str(self.data_dir)}):
      for name in (str(path), '~/own.npz'):
        dataset = datasets.load(name)
        self.assertEqual(dataset.name, name)
        self.assertEqual(dataset.class_names, expected.class_names)
        data_util.assert_arrays_equal(dataset[1:3], expected[1:3])

  def test_never_unpickles_objects(self):
    path = self.data_dir / 'own.npz'
    np.savez(path, **ARRAYS | {'x_train': np.array(['a', None], object)})
    with mock.patch('pickle.load', side_effect=AssertionError):
      self.assert_refused('Object arrays', datasets.load, str(path))


class SplitsTest(data_util.DatasetTestCase):
  def setUp(self):
    super().setUp()
    self.digits = datasets.load('digits')

  @parameterized.parameters((0.25, 359), (0.999, 1436))
  def test_hold_out_partitions_training_split(self, fraction, num_held_out):
    held_out = datasets.hold_out(self.digits, fraction)
    self.assertLen(held_out.validation.labels, num_held_out)
    found = data_util.items(held_out.train, held_out.validation)
    self.assertEqual(found, data_util.items(self.digits.train))
    data_util.assert_arrays_equal(held_out.test, self.digits.test)
    # It is stratified by class.
    found, totals = (
      np.bincount(split.labels)
      for split in (held_out.validation, self.digits.train)
    )
    expected = totals * num_held_out / totals.sum()
    np.testing.assert_array_less(np.abs(found - expected), 1.0)

  def test_hold_out_depends_only_on_seed(self):
    first, again, other = (
      datasets.hold_out(self.digits, seed=seed) for seed in (1, np.int64(1), 2)
    )
    data_util.assert_arrays_equal(first[1:], again[1:])
    first, other = (data_util.items(own.validation) for own in (first, other))
    self.assertNotEqual(first, other)

  def test_folds_partition_all_samples(self):
    folds = [datasets.fold(self.digits, 4, index) for index in range(4)]
    everything = data_util.items(self.digits.train, self.digits.test)
    for made in folds:
      self.assertEqual(data_util.items(made.train, made.test), everything)
      found = np.bincount(made.test.labels)
      totals = found + np.bincount(made.train.labels)
      np.testing.assert_array_less(np.abs(found - totals / 4), 1.0)
    tests = data_util.items(*(made.test for made in folds))
    self.assertEqual(tests, everything)
