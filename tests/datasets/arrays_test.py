"""Tests for data sets of one's own arrays."""

import os
import pathlib
from unittest import mock
import zipfile

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

import ssnn_jax
from ssnn_jax import datasets
from tests.testing import datasets as data_util

IMAGES = np.arange(6 * 3 * 2, dtype=np.uint8).reshape(6, 3, 2)
LABELS = np.array([0, 1, 2, 0, 1, 2])
ARRAYS = {
  'x_train': IMAGES,
  'y_train': LABELS,
  'x_test': IMAGES[:4],
  'y_test': LABELS[:4],
}


class FromArraysTest(data_util.DatasetTestCase):
  def test_images_are_taken_as_they_are(self):
    dataset = datasets.from_arrays(**ARRAYS, name='own')
    self.assertEqual(dataset.name, 'own')
    self.assertEqual(dataset.class_names, ('0', '1', '2'))
    self.assertEqual((dataset.num_inputs, dataset.num_classes), (6, 3))
    self.assertIsNone(dataset.full_size)
    for split, size in ((dataset.train, 6), (dataset.test, 4)):
      np.testing.assert_array_equal(split.inputs, IMAGES[:size], strict=True)
      expected = LABELS[:size].astype(np.int32)
      np.testing.assert_array_equal(split.labels, expected, strict=True)

  @parameterized.parameters((6, 6), (6, 3, 2, 1))
  def test_other_shapes_are_the_same_inputs(self, *shape):
    dataset = datasets.from_arrays(
      IMAGES.reshape(shape), LABELS, IMAGES.reshape(shape), LABELS
    )
    self.assertEqual(dataset.num_inputs, 6)
    for split in (dataset.train, dataset.test):
      self.assertEqual(split.inputs.ndim, 3)
      np.testing.assert_array_equal(
        ssnn_jax.rate_encode(split.inputs), ssnn_jax.rate_encode(IMAGES)
      )

  @parameterized.parameters('>f4', 'float16', 'float64')
  def test_rates_become_float32(self, dtype):
    rates = np.array([[0.0, 0.25], [0.5, 1.0]], dtype)
    dataset = datasets.from_arrays(rates, [0, 1], rates, [1, 0])
    expected = np.array([[[0.0, 0.25]], [[0.5, 1.0]]], np.float32)
    for split in (dataset.train, dataset.test):
      np.testing.assert_array_equal(split.inputs, expected, strict=True)

  def test_classes_may_be_named_and_then_lack_samples(self):
    dataset = datasets.from_arrays(
      **ARRAYS | {'y_test': [0, 3, 1, 2]}, class_names=('a', 'b', 'c', 'd')
    )
    self.assertEqual(dataset.class_names, ('a', 'b', 'c', 'd'))
    self.assertEqual(list(dataset.test.labels), [0, 3, 1, 2])

  @parameterized.parameters(
    ('x_train', IMAGES[0, 0], 'the shape (2,)', 'reshape'),
    ('x_train', np.zeros((6, 3, 2, 3), np.uint8), 'the shape', 'colours grey'),
    ('x_train', IMAGES[:0], 'is empty, of shape (0, 3, 2)', 'give one sample'),
    ('x_test', IMAGES.astype(np.int64), 'the dtype int64', 'astype'),
    ('x_test', IMAGES.astype(np.uint32), 'the dtype uint32', 'astype'),
    ('x_test', IMAGES.astype(object), 'the dtype object', 'astype'),
    ('x_train', np.full((6, 3, 2), np.nan), 'holds NaN', 'within [0, 1]'),
    ('x_train', np.full((6, 2), -0.5), 'lies within [-0.5, -0.5]', 'rescale'),
    ('x_train', IMAGES / 2.0, 'lies within [0, 17.5]', 'as uint8'),
    ('x_train', np.full((6, 2), np.inf), 'lies within [inf, inf]', 'rescale'),
    ('x_train', [[1, 2], [3]], 'is no array of numbers', 'equally long'),
    ('x_test', IMAGES[:4].transpose(0, 2, 1), 'of shape (2, 3) and', 'alike'),
    ('x_test', IMAGES[:4] / 255.0, 'of dtype float32 and', 'make them alike'),
    (
      'y_train',
      LABELS[:5],
      'holds 5 labels and x_train 6 samples',
      'one label',
    ),
    ('y_test', LABELS, 'holds 6 labels and x_test 4 samples', 'one label'),
    ('y_train', LABELS - 1, 'has the label -1', 'from 0 up'),
    ('y_train', LABELS / 1, 'has the dtype float64', 'astype'),
    ('y_train', LABELS > 0, 'has the dtype bool', 'astype'),
    ('y_train', np.eye(6, dtype=int), 'has the shape (6, 6)', 'argmax'),
    ('y_train', LABELS[:0], 'is empty', 'give one label'),
    ('y_train', LABELS + 4, 'has the label 6, more than its 6', 'class_names'),
    (
      'y_test',
      LABELS[:4] + 1,
      'the label 3, out of range 0 to 2',
      'each class',
    ),
  )
  def test_a_mistake_is_told_with_its_array(self, name, array, start, remedy):
    if name == 'x_test' and len(array) > 4:
      array = array[:4]
    with self.assertRaises(datasets.DatasetError) as caught:
      datasets.from_arrays(**ARRAYS | {name: array})
    message = str(caught.exception)
    self.assertRegex(message, rf'\A{name} [^\n]+[;:] [^\n]+\.\Z')
    self.assertIn(start, message)
    self.assertIn(remedy, message)

  @parameterized.parameters(
    (['a', 'b'], 'y_train has the label 2, but class_names has 2 names'),
    ([1, 2, 3], 'class_names has the shape (3,) and the dtype int64'),
    ('abc', 'class_names has the shape () and'),
    ([], 'class_names has the shape (0,) and the dtype float64'),
  )
  def test_class_names_name_all_classes(self, class_names, start):
    with self.assertRaises(datasets.DatasetError) as caught:
      datasets.from_arrays(**ARRAYS, class_names=class_names)
    self.assertStartsWith(str(caught.exception), start)


