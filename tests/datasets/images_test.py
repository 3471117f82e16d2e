"""Tests for sets of images, and for what may be wrong with them."""

import gzip
import os
import pathlib
import sys
import unittest
from unittest import mock
import zipfile
import zlib

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from ssnn_jax import datasets
from ssnn_jax.datasets import images as images_lib
from ssnn_jax.datasets import tfds_sets
from tests.testing import datasets as data_util

_DATA_DIR = os.environ.get('TFDS_DATA_DIR', '/nowhere')
CUBE = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


class LoadTest(data_util.DatasetTestCase):
  @parameterized.parameters(False, True)
  def test_mnist_is_read_from_its_original_files(self, gzipped):
    files = data_util.fake_originals()
    self.write_mnist(files, gzipped)
    mnist = datasets.load('mnist', self.data_dir)
    for split, prefix in ((mnist.train, 'train'), (mnist.test, 't10k')):
      images = files[f'{prefix}-images-idx3-ubyte']
      labels = files[f'{prefix}-labels-idx1-ubyte'].astype(np.int32)
      np.testing.assert_array_equal(split.inputs, images, strict=True)
      np.testing.assert_array_equal(split.labels, labels, strict=True)
    self.assertEqual(mnist.name, 'mnist')
    self.assertEqual(mnist.class_names, tuple('0123456789'))
    self.assertEqual(mnist.num_classes, 10)
    self.assertEqual(mnist.num_inputs, 784)

  def test_the_gzipped_file_is_read_where_both_are_there(self):
    self.write_mnist(data_util.fake_originals(), gzipped=True)
    self.write('mnist/train-labels-idx1-ubyte', b'of something else')
    mnist = datasets.load('mnist', self.data_dir)
    np.testing.assert_array_equal(mnist.train.labels, np.arange(20) % 10)

  def test_data_dir_is_the_argument_then_the_variable_then_the_default(self):
    home = self.data_dir / 'home'
    places = {
      'argument': self.data_dir / 'argument',
      'variable': self.data_dir / 'variable',
      'default': home / 'tensorflow_datasets',
    }
    variables = {'HOME': str(home), 'TFDS_DATA_DIR': str(places['variable'])}
    with mock.patch.dict(os.environ, variables):
      self.assert_looked_for_in(places['argument'], places['argument'])
      self.assert_looked_for_in(home / 'a', '~/a')
      self.assert_looked_for_in(places['variable'], None)
      self.assert_looked_for_in(places['variable'], '')
      del os.environ['TFDS_DATA_DIR']
      self.assert_looked_for_in(places['default'], None)

  def assert_looked_for_in(self, folder, data_dir):
    start = f'Cannot find {folder}/mnist/train-images-idx3-ubyte, '
    self.assert_refused(start, '', datasets.load, 'mnist', data_dir)

  @parameterized.parameters('mnist', 'fashion_mnist')
  def test_missing_files_are_all_named(self, name):
    message = self.assert_refused(
      'Cannot find ',
      '(with .gz or without)',
      datasets.load,
      name,
      self.data_dir,
    )
    for file in data_util.fake_originals():
      self.assertIn(str(self.data_dir / name / file), message)
    self.assertIn(f'original files of {name} into <data_dir>/{name}/', message)
    self.assertIn('--data_dir or TFDS_DATA_DIR', message)
    self.assertIn('digits, which needs no file', message)

  @parameterized.parameters(*data_util.fake_originals())
  def test_only_missing_files_are_named(self, missing):
    files = data_util.fake_originals()
    del files[missing]
    self.write_mnist(files)
    path = self.data_dir / 'mnist' / missing
    message = self.assert_refused(
      f'Cannot find {path} (', '', datasets.load, 'mnist', self.data_dir
    )
    for file in files:
      self.assertNotIn(file, message)

  def test_a_file_in_the_place_of_the_folder_cannot_be_read(self):
    path = self.write('mnist', b'')
    self.assert_refused(
      f'{path} cannot be read (Not a directory)',
      '',
      datasets.load,
      'mnist',
      self.data_dir,
    )

  @parameterized.parameters('train', 't10k')
  def test_images_and_labels_must_be_as_many(self, prefix):
    files = data_util.fake_originals()
    file = f'{prefix}-labels-idx1-ubyte'
    num_images = len(files[file])
    files[file] = files[file][:-1]
    self.write_mnist(files)
    images_path = self.data_dir / 'mnist' / f'{prefix}-images-idx3-ubyte'
    labels_path = self.data_dir / 'mnist' / file
    self.assert_refused(
      f'{images_path} holds {num_images} images but {labels_path} holds '
      f'{num_images - 1} labels; replace both',
      '',
      datasets.load,
      'mnist',
      self.data_dir,
    )

  @parameterized.product(
    prefix=('train', 't10k'),
    damage=(
      ('labels-idx1', np.arange(11), 'has the label 10, out of range 0 to 9'),
      ('labels-idx1', CUBE, 'has the number of axes 3, not 1'),
      ('images-idx3', CUBE[0, 0], 'has the number of axes 1, not 3'),
      ('images-idx3', CUBE, 'has images of size (3, 4), not (28, 28)'),
    ),
  )
  def test_files_must_be_those_of_the_set(self, prefix, damage):
    kind, array, start = damage
    files = data_util.fake_originals()
    file = f'{prefix}-{kind}-ubyte'
    files[file] = array.astype(np.uint8)
    self.write_mnist(files)
    path = self.data_dir / 'mnist' / file
    self.assert_refused(
      f'{path} {start}; ',
      'original file',
      datasets.load,
      'mnist',
      self.data_dir,
    )

  @parameterized.parameters('cifar10', 'MNIST', '')
  def test_unknown_name_is_met_with_the_known_ones(self, name):
    self.assert_refused(
      f'There is no data set named {name!r};',
      'choose one of digits, mnist, fashion_mnist, emnist/balanced, ',
      datasets.load,
      name,
    )


