"""Tests for image datasets: original files, sources, the cache and digits."""

import gzip
from unittest import mock
import zipfile
import zlib

from absl.testing import parameterized
import numpy as np

from ssnn_jax import datasets
from ssnn_jax.datasets import images
from ssnn_jax.datasets import tfds_sets
from tests.testing import datasets as data_util
from tests.testing.datasets import CUBE
from tests.testing.datasets import flipped
from tests.testing.datasets import idx_bytes

IDX = idx_bytes(CUBE)  # a header of 16 bytes, and 24 items
GZIP = gzip.compress(IDX, mtime=0)
# The file, its content, and what the message says.
DAMAGED = (
  ('a.gz', IDX, 'decompressed'),
  ('a.gz', flipped(GZIP, -8), 'decompressed'),  # the checksum
  ('a.gz', flipped(GZIP, 10), 'decompressed'),
  ('a.gz', GZIP + b'more', 'decompressed'),
  ('a.gz', gzip.compress(IDX + b'\0\0'), '42 bytes'),
  ('a', IDX + b'\0', '41 bytes'),
  ('a', idx_bytes(CUBE[0]), '2-dimensional, not 3-'),
  ('a', idx_bytes(CUBE[None]), '4-dimensional, not 3-'),
  ('a', idx_bytes(CUBE.astype('i1'), 0x09), 'unsigned bytes'),
  ('a', idx_bytes(CUBE[:0]), 'the shape (0, 3, 4)'),
  ('a', idx_bytes(CUBE, shape=(2**32 - 1,) * 3), 'the shape'),
)


class ReadIdxTest(data_util.DatasetTestCase):
  def assert_path_refused(self, path, detail, num_axes=None):
    self.assert_refused(f'{path} ', detail, datasets.read_idx, path, num_axes)

  @parameterized.parameters(1, 2, 3)
  def test_reads_plain_and_gzipped_files(self, num_axes):
    array = CUBE[(0,) * (3 - num_axes)]
    content = idx_bytes(array)
    plain = self.write('a', content)
    zipped = self.write('a.gz', gzip.compress(content))
    for path in (plain, str(plain), zipped, str(zipped)):
      for expected_axes in (None, num_axes, np.int64(num_axes)):
        found = datasets.read_idx(path, num_axes=expected_axes)
        np.testing.assert_array_equal(found, array, strict=True)

  def test_reads_gzip_with_members_and_padding(self):
    content = gzip.compress(IDX[:20]) + gzip.compress(IDX[20:]) + b'\0' * 512
    found = datasets.read_idx(self.write('a.gz', content))
    np.testing.assert_array_equal(found, CUBE, strict=True)

  @parameterized.parameters(*DAMAGED)
  def test_rejects_damaged_file(self, name, content, detail):
    path = self.write(name, content)
    self.assert_path_refused(path, detail, num_axes=3)

  @parameterized.parameters(('a', IDX), ('a.gz', GZIP))
  def test_rejects_file_truncated_anywhere(self, name, content):
    for size in range(len(content)):
      path = self.write(name, content[:size])
      self.assert_path_refused(path, 'original file')

  def test_rejects_every_changed_header_byte(self):
    for position in range(16):
      path = self.write('a', flipped(IDX, position))
      self.assert_path_refused(path, 'original file')

  def test_rejects_damaged_file_in_archive(self):
    archive = self.data_dir / 'a.zip'
    with zipfile.ZipFile(archive, 'w') as file:
      file.writestr('a', IDX)
    archive.write_bytes(archive.read_bytes().replace(IDX, flipped(IDX, -1)))
    self.assert_path_refused(zipfile.Path(archive, 'a'), 'Bad CRC-32')


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

  def test_error_lists_only_missing_files(self):
    files = data_util.fake_originals()
    *others, missing = files
    del files[missing]
    self.write_mnist(files)
    path = self.data_dir / 'mnist' / missing
    message = self.assert_load_refused('mnist', f'Cannot find {path} (')
    self.assertIn('TFDS_DATA_DIR', message)
    for file in others:
      self.assertNotIn(file, message)

  @parameterized.product(
    prefix=('train', 't10k'),
    damage=(
      ('labels-idx1', np.arange(11), 'the label 10, out of range 0 to 9'),
      ('labels-idx1', np.arange(9), '9 labels for'),
      ('labels-idx1', CUBE, '3-dimensional'),
      ('images-idx3', CUBE[0, 0], '1-dimensional'),
      ('images-idx3', CUBE, 'size (3, 4)'),
    ),
  )
  def test_rejects_files_of_another_dataset(self, prefix, damage):
    kind, array, problem = damage
    file = f'{prefix}-{kind}-ubyte'
    files = data_util.fake_originals() | {file: array.astype(np.uint8)}
    self.write_mnist(files)
    path = self.data_dir / 'mnist' / file
    self.assert_load_refused('mnist', f'{path} ', problem)


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

  def test_rejects_archive_with_missing_file(self):
    files = self.files('digits', (20, 10))
    missing, _ = files.popitem()
    archive = self.write_archive(files)
    name = missing.removesuffix('.gz')
    start = f'Cannot find {archive}/gzip/{name} (with'
    self.assert_load_refused('emnist/digits', start, 'gzip.zip')

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


class SourcesTest(data_util.DatasetTestCase):
  def test_second_load_maps_cache_without_reading_files(self):
    self.write_mnist(data_util.fake_originals(), gzipped=True)
    first = datasets.load('mnist', self.data_dir)
    with mock.patch.object(images, 'read_idx') as read_idx:
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
    paths = images.find_originals('mnist', self.data_dir)
    originals = images.read_originals('mnist', paths)
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


class FashionMnistTest(data_util.DatasetTestCase):
  @data_util.requires_files('fashion_mnist/*-ubyte*')
  def test_real_files_have_expected_sizes_and_classes(self):
    fashion = datasets.load('fashion_mnist', data_util.REAL_DATA)
    for split, size in ((fashion.train, 60_000), (fashion.test, 10_000)):
      self.assertEqual(split.inputs.shape, (size, 28, 28))
      self.assertEqual(np.bincount(split.labels).tolist(), [size // 10] * 10)
    first = fashion.class_names[fashion.train.labels[0]]
    self.assertEqual((fashion.train.labels[0], first), (9, 'Ankle boot'))
