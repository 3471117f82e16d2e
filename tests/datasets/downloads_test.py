"""Tests for downloads, from a local server only."""

import hashlib
import http.server
import io
import os
import threading
from unittest import mock
import zipfile

from absl.testing import parameterized

from ssnn_jax.datasets import downloads
from tests.testing import datasets as data_util

NAMES = ('mnist', 'fashion_mnist', 'emnist/balanced', 'n_mnist')
_IMAGE_FILES = (
  'train-images-idx3-ubyte.gz',
  'train-labels-idx1-ubyte.gz',
  't10k-images-idx3-ubyte.gz',
  't10k-labels-idx1-ubyte.gz',
)
FILES = {
  'mnist': _IMAGE_FILES,
  'fashion_mnist': _IMAGE_FILES,
  'emnist': ('gzip.zip',),
  'n_mnist': ('train.zip', 'test.zip'),
}
FOLDERS = {'train.zip': 'Train', 'test.zip': 'Test'}


def zip_bytes(folder):
  """Returns an archive of one recording."""
  content = io.BytesIO()
  with zipfile.ZipFile(content, 'w') as archive:
    archive.writestr(f'{folder}/7/00001.bin', f'an event of {folder}')
  return content.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
  """Responds with the status, announced size and body of the server's table."""

  def do_GET(self):
    self.server.requests.append(self.path)
    status, size, body = self.server.responses[self.path]
    self.send_response(status)
    self.send_header('Content-Length', str(size))
    self.end_headers()
    self.wfile.write(body)

  def log_message(self, *args):
    del args


class DownloadsTest(data_util.DatasetTestCase):
  def setUp(self):
    super().setUp()
    self.parent = self.data_dir
    self.data_dir = self.parent / 'data'  # missing
    # A proxy could not reach this machine.
    self.enterContext(mock.patch.dict(os.environ, {'no_proxy': '*'}))
    self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    self.server.responses, self.server.requests = {}, []
    thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
    thread.start()
    self.addCleanup(thread.join)
    self.addCleanup(self.server.server_close)
    self.addCleanup(self.server.shutdown)

  def serve(self, name):
    """Serves the files of a dataset; returns its folder and its last file."""
    family = name.partition('/')[0]
    self.contents = {
      file: zip_bytes(FOLDERS[file]) if file in FOLDERS else file.encode() * 99
      for file in FILES[family]
    }
    sources = {}
    for file, content in self.contents.items():
      self.server.responses[f'/{file}'] = 200, len(content), content
      digest = hashlib.md5 if family == 'n_mnist' else hashlib.sha256
      sources[file] = self.url(file), digest(content).hexdigest()
    self.enterContext(
      mock.patch.object(downloads, '_sources', {family: sources}.__getitem__)
    )
    folder = self.data_dir / ('NMNIST' if family == 'n_mnist' else family)
    return folder, list(self.contents)[-1]

  def url(self, file):
    return f'http://127.0.0.1:{self.server.server_port}/{file}'

  def assert_download_refused(self, name, start, detail):
    self.assert_refused(start, detail, downloads.download, name, self.data_dir)

  def assert_files(self, expected):
    """Asserts the paths and contents of all files, temporary ones included."""
    found = {
      str(path.relative_to(self.data_dir)): path.read_bytes()
      for path in self.data_dir.rglob('*')
      if path.is_file()
    }
    self.assertEqual(found, expected)

  @parameterized.parameters(*NAMES)
  def test_downloads_and_unpacks_missing_files_once(self, name):
    folder, _ = self.serve(name)
    downloads.download(name, self.data_dir)
    expected = {f'{folder.name}/{f}': c for f, c in self.contents.items()}
    for file in FOLDERS.keys() & self.contents.keys():
      event = f'an event of {FOLDERS[file]}'.encode()
      expected[f'NMNIST/{FOLDERS[file]}/7/00001.bin'] = event
    self.assert_files(expected)
    self.assertLen(os.listdir(self.data_dir), 1)
    self.server.requests.clear()
    downloads.download(name, self.data_dir)
    self.assertEmpty(self.server.requests)

  @parameterized.product(
    name=('mnist', 'n_mnist'),
    failure=(
      (404, 9, b'not there', '404 Client Error'),
      (200, 9, b'something', ''),  # of another checksum
      None,
    ),
  )
  def test_failed_download_leaves_no_files(self, name, failure):
    folder, file = self.serve(name)
    if failure is None:
      self.server.shutdown()
      self.server.server_close()
      file, problem = next(iter(self.contents)), 'Connection refused'
    else:
      *response, problem = failure
      self.server.responses[f'/{file}'] = response
    start = f'{self.url(file)} cannot be downloaded ({problem}'
    detail = f'download the file manually to {folder}/{file}.'
    self.assert_download_refused(name, start, detail)
    # Temporary folders are created in the parent of a missing folder.
    self.assertEmpty(os.listdir(self.parent))

  def test_silent_server_times_out(self):
    self.serve('mnist')
    self.enterContext(mock.patch.object(downloads, '_TIMEOUT', 0.1))
    released = threading.Event()
    silent = mock.patch.object(Handler, 'do_GET', lambda _: released.wait(5))
    self.enterContext(silent)
    self.addCleanup(released.set)
    start = self.url(FILES['mnist'][0])
    self.assert_download_refused('mnist', start, 'timed out')

  def test_keeps_existing_files(self):
    _, last = self.serve('mnist')
    own = f'mnist/{last.removesuffix(".gz")}'
    self.write(own, b'my own')
    downloads.download('mnist', self.data_dir)
    expected = {f'mnist/{f}': c for f, c in self.contents.items() if f != last}
    self.assert_files(expected | {own: b'my own'})
    self.assertNotIn(f'/{last}', self.server.requests)

  def test_keeps_existing_recordings_and_unpacks_existing_archives(self):
    self.serve('n_mnist')
    test = self.contents['test.zip']
    existing = {'NMNIST/Train/0/1.bin': b'my own', 'NMNIST/test.zip': test}
    for path, content in existing.items():
      self.write(path, content)
    downloads.download('n_mnist', self.data_dir)
    unpacked = {'NMNIST/Test/7/00001.bin': b'an event of Test'}
    self.assert_files(existing | unpacked)
    self.assertEmpty(self.server.requests)

  def test_keeps_and_rejects_archive_of_other_content(self):
    folder, _ = self.serve('n_mnist')
    self.write('NMNIST/train.zip', b'my own')
    detail = f'{folder}/train.zip has a wrong checksum'
    self.assert_download_refused('n_mnist', self.url('train.zip'), detail)
    self.assert_files({'NMNIST/train.zip': b'my own'})
