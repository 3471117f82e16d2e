"""Tests for the cache, and for downloads from a local server."""

import hashlib
import http.server
import os
import resource
import threading
import types
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow_datasets as tfds

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


IMAGES = {'images.gz': b'images' * 99, 'labels.gz': b'labels' * 99}


class Handler(http.server.BaseHTTPRequestHandler):
  """Responds with the status and body of the server's table, or is silent."""

  def do_GET(self):
    self.server.requests.append(self.path[1:])
    response = self.server.responses[self.path[1:]]
    if response is None:
      self.server.released.wait(5)
      return
    self.send_response(response[0])
    self.send_header('Content-Length', str(len(response[1])))
    self.end_headers()
    self.wfile.write(response[1])

  def log_message(self, *args):
    del args


class DownloadTest(data_util.DatasetTestCase):
  def setUp(self):
    super().setUp()
    # A proxy could not reach this machine.
    self.enterContext(mock.patch.dict(os.environ, {'no_proxy': '*'}))
    self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    self.server.requests, self.server.released = [], threading.Event()
    thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
    thread.start()
    self.addCleanup(thread.join)
    self.addCleanup(self.server.server_close)
    self.addCleanup(self.server.shutdown)
    self.addCleanup(self.server.released.set)

    self.server.responses = {file: (200, c) for file, c in IMAGES.items()}
    url = f'http://127.0.0.1:{self.server.server_port}'
    url_infos = {
      f'{url}/{file}': types.SimpleNamespace(
        filename=file, checksum=hashlib.sha256(content).hexdigest()
      )
      for file, content in IMAGES.items()
    }
    family = types.SimpleNamespace(url_infos=url_infos)
    self.enterContext(
      mock.patch.object(tfds, 'builder_cls', {'own': family}.get)
    )

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
    for requests in (['images.gz'], []):
      self.server.requests.clear()
      self.download()
      expected = {'images.gz': IMAGES['images.gz'], 'labels': b'my own'}
      self.assert_files(expected)
      self.assertEqual(self.server.requests, requests)

  @parameterized.parameters(
    ((404, b'not there'), '404 Client Error'),
    ((200, b'another content'), 'hash'),
    (None, 'timed out'),
  )
  def test_keeps_only_verified_files_and_continues(self, response, cause):
    self.server.responses['labels.gz'] = response
    self.enterContext(mock.patch.object(files, '_TIMEOUT', 0.1))
    words = f'labels.gz cannot be downloaded .*{cause}.*manually to .*labels.gz'
    self.assert_refused(words, self.download)
    self.assert_files({'images.gz': IMAGES['images.gz']})
    self.server.requests.clear()
    self.server.responses['labels.gz'] = 200, IMAGES['labels.gz']
    self.download()
    self.assert_files(IMAGES)
    self.assertEqual(self.server.requests, ['labels.gz'])
