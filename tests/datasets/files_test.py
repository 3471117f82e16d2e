"""Tests for the cache, and for downloads."""

import hashlib
import os
import pathlib
import resource
import types
from unittest import mock

from absl.testing import parameterized
import numpy as np
import pooch
import tensorflow_datasets as tfds

from ssnn_jax import user_cache
from ssnn_jax import version
from ssnn_jax.datasets import files
from ssnn_jax.types import UserError
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

  def test_builds_once_until_files_or_the_version_change(self):
    first, _ = self.load()
    again, was_built = self.load()
    self.assertFalse(was_built)
    for arrays in (first, again):
      data_util.assert_arrays_equal(arrays, ARRAYS)
      self.assertTrue(data_util.is_mapped(arrays['a']))
      self.assertFalse(arrays['a'].flags.writeable)
    os.utime(self.source, ns=(0, 1))
    self.assertTrue(self.load({'a': np.zeros(3)})[1])
    self.write('source', b'123')
    os.utime(self.source, ns=(0, 1))
    self.assertTrue(self.load()[1])
    with mock.patch.object(version, '__version__', '0.0'):
      self.assertTrue(self.load()[1])
    data_util.assert_arrays_equal(first, ARRAYS)  # mapped arrays stay valid

  def test_full_disk_leaves_nothing(self):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    large = {'a': np.zeros(9), 'b': np.zeros(10**6)}
    self.assert_refused('The cache .*SSNN_JAX_CACHE_DIR', self.load, large)

  def test_default_folder_follows_environment(self):
    home = {'HOME': '/home/someone'}
    for variables, expected in (
      ({}, '/home/someone/.cache/ssnn_jax'),
      ({'XDG_CACHE_HOME': '/var/cache'}, '/var/cache/ssnn_jax'),
      ({'SSNN_JAX_CACHE_DIR': '~/own'}, '/home/someone/own'),
    ):
      with mock.patch.dict(os.environ, home | variables, clear=True):
        self.assertEqual(str(user_cache.folder()), expected)

  @parameterized.parameters(0o775, 0o757, None)
  def test_code_that_others_can_change_is_refused(self, mode):
    folder = user_cache.code_folder('programs')
    self.assertEqual(folder, self.cache_dir / 'programs')
    folder.chmod(mode or 0o755)
    status = list(os.stat(folder))
    if mode is None:
      status[4] = os.geteuid() + 1  # the owner
    changed = lambda path, **options: os.stat_result(status)
    self.enterContext(mock.patch.object(pathlib.Path, 'stat', changed))
    with self.assertRaisesRegex(UserError, f'write to {folder}'):
      user_cache.code_folder('programs')


IMAGES = {'images.gz': b'images' * 99, 'labels.gz': b'labels' * 99}


class DownloadTest(data_util.DatasetTestCase):
  def setUp(self):
    super().setUp()
    self.requests, self.responses = [], dict(IMAGES)
    url_infos = {
      f'https://own/{file}': types.SimpleNamespace(
        filename=file, checksum=hashlib.sha256(content).hexdigest()
      )
      for file, content in IMAGES.items()
    }
    family = types.SimpleNamespace(url_infos=url_infos)
    for owner, name, fake in (
      (tfds, 'builder_cls', {'own': family}.get),
      (pooch, 'HTTPDownloader', self.make_downloader),
    ):
      self.enterContext(mock.patch.object(owner, name, fake))

  def make_downloader(self, *, progressbar, timeout):
    self.assertFalse(progressbar)  # of no terminal
    self.assertBetween(timeout, 1, 10)  # else a silent server would never end

    def download(url, file, pooch):
      del pooch
      name = url.rpartition('/')[2]
      self.requests.append(name)
      if isinstance(self.responses[name], Exception):
        raise self.responses[name]
      pathlib.Path(file).write_bytes(self.responses[name])

    return download

  def download(self):
    files.download('own', self.data_dir / 'own')

  def assert_files(self, expected):
    """Asserts the paths and contents of all files, temporary ones included."""
    found = {
      str(path.relative_to(self.data_dir / 'own')): path.read_bytes()
      for path in self.data_dir.rglob('*')
      if path.is_file()
    }
    self.assertEqual(found, expected)

  def test_downloads_missing_files_once_and_keeps_existing_ones(self):
    self.write('own/labels', b'my own')
    for _ in range(2):
      self.download()
      expected = {'images.gz': IMAGES['images.gz'], 'labels': b'my own'}
      self.assert_files(expected)
      self.assertEqual(self.requests, ['images.gz'])

  @parameterized.parameters(
    (OSError('404 Client Error'), '404 Client Error'),
    (b'another content', 'hash'),
  )
  def test_keeps_only_verified_files_and_continues(self, response, cause):
    self.responses['labels.gz'] = response
    words = f'labels.gz cannot be downloaded .*{cause}.*manually to .*labels.gz'
    self.assert_refused(words, self.download)
    self.assert_files({'images.gz': IMAGES['images.gz']})
    self.responses['labels.gz'] = IMAGES['labels.gz']
    self.download()
    self.assert_files(IMAGES)
    self.assertEqual(self.requests, ['images.gz', *2 * ['labels.gz']])
