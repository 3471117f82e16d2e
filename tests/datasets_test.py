"""Tests for the data sets, and for every way in which their files can fail."""

import gzip
import os
import pathlib
import runpy
import struct
import sys
import tracemalloc
import unittest
from unittest import mock
import zlib

from absl import flags
from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from ssnn_jax import datasets

_DATA_DIR = os.environ.get('TFDS_DATA_DIR', '/nowhere')


def setUpModule():
  # `create_tempdir` asks for a flag, which pytest does not parse.
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()


def idx_bytes(array, type_code=0x08, shape=None):
  """Returns an IDX file, whose header says what it is told to say."""
  shape = array.shape if shape is None else shape
  header = struct.pack(f'>2x2B{len(shape)}I', type_code, len(shape), *shape)
  return header + array.tobytes()


def flipped(content, position):
  """Returns the content with every bit of one of its bytes flipped."""
  changed = bytearray(content)
  changed[position] ^= 0xFF
  return bytes(changed)


CUBE = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
IDX = idx_bytes(CUBE)  # a header of 16 bytes, and 24 items
# Stored rather than compressed, so that what precedes a cut is known: the file
# begins at byte 15 of the stream; the last 8 bytes are its two checksums.
GZIP = gzip.compress(IDX, compresslevel=0, mtime=0)

# The file, how the message goes on after its path, and what else it says.
DAMAGED = {
  'not_gzip': ('a.gz', IDX, 'is named .gz but is not gzipped; drop .gz', ''),
  'gzip_crc': ('a.gz', flipped(GZIP, -8), 'is a damaged gzip', 'data check'),
  'gzip_length': ('a.gz', flipped(GZIP, -4), 'is a damaged gzip', 'length'),
  'gzip_block': ('a.gz', flipped(GZIP, 10), 'is a damaged gzip', 'block'),
  'gzip_tail': ('a.gz', GZIP + b'more', 'is a damaged gzip', 'header check'),
  'gzip_cut': ('a.gz', GZIP[:54], 'is truncated', '40 bytes, and 39 were'),
  'gzip_cut_late': ('a.gz', GZIP[:-1], 'is truncated', 'and 40 were found'),
  'gzip_trailing': (
    'a.gz',
    gzip.compress(IDX + b'\0\0'),
    'has trailing bytes',
    '40 bytes, and 42 were found',
  ),
  'empty_file': ('a', b'', 'is truncated', 'at least 4 bytes, and 0 were'),
  'cut_in_magic': ('a', IDX[:3], 'is truncated', 'at least 4 bytes, and 3'),
  'cut_in_shape': ('a', IDX[:15], 'is truncated', '16 bytes, and 15 were'),
  'cut_in_items': ('a', IDX[:-1], 'is truncated', '40 bytes, and 39 were'),
  'trailing': ('a', IDX + b'\0', 'has trailing bytes', '40 bytes, and 41'),
  'not_idx': ('a', b'\x89P' + IDX[2:], 'is no IDX file', 'with 89 50, not'),
  'few_axes': ('a', idx_bytes(CUBE[0]), 'has the number of axes 2, not 3', ''),
  'more_axes': (
    'a',
    idx_bytes(CUBE[None]),
    'has the number of axes 4, not 3',
    '',
  ),
  'floats': (
    'a',
    idx_bytes(CUBE.astype('>f4'), 0x0D),
    'has items of type float32 (0x0d), not uint8 (0x08)',
    '',
  ),
  'no_such_type': ('a', idx_bytes(CUBE, 0x42), 'has items of type unknown', ''),
  'no_items': ('a', idx_bytes(CUBE[:0]), 'is empty', '(0, 3, 4)'),
}


def fake_originals():
  """Returns the four files of a small MNIST: 20 images, and 10 to test."""
  files = {}
  for prefix, size in (('train', 20), ('t10k', 10)):
    pixels = np.random.RandomState(size).bytes(size * 28 * 28)
    images = np.frombuffer(pixels, np.uint8).reshape(size, 28, 28)
    files[f'{prefix}-images-idx3-ubyte'] = images
    files[f'{prefix}-labels-idx1-ubyte'] = np.arange(size, dtype=np.uint8) % 10
  return files


def items(*splits):
  """Returns what the splits hold as sorted pairs of an image and its label."""
  return sorted(
    (image.tobytes(), int(label))
    for split in splits
    for image, label in zip(*split, strict=True)
  )


class DatasetsTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.data_dir = pathlib.Path(self.create_tempdir().full_path)

  def write(self, name, content):
    path = self.data_dir / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path

  def write_mnist(self, files, gzipped=False):
    for file, array in files.items():
      content = idx_bytes(array)
      if gzipped:
        self.write(f'mnist/{file}.gz', gzip.compress(content))
      else:
        self.write(f'mnist/{file}', content)

  def assert_refused(self, start, detail, function, *args, **kwargs):
    """Asserts that an error is one sentence, with a start and a detail."""
    with self.assertRaises(datasets.DatasetError) as caught:
      function(*args, **kwargs)
    message = str(caught.exception)
    self.assertStartsWith(message, start)
    self.assertIn(detail, message)
    self.assertEndsWith(message, '.')
    self.assertNotIn('\n', message)
    return message


