"""Tests for downloads, from a server on this machine and never from others."""

import contextlib
import hashlib
import http.server
import io
import os
import pathlib
import resource
import sys
import threading
from unittest import mock
import zipfile

from absl.testing import absltest
from absl.testing import parameterized
from tensorflow_datasets.core.download import checksums

from ssnn_jax.datasets import downloads
from ssnn_jax.datasets import types

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
  """Answers from the server's table of statuses, announced sizes and bodies."""

  def do_GET(self):
    self.server.asked.append(self.path)
    status, size, body = self.server.answers[self.path]
    self.send_response(status)
    self.send_header('Content-Length', str(size))
    self.end_headers()
    # Whoever only asks has hung up.
    with contextlib.suppress(ConnectionError):
      self.wfile.write(body)

  def log_message(self, *args):
    del args


class DownloadsTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.data_dir = pathlib.Path(self.create_tempdir().full_path, 'data')
    # A proxy would not find this machine.
    self.enter_context(mock.patch.dict(os.environ, {'no_proxy': '*'}))
    self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    self.server.answers, self.server.asked = {}, []
    thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
    thread.start()
    self.addCleanup(thread.join)
    self.addCleanup(self.server.server_close)
    self.addCleanup(self.server.shutdown)

  def serve(self, name, contents=None):
    """Serves the files of a set and names them as its sources."""
    family = name.partition('/')[0]
    self.contents = {
      file: zip_bytes(FOLDERS[file]) if file in FOLDERS else file.encode() * 99
      for file in FILES[family]
    } | (contents or {})
    sources = {}
    for file, content in self.contents.items():
      self.server.answers[f'/{file}'] = 200, len(content), content
      sources[file] = downloads.Source(
        self.url(file), self.checksum(family, file, content)
      )
    self.enter_context(
      mock.patch.object(downloads, '_sources', {family: sources}.__getitem__)
    )
    folder = self.data_dir / ('NMNIST' if family == 'n_mnist' else family)
    return folder, list(self.contents)[-1]

  def url(self, file):
    return f'http://127.0.0.1:{self.server.server_port}/{file}'

  def checksum(self, family, file, content):
    if family == 'n_mnist':
      return hashlib.md5(content).hexdigest()
    sha256 = hashlib.sha256(content).hexdigest()
    return checksums.UrlInfo(len(content), sha256, file)

  def download(self, name):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
      try:
        downloads.download(name, self.data_dir)
      finally:
        self.assertEmpty(printed.getvalue())

  def assert_refused(self, name, start, detail):
    with self.assertRaises(types.DatasetError) as caught:
      self.download(name)
    message = str(caught.exception)
    self.assertStartsWith(message, start)
    self.assertIn(detail, message)
    self.assertEndsWith(message, '.')
    self.assertNotIn('\n', message)

  def assert_nothing_is_left(self):
    # Where the folder is not there, temporary ones are made beside it.
    self.assertEmpty(list(self.data_dir.parent.iterdir()))

  def assert_files(self, expected):
    """Asserts which files there are, temporary ones included, and what."""
    found = {
      str(path.relative_to(self.data_dir)): path.read_bytes()
      for path in self.data_dir.rglob('*')
      if path.is_file()
    }
    self.assertEqual(found, expected)

  @parameterized.parameters(*NAMES)
  def test_files_are_put_in_their_place(self, name):
    folder, _ = self.serve(name)
    self.download(name)
    expected = {f'{folder.name}/{f}': c for f, c in self.contents.items()}
    for file in FOLDERS.keys() & self.contents.keys():
      event = f'an event of {FOLDERS[file]}'.encode()
      expected[f'NMNIST/{FOLDERS[file]}/7/00001.bin'] = event
    self.assert_files(expected)
    self.assertLen(list(self.data_dir.iterdir()), 1)

  @parameterized.product(
    name=NAMES,
    failure=(
      (404, 9, b'not there', 'cannot be downloaded (404 Client Error: '),
      (503, 4, b'busy', 'cannot be downloaded (503 Server Error: '),
      (200, 9, b'something', 'does not have the checksum it must have; '),
    ),
  )
  def test_a_wrong_answer_leaves_nothing_behind(self, name, failure):
    *answer, detail = failure
    folder, last = self.serve(name)
    self.server.answers[f'/{last}'] = answer
    self.assert_refused(name, f'{self.url(last)} {detail}', f'{folder}/{last}')
    self.assert_nothing_is_left()

  @parameterized.parameters(
    ('mnist', 'cannot be downloaded (IncompleteRead('),
    ('emnist/digits', 'cannot be downloaded (IncompleteRead('),
    ('n_mnist', 'does not have the checksum it must have; '),
  )
  def test_a_broken_connection_leaves_nothing_behind(self, name, detail):
    _, last = self.serve(name)
    content = self.contents[last]
    self.server.answers[f'/{last}'] = 200, len(content), content[:-1]
    self.assert_refused(name, f'{self.url(last)} {detail}', 'try again')
    self.assert_nothing_is_left()

  @parameterized.parameters(*NAMES)
  def test_a_server_that_is_gone_is_not_waited_for(self, name):
    folder, _ = self.serve(name)
    self.server.shutdown()
    self.server.server_close()
    first = next(iter(self.contents))
    # Tried once; TFDS and tonic, who would try for minutes, are not called.
    with (
      mock.patch('tensorflow_datasets.download.DownloadManager.download') as by,
      mock.patch('tonic.download_utils.download_url') as or_by,
    ):
      self.assert_refused(
        name,
        f'{self.url(first)} cannot be reached (Connection refused); ',
        f'put the file there by hand: {folder}/{first}',
      )
    by.assert_not_called()
    or_by.assert_not_called()
    self.assert_nothing_is_left()

  def test_a_server_that_does_not_answer_is_not_waited_for(self):
    self.serve('mnist')
    self.enter_context(mock.patch.object(downloads, '_PATIENCE', 0.1))
    released = threading.Event()
    self.enter_context(
      mock.patch.object(Handler, 'do_GET', lambda _: released.wait(5))
    )
    self.addCleanup(released.set)
    self.assert_refused('mnist', self.url(FILES['mnist'][0]), 'timed out')

  @parameterized.parameters('train.zip', 'test.zip')
  def test_an_archive_that_is_none_leaves_nothing_behind(self, file):
    self.serve('n_mnist', {file: b'no archive'})
    self.assert_refused(
      'n_mnist',
      f'{self.url(file)} is a damaged archive (File is not a zip file); ',
      'try again',
    )
    self.assert_nothing_is_left()

  @parameterized.parameters(*NAMES)
  def test_a_full_disk_leaves_nothing_behind(self, name):
    last = FILES[name.partition('/')[0]][-1]
    folder, _ = self.serve(name, {last: b'x' * 2**17})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    self.addCleanup(resource.setrlimit, resource.RLIMIT_FSIZE, limits)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    self.assert_refused(
      name, f'{folder} cannot be written (File too large); ', 'make room'
    )
    self.assert_nothing_is_left()

  @parameterized.parameters(*NAMES)
  def test_a_data_dir_that_is_a_file_cannot_be_written(self, name):
    folder, _ = self.serve(name)
    self.data_dir.write_bytes(b'')
    self.assert_refused(
      name, f'{folder} cannot be written (Not a directory); ', '--data_dir'
    )

  @parameterized.parameters('', '.gz')
  def test_images_that_are_there_are_kept(self, suffix):
    folder, last = self.serve('mnist')
    kept = folder / last.replace('.gz', suffix)
    folder.mkdir(parents=True)
    kept.write_bytes(b'my own')
    self.download('mnist')
    del self.contents[last]
    expected = {f'mnist/{f}': c for f, c in self.contents.items()}
    self.assert_files(expected | {f'mnist/{kept.name}': b'my own'})
    self.assertNotIn(f'/{last}', self.server.asked)

  def test_what_another_process_puts_there_is_kept(self):
    folder, last = self.serve('mnist')
    fetch = downloads._fetch_images

    def fetch_and_come_second(*args):
      new = fetch(*args)
      folder.mkdir(parents=True)
      (folder / last).write_bytes(b'of another')
      return new

    with mock.patch.object(downloads, '_fetch_images', fetch_and_come_second):
      self.download('mnist')
    expected = {f'mnist/{f}': c for f, c in self.contents.items()}
    self.assert_files(expected | {f'mnist/{last}': b'of another'})

  def test_recordings_that_are_there_are_kept(self):
    self.serve('n_mnist')
    path = self.data_dir / 'NMNIST/Train/0/00001.bin'
    path.parent.mkdir(parents=True)
    path.write_bytes(b'my own')
    self.download('n_mnist')
    self.assert_files(
      {
        'NMNIST/Train/0/00001.bin': b'my own',
        'NMNIST/Test/7/00001.bin': b'an event of Test',
        'NMNIST/test.zip': self.contents['test.zip'],
      }
    )
    self.assertNotIn('/train.zip', self.server.asked)

  def test_an_archive_that_is_there_is_unpacked(self):
    folder, _ = self.serve('n_mnist')
    folder.mkdir(parents=True)
    for file, content in self.contents.items():
      (folder / file).write_bytes(content)
    self.download('n_mnist')
    self.assertEmpty(self.server.asked)
    self.assertTrue((folder / 'Train/7/00001.bin').exists())
    self.assertTrue((folder / 'Test/7/00001.bin').exists())

  def test_an_archive_of_something_else_is_kept(self):
    folder, _ = self.serve('n_mnist')
    folder.mkdir(parents=True)
    (folder / 'train.zip').write_bytes(b'my own')
    self.assert_refused(
      'n_mnist', f'{folder}/train.zip does not have the checksum', 'replace it'
    )
    self.assert_files({'NMNIST/train.zip': b'my own'})

  def test_nothing_is_asked_for_where_all_is_there(self):
    self.serve('mnist')
    self.download('mnist')
    self.server.asked.clear()
    self.download('mnist')
    self.assertEmpty(self.server.asked)


class SourcesTest(parameterized.TestCase):
  @parameterized.parameters(*FILES)
  def test_every_file_has_an_address_and_a_checksum(self, family):
    sources = downloads._sources(family)
    self.assertCountEqual(sources, FILES[family])
    for url, checksum in sources.values():
      self.assertStartsWith(url, 'http')
      if family == 'n_mnist':
        self.assertLen(bytes.fromhex(checksum), 16)
      else:
        self.assertLen(bytes.fromhex(checksum.checksum), 32)

  @parameterized.parameters(*FILES)
  def test_a_missing_library_is_asked_for(self, family):
    library = 'tonic' if family == 'n_mnist' else 'tensorflow_datasets'
    with (
      mock.patch.dict(sys.modules, {library: None}),
      self.assertRaisesRegex(types.DatasetError, 'pip install .*'),
    ):
      downloads.download(family, pathlib.Path('/nowhere'))


if __name__ == '__main__':
  absltest.main()
