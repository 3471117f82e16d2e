"""Tests for prepared sets of TensorFlow Datasets."""

import contextlib
import io
import json
import os
import pathlib
import resource
import shutil
import sys
import tempfile
import unittest
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import PIL.Image
import tensorflow_datasets as tfds

from ssnn_jax.datasets import idx
from ssnn_jax.datasets import tfds_sets
from ssnn_jax.datasets import types

_DATA_DIR = pathlib.Path(os.environ.get('TFDS_DATA_DIR', '/nowhere'))
_ORIGINALS = _DATA_DIR / 'fashion_mnist'


def random_split(size, seed=0):
  random = np.random.RandomState(seed)
  images = random.randint(0, 256, (size, 28, 28)).astype(np.uint8)
  return types.Split(images, random.randint(0, 10, size).astype(np.int32))


TRAIN, TEST = random_split(30), random_split(20, seed=1)


class TfdsSetsTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.data_dir = pathlib.Path(self.create_tempdir().full_path)
    self.scratch = pathlib.Path(self.create_tempdir().full_path)
    self.enter_context(
      mock.patch.object(tempfile, 'tempdir', str(self.scratch))
    )

  def prepare(self, name='mnist', train=TRAIN, test=TEST):
    return tfds_sets.prepare(name, self.data_dir, train, test)

  def write_description(self, folder, content):
    path = self.data_dir / folder / 'dataset_info.json'
    path.parent.mkdir(parents=True)
    if not isinstance(content, bytes):
      content = json.dumps(content).encode()
    path.write_bytes(content)
    return path.parent

  def assert_nothing_in(self, folder):
    self.assertEmpty(list(folder.iterdir()))

  def assert_refused(self, start, detail, function, *args):
    """Asserts that an error is one sentence, with a start and a detail."""
    with self.assertRaises(types.DatasetError) as caught:
      function(*args)
    message = str(caught.exception)
    self.assertStartsWith(message, start)
    self.assertIn(detail, message)
    self.assertEndsWith(message, '.')
    self.assertNotIn('\n', message)


class FindTest(TfdsSetsTestCase):
  def find(self, name='mnist'):
    # Finding must not import TFDS, which takes its time.
    with mock.patch.dict(sys.modules, {'tensorflow_datasets': None}):
      return tfds_sets.find(name, self.data_dir)

  def test_there_is_none_where_there_is_no_folder(self):
    self.assertIsNone(self.find())

  @parameterized.parameters('mnist', 'emnist/balanced')
  def test_newest_version_is_found(self, name):
    for version in ('9.1.0', '10.0.1', '10.0.0'):
      self.write_description(
        f'{name}/{version}', {'fileFormat': 'array_record'}
      )
    self.assertEqual(self.find(name), self.data_dir / name / '10.0.1')

  def test_all_else_is_passed_over(self):
    array_record = {'fileFormat': 'array_record'}
    folder = self.write_description('mnist/1.0.0', array_record)
    self.write_description('mnist/1.0', array_record)
    self.write_description('mnist/incomplete.ABCDEF_2.0.0', array_record)
    self.write_description('mnist/3.0.0', {'fileFormat': 'tfrecord'})
    self.write_description('mnist/4.0.0', {})
    (self.data_dir / 'mnist/5.0.0').mkdir()
    (self.data_dir / 'mnist/6.0.0').write_bytes(b'')
    (self.data_dir / 'mnist/train-images-idx3-ubyte.gz').write_bytes(b'')
    self.assertEqual(self.find(), folder)
    shutil.rmtree(folder)
    self.assertIsNone(self.find())

  @parameterized.parameters(b'', b'{', b'[]', b'\xff')
  def test_a_broken_description_is_refused(self, content):
    folder = self.write_description('mnist/1.0.0', content)
    self.assert_refused(
      f'{folder}/dataset_info.json does not describe a TFDS set (',
      f'remove {folder} ',
      self.find,
    )

  def test_a_file_in_the_place_of_the_folder_cannot_be_read(self):
    path = self.data_dir / 'mnist'
    path.write_bytes(b'')
    self.assert_refused(
      f'{path} cannot be read (Not a directory)', '', self.find
    )

  def test_a_folder_in_the_place_of_the_description_cannot_be_read(self):
    path = self.data_dir / 'mnist/1.0.0/dataset_info.json'
    path.mkdir(parents=True)
    self.assert_refused(
      f'{path} cannot be read (Is a directory)', '', self.find
    )


