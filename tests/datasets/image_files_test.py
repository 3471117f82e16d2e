"""Tests for finding and checking the original files of image datasets."""

import gzip
from unittest import mock
import zipfile

from absl.testing import parameterized
import numpy as np

from ssnn_jax import datasets
from ssnn_jax.datasets import images
from tests.testing import datasets as data_util
from tests.testing.datasets import CUBE


class MnistFilesTest(data_util.DatasetTestCase):
  @parameterized.parameters(False, True)
  def test_reads_plain_and_gzipped_files(self, gzipped):
    files = data_util.fake_originals()
    self.write_mnist(files, gzipped)
    if gzipped:  # takes precedence over a plain file
      self.write('mnist/train-labels-idx1-ubyte', b'other content')
    mnist = datasets.load('mnist', self.data_dir)
    for split, prefix in ((mnist.train, 'train'), (mnist.test, 't10k')):
      images = files[f'{prefix}-images-idx3-ubyte']
      labels = files[f'{prefix}-labels-idx1-ubyte'].astype(np.int32)
      data_util.assert_arrays_equal(split, (images, labels))
    self.assertEqual(mnist.name, 'mnist')
    self.assertEqual(mnist.class_names, tuple('0123456789'))
    self.assertEqual((mnist.num_inputs, mnist.num_classes), (784, 10))

  @parameterized.parameters('mnist', 'fashion_mnist')
  def test_error_lists_missing_files_and_remedies(self, name):
    message = self.assert_load_refused(
      name, 'Cannot find ', '(with or without .gz)'
    )
    for file in data_util.fake_originals():
      self.assertIn(str(self.data_dir / name / file), message)
    self.assertIn(f'original files of {name} into <data_dir>/{name}/', message)
    self.assertIn('--data_dir or TFDS_DATA_DIR', message)
    self.assertIn('digits, which needs no file', message)

  @parameterized.parameters(*data_util.fake_originals())
  def test_error_lists_only_missing_files(self, missing):
    files = data_util.fake_originals()
    del files[missing]
    self.write_mnist(files)
    path = self.data_dir / 'mnist' / missing
    message = self.assert_load_refused('mnist', f'Cannot find {path} (')
    for file in files:
      self.assertNotIn(file, message)

  @parameterized.parameters('train', 't10k')
  def test_rejects_different_numbers_of_images_and_labels(self, prefix):
    files = data_util.fake_originals()
    file = f'{prefix}-labels-idx1-ubyte'
    num_images = len(files[file])
    files[file] = files[file][:-1]
    self.write_mnist(files)
    folder = self.data_dir / 'mnist'
    self.assert_load_refused(
      'mnist',
      f'{folder}/{prefix}-images-idx3-ubyte has {num_images} images, but '
      f'{folder}/{file} has {num_images - 1} labels; replace both',
    )

  @parameterized.product(
    prefix=('train', 't10k'),
    damage=(
      ('labels-idx1', np.arange(11), 'has the label 10, out of range 0 to 9'),
      ('labels-idx1', CUBE, 'is 3-dimensional, not 1-dimensional'),
      ('images-idx3', CUBE[0, 0], 'is 1-dimensional, not 3-dimensional'),
      ('images-idx3', CUBE, 'has images of size (3, 4), not (28, 28)'),
    ),
  )
  def test_rejects_files_of_another_dataset(self, prefix, damage):
    kind, array, problem = damage
    file = f'{prefix}-{kind}-ubyte'
    files = data_util.fake_originals() | {file: array.astype(np.uint8)}
    self.write_mnist(files)
    path = self.data_dir / 'mnist' / file
    self.assert_load_refused('mnist', f'{path} {problem}; ', 'original file')


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
      images = np.stack([emnist_image(n).T for n in range(num_classes)])
      for kind, array in (
        ('images-idx3', images[classes]),
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
    with mock.patch.object(images, '_CHUNK_SIZE', 64):
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

  @parameterized.parameters(0, 1, 2, 3)
  def test_rejects_archive_with_missing_file(self, index):
    files = self.files('digits', (20, 10))
    missing = list(files)[index]
    del files[missing]
    archive = self.write_archive(files)
    self.assert_load_refused(
      'emnist/digits',
      f'Cannot find {archive}/gzip/{missing.removesuffix(".gz")} (with',
      'gzip.zip, or the original files of emnist/digits, into <data_dir>/emn',
    )

  def test_rejects_invalid_archive(self):
    archive = self.write('emnist/gzip.zip', b'PK of something else')
    start = f'{archive} is a damaged archive ('
    self.assert_load_refused('emnist/digits', start, 'original file')

  def test_rejects_letters_labeled_0(self):
    name = 'emnist-letters-test-labels-idx1-ubyte.gz'
    labels = data_util.idx_bytes(np.arange(10, dtype=np.uint8))
    files = self.files('letters', (30, 10)) | {name: gzip.compress(labels)}
    archive = self.write_archive(files)
    self.assert_load_refused(
      'emnist/letters',
      f'{archive}/gzip/{name} has the label 0, out of range 1 to 26',
    )