class SourcesTest(data_util.DatasetTestCase):
  def test_a_second_start_reads_no_original_and_maps_the_cache(self):
    self.write_mnist(data_util.fake_originals(), gzipped=True)
    first = datasets.load('mnist', self.data_dir)
    with mock.patch.object(images_lib.idx, 'read_idx') as read_idx:
      again = datasets.load('mnist', self.data_dir)
    read_idx.assert_not_called()
    for split in (again.train, again.test):
      self.assertTrue(data_util.is_mapped(split.inputs))
    jax.tree.map(np.testing.assert_array_equal, first[1:3], again[1:3])

  def test_changed_files_are_read_anew(self):
    files = data_util.fake_originals()
    self.write_mnist(files)
    datasets.load('mnist', self.data_dir)
    files['train-labels-idx1-ubyte'] = files['train-labels-idx1-ubyte'][::-1]
    self.write_mnist(files)
    mnist = datasets.load('mnist', self.data_dir)
    np.testing.assert_array_equal(
      mnist.train.labels, files['train-labels-idx1-ubyte']
    )

  def test_a_prepared_set_comes_before_the_original_files(self):
    self.write_mnist(data_util.fake_originals())
    originals = images_lib.read_originals('mnist', self.data_dir)
    other = [
      split._replace(inputs=255 - split.inputs)
      for split in (originals['train'], originals['test'])
    ]
    tfds_sets.prepare('mnist', self.data_dir, *other)
    mnist = datasets.load('mnist', self.data_dir)
    for found, expected in zip(mnist[1:3], other):
      jax.tree.map(np.testing.assert_array_equal, found, expected)

  def test_prepared_emnist_is_turned_upright_but_for_letters(self):
    upright = np.stack([emnist_image(n) for n in range(10)])
    stored = datasets.Split(
      upright.transpose(0, 2, 1), np.arange(10, dtype=np.int32)
    )
    tfds_sets.prepare('emnist/digits', self.data_dir, stored, stored)
    emnist = datasets.load('emnist/digits', self.data_dir)
    np.testing.assert_array_equal(emnist.test.inputs, upright)
    with mock.patch.object(tfds_sets, 'find') as find:
      with self.assertRaises(datasets.DatasetError):
        datasets.load('emnist/letters', self.data_dir)
    find.assert_not_called()

  def test_what_is_missing_is_downloaded_if_asked_for(self):
    def download(name, data_dir):
      self.assertEqual((name, data_dir), ('mnist', self.data_dir))
      self.write_mnist(data_util.fake_originals())

    with mock.patch.object(images_lib.downloads, 'download', download):
      with self.assertRaisesRegex(datasets.DatasetError, 'by --download'):
        datasets.load('mnist', self.data_dir)
      mnist = datasets.load('mnist', self.data_dir, download=True)
    self.assertLen(mnist.train.labels, 20)