class ReadIdxTest(DatasetsTestCase):
  @parameterized.parameters(1, 2, 3)
  def test_plain_and_gzipped_files_give_the_array_back(self, num_axes):
    array = CUBE[(0,) * (3 - num_axes)]
    content = idx_bytes(array)
    plain = self.write('a', content)
    zipped = self.write('a.gz', gzip.compress(content))
    for path in (plain, str(plain), zipped, str(zipped)):
      for expected_axes in (None, num_axes):
        found = datasets.read_idx(path, num_axes=expected_axes)
        self.assertEqual(found.dtype, np.uint8)
        np.testing.assert_array_equal(found, array, strict=True)

  def test_gzip_may_come_in_members_and_padded(self):
    content = gzip.compress(IDX[:20]) + gzip.compress(IDX[20:]) + b'\0' * 512
    found = datasets.read_idx(self.write('a.gz', content))
    np.testing.assert_array_equal(found, CUBE, strict=True)

  @parameterized.named_parameters(
    (name, *case) for name, case in DAMAGED.items()
  )
  def test_each_damage_has_its_own_message(self, name, content, start, detail):
    path = self.write(name, content)
    self.assert_refused(
      f'{path} {start}', detail, datasets.read_idx, path, num_axes=3
    )

  @parameterized.parameters(('a', IDX), ('a.gz', GZIP))
  def test_a_file_cut_anywhere_is_truncated(self, name, content):
    for size in range(len(content)):
      path = self.write(name, content[:size])
      self.assert_refused(
        f'{path} is truncated: ', 'were found', datasets.read_idx, path
      )

  @parameterized.parameters(range(16))
  def test_no_byte_of_the_header_may_be_wrong(self, position):
    path = self.write('a', flipped(IDX, position))
    self.assert_refused(f'{path} ', 'original file', datasets.read_idx, path)

  @parameterized.parameters(0, 4, 255)
  def test_number_of_axes_is_bounded_where_it_is_not_known(self, num_axes):
    path = self.write('a', idx_bytes(CUBE[:1, :1, :1], shape=(1,) * num_axes))
    self.assert_refused(
      f'{path} has the number of axes {num_axes}, not 1 to 3',
      '',
      datasets.read_idx,
      path,
    )

  @parameterized.product(
    length=(2**10, 2**32 - 1),
    name_and_zip=(('a', bytes), ('a.gz', gzip.compress)),
  )
  def test_nothing_is_allocated_on_the_word_of_a_header(
    self, length, name_and_zip
  ):
    name, zip_content = name_and_zip
    content = idx_bytes(CUBE, shape=(length, length, length))
    path = self.write(name, zip_content(content))
    tracemalloc.start()
    self.addCleanup(tracemalloc.stop)
    self.assert_refused(
      f'{path} is truncated',
      f'announces {16 + length**3} bytes, and 40 were found',
      datasets.read_idx,
      path,
    )
    _, peak = tracemalloc.get_traced_memory()
    self.assertLess(peak, 2**20)

  def test_a_folder_cannot_be_read(self):
    self.assert_refused(
      f'{self.data_dir} cannot be read (Is a directory)',
      'check what it is',
      datasets.read_idx,
      self.data_dir,
    )

  def test_a_forbidden_file_cannot_be_read(self):
    path = self.write('a', IDX)
    # Mocked, as a file mode does not stop the superuser.
    error = PermissionError(13, 'Permission denied', str(path))
    with mock.patch.object(pathlib.Path, 'read_bytes', side_effect=error):
      self.assert_refused(
        f'{path} cannot be read (Permission denied)',
        'permissions',
        datasets.read_idx,
        path,
      )


class LoadTest(DatasetsTestCase):
  @parameterized.parameters(False, True)
  def test_mnist_is_read_from_its_original_files(self, gzipped):
    files = fake_originals()
    self.write_mnist(files, gzipped)
    mnist = datasets.load('mnist', self.data_dir)
    for split, prefix in ((mnist.train, 'train'), (mnist.test, 't10k')):
      images = files[f'{prefix}-images-idx3-ubyte']
      labels = files[f'{prefix}-labels-idx1-ubyte'].astype(np.int32)
      np.testing.assert_array_equal(split.images, images, strict=True)
      np.testing.assert_array_equal(split.labels, labels, strict=True)
    self.assertEqual(mnist.name, 'mnist')
    self.assertEqual(mnist.class_names, tuple('0123456789'))
    self.assertEqual(mnist.num_classes, 10)
    self.assertEqual(mnist.num_inputs, 784)

  def test_the_gzipped_file_is_read_where_both_are_there(self):
    self.write_mnist(fake_originals(), gzipped=True)
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
    for file in fake_originals():
      self.assertIn(str(self.data_dir / name / file), message)
    self.assertIn(f'original files of {name} into <data_dir>/{name}/', message)
    self.assertIn('--data_dir or TFDS_DATA_DIR', message)
    self.assertIn('digits, which needs no file', message)

  @parameterized.parameters(*fake_originals())
  def test_only_missing_files_are_named(self, missing):
    files = fake_originals()
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
    files = fake_originals()
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
    files = fake_originals()
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
      'choose one of digits, mnist, fashion_mnist.',
      datasets.load,
      name,
    )

  def test_module_needs_numpy_alone(self):
    absent = dict.fromkeys(('jax', 'sklearn', 'tensorflow'))
    with mock.patch.dict(sys.modules, absent):
      module = runpy.run_path(datasets.__file__)
    self.assertEqual(module['NAMES'], ('digits', 'mnist', 'fashion_mnist'))


