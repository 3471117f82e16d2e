"""Tests of the cache: when it is made, or made anew, and how it fails."""

import contextlib
import errno
import io
import json
import multiprocessing
import os
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from ssnn_jax.datasets import cache
from tests.testing import datasets as data_util

NAME = 'set'
MADE_FROM = {'files': 2}
PARTS = (
  {'a': np.arange(6, dtype=np.uint16).reshape(3, 2), 'b': np.zeros(1)},
  {'a': np.arange(4, dtype=np.uint16).reshape(2, 2)[:, ::-1]},
)
WHOLE = {'a': np.array([[0, 1], [2, 3], [4, 5], [1, 0], [3, 2]]), 'b': [0.0]}


def load(made_from=None, parts=PARTS):
  """Loads the cache; also returns whether it was made, and what was told."""
  make, told = mock.Mock(return_value=parts), io.StringIO()
  with contextlib.redirect_stderr(told):
    arrays = cache.load_or_make(NAME, made_from or MADE_FROM, make)
  return arrays, make.called, told.getvalue()


def make_slowly(barrier, value, queue):
  """Makes a cache while another process does the same."""

  def parts():
    barrier.wait()
    yield {'a': np.full((1000, 1000), value)}
    barrier.wait()

  arrays = cache.load_or_make(NAME, {'value': value}, parts)
  queue.put((value, int(arrays['a'].min()), int(arrays['a'].max())))


