"""Tests for image datasets: sources, the cache and digits."""

import sys
from unittest import mock
import zlib

from absl.testing import parameterized
import numpy as np

from ssnn_jax import datasets
from ssnn_jax.datasets import image_files
from ssnn_jax.datasets import tfds_sets
from tests.testing import datasets as data_util


class SourcesTest(data_util.DatasetTestCase):
  def test_second_load_maps_cache_without_reading_files(self):
    self.write_mnist(data_util.fake_originals(), gzipped=True)
    first = datasets.load('mnist', self.data_dir)
    with mock.patch.object(image_files.idx, 'read_idx') as read_idx:
      second = datasets.load('mnist', self.data_dir)
    read_idx.assert_not_called()
    for split in (second.train, second.test):
      self.assertTrue(data_util.is_mapped(split.inputs))
    data_util.assert_arrays_equal(first[1:3], second[1:3])

  def test_reads_changed_files_again(self):
    files = data_util.fake_originals()
    self.write_mnist(files)
    datasets.load('mnist', self.data_dir)
    files['train-labels-idx1-ubyte'] = files['train-labels-idx1-ubyte'][::-1]
    self.write_mnist(files)
    mnist = datasets.load('mnist', self.data_dir)
    np.testing.assert_array_equal(
      mnist.train.labels, files['train-labels-idx1-ubyte']
    )

  def test_prepared_dataset_takes_precedence(self):
    self.write_mnist(data_util.fake_originals())
    paths = image_files.find('mnist', self.data_dir)
    originals = image_files.read('mnist', paths)
    inverted = {
      part: split._replace(inputs=255 - split.inputs)
      for part, split in originals.items()
    }
    tfds_sets.prepare('mnist', self.data_dir, **inverted)
    mnist = datasets.load('mnist', self.data_dir)
    data_util.assert_arrays_equal(mnist.train, inverted['train'])
    data_util.assert_arrays_equal(mnist.test, inverted['test'])

  def test_transposes_prepared_emnist(self):
    stored = data_util.random_split(10)
    tfds_sets.prepare('emnist/digits', self.data_dir, stored, stored)
    emnist = datasets.load('emnist/digits', self.data_dir)
    upright = stored.inputs.transpose(0, 2, 1)
    np.testing.assert_array_equal(emnist.test.inputs, upright)

  def test_never_uses_prepared_letters(self):
    with mock.patch.object(tfds_sets, 'find') as find:
      self.assert_load_refused('emnist/letters', 'Cannot find ')
    find.assert_not_called()


class DigitsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.digits = datasets.load('digits')

  def test_splits_have_documented_shapes_and_dtypes(self):
    for split, size in ((self.digits.train, 1437), (self.digits.test, 360)):
      self.assertEqual(split.inputs.shape, (size, 8, 8))
      self.assertEqual(split.inputs.dtype, np.uint8)
      self.assertEqual((split.inputs.min(), split.inputs.max()), (0, 255))
      self.assertEqual(split.labels.shape, (size,))
      self.assertEqual(split.labels.dtype, np.int32)
    self.assertEqual(self.digits.name, 'digits')
    self.assertEqual(
      (self.digits.num_inputs, self.digits.num_classes), (64, 10)
    )

  def test_splits_partition_scikit_learn_digits(self):
    from sklearn import datasets as sklearn_datasets

    original = sklearn_datasets.load_digits()
    # Their 17 intensities remain distinct.
    intensities = np.array([round(x * 255 / 16) for x in range(17)], np.uint8)
    whole = intensities[original.images.astype(int)], original.target
    expected = data_util.items(whole)
    self.assertLen(set(expected), 1797)  # distinct items, so disjoint splits
    found = data_util.items(self.digits.train, self.digits.test)
    self.assertEqual(found, expected)

  def test_test_split_is_fixed(self):
    # Accuracies of different installations must be comparable.
    checksum = zlib.crc32(self.digits.test.inputs.tobytes())
    self.assertEqual(checksum, 2487337816)

  def test_missing_scikit_learn_is_reported(self):
    with (
      mock.patch.dict(sys.modules, {'sklearn': None}),
      self.assertRaisesRegex(
        datasets.DatasetError,
        r'\AThe dataset digits needs .* pip install scikit-learn\.\Z',
      ),
    ):
      datasets.load('digits')


class FashionMnistTest(data_util.DatasetTestCase):
  @data_util.requires_files('fashion_mnist/*-ubyte*')
  def test_real_files_have_expected_sizes_and_classes(self):
    fashion = datasets.load('fashion_mnist', data_util.REAL_DATA)
    for split, size in ((fashion.train, 60_000), (fashion.test, 10_000)):
      self.assertEqual(split.inputs.shape, (size, 28, 28))
      self.assertEqual(np.bincount(split.labels).tolist(), [size // 10] * 10)
    first = fashion.class_names[fashion.train.labels[0]]
    self.assertEqual((fashion.train.labels[0], first), (9, 'Ankle boot'))
