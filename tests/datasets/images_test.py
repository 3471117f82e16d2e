"""Tests for image datasets: original files, sources, the cache and digits."""

import gzip
from unittest import mock
import zipfile
import zlib

from absl.testing import parameterized
import numpy as np
import tensorflow_datasets as tfds

from ssnn_jax import datasets
from ssnn_jax.datasets import images
from tests.testing import datasets as data_util
from tests.testing.datasets import idx_bytes

CUBE = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
IDX = idx_bytes(CUBE)  # a header of 16 bytes, and 24 items
GZIP = gzip.compress(IDX, mtime=0)
CHANGED = GZIP[:-8] + bytes([GZIP[-8] ^ 255]) + GZIP[-7:]  # the checksum


class ReadIdxTest(data_util.DatasetTestCase):
  @parameterized.parameters(1, 2, 3)
  def test_reads_plain_and_gzipped_files(self, num_axes):
    array = CUBE[(0,) * (3 - num_axes)]
    content = idx_bytes(array)
    plain = self.write('a', content)
    zipped = self.write('a.gz', gzip.compress(content))
    for path in (plain, str(plain), zipped):
      for expected_axes in (None, num_axes):
        found = datasets.read_idx(path, num_axes=expected_axes)
        np.testing.assert_array_equal(found, array, strict=True)

  @parameterized.parameters(
    ('a.gz', IDX),
    ('a.gz', CHANGED),
    ('a', IDX + b'\0'),
    ('a', idx_bytes(CUBE[0])),  # of two axes
    ('a', idx_bytes(CUBE.astype('i1'), 0x09)),
    *(('a', IDX[:size]) for size in (0, 3, 4, 10, 16, 39)),
    *(('a.gz', GZIP[:size]) for size in (0, 5, 20, len(GZIP) - 1)),
  )
  def test_rejects_damaged_file(self, name, content):
    path = self.write(name, content)
    start = f'{path} is no valid IDX file ('
    self.assert_refused(start, 'original file', datasets.read_idx, path, 3)


class MnistFilesTest(data_util.DatasetTestCase):
  @parameterized.parameters(False, True)
  def test_reads_plain_and_gzipped_files(self, gzipped):
    files = data_util.fake_originals()
    self.write_mnist(files, gzipped)
    if gzipped:  # takes precedence over a plain file
      self.write('mnist/train-labels-idx1-ubyte', b'other content')
    mnist = datasets.load('mnist', self.data_dir)
    for split, prefix in ((mnist.train, 'train'), (mnist.test, 't10k')):
      pixels = files[f'{prefix}-images-idx3-ubyte']
      labels = files[f'{prefix}-labels-idx1-ubyte'].astype(np.int32)
      data_util.assert_arrays_equal(split, (pixels, labels))
    self.assertEqual(mnist.name, 'mnist')
    self.assertEqual(mnist.class_names, tuple('0123456789'))
    self.assertEqual((mnist.num_inputs, mnist.num_classes), (784, 10))

  @parameterized.parameters(
    ('labels-idx1', np.arange(11), 'has 11 labels for 10 images'),
    ('labels-idx1', np.arange(1, 11), 'has labels from 1 to 10'),
    ('images-idx3', CUBE, 'has images of size (3, 4)'),
  )
  def test_rejects_files_of_another_dataset(self, kind, array, problem):
    file = f't10k-{kind}-ubyte'
    files = data_util.fake_originals() | {file: array.astype(np.uint8)}
    self.write_mnist(files)
    path = self.data_dir / 'mnist' / file
    self.assert_load_refused('mnist', f'{path} {problem}')


def emnist_image(number):
  """Returns an asymmetric image that encodes a number."""
  image = np.zeros((28, 28), np.uint8)
  image[0, 1] = 1 + number % 255  # right of the upper left corner
  image[2, 0] = 255  # below it
  return image


# Classes, training images and test images, from Table II of the EMNIST paper.
EMNIST = {
  'balanced': (47, 112_800, 18_800),
  'byclass': (62, 697_932, 116_323),
  'bymerge': (47, 697_932, 116_323),
  'digits': (10, 240_000, 40_000),
  'letters': (26, 124_800, 20_800),
  'mnist': (10, 60_000, 10_000),
}
SIZES = 200, 100  # of the splits here