class CacheTest(data_util.DatasetTestCase):
  def assert_whole(self, arrays):
    self.assertCountEqual(arrays, WHOLE)
    for name, array in WHOLE.items():
      np.testing.assert_array_equal(arrays[name], array)
    self.assertEqual(arrays['a'].dtype, np.uint16)

  def test_parts_are_joined_and_memory_mapped(self):
    arrays, was_made, told = load()
    self.assertTrue(was_made)
    self.assertEqual(told, '')
    self.assert_whole(arrays)
    again, was_made, told = load()
    self.assertFalse(was_made)
    self.assertEqual(told, '')
    self.assert_whole(again)
    for array in (*arrays.values(), *again.values()):
      self.assertTrue(data_util.is_mapped(array))
      self.assertFalse(array.flags.writeable)
    self.assertEqual(os.listdir(self.cache_dir), [NAME])

  def test_arrays_may_be_empty(self):
    arrays, _, _ = load(parts=({'a': np.zeros((0, 3), np.int8)},))
    self.assertEqual((arrays['a'].shape, arrays['a'].dtype), ((0, 3), np.int8))

  def test_a_cache_of_other_files_is_made_anew(self):
    load()
    arrays, was_made, told = load({'files': 3}, parts=PARTS[:1])
    self.assertTrue(was_made)
    self.assertRegex(
      told, r'\Athe cache .*/set was made from other files; .*\n'
    )
    self.assertLen(arrays['a'], 3)
    self.assertFalse(load({'files': 3})[1])
    self.assertEqual(os.listdir(self.cache_dir), [NAME])

  def test_a_cache_of_another_version_is_made_anew(self):
    with mock.patch.object(cache, 'VERSION', cache.VERSION + 1):
      load()
    arrays, was_made, told = load()
    self.assertTrue(was_made)
    self.assertIn('was made by another version of ssnn_jax; it was made', told)
    self.assert_whole(arrays)

  @parameterized.parameters(
    ('a', lambda content: content[:-1]),
    ('a', lambda content: content + b'\0'),
    ('cache.json', lambda content: content[:20]),
    ('cache.json', lambda content: b'[]'),
    ('cache.json', lambda content: content.replace(b'"<u2"', b'"what"')),
  )
  def test_a_damaged_cache_is_made_anew(self, file, damage):
    load()
    path = self.cache_dir / NAME / file
    path.write_bytes(damage(path.read_bytes()))
    arrays, was_made, told = load()
    self.assertTrue(was_made)
    self.assertRegex(told, r'\Athe cache .* is damaged; it was made anew\n\Z')
    self.assert_whole(arrays)

  def test_a_cache_without_a_file_is_made_anew(self):
    load()
    (self.cache_dir / NAME / 'b').unlink()
    self.assertTrue(load()[1])
    self.assertFalse(load()[1])

  def test_arrays_stay_when_their_cache_is_made_anew(self):
    arrays, _, _ = load()
    load({'files': 3}, parts=PARTS[:1])
    self.assert_whole(arrays)

  @parameterized.parameters(errno.ENOSPC, errno.EDQUOT)
  def test_nothing_is_left_of_a_cache_that_does_not_fit(self, number):
    error = OSError(number, os.strerror(number))
    with mock.patch.object(cache, '_write', side_effect=error):
      self.assert_refused(
        f'The cache {self.cache_dir}/{NAME} cannot be written (',
        'another folder by SSNN_JAX_CACHE_DIR',
        load,
      )
    self.assertEmpty(os.listdir(self.cache_dir))

  def test_a_full_disk_is_told_and_leaves_nothing(self):
    full = pathlib.Path('/dev/full')
    if not full.exists():
      self.skipTest('this system has no /dev/full')

    def parts():
      (scratch,) = self.cache_dir.iterdir()
      os.symlink(full, scratch / 'new' / 'b')
      yield {'a': np.zeros(9)}
      yield {'b': np.zeros(10**6)}

    self.assert_refused(
      f'The cache {self.cache_dir}/{NAME} cannot be written (No space left',
      'make room',
      load,
      parts=parts(),
    )
    self.assertEmpty(os.listdir(self.cache_dir))

  def test_the_old_cache_stays_while_the_new_one_fails(self):
    load()

    def parts():
      yield PARTS[0]
      raise KeyboardInterrupt

    with self.assertRaises(KeyboardInterrupt):
      load({'files': 3}, parts=parts())
    self.assertEqual(os.listdir(self.cache_dir), [NAME])
    arrays, was_made, _ = load()
    self.assertFalse(was_made)
    self.assert_whole(arrays)

  def test_a_cache_in_the_place_of_a_file_cannot_be_written(self):
    path = self.data_dir / 'file'
    path.write_text('')
    with mock.patch.dict(os.environ, SSNN_JAX_CACHE_DIR=str(path)):
      self.assert_refused(
        f'The cache {path}/{NAME} cannot be written (', '', load
      )

  @parameterized.parameters((1, 1), (1, 2))
  def test_two_processes_at_once_both_get_right_data(self, *values):
    context = multiprocessing.get_context('spawn')
    barrier, queue = context.Barrier(2, timeout=60), context.Queue()
    processes = [
      context.Process(target=make_slowly, args=(barrier, value, queue))
      for value in values
    ]
    for process in processes:
      process.start()
    found = [queue.get(timeout=60) for _ in processes]
    for process in processes:
      process.join()
    self.assertCountEqual(found, [(value,) * 3 for value in values])
    self.assertEqual(os.listdir(self.cache_dir), [NAME])
    description = json.loads((self.cache_dir / NAME / 'cache.json').read_text())
    self.assertIn(description['made_from']['value'], values)

  def test_the_default_folder_follows_the_variables(self):
    home = {'HOME': '/home/someone'}
    for variables, expected in (
      ({}, '/home/someone/.cache/ssnn_jax'),
      ({'XDG_CACHE_HOME': '/var/cache'}, '/var/cache/ssnn_jax'),
      ({'SSNN_JAX_CACHE_DIR': '~/own'}, '/home/someone/own'),
    ):
      with mock.patch.dict(os.environ, home | variables, clear=True):
        self.assertEqual(str(cache.default_folder()), expected)

  def test_files_are_told_apart_by_place_size_and_time(self):
    path = self.write('a', b'12')
    seen = [cache.describe_files([path])['sha256']]
    self.assertEqual(cache.describe_files([path])['sha256'], seen[0])
    os.utime(path, ns=(0, 1))
    seen.append(cache.describe_files([path])['sha256'])
    self.write('a', b'123')
    os.utime(path, ns=(0, 1))
    seen.append(cache.describe_files([path])['sha256'])
    seen.append(cache.describe_files([path, path])['sha256'])
    self.assertLen(set(seen), 4)
    self.assert_refused(
      f'{path}x cannot be read (No such file',
      '',
      cache.describe_files,
      [path.with_name('ax')],
    )


if __name__ == '__main__':
  absltest.main()
