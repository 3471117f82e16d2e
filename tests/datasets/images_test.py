"""Tests for images: digits, IDX files and sets prepared by TFDS."""

import gzip
import json
import os
import shutil
import sys
from unittest import mock
import zipfile
import zlib

from absl.testing import parameterized
import numpy as np
import PIL.Image
import tensorflow_datasets as tfds

from ssnn_jax import datasets
from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import files
from ssnn_jax.datasets import images
from tests.testing import datasets as data_util
from tests.testing.datasets import idx_bytes

CUBE = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
IDX = idx_bytes(CUBE)  # a header of 16 bytes, and 24 items
GZIP = gzip.compress(IDX, mtime=0)
CHANGED = GZIP[:-8] + bytes([GZIP[-8] ^ 255]) + GZIP[-7:]  # the checksum


class IdxTest(data_util.DatasetTestCase):
  @parameterized.parameters(
    ('a.gz', IDX),
    ('a.gz', CHANGED),
    ('a', IDX + b'\0'),
    ('a', idx_bytes(CUBE.astype('i1'), 0x09)),
    *(('a', IDX[:size]) for size in (0, 3, 4, 10, 16, 39)),
    *(('a.gz', GZIP[:size]) for size in (0, 5, 20, len(GZIP) - 1)),
  )
  def test_refuses_damaged_file(self, name, content):
    path = self.write(name, content)
    words = f'{path} cannot be read .*original IDX file'
    self.assert_refused(words, images.read_idx, path)

  @parameterized.parameters(False, True)
  def test_loads_mnist(self, gzipped):
    originals = data_util.fake_originals()
    self.write_mnist(originals, gzipped)
    if gzipped:  # takes precedence over a plain file
      self.write('mnist/train-labels-idx1-ubyte', b'other content')
    (*images_and_labels,) = originals.values()
    expected = [
      (pixels, labels.astype(np.int32))
      for pixels, labels in zip(images_and_labels[::2], images_and_labels[1::2])
    ]
    for _ in range(2):
      mnist = datasets.load('mnist', self.data_dir)
      data_util.assert_arrays_equal(mnist[1:3], expected)
      self.assertTrue(data_util.is_mapped(mnist.train.inputs))
      self.enterContext(mock.patch.object(images, 'read_idx'))  # is cached
    self.assertEqual(mnist.name, 'mnist')
    self.assertEqual(mnist.class_names, tuple('0123456789'))
    self.assertEqual((mnist.num_inputs, mnist.full_size), (784, 70_000))

  def test_refuses_files_of_another_dataset(self):
    file = {'t10k-images-idx3-ubyte': CUBE}
    self.write_mnist(data_util.fake_originals() | file)
    words = r'mnist: x_test has inputs uint8\(3, 4\)'
    self.assert_refused(words, datasets.load, 'mnist', self.data_dir)

  def test_downloads_missing_files_only_on_request(self):
    def download(family, folder):
      self.assertEqual((family, folder), ('mnist', self.data_dir / 'mnist'))
      self.write_mnist(data_util.fake_originals())

    self.enterContext(mock.patch.object(files, 'download', download))
    words = 'Cannot find train-images.*with --download'
    self.assert_refused(words, datasets.load, 'mnist', self.data_dir)
    mnist = datasets.load('mnist', self.data_dir, download=True)
    self.assertLen(mnist.train.labels, 20)

  @data_util.requires_files('fashion_mnist/*-ubyte*')
  def test_real_files_have_expected_sizes_and_classes(self):
    fashion = datasets.load('fashion_mnist', data_util.REAL_DATA)
    for split, size in ((fashion.train, 60_000), (fashion.test, 10_000)):
      self.assertEqual(split.inputs.shape, (size, 28, 28))
      self.assertEqual(np.bincount(split.labels).tolist(), [size // 10] * 10)
    first = fashion.class_names[fashion.train.labels[0]]
    self.assertEqual((fashion.train.labels[0], first), (9, 'Ankle boot'))


# Classes, training images and test images, from Table II of the EMNIST paper.
EMNIST = {
  'balanced': (47, 112_800, 18_800),
  'byclass': (62, 697_932, 116_323),
  'bymerge': (47, 697_932, 116_323),
  'digits': (10, 240_000, 40_000),
  'letters': (26, 124_800, 20_800),
  'mnist': (10, 60_000, 10_000),
}
# Asymmetric images, whose second pixel encodes the class.
UPRIGHT = np.zeros((62, 28, 28), np.uint8)
UPRIGHT[:, 0, 1], UPRIGHT[:, 2, 0] = 1 + np.arange(62), 255


class EmnistTest(data_util.DatasetTestCase):
  def contents(self, split):
    """Returns the four files of a split: images are stored transposed."""
    contents = {}
    for part, size in (('train', 200), ('test', 100)):
      classes = np.arange(size, dtype=np.uint8) % EMNIST[split][0]
      labels = classes + np.uint8(split == 'letters')
      stored = UPRIGHT.transpose(0, 2, 1)[classes]
      prefix = f'emnist-{split}-{part}'
      contents[f'{prefix}-images-idx3-ubyte'] = idx_bytes(stored)
      contents[f'{prefix}-labels-idx1-ubyte'] = idx_bytes(labels)
    return contents

  @parameterized.parameters(*EMNIST)
  def test_loads_upright_images_with_labels_from_0(self, split):
    num_classes, *full_sizes = EMNIST[split]
    (self.data_dir / 'emnist').mkdir()
    with zipfile.ZipFile(self.data_dir / 'emnist/gzip.zip', 'w') as archive:
      for name, content in self.contents(split).items():
        archive.writestr(f'gzip/{name}.gz', gzip.compress(content, 1))
    emnist = datasets.load(f'emnist/{split}', self.data_dir)
    self.assertLen(set(emnist.class_names), num_classes)
    self.assertEqual(emnist.full_size, sum(full_sizes))
    for part, size in ((emnist.train, 200), (emnist.test, 100)):
      labels = np.arange(size, dtype=np.int32) % num_classes
      data_util.assert_arrays_equal(part, (UPRIGHT[labels], labels))

  @parameterized.parameters('emnist', 'emnist/gzip')
  def test_reads_unpacked_files(self, folder):
    for name, content in self.contents('letters').items():
      self.write(f'{folder}/{name}', content)
    emnist = datasets.load('emnist/letters', self.data_dir)
    np.testing.assert_array_equal(emnist.train.labels, np.arange(200) % 26)


class CatalogTest(parameterized.TestCase):
  def test_data_dir_is_argument_then_variable_then_default(self):
    variables = {'HOME': '/home/me', 'TFDS_DATA_DIR': '/variable'}
    with mock.patch.dict(os.environ, variables):
      for given, folder in (
        ('/argument', '/argument'),
        ('~/a', '/home/me/a'),
        (None, '/variable'),
        ('', '/variable'),
      ):
        self.assertEqual(str(catalog.find_data_dir(given)), folder)
      del os.environ['TFDS_DATA_DIR']
      default = '/home/me/tensorflow_datasets'
      self.assertEqual(str(catalog.find_data_dir(None)), default)

  def test_digits_are_disjoint_and_fixed(self):
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


COLOR, LABEL = (
  tfds.features.Image(shape=(None, None, 3)),
  ('cat', 'dog', 'frog'),
)
GRAY = tfds.features.Image(shape=(28, 28, 1))
TRAIN, TEST = (data_util.random_colors(n, num_classes=3) for n in (6, 4))


class PreparedTest(data_util.DatasetTestCase):
  def prepare(self, name='colors', image=COLOR, names=LABEL, **splits):
    label = tfds.features.ClassLabel(names=names)
    splits = splits or {'train': TRAIN, 'test': TEST}
    return data_util.prepare_tfds(name, self.data_dir, image, label, **splits)

  def assert_refused(self, words):
    words = f'colors.*{words}.* expected splits train and test'
    super().assert_refused(words, datasets.load, 'colors', self.data_dir)

  @parameterized.parameters('mnist', 'emnist/balanced')
  def test_finds_newest_version_of_the_format(self, name):
    for version, form in (
      ('9.1.0', 'array_record'),
      ('10.0.1', 'array_record'),
      ('10.0.0', 'array_record'),
      ('incomplete.ABCDEF_12.0.0', 'array_record'),
      ('11.0.0', 'tfrecord'),
    ):
      content = json.dumps({'fileFormat': form}).encode()
      self.write(f'{name}/{version}/dataset_info.json', content)
    (self.data_dir / name / '12.0.0').mkdir()
    # Finding must not import TFDS, which is slow.
    with mock.patch.dict(sys.modules, {'tensorflow_datasets': None}):
      found = images._find_prepared(name, self.data_dir)
    self.assertEqual(found, self.data_dir / name / '10.0.1')

  @parameterized.parameters('test', 'validation')
  def test_loads_any_prepared_set_in_chunks_and_caches_it(self, part):
    self.prepare(**{'train': TRAIN, part: TEST})
    self.enterContext(mock.patch.object(images, '_CHUNK_SIZE', 4))
    for _ in range(2):
      own = datasets.load('colors', self.data_dir)
      self.assertEqual(own.class_names, LABEL)
      self.assertEqual((own.name, own.full_size), ('colors', None))
      self.assertEqual(own.input_shape, (32, 32, 3))
      data_util.assert_arrays_equal(own[1:3], (TRAIN, TEST))
      self.assertTrue(data_util.is_mapped(own.train.inputs))
      reader = mock.patch.object(tfds, 'builder_from_directory')
      self.enterContext(reader)

  @parameterized.parameters('mnist', 'emnist/digits')
  def test_prepared_set_takes_precedence_over_files(self, name):
    self.write_mnist(data_util.fake_originals())
    stored = data_util.random_split(10)
    names = [f'class {number}' for number in range(10)]
    self.prepare(name, GRAY, names, train=stored, test=stored)
    found = datasets.load(name, self.data_dir)
    is_transposed = name == 'emnist/digits'
    axes = (0, 2, 1) if is_transposed else (0, 1, 2)
    expected = stored._replace(inputs=stored.inputs.transpose(axes))
    data_util.assert_arrays_equal(found[1:3], (expected, expected))
    self.assertEqual(found.class_names, tuple('0123456789'))

  def test_files_with_palettes_and_in_gray_have_the_channels_of_the_set(self):
    palette = PIL.Image.fromarray(TRAIN.inputs[0]).quantize(16)
    gray = PIL.Image.fromarray(TRAIN.inputs[1, ..., 0])
    self.prepare(train=((palette, gray), (0, 1)), test=TEST)
    found = datasets.load('colors', self.data_dir).train.inputs
    for image, expected in zip(found, (palette, gray)):
      np.testing.assert_array_equal(image, np.asarray(expected.convert('RGB')))

  def test_other_images_and_splits_are_refused(self):
    pair = [TRAIN.inputs[0], TRAIN.inputs[1, :30]]
    deep = tfds.features.Image(shape=(2, 2, 1), dtype=np.uint16)
    values = np.zeros((1, 2, 2), np.uint16), [0]
    for words, options in (
      ('same shape', {'train': (pair, (0, 1)), 'test': TEST}),
      ('validation', {'train': TRAIN}),
      ('uint16', {'image': deep, 'train': values, 'test': values}),
    ):
      folder = self.prepare(**options)
      self.assert_refused(words)
      shutil.rmtree(folder)

  @parameterized.parameters(
    ('features.json', lambda _: b''),
    ('colors-train*', None),  # deleted
    ('colors-test*', lambda content: content.replace(b'IDAT', b'DATA')),
    ('colors-test*', lambda content: content[: len(content) // 2]),
  )
  def test_damaged_or_missing_files_are_refused(self, pattern, damage):
    (path,) = self.prepare().glob(pattern)
    if damage is None:
      path.unlink()
    else:
      path.write_bytes(damage(path.read_bytes()))
    self.assert_refused('cannot be read')
