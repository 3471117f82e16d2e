"""Tests for the cache: building, rebuilding, concurrency and errors."""

import contextlib
import io
import multiprocessing
import os
from unittest import mock

from absl.testing import parameterized
import numpy as np

from ssnn_jax import user_cache
from ssnn_jax.datasets import cache
from tests.testing import datasets as data_util

NAME = 'entry'
PROVENANCE = {'files': 2}
CHUNKS = (
  {'a': np.arange(6, dtype=np.uint16).reshape(3, 2), 'b': np.zeros(1)},
  {'a': np.arange(4, dtype=np.uint16).reshape(2, 2)[:, ::-1]},
)
WHOLE = {
  'a': np.array([[0, 1], [2, 3], [4, 5], [1, 0], [3, 2]], np.uint16),
  'b': np.zeros(1),
}


def load(provenance=None, chunks=CHUNKS):
  """Returns the entry, whether it was built, and the warnings."""
  build, warnings = mock.Mock(return_value=chunks), io.StringIO()
  with contextlib.redirect_stderr(warnings):
    arrays = cache.load_or_build(NAME, provenance or PROVENANCE, build)
  return arrays, build.called, warnings.getvalue()


def build_concurrently(barrier, values, queue):
  """Builds entries at the same time as another process."""
  for name, value in values.items():
    chunks = ({'a': np.full((1000, 1000), value)},)
    build = mock.Mock(return_value=chunks)
    barrier.wait()
    arrays = cache.load_or_build(name, {'value': value}, build)
    least, most = int(arrays['a'].min()), int(arrays['a'].max())
    queue.put((name, value, least, most, build.called))


class CacheTest(data_util.DatasetTestCase):
  def assert_rebuilt_whole(self, reason):
    arrays, was_built, warning = load()
    self.assertTrue(was_built)
    path = self.cache_dir / NAME
    self.assertStartsWith(warning, f'the cache {path} {reason}')
    self.assertEndsWith(warning, '; it was rebuilt\n')
    data_util.assert_arrays_equal(arrays, WHOLE)
    self.assertFalse(load()[1])
    self.assertEqual(self.list_cached(), [NAME])

  def test_concatenates_chunks_and_maps_them(self):
    for is_first in (True, False):
      arrays, was_built, warnings = load()
      self.assertEqual((was_built, warnings), (is_first, ''))
      data_util.assert_arrays_equal(arrays, WHOLE)
      for array in arrays.values():
        self.assertTrue(data_util.is_mapped(array))
        self.assertFalse(array.flags.writeable)
    self.assertEqual(self.list_cached(), [NAME])

  def test_arrays_may_be_empty(self):
    arrays, _, _ = load(chunks=({'a': np.zeros((0, 3), np.int8)},))
    self.assertEqual((arrays['a'].shape, arrays['a'].dtype), ((0, 3), np.int8))

  def test_rebuilds_entry_of_other_files(self):
    other, _, _ = load({'files': 3}, chunks=CHUNKS[:1])
    self.assert_rebuilt_whole('was built from other files or')
    self.assertLen(other['a'], 3)  # the mapped arrays remain valid
    np.testing.assert_array_equal(other['a'], WHOLE['a'][:3])

  def test_rebuilds_entry_of_another_version(self):
    with mock.patch.object(cache, 'VERSION', cache.VERSION + 1):
      load()
    self.assert_rebuilt_whole('was built from other files or')

  @parameterized.parameters(
    ('a', lambda content: content[:-1]),
    ('a', lambda content: content + b'\0'),
    ('b', None),  # deleted
    ('cache.json', lambda content: content[:20]),
    ('cache.json', lambda content: b'[]'),
    # Of equal sizes:
    ('a', lambda content: data_util.flipped(content, 7)),
    ('b', lambda content: b'\1' + content[1:]),
    ('cache.json', lambda content: content.replace(b'"<u2"', b'"<i2"')),
    ('cache.json', lambda content: content.replace(b'"a"', b'"c"')),
    ('cache.json', lambda content: b'[' * 10**6),
  )
  def test_rebuilds_damaged_entry(self, file, damage):
    load()
    path = self.cache_dir / NAME / file
    if damage is None:
      path.unlink()
    else:
      path.write_bytes(damage(path.read_bytes()))
    self.assert_rebuilt_whole('is damaged')

  def test_full_disk_leaves_no_files(self):
    self.limit_file_size(2**16)
    with self.assertRaises(OSError):
      load(chunks=({'a': np.zeros(9)}, {'b': np.zeros(10**6)}))
    self.assertEmpty(self.list_cached())

  def test_failed_rebuild_keeps_old_entry(self):
    load()

    def chunks():
      yield CHUNKS[0]
      raise KeyboardInterrupt

    with self.assertRaises(KeyboardInterrupt):
      load({'files': 3}, chunks=chunks())
    self.assertEqual(self.list_cached(), [NAME])
    arrays, was_built, _ = load()
    self.assertFalse(was_built)
    data_util.assert_arrays_equal(arrays, WHOLE)

  def test_rejects_cache_folder_that_is_a_file(self):
    path = self.write('file', b'')
    with mock.patch.dict(os.environ, SSNN_JAX_CACHE_DIR=str(path)):
      self.assert_refused(f'The cache {path} ', 'SSNN_JAX_CACHE_DIR', load)

  def test_concurrent_builds_return_own_arrays(self):
    values = {'same': (1, 1), 'different': (1, 2)}  # of the two processes
    context = multiprocessing.get_context('spawn')
    barrier, queue = context.Barrier(2, timeout=60), context.Queue()
    processes = [
      context.Process(
        target=build_concurrently,
        args=(barrier, {name: pair[i] for name, pair in values.items()}, queue),
      )
      for i in range(2)
    ]
    for process in processes:
      process.start()
    found = [queue.get(timeout=60) for _ in range(4)]
    for process in processes:
      process.join()
    for name, value, least, most, _ in found:
      self.assertEqual((least, most), (value, value), name)
    is_built = [case[-1] for case in sorted(found)]  # of different, then same
    self.assertEqual(is_built[:2], [True, True])
    self.assertCountEqual(is_built[2:], [True, False])

  def test_default_folder_follows_environment(self):
    home = {'HOME': '/home/someone'}
    for variables, expected in (
      ({}, '/home/someone/.cache/ssnn_jax'),
      ({'XDG_CACHE_HOME': '/var/cache'}, '/var/cache/ssnn_jax'),
      ({'SSNN_JAX_CACHE_DIR': '~/own'}, '/home/someone/own'),
    ):
      with mock.patch.dict(os.environ, home | variables, clear=True):
        self.assertEqual(str(user_cache.folder()), expected)

  def test_fingerprint_depends_on_number_size_and_time(self):
    path = self.write('a', b'12')
    first = cache.fingerprint_files([path])
    self.assertEqual(cache.fingerprint_files([path]), first)
    os.utime(path, ns=(0, 1))
    later = cache.fingerprint_files([path])
    self.write('a', b'123')
    os.utime(path, ns=(0, 1))
    larger = cache.fingerprint_files([path])
    twice = cache.fingerprint_files([path, path])
    digests = {each['sha256'] for each in (first, later, larger, twice)}
    self.assertLen(digests, 4)
