"""Tests for cuts of data sets."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from ssnn_jax import datasets
from tests.testing import datasets as data_util


class HoldOutTest(data_util.DatasetTestCase):
  def setUp(self):
    super().setUp()
    self.digits = datasets.load('digits')

  @parameterized.parameters((0.1, 144), (0.5, 718), (0.999, 1436))
  def test_splits_partition_the_training_split(self, fraction, num_held_out):
    held_out = datasets.hold_out(self.digits, fraction)
    self.assertLen(held_out.validation.labels, num_held_out)
    self.assertEqual(
      data_util.items(held_out.train, held_out.validation),
      data_util.items(self.digits.train),
    )
    self.assertEmpty(
      set(data_util.items(held_out.train, held_out.validation))
      & set(data_util.items(self.digits.test))
    )
    self.assertEqual(held_out.name, 'digits')
    self.assertEqual(held_out.class_names, self.digits.class_names)

  def test_each_class_gives_its_share(self):
    held_out = datasets.hold_out(self.digits, 0.25)
    share = np.bincount(self.digits.train.labels) * 359 / 1437
    found = np.bincount(held_out.validation.labels)
    np.testing.assert_array_less(np.abs(found - share), 1.0)

  def test_split_depends_on_the_seed_alone(self):
    first = datasets.hold_out(self.digits, seed=1)
    again = datasets.hold_out(self.digits, seed=1)
    other = datasets.hold_out(self.digits, seed=2)
    np.testing.assert_array_equal(
      first.validation.inputs, again.validation.inputs
    )
    np.testing.assert_array_equal(first.train.labels, again.train.labels)
    self.assertNotEqual(
      data_util.items(first.validation), data_util.items(other.validation)
    )

  @parameterized.parameters(-0.1, 0, 0.0001, 0.9999, 1, 1.5, float('nan'))
  def test_fraction_must_leave_an_item_on_either_side(self, fraction):
    self.assert_refused(
      f'A fraction of {fraction} cannot be held out of 1437 items;',
      'choose one between 0 and 1',
      datasets.hold_out,
      self.digits,
      fraction,
    )


if __name__ == '__main__':
  absltest.main()