class DigitsTest(data_util.DatasetTestCase):
  def test_splits_have_their_sizes_and_units(self):
    digits = datasets.load('digits')
    for split, size in ((digits.train, 1437), (digits.test, 360)):
      self.assertEqual(split.inputs.shape, (size, 8, 8))
      self.assertEqual(split.inputs.dtype, np.uint8)
      self.assertEqual((split.inputs.min(), split.inputs.max()), (0, 255))
      self.assertEqual(split.labels.shape, (size,))
      self.assertEqual(split.labels.dtype, np.int32)
    self.assertEqual(digits.name, 'digits')
    self.assertEqual(digits.num_classes, 10)
    self.assertEqual(digits.num_inputs, 64)

  def test_splits_partition_the_set_of_scikit_learn(self):
    from sklearn import datasets as sklearn_datasets

    original = sklearn_datasets.load_digits()
    # A step of scikit-learn's grey values is 15.9 of ours: no two coincide.
    grey_values = np.array([round(x * 255 / 16) for x in range(17)], np.uint8)
    images = grey_values[original.images.astype(int)]
    digits = datasets.load('digits')
    expected = data_util.items((images, original.target))
    self.assertLen(set(expected), 1797)  # so disjoint items, disjoint splits
    self.assertEqual(data_util.items(digits.train, digits.test), expected)

  def test_each_class_gives_its_share(self):
    digits = datasets.load('digits')
    train = np.bincount(digits.train.labels, minlength=10)
    test = np.bincount(digits.test.labels, minlength=10)
    share = (train + test) * 360 / 1797
    np.testing.assert_array_less(np.abs(test - share), 1.0)

  def test_split_is_the_same_everywhere(self):
    # Accuracies compare only if every installation tests on the same images.
    test = datasets.load('digits').test
    self.assertEqual(zlib.crc32(test.inputs.tobytes()), 2487337816)

  def test_absent_scikit_learn_is_asked_for(self):
    with mock.patch.dict(sys.modules, {'sklearn': None}):
      self.assert_refused(
        'The data set digits comes with scikit-learn',
        'pip install scikit-learn',
        datasets.load,
        'digits',
      )


def emnist_image(number):
  """An image that tells its number, and which way is up."""
  image = np.zeros((28, 28), np.uint8)
  image[0, 1] = 1 + number % 255  # right of the upper left corner
  image[2, 0] = 255  # below it
  return image


# What the paper's Table II says: classes, images to train and to test.
EMNIST = {
  'balanced': (47, 112_800, 18_800),
  'byclass': (62, 697_932, 116_323),
  'bymerge': (47, 697_932, 116_323),
  'digits': (10, 240_000, 40_000),
  'letters': (26, 124_800, 20_800),
  'mnist': (10, 60_000, 10_000),
}


def gzip_idx(pattern, size):
  """Gzips an IDX file that repeats a pattern, without going through it all."""
  header = data_util.idx_bytes(pattern[:0], shape=(size, *pattern.shape[1:]))
  repeats, rest = divmod(size, len(pattern))
  member = gzip.compress(pattern.tobytes(), compresslevel=1)
  end = gzip.compress(pattern[:rest].tobytes()) if rest else b''
  return gzip.compress(header) + repeats * member + end