class PrepareTest(TfdsSetsTestCase):
  @parameterized.parameters('mnist', 'fashion_mnist', 'emnist/balanced')
  def test_what_is_prepared_is_read_back(self, name):
    folder = self.prepare(name)
    self.assertEqual(tfds_sets.find(name, self.data_dir), folder)
    for part, expected in (('train', TRAIN), ('test', TEST)):
      found = tfds_sets.read(folder)[part]
      for field in types.Split._fields:
        np.testing.assert_array_equal(
          getattr(found, field), getattr(expected, field), strict=True
        )

  @parameterized.parameters('mnist', 'fashion_mnist', 'emnist/balanced')
  def test_tfds_reads_it_as_the_stock_set(self, name):
    folder = self.prepare(name)
    stock = tfds.builder(name, data_dir=self.create_tempdir().full_path)
    read_only = tfds.builder_from_directory(folder)
    self.assertEqual(read_only.info.full_name, stock.info.full_name)
    self.assertEqual(
      read_only.info.features.to_json(), stock.info.features.to_json()
    )
    self.assertEqual(
      read_only.info.features['label'].names,
      stock.info.features['label'].names,
    )
    source = tfds.data_source(name, data_dir=self.data_dir, split='test')
    self.assertEqual([item['label'] for item in source], TEST.labels.tolist())
    np.testing.assert_array_equal(source[3]['image'][..., 0], TEST.inputs[3])

  def test_nothing_is_printed_or_left_beside_it(self):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
      folder = self.prepare()
    self.assertEmpty(printed.getvalue())
    self.assert_nothing_in(self.scratch)
    self.assertEqual(list(self.data_dir.iterdir()), [folder.parent])
    self.assertEqual(list(folder.parent.iterdir()), [folder])
    self.assertEmpty(list(folder.glob('*incomplete*')))

  def test_stock_builder_stays_the_registered_one(self):
    stock = tfds.builder_cls('mnist')
    self.prepare()
    self.assertIs(tfds.builder_cls('mnist'), stock)

  def test_a_prepared_set_is_left_as_it_is(self):
    folder = self.prepare()
    again = self.prepare(train=TEST, test=TRAIN)
    self.assertEqual(again, folder)
    found = tfds_sets.read(folder)['train']
    np.testing.assert_array_equal(found.inputs, TRAIN.inputs)

  def test_of_two_that_are_made_at_once_the_first_wins(self):
    other = self.prepare()
    elsewhere = pathlib.Path(self.create_tempdir().full_path)
    folder = elsewhere / 'mnist' / other.name
    build = tfds_sets._build

    def build_and_come_second(*args):
      build(*args)
      shutil.copytree(other, folder)

    with mock.patch.object(tfds_sets, '_build', build_and_come_second):
      second = tfds_sets.prepare('mnist', elsewhere, TEST, TRAIN)
    self.assertEqual(second, folder)
    self.assertEqual(list(folder.parent.iterdir()), [folder])
    found = tfds_sets.read(folder)['train']
    np.testing.assert_array_equal(found.inputs, TRAIN.inputs)

  def test_letters_are_refused(self):
    self.assert_refused(
      'emnist/letters cannot be prepared',
      'original files',
      self.prepare,
      'emnist/letters',
    )

  def test_a_set_in_another_format_is_left_as_it_is(self):
    version = str(tfds.builder_cls('mnist').VERSION)
    description = {'fileFormat': 'tfrecord'}
    folder = self.write_description(f'mnist/{version}', description)
    self.assert_refused(
      f'{folder} is no TFDS set in the format array_record; ',
      'move it away',
      self.prepare,
    )
    self.assertLen(list(folder.iterdir()), 1)

  def test_a_full_disk_leaves_nothing_behind(self):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    self.assert_refused(
      f'{self.data_dir}/mnist/',
      'write() failed: File too large); make room',
      self.prepare,
    )
    self.assert_nothing_in(self.data_dir)

  @parameterized.parameters(
    (OSError(28, 'No space left on device'), types.DatasetError),
    (KeyboardInterrupt(), KeyboardInterrupt),
  )
  def test_a_stop_leaves_nothing_behind(self, stop, expected):
    save = [None] * 10 + [stop]
    with (
      mock.patch.object(PIL.Image.Image, 'save', side_effect=save),
      self.assertRaises(expected),
    ):
      self.prepare()
    self.assert_nothing_in(self.data_dir)

  def test_a_data_dir_that_is_a_file_cannot_be_written(self):
    self.data_dir /= 'file'
    self.data_dir.write_bytes(b'')
    self.assert_refused(
      f'{self.data_dir}/mnist cannot be read (Not a directory)',
      'permissions',
      self.prepare,
    )

  def test_a_data_dir_that_is_forbidden_cannot_be_written(self):
    # Mocked, as a file mode does not stop the superuser.
    error = PermissionError(13, 'Permission denied')
    with mock.patch.object(os, 'mkdir', side_effect=error):
      self.assert_refused(
        f'{self.data_dir}/mnist/',
        'cannot be written (Permission denied); make room or permission',
        self.prepare,
      )


