"""Tests for the cache of decoded datasets."""

import os
import resource
from unittest import mock

import numpy as np

from ssnn_jax import user_cache
from ssnn_jax import version
from ssnn_jax.datasets import files
from tests.testing import datasets as data_util

ARRAYS = {
  'a': np.arange(10, dtype=np.uint16).reshape(5, 2)[:, ::-1],
  'empty': np.zeros((0, 3), np.int8),
}


class CacheTest(data_util.DatasetTestCase):
  def setUp(self):
    super().setUp()
    self.source = self.write('source', b'12')

  def load(self, arrays=ARRAYS):
    """Returns the entry, and whether it was built."""
    build = mock.Mock(return_value=arrays)
    return files.load_or_build('own/set', [self.source], build), build.called

  def test_builds_once_and_maps_the_arrays(self):
    for is_first in (True, False):
      arrays, was_built = self.load()
      self.assertEqual(was_built, is_first)
      data_util.assert_arrays_equal(arrays, ARRAYS)
      self.assertTrue(data_util.is_mapped(arrays['a']))
      self.assertFalse(arrays['a'].flags.writeable)

  def test_builds_again_from_changed_files_and_by_another_version(self):
    old, _ = self.load()
    os.utime(self.source, ns=(0, 1))
    self.assertTrue(self.load({'a': np.zeros(3)})[1])
    self.write('source', b'123')
    os.utime(self.source, ns=(0, 1))
    self.assertTrue(self.load()[1])
    with mock.patch.object(version, '__version__', '0.0'):
      self.assertTrue(self.load()[1])
    data_util.assert_arrays_equal(old, ARRAYS)  # the mapped arrays stay valid

  def test_full_disk_leaves_nothing(self):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    large = {'a': np.zeros(9), 'b': np.zeros(10**6)}
    self.assert_refused('The cache ', 'SSNN_JAX_CACHE_DIR', self.load, large)
    self.assertEmpty(self.list_cached())

  def test_default_folder_follows_environment(self):
    home = {'HOME': '/home/someone'}
    for variables, expected in (
      ({}, '/home/someone/.cache/ssnn_jax'),
      ({'XDG_CACHE_HOME': '/var/cache'}, '/var/cache/ssnn_jax'),
      ({'SSNN_JAX_CACHE_DIR': '~/own'}, '/home/someone/own'),
    ):
      with mock.patch.dict(os.environ, home | variables, clear=True):
        self.assertEqual(str(user_cache.folder()), expected)
