"""Tests for prepared TFDS datasets."""

import contextlib
import io
import json
import shutil
import sys
import tempfile
from unittest import mock

from absl.testing import parameterized
import numpy as np
import PIL.Image
import tensorflow_datasets as tfds

from ssnn_jax import datasets
from ssnn_jax.datasets import files
from ssnn_jax.datasets import images
from ssnn_jax.datasets import tfds_sets
from ssnn_jax.datasets import types
from tests.testing import datasets as data_util

NAMES = ('mnist', 'fashion_mnist', 'emnist/balanced')
TRAIN = data_util.random_split(30)
TEST = data_util.random_split(20, seed=1)
ARRAY_RECORD = {'fileFormat': 'array_record'}


class TfdsSetsTestCase(data_util.DatasetTestCase):
  def setUp(self):
    super().setUp()
    self.scratch = self.make_folder()
    self.enterContext(mock.patch.object(tempfile, 'tempdir', str(self.scratch)))

  def prepare(self, name='mnist', train=TRAIN, test=TEST):
    return tfds_sets.prepare(name, self.data_dir, train, test)

  def write_description(self, folder, content):
    if not isinstance(content, bytes):
      content = json.dumps(content).encode()
    return self.write(f'{folder}/dataset_info.json', content).parent


class FindTest(TfdsSetsTestCase):
  def find(self, name='mnist'):
    # Finding must not import TFDS, which is slow.
    with mock.patch.dict(sys.modules, {'tensorflow_datasets': None}):
      return tfds_sets.find(name, self.data_dir)

  @parameterized.parameters('mnist', 'emnist/balanced')
  def test_finds_newest_version(self, name):
    self.assertIsNone(self.find(name))
    for version in ('9.1.0', '10.0.1', '10.0.0'):
      self.write_description(f'{name}/{version}', ARRAY_RECORD)
    self.assertEqual(self.find(name), self.data_dir / name / '10.0.1')

  def test_ignores_other_files_and_formats(self):
    folder = self.write_description('mnist/1.0.0', ARRAY_RECORD)
    self.write_description('mnist/1.0', ARRAY_RECORD)
    self.write_description('mnist/incomplete.ABCDEF_2.0.0', ARRAY_RECORD)
    self.write_description('mnist/3.0.0', {'fileFormat': 'tfrecord'})
    self.write_description('mnist/4.0.0', {})
    (self.data_dir / 'mnist/5.0.0').mkdir()
    self.write('mnist/6.0.0', b'')
    self.write('mnist/train-images-idx3-ubyte.gz', b'')
    self.assertEqual(self.find(), folder)
    shutil.rmtree(folder)
    self.assertIsNone(self.find())

  @parameterized.parameters(b'', b'{', b'[]', b'\xff', b'[' * 10**6)
  def test_rejects_invalid_description(self, content):
    folder = self.write_description('mnist/1.0.0', content)
    self.assert_refused(f'{folder} ', 'prepare', self.find)


