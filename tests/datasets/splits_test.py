"""Tests for held-out and stratified splits."""

from absl.testing import parameterized
import numpy as np

from ssnn_jax import datasets
from tests.testing import datasets as data_util


class SplitsTest(data_util.DatasetTestCase):
  def setUp(self):
    super().setUp()
    self.digits = datasets.load('digits')

  @parameterized.parameters((0.1, 144), (0.5, 718), (0.999, 1436))
  def test_hold_out_partitions_training_split(self, fraction, num_held_out):
    held_out = datasets.hold_out(self.digits, fraction)
    self.assertLen(held_out.validation.labels, num_held_out)
    found = data_util.items(held_out.train, held_out.validation)
    self.assertEqual(found, data_util.items(self.digits.train))
    self.assertEmpty(set(found) & set(data_util.items(self.digits.test)))
    self.assertEqual(held_out.name, 'digits')
    self.assertEqual(held_out.class_names, self.digits.class_names)

  def test_splits_are_stratified(self):
    held_out = datasets.hold_out(self.digits, 0.25)
    for remaining, drawn in (
      (self.digits.train, self.digits.test),
      (held_out.train, held_out.validation),
    ):
      found = np.bincount(drawn.labels, minlength=10)
      totals = found + np.bincount(remaining.labels, minlength=10)
      expected = totals * len(drawn.labels) / totals.sum()
      np.testing.assert_array_less(np.abs(found - expected), 1.0)

  def test_hold_out_depends_only_on_seed(self):
    first = datasets.hold_out(self.digits, seed=1)
    again = datasets.hold_out(self.digits, seed=np.int64(1))
    other = datasets.hold_out(self.digits, seed=2)
    data_util.assert_arrays_equal(first.validation, again.validation)
    data_util.assert_arrays_equal(first.train, again.train)
    self.assertNotEqual(
      data_util.items(first.validation), data_util.items(other.validation)
    )

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
