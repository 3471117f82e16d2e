"""Tests for prepared TFDS datasets."""

import json
import sys
from unittest import mock

from absl.testing import parameterized
import numpy as np
import PIL.Image
import tensorflow_datasets as tfds

from ssnn_jax import datasets
from ssnn_jax.datasets import tfds_sets
from tests.testing import datasets as data_util

TRAIN = data_util.random_split(30)
TEST = data_util.random_split(20, seed=1)


class FindTest(data_util.DatasetTestCase):
  def describe(self, folder, **content):
    self.write(f'{folder}/dataset_info.json', json.dumps(content).encode())

  @parameterized.parameters('mnist', 'emnist/balanced')
  def test_finds_newest_version_of_the_format(self, name):
    def find():
      # Finding must not import TFDS, which is slow.
      with mock.patch.dict(sys.modules, {'tensorflow_datasets': None}):
        return tfds_sets.find(name, self.data_dir)

    self.assertIsNone(find())
    for version in ('9.1.0', '10.0.1', '10.0.0', 'incomplete.ABCDEF_12.0.0'):
      self.describe(f'{name}/{version}', fileFormat='array_record')
    self.describe(f'{name}/11.0.0', fileFormat='tfrecord')
    (self.data_dir / name / '12.0.0').mkdir()
    self.assertEqual(find(), self.data_dir / name / '10.0.1')


class LoadTest(data_util.DatasetTestCase):
  """Tests of image datasets that the library does not know by name."""

  def setUp(self):
    super().setUp()
    self.train, self.test = (
      data_util.random_colors(size, num_classes=3) for size in (6, 4)
    )
    self.label = tfds.features.ClassLabel(names=('cat', 'dog', 'frog'))

  def prepare_own(self, image=None, **splits):
    image = image or tfds.features.Image(shape=(None, None, 3))
    splits = splits or {'train': self.train, 'test': self.test}
    return data_util.prepare_tfds(
      'colors', self.data_dir, image, self.label, **splits
    )

  def assert_own_refused(self, detail):
    folder = self.data_dir / 'colors' / '1.0.0'
    self.assert_load_refused('colors', f'{folder}: ', detail)

  @parameterized.parameters('test', 'validation')
  def test_loads_any_prepared_set_and_caches_it(self, part):
    self.prepare_own(**{'train': self.train, part: self.test})
    data_util.prepare_tfds(
      'flat',
      self.data_dir,
      tfds.features.Image(shape=(28, 28, 1)),
      tfds.features.ClassLabel(num_classes=10),
      train=TRAIN,
      test=TEST,
    )
    for _ in range(2):
      own = datasets.load('colors', self.data_dir)
      self.assertEqual(own.class_names, ('cat', 'dog', 'frog'))
      self.assertEqual((own.name, own.full_size), ('colors', None))
      self.assertEqual(own.input_shape, (32, 32, 3))
      data_util.assert_arrays_equal(
        (own.train, own.test), (self.train, self.test)
      )
      self.assertTrue(data_util.is_mapped(own.train.inputs))
      flat = datasets.load('flat', self.data_dir)
      data_util.assert_arrays_equal((flat.train, flat.test), (TRAIN, TEST))
      self.enterContext(mock.patch.object(tfds_sets, 'read'))  # is cached

  def test_files_with_palettes_and_in_gray_have_the_channels_of_the_set(self):
    palette = PIL.Image.fromarray(self.train.inputs[0]).quantize(16)
    gray = PIL.Image.fromarray(self.train.inputs[1, ..., 0])
    self.prepare_own(train=((palette, gray), (0, 1)), test=self.test)
    found = datasets.load('colors', self.data_dir).train.inputs
    for image, expected in zip(found, (palette, gray)):
      np.testing.assert_array_equal(image, np.asarray(expected.convert('RGB')))

  def test_images_of_several_sizes_are_refused(self):
    images = [self.train.inputs[0], self.train.inputs[1, :30]]
    self.prepare_own(train=(images, (0, 1)), test=self.test)
    self.assert_own_refused('several sizes, as (32, 32) and (30, 32); resize')

  def test_other_features_and_splits_are_refused(self):
    self.prepare_own(train=self.train)
    self.assert_own_refused('the splits are train; expected train, and test or')
    images = np.zeros((1, 2, 2), np.uint16)
    folder = data_util.prepare_tfds(
      'deep',
      self.data_dir,
      tfds.features.Image(shape=(2, 2, 1), dtype=np.uint16),
      self.label,
      train=(images, [0]),
      test=(images, [0]),
    )
    self.assert_load_refused('deep', f'{folder}: the features are ', 'uint16')

  @parameterized.parameters(
    ('features.json', lambda _: b''),
    ('colors-train*', None),  # deleted
    ('colors-test*', lambda content: content.replace(b'IDAT', b'DATA')),
    ('colors-test*', lambda content: content[: len(content) // 2]),
  )
  def test_damaged_or_missing_files_are_refused(self, pattern, damage):
    folder = self.prepare_own()
    (path,) = folder.glob(pattern)
    if damage is None:
      path.unlink()
    else:
      path.write_bytes(damage(path.read_bytes()))
    start = f'{folder} cannot be read as a prepared TFDS dataset ('
    self.assert_load_refused('colors', start, 'remove it')

  def test_missing_reader_is_named(self):
    self.prepare_own()
    missing = mock.patch.dict(sys.modules, {'array_record': None})
    with missing, mock.patch.dict(sys.modules):
      sys.modules.pop('array_record.python', None)
      with self.assertRaisesRegex(
        datasets.DatasetError, 'pip install array_record.$'
      ):
        datasets.load('colors', self.data_dir)