class EmnistTest(data_util.DatasetTestCase):
  def files(self, split, sizes=None):
    """Returns the four files of a split: upright images stored transposed."""
    num_classes, *true_sizes = EMNIST[split]
    first = 1 if split == 'letters' else 0
    numbers = np.arange(num_classes * 16)  # so an image tells its label
    images = np.stack([emnist_image(n % num_classes).T for n in numbers])
    labels = (first + numbers % num_classes).astype(np.uint8)
    return {
      f'emnist-{split}-{part}-{kind}-ubyte.gz': gzip_idx(content, size)
      for part, size in zip(('train', 'test'), sizes or true_sizes)
      for kind, content in (('images-idx3', images), ('labels-idx1', labels))
    }

  def write_archive(self, files):
    path = self.data_dir / 'emnist' / 'gzip.zip'
    path.parent.mkdir()
    with zipfile.ZipFile(path, 'w') as archive:
      for name, content in files.items():
        archive.writestr(f'gzip/{name}', content)
    return path

  @parameterized.parameters(*EMNIST)
  def test_every_split_is_read_whole_upright_and_from_label_0(self, split):
    num_classes, *sizes = EMNIST[split]
    self.write_archive(self.files(split))
    emnist = datasets.load(f'emnist/{split}', self.data_dir)
    self.assertEqual(emnist.num_classes, num_classes)
    self.assertLen(set(emnist.class_names), num_classes)
    self.assertEqual(emnist.full_size, sum(sizes))
    upright = np.stack([emnist_image(n) for n in range(num_classes)])
    for part, size in zip((emnist.train, emnist.test), sizes):
      self.assertEqual(part.inputs.shape, (size, 28, 28))
      np.testing.assert_array_equal(
        part.labels, np.arange(size, dtype=np.int32) % num_classes, strict=True
      )
      for start in (0, size // 2, size - 100):
        some = slice(start, start + 100)
        np.testing.assert_array_equal(
          part.inputs[some], upright[part.labels[some]], strict=True
        )

  def test_classes_have_the_names_of_what_was_written(self):
    names = images_lib.CLASS_NAMES
    for split, label, name in (
      ('byclass', 9, '9'),
      ('byclass', 10, 'A'),
      ('byclass', 36, 'a'),
      ('byclass', 61, 'z'),
      ('balanced', 36, 'a'),
      ('balanced', 46, 't'),
      ('letters', 25, 'Z'),
    ):
      self.assertEqual(names[f'emnist/{split}'][label], name)

  @parameterized.parameters('emnist', 'emnist/gzip', 'emnist/letters')
  def test_unpacked_files_are_read(self, folder):
    files = self.files('letters', (30, 10))
    for name, content in files.items():
      content = gzip.decompress(content)
      self.write(f'{folder}/{name.removesuffix(".gz")}', content)
    emnist = datasets.load('emnist/letters', self.data_dir)
    np.testing.assert_array_equal(emnist.train.labels, np.arange(30) % 26)
    self.assertEqual(emnist.train.inputs[3, 0, 1], 4)

  @parameterized.parameters(0, 1, 2, 3)
  def test_an_archive_without_a_member_is_refused(self, number):
    files = self.files('digits', (20, 10))
    missing = list(files)[number]
    del files[missing]
    archive = self.write_archive(files)
    self.assert_refused(
      f'Cannot find {archive}/gzip/{missing.removesuffix(".gz")} (with',
      'gzip.zip, or the original files of emnist/digits, into <data_dir>/emn',
      datasets.load,
      'emnist/digits',
      self.data_dir,
    )
    self.assertEmpty(os.listdir(self.cache_dir))

  def test_a_file_that_is_no_archive_is_refused(self):
    archive = self.write('emnist/gzip.zip', b'PK of something else')
    self.assert_refused(
      f'{archive} is a damaged archive (',
      'original file',
      datasets.load,
      'emnist/digits',
      self.data_dir,
    )

  def test_a_letter_without_a_label_is_refused(self):
    files = self.files('letters', (30, 10))
    name = 'emnist-letters-test-labels-idx1-ubyte.gz'
    labels = data_util.idx_bytes(np.arange(10, dtype=np.uint8))
    archive = self.write_archive({**files, name: gzip.compress(labels)})
    self.assert_refused(
      f'{archive}/gzip/{name} has the label 0, out of range 1 to 26',
      '',
      datasets.load,
      'emnist/letters',
      self.data_dir,
    )


class FashionMnistTest(parameterized.TestCase):
  # A prepared set of TensorFlow Datasets has a folder of the same name.
  @unittest.skipUnless(
    any(pathlib.Path(_DATA_DIR, 'fashion_mnist').glob('*-ubyte*')),
    'no original files in $TFDS_DATA_DIR/fashion_mnist',
  )
  def test_real_files_hold_what_they_should(self):
    fashion = datasets.load('fashion_mnist', _DATA_DIR)
    self.assertEqual(fashion.train.inputs.shape, (60_000, 28, 28))
    self.assertEqual(fashion.test.inputs.shape, (10_000, 28, 28))
    self.assertEqual(np.bincount(fashion.train.labels).tolist(), [6_000] * 10)
    self.assertEqual(np.bincount(fashion.test.labels).tolist(), [1_000] * 10)
    first = fashion.class_names[fashion.train.labels[0]]
    self.assertEqual((fashion.train.labels[0], first), (9, 'Ankle boot'))


if __name__ == '__main__':
  absltest.main()