class EmnistFilesTest(data_util.DatasetTestCase):
  def files(self, split, sizes):
    """Returns the four files of a split: upright images stored transposed."""
    num_classes = EMNIST[split][0]
    first = 1 if split == 'letters' else 0
    files = {}
    for part, size in zip(('train', 'test'), sizes):
      classes = np.arange(size) % num_classes
      stored = np.stack([emnist_image(n).T for n in range(num_classes)])
      for kind, array in (
        ('images-idx3', stored[classes]),
        ('labels-idx1', (first + classes).astype(np.uint8)),
      ):
        content = gzip.compress(data_util.idx_bytes(array), compresslevel=1)
        files[f'emnist-{split}-{part}-{kind}-ubyte.gz'] = content
    return files

  def write_archive(self, files):
    path = self.data_dir / 'emnist' / 'gzip.zip'
    path.parent.mkdir()
    with zipfile.ZipFile(path, 'w') as archive:
      for name, content in files.items():
        archive.writestr(f'gzip/{name}', content)
    return path

  @parameterized.parameters(*EMNIST)
  def test_loads_upright_images_with_labels_from_0(self, split):
    num_classes, *full_sizes = EMNIST[split]
    self.write_archive(self.files(split, SIZES))
    emnist = datasets.load(f'emnist/{split}', self.data_dir)
    self.assertEqual(emnist.num_classes, num_classes)
    self.assertLen(set(emnist.class_names), num_classes)
    self.assertEqual(emnist.full_size, sum(full_sizes))
    upright = np.stack([emnist_image(n) for n in range(num_classes)])
    for part, size in zip((emnist.train, emnist.test), SIZES):
      labels = np.arange(size, dtype=np.int32) % num_classes
      data_util.assert_arrays_equal(part, (upright[labels], labels))

  @parameterized.parameters('emnist', 'emnist/gzip', 'emnist/letters')
  def test_reads_unpacked_files(self, folder):
    for name, content in self.files('letters', (30, 10)).items():
      content = gzip.decompress(content)
      self.write(f'{folder}/{name.removesuffix(".gz")}', content)
    emnist = datasets.load('emnist/letters', self.data_dir)
    np.testing.assert_array_equal(emnist.train.labels, np.arange(30) % 26)
    self.assertEqual(emnist.train.inputs[3, 0, 1], 4)


class SourcesTest(data_util.DatasetTestCase):
  def test_files_are_read_again_only_if_they_change(self):
    originals = data_util.fake_originals()
    self.write_mnist(originals)
    first = datasets.load('mnist', self.data_dir)
    with mock.patch.object(images, 'read_idx') as read_idx:
      second = datasets.load('mnist', self.data_dir)
    read_idx.assert_not_called()
    for split in (second.train, second.test):
      self.assertTrue(data_util.is_mapped(split.inputs))
    data_util.assert_arrays_equal(first[1:3], second[1:3])
    labels = originals['train-labels-idx1-ubyte'][::-1]
    self.write_mnist({'train-labels-idx1-ubyte': labels})
    mnist = datasets.load('mnist', self.data_dir)
    np.testing.assert_array_equal(mnist.train.labels, labels)

  @parameterized.parameters('mnist', 'emnist/digits')
  def test_prepared_dataset_takes_precedence(self, name):
    self.write_mnist(data_util.fake_originals())
    stored = data_util.random_split(10)
    data_util.prepare_tfds(
      name,
      self.data_dir,
      tfds.features.Image(shape=(28, 28, 1)),
      tfds.features.ClassLabel(num_classes=10),
      train=stored,
      test=stored,
    )
    found = datasets.load(name, self.data_dir)
    upright = stored.inputs
    if name == 'emnist/digits':  # stored transposed
      upright = upright.transpose(0, 2, 1)
    np.testing.assert_array_equal(found.test.inputs, upright)
    np.testing.assert_array_equal(found.train.labels, stored.labels)


class DigitsTest(parameterized.TestCase):
  def test_splits_are_disjoint_and_fixed(self):
    digits = datasets.load('digits')
    self.assertEqual((digits.num_inputs, digits.num_classes), (64, 10))
    self.assertLen(set(data_util.items(digits.train, digits.test)), 1797)
    # Accuracies of different installations must be comparable.
    for split, size, checksum in (
      (digits.train, 1437, 3604020577),
      (digits.test, 360, 2487337816),
    ):
      self.assertEqual(split.inputs.shape, (size, 8, 8))
      self.assertEqual(split.labels.shape, (size,))
      self.assertEqual(split.inputs.dtype, np.uint8)
      self.assertEqual(split.labels.dtype, np.int32)
      self.assertEqual(zlib.crc32(split.inputs.tobytes()), checksum)


class FashionMnistTest(data_util.DatasetTestCase):
  @data_util.requires_files('fashion_mnist/*-ubyte*')
  def test_real_files_have_expected_sizes_and_classes(self):
    fashion = datasets.load('fashion_mnist', data_util.REAL_DATA)
    for split, size in ((fashion.train, 60_000), (fashion.test, 10_000)):
      self.assertEqual(split.inputs.shape, (size, 28, 28))
      self.assertEqual(np.bincount(split.labels).tolist(), [size // 10] * 10)
    first = fashion.class_names[fashion.train.labels[0]]
    self.assertEqual((fashion.train.labels[0], first), (9, 'Ankle boot'))