class ReadTest(data_util.DatasetTestCase):
  def setUp(self):
    super().setUp()
    self.path = self.data_dir / 'own.npz'

  def refused(self, start):
    """Checks the sentence that the file at `path` is refused with."""
    with self.assertRaises(datasets.DatasetError) as caught:
      datasets.load(str(self.path))
    message = str(caught.exception)
    self.assertStartsWith(message, start)
    self.assertRegex(message, r'\A[^\n]+\.\Z')

  @parameterized.parameters(np.savez, np.savez_compressed)
  def test_a_file_is_what_its_arrays_are(self, save):
    save(self.path, **ARRAYS, class_names=['a', 'b', 'c'], other=LABELS)
    dataset = datasets.load(str(self.path))
    expected = datasets.from_arrays(**ARRAYS, class_names=('a', 'b', 'c'))
    self.assertEqual(dataset.name, str(self.path))
    self.assertEqual(dataset.class_names, expected.class_names)
    for ours, theirs in zip(
      (*dataset.train, *dataset.test), (*expected.train, *expected.test)
    ):
      np.testing.assert_array_equal(ours, theirs, strict=True)

  def test_a_path_may_begin_at_home_or_here(self):
    np.savez(self.path, **ARRAYS)
    with mock.patch.dict(os.environ, {'HOME': str(self.data_dir)}):
      self.assertLen(datasets.load('~/own.npz').train.labels, 6)
    self.addCleanup(os.chdir, pathlib.Path.cwd())
    os.chdir(self.data_dir)
    self.assertEqual(datasets.load('own.npz').name, 'own.npz')

  @parameterized.parameters('x_train', 'y_train', 'x_test', 'y_test')
  def test_no_array_may_be_missing(self, name):
    np.savez(self.path, **{k: v for k, v in ARRAYS.items() if k != name})
    self.refused(f'{self.path} lacks the array {name}; make it by np.savez(')

  @parameterized.parameters('x_train', 'class_names')
  def test_objects_are_never_unpickled(self, name):
    objects = {**ARRAYS, name: np.array(['a', None], object)}
    np.savez(self.path, **objects)
    with mock.patch('pickle.load', side_effect=AssertionError):
      self.refused(f'{self.path}: {name} cannot be read (Object arrays cannot ')

  def test_what_is_wrong_with_an_array_is_told_with_the_file(self):
    np.savez(self.path, **ARRAYS | {'y_test': LABELS[:3]})
    self.refused(f'{self.path}: y_test holds 3 labels and x_test 4 samples;')

  def test_a_file_must_be_one_of_savez(self):
    self.refused(f'There is no file {self.path}; make it by np.savez(')
    with open(self.path, 'wb') as file:
      np.save(file, IMAGES)
    self.refused(f'{self.path} cannot be read (it is no whole archive ')
    for content in (b'', b'text', b'PK\3\4'):
      self.path.write_bytes(content)
      self.refused(f'{self.path} cannot be read (it is no whole archive ')
    with zipfile.ZipFile(self.path, 'w') as archive:
      for name in ARRAYS:
        archive.writestr(f'{name}.npy', b'no array')
    self.refused(f'{self.path}: x_train has the shape ()')
    self.path.unlink()
    self.path.mkdir()
    self.refused(f'{self.path} cannot be read (Is a directory); check ')

  def test_a_damaged_file_is_refused(self):
    np.savez(self.path, **ARRAYS)
    content = bytearray(self.path.read_bytes())
    content[content.index(IMAGES.tobytes())] ^= 1
    self.path.write_bytes(content)
    self.refused(f'{self.path}: x_train cannot be read (Bad CRC-32 for file ')
    self.path.write_bytes(content[:-30])
    self.refused(f'{self.path} cannot be read (it is no whole archive ')

  def test_an_unknown_name_is_met_with_an_example(self):
    with self.assertRaisesRegex(datasets.DatasetError, 'or path/to/own.npz.$'):
      datasets.load('own.npy')


if __name__ == '__main__':
  absltest.main()