class PrepareTest(TfdsSetsTestCase):
  @parameterized.parameters(*NAMES)
  def test_own_reader_and_tfds_read_prepared_dataset(self, name):
    folder = self.prepare(name)
    self.assertEqual(tfds_sets.find(name, self.data_dir), folder)
    found = tfds_sets.read(folder)
    data_util.assert_arrays_equal((found.train, found.test), (TRAIN, TEST))
    stock = tfds.builder(name, data_dir=self.make_folder()).info
    prepared = tfds.builder_from_directory(folder).info
    self.assertEqual(prepared.full_name, stock.full_name)
    self.assertEqual(prepared.features.to_json(), stock.features.to_json())
    self.assertEqual(
      prepared.features['label'].names, stock.features['label'].names
    )
    source = tfds.data_source(name, data_dir=self.data_dir, split='test')
    self.assertEqual([item['label'] for item in source], TEST.labels.tolist())
    np.testing.assert_array_equal(source[3]['image'][..., 0], TEST.inputs[3])

  def test_writes_only_the_dataset_and_no_output(self):
    stock = tfds.builder_cls('mnist')
    with contextlib.redirect_stdout(io.StringIO()) as output:
      folder = self.prepare()
    self.assertEmpty(output.getvalue())
    self.assert_empty(self.scratch)
    self.assertEqual(list(self.data_dir.iterdir()), [folder.parent])
    self.assertEqual(list(folder.parent.iterdir()), [folder])
    self.assertEmpty(list(folder.glob('*incomplete*')))
    self.assertIs(tfds.builder_cls('mnist'), stock)  # still registered

  def test_keeps_prepared_dataset(self):
    folder = self.prepare()
    again = self.prepare(train=TEST, test=TRAIN)
    self.assertEqual(again, folder)
    found = tfds_sets.read(folder).train
    np.testing.assert_array_equal(found.inputs, TRAIN.inputs)

  def test_keeps_dataset_of_concurrent_process(self):
    first = self.prepare()
    self.data_dir = self.make_folder()
    folder = self.data_dir / 'mnist' / first.name
    publish = files.publish

    def publish_second(*args):
      shutil.copytree(first, folder)
      publish(*args)

    with mock.patch.object(files, 'publish', publish_second):
      second = self.prepare(train=TEST, test=TRAIN)
    self.assertEqual(second, folder)
    self.assertEqual(list(folder.parent.iterdir()), [folder])
    found = tfds_sets.read(folder).train
    np.testing.assert_array_equal(found.inputs, TRAIN.inputs)

  def test_rejects_letters(self):
    start = 'emnist/letters cannot be prepared'
    self.assert_refused(start, 'original files', self.prepare, 'emnist/letters')

  def test_keeps_and_rejects_dataset_in_another_format(self):
    version = str(tfds.builder_cls('mnist').VERSION)
    description = {'fileFormat': 'tfrecord'}
    folder = self.write_description(f'mnist/{version}', description)
    self.assert_refused(
      f'{folder} is not a TFDS dataset in the format array_record; ',
      'move it away',
      self.prepare,
    )
    self.assertLen(list(folder.iterdir()), 1)

  @parameterized.parameters(OSError, KeyboardInterrupt)
  def test_failure_leaves_no_files(self, error):
    save = [None] * 10 + [error]
    with (
      mock.patch.object(PIL.Image.Image, 'save', side_effect=save),
      self.assertRaises(error),
    ):
      self.prepare()
    self.assert_empty(self.data_dir)


class LoadTest(TfdsSetsTestCase):
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
    for name, image, detail in (
      ('deep', tfds.features.Image(shape=(2, 2, 1), dtype=np.uint16), 'uint16'),
      ('none', None, 'the features are '),
    ):
      images = np.zeros((1, 2, 2), np.uint16)
      folder = data_util.prepare_tfds(
        name,
        self.data_dir,
        image,
        self.label,
        train=(images, [0]),
        test=(images, [0]),
      )
      self.assert_load_refused(name, f'{folder}: ', detail)

  def test_unknown_labels_are_refused(self):
    self.prepare_own(train=self.train, test=(self.test.inputs, [-1] * 4))
    self.assert_own_refused('y_test has ')


def change_image(content):
  start = content.index(b'IDAT') + 100
  return content[:start] + b'changed' + content[start + 7 :]


class ReadTest(TfdsSetsTestCase):
  @parameterized.parameters(
    ('features.json', lambda _: b''),
    ('features.json', lambda _: b'{}'),
    ('features.json', None),  # deleted
    ('dataset_info.json', lambda _: b'{'),
    ('mnist-train*', None),
    ('mnist-test*', change_image),
    ('mnist-test*', lambda _: b''),
    ('mnist-test*', lambda content: content[:1]),
    ('mnist-test*', lambda content: content[:1000]),
    ('mnist-test*', lambda content: content[: 2**16]),
    ('mnist-test*', lambda content: content[: 2**16 + 1000]),
    ('mnist-test*', lambda content: content[:-1]),
  )
  def test_rejects_damaged_or_missing_file(self, pattern, damage):
    folder = self.prepare()
    path = next(folder.glob(pattern))
    if damage is None:
      path.unlink()
    else:
      path.write_bytes(damage(path.read_bytes()))
    start = f'{folder} cannot be read as a prepared TFDS dataset ('
    self.assert_refused(start, 'remove it', tfds_sets.read, folder)

  @data_util.requires_files('fashion_mnist/*-ubyte*')
  def test_real_images_are_read_back(self):
    paths = images.find_originals('fashion_mnist', data_util.REAL_DATA)
    originals = images.read_originals('fashion_mnist', paths)
    splits = {
      part: types.Split(split.inputs[:300], split.labels[:300])
      for part, split in originals.items()
    }
    found = tfds_sets.read(self.prepare('fashion_mnist', **splits))
    for part, split in splits.items():
      data_util.assert_arrays_equal(getattr(found, part), split)