class ReadTest(TfdsSetsTestCase):
  @parameterized.parameters(0, 1, 1000, 2**16, 2**16 + 1000, -1)
  def test_a_truncated_file_is_refused(self, size):
    folder = self.prepare()
    path = next(folder.glob('mnist-test*'))
    path.write_bytes(path.read_bytes()[:size])
    self.assert_unreadable(folder)

  def test_a_changed_image_is_refused(self):
    folder = self.prepare()
    path = next(folder.glob('mnist-test*'))
    content = path.read_bytes()
    start = content.index(b'IDAT') + 100
    path.write_bytes(content[:start] + b'changed' + content[start + 7 :])
    self.assert_unreadable(folder)

  @parameterized.parameters(
    ('features.json', b''),
    ('features.json', b'{}'),
    ('dataset_info.json', b'{'),
  )
  def test_a_broken_description_is_refused(self, file, content):
    folder = self.prepare()
    (folder / file).write_bytes(content)
    self.assert_unreadable(folder)

  @parameterized.parameters('mnist-train*', 'features.json')
  def test_a_missing_file_is_refused(self, pattern):
    folder = self.prepare()
    next(folder.glob(pattern)).unlink()
    self.assert_unreadable(folder)

  def assert_unreadable(self, folder):
    self.assert_refused(
      f'{folder} cannot be read as a prepared TFDS set (',
      'remove it',
      tfds_sets.read,
      folder,
    )

  @parameterized.parameters(
    'tensorflow_datasets', 'array_record', 'PIL', 'importlib_resources'
  )
  def test_a_missing_package_is_asked_for(self, name):
    with mock.patch.dict(sys.modules, {name: None}):
      self.assert_refused(
        'Prepared TFDS sets need packages that cannot be imported',
        'pip install',
        tfds_sets.read,
        self.data_dir,
      )


class FashionMnistTest(TfdsSetsTestCase):
  @unittest.skipUnless(
    any(_ORIGINALS.glob('*-ubyte.gz')),
    'no original files in $TFDS_DATA_DIR/fashion_mnist',
  )
  def test_real_images_are_read_back(self):
    splits = {}
    for part, file in (('train', 'train'), ('test', 't10k')):
      images = idx.read_idx(_ORIGINALS / f'{file}-images-idx3-ubyte.gz')
      labels = idx.read_idx(_ORIGINALS / f'{file}-labels-idx1-ubyte.gz')
      splits[part] = types.Split(images[:300], labels[:300].astype(np.int32))
    found = tfds_sets.read(self.prepare('fashion_mnist', **splits))
    for part in ('train', 'test'):
      np.testing.assert_array_equal(found[part].inputs, splits[part].inputs)
      np.testing.assert_array_equal(found[part].labels, splits[part].labels)


if __name__ == '__main__':
  absltest.main()