class DigitsTest(DatasetsTestCase):
  def test_splits_have_their_sizes_and_units(self):
    digits = datasets.load('digits')
    for split, size in ((digits.train, 1437), (digits.test, 360)):
      self.assertEqual(split.images.shape, (size, 8, 8))
      self.assertEqual(split.images.dtype, np.uint8)
      self.assertEqual((split.images.min(), split.images.max()), (0, 255))
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
    expected = items((images, original.target))
    self.assertLen(set(expected), 1797)  # so disjoint items, disjoint splits
    self.assertEqual(items(digits.train, digits.test), expected)

  def test_each_class_gives_its_share(self):
    digits = datasets.load('digits')
    train = np.bincount(digits.train.labels, minlength=10)
    test = np.bincount(digits.test.labels, minlength=10)
    share = (train + test) * 360 / 1797
    np.testing.assert_array_less(np.abs(test - share), 1.0)

  def test_split_is_the_same_everywhere(self):
    # Accuracies compare only if every installation tests on the same images.
    test = datasets.load('digits').test
    self.assertEqual(zlib.crc32(test.images.tobytes()), 2487337816)

  def test_absent_scikit_learn_is_asked_for(self):
    with mock.patch.dict(sys.modules, {'sklearn': None}):
      self.assert_refused(
        'The data set digits comes with scikit-learn',
        'pip install scikit-learn',
        datasets.load,
        'digits',
      )


class HoldOutTest(DatasetsTestCase):
  def setUp(self):
    super().setUp()
    self.digits = datasets.load('digits')

  @parameterized.parameters((0.1, 144), (0.5, 718), (0.999, 1436))
  def test_splits_partition_the_training_split(self, fraction, num_held_out):
    held_out = datasets.hold_out(self.digits, fraction)
    self.assertLen(held_out.test.labels, num_held_out)
    self.assertEqual(
      items(held_out.train, held_out.test), items(self.digits.train)
    )
    self.assertEmpty(
      set(items(held_out.train, held_out.test)) & set(items(self.digits.test))
    )
    self.assertEqual(held_out.name, 'digits')
    self.assertEqual(held_out.class_names, self.digits.class_names)

  def test_each_class_gives_its_share(self):
    held_out = datasets.hold_out(self.digits, 0.25)
    share = np.bincount(self.digits.train.labels) * 359 / 1437
    found = np.bincount(held_out.test.labels)
    np.testing.assert_array_less(np.abs(found - share), 1.0)

  def test_split_depends_on_the_seed_alone(self):
    first = datasets.hold_out(self.digits, seed=1)
    again = datasets.hold_out(self.digits, seed=1)
    other = datasets.hold_out(self.digits, seed=2)
    np.testing.assert_array_equal(first.test.images, again.test.images)
    np.testing.assert_array_equal(first.train.labels, again.train.labels)
    self.assertNotEqual(items(first.test), items(other.test))

  @parameterized.parameters(-0.1, 0, 0.0001, 0.9999, 1, 1.5, float('nan'))
  def test_fraction_must_leave_an_image_on_either_side(self, fraction):
    self.assert_refused(
      f'A fraction of {fraction} cannot be held out of 1437 images;',
      'choose one between 0 and 1',
      datasets.hold_out,
      self.digits,
      fraction,
    )


class FashionMnistTest(parameterized.TestCase):
  # A prepared set of TensorFlow Datasets has a folder of the same name.
  @unittest.skipUnless(
    any(pathlib.Path(_DATA_DIR, 'fashion_mnist').glob('*-ubyte*')),
    'no original files in $TFDS_DATA_DIR/fashion_mnist',
  )
  def test_real_files_hold_what_they_should(self):
    fashion = datasets.load('fashion_mnist', _DATA_DIR)
    self.assertEqual(fashion.train.images.shape, (60_000, 28, 28))
    self.assertEqual(fashion.test.images.shape, (10_000, 28, 28))
    self.assertEqual(np.bincount(fashion.train.labels).tolist(), [6_000] * 10)
    self.assertEqual(np.bincount(fashion.test.labels).tolist(), [1_000] * 10)
    first = fashion.class_names[fashion.train.labels[0]]
    self.assertEqual((fashion.train.labels[0], first), (9, 'Ankle boot'))


if __name__ == '__main__':
  absltest.main()
