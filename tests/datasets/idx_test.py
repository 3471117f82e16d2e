"""Tests for the IDX reader and its errors."""

import contextlib
import gzip
import pathlib
import tracemalloc
from unittest import mock
import zipfile

from absl.testing import parameterized
import numpy as np

from ssnn_jax import datasets
from ssnn_jax.datasets import capacity
from tests.testing import datasets as data_util
from tests.testing.datasets import CUBE
from tests.testing.datasets import flipped
from tests.testing.datasets import idx_bytes

IDX = idx_bytes(CUBE)  # a header of 16 bytes, and 24 items
# Stored instead of compressed, so that the bytes before a cut are known: the
# file begins at byte 15 of the stream; the last 8 bytes are its two checksums.
GZIP = gzip.compress(IDX, compresslevel=0, mtime=0)
FLOATS = idx_bytes(CUBE.astype('>f4'), 0x0D)
UNKNOWN = idx_bytes(CUBE, 0x42)
TRAILING_GZIP = gzip.compress(IDX + b'\0\0')

# The file, its content, and two parts of the message.
DAMAGED = (
  ('a.gz', IDX, 'is named .gz but is not gzipped; remove .gz', ''),
  ('a.gz', flipped(GZIP, -8), 'is a damaged gzip file', 'CRC check'),
  ('a.gz', flipped(GZIP, -4), 'is a damaged gzip file', 'length'),
  ('a.gz', flipped(GZIP, 10), 'is a damaged gzip file', 'block'),
  ('a.gz', GZIP + b'more', 'is a damaged gzip file', 'Not a gzipped'),
  ('a.gz', GZIP[:54], 'is truncated', '40 bytes, and 39 were found before'),
  ('a.gz', GZIP[:-1], 'is truncated', 'and 40 were found before'),
  ('a.gz', TRAILING_GZIP, 'has trailing bytes', '40 bytes, and has more'),
  ('a', b'', 'is truncated', 'at least 4 bytes, and 0 were'),
  ('a', IDX[:3], 'is truncated', 'at least 4 bytes, and 3'),
  ('a', IDX[:15], 'is truncated', '16 bytes, and 15 were'),
  ('a', IDX[:-1], 'is truncated', '40 bytes, and 39 were'),
  ('a', IDX + b'\0', 'has trailing bytes', '40 bytes, and has more'),
  ('a', b'\x89P' + IDX[2:], 'is not an IDX file', 'with 89 50, not 00 00'),
  ('a', idx_bytes(CUBE[0]), 'is 2-dimensional, not 3-dimensional', ''),
  ('a', idx_bytes(CUBE[None]), 'is 4-dimensional, not 3-dimensional', ''),
  ('a', FLOATS, 'has items of type float32 (0x0d), not uint8 (0x08)', ''),
  ('a', UNKNOWN, 'has items of type unknown', ''),
  ('a', idx_bytes(CUBE[:0]), 'is empty', '(0, 3, 4)'),
)


class ReadIdxTest(data_util.DatasetTestCase):
  def assert_path_refused(self, path, start, detail='', num_axes=None):
    self.assert_refused(
      f'{path} {start}', detail, datasets.read_idx, path, num_axes
    )

  @parameterized.parameters(1, 2, 3)
  def test_reads_plain_and_gzipped_files(self, num_axes):
    array = CUBE[(0,) * (3 - num_axes)]
    content = idx_bytes(array)
    plain = self.write('a', content)
    zipped = self.write('a.gz', gzip.compress(content))
    for path in (plain, str(plain), zipped, str(zipped)):
      for expected_axes in (None, num_axes, np.int64(num_axes)):
        found = datasets.read_idx(path, num_axes=expected_axes)
        np.testing.assert_array_equal(found, array, strict=True)

  def test_reads_gzip_with_members_and_padding(self):
    content = gzip.compress(IDX[:20]) + gzip.compress(IDX[20:]) + b'\0' * 512
    found = datasets.read_idx(self.write('a.gz', content))
    np.testing.assert_array_equal(found, CUBE, strict=True)

  @parameterized.parameters(*DAMAGED)
  def test_rejects_damaged_file(self, name, content, start, detail):
    path = self.write(name, content)
    self.assert_path_refused(path, start, detail, num_axes=3)

  @parameterized.parameters(('a', IDX), ('a.gz', GZIP))
  def test_rejects_file_truncated_anywhere(self, name, content):
    for size in range(len(content)):
      path = self.write(name, content[:size])
      self.assert_path_refused(path, 'is truncated: ', 'were found')

  def test_rejects_every_changed_header_byte(self):
    for position in range(16):
      path = self.write('a', flipped(IDX, position))
      self.assert_path_refused(path, '', 'original file')

  @parameterized.parameters(0, 4, 255)
  def test_default_number_of_axes_is_bounded(self, num_axes):
    content = idx_bytes(CUBE[:1, :1, :1], shape=(1,) * num_axes)
    path = self.write('a', content)
    self.assert_path_refused(path, f'is {num_axes}-dimensional, not 1 to 3-')

  @parameterized.product(length=(2**10, 2**32 - 1), name=('a', 'a.gz'))
  def test_allocates_nothing_for_announced_shape(self, length, name):
    content = idx_bytes(CUBE, shape=(length, length, length))
    if name == 'a.gz':
      content = gzip.compress(content)
    path = self.write(name, content)
    sizes = f'announces {16 + length**3} bytes, and at most '
    with self.assert_little_memory():
      self.assert_path_refused(path, 'is truncated', sizes)

  @contextlib.contextmanager
  def assert_little_memory(self):
    tracemalloc.start()
    self.addCleanup(tracemalloc.stop)
    yield
    _, peak = tracemalloc.get_traced_memory()
    self.assertLess(peak, 2**20)

  def test_decompresses_no_more_than_announced(self):
    path = self.write('a.gz', gzip.compress(IDX + bytes(2**25), 1))
    with self.assert_little_memory():
      self.assert_path_refused(path, 'has trailing bytes', 'and has more')

  def test_content_larger_than_memory_is_refused(self):
    path = self.write('a', idx_bytes(CUBE, shape=(2**20, 2**20, 2**20)))
    with mock.patch.object(capacity, 'of_file', return_value=2**60):
      self.assert_path_refused(path, 'does not fit into memory; use fewer')

  def test_rejects_folder_and_unreadable_file(self):
    self.assert_path_refused(
      self.data_dir, 'cannot be read (Is a directory); check the path'
    )
    path = self.write('a', IDX)
    # Mocked, because file modes do not restrict the superuser.
    error = PermissionError(13, 'Permission denied', str(path))
    with mock.patch.object(pathlib.Path, 'open', side_effect=error):
      self.assert_path_refused(
        path, 'cannot be read (Permission denied)', 'permissions'
      )

  def test_reads_file_in_archive(self):
    archive = self.data_dir / 'a.zip'
    with zipfile.ZipFile(archive, 'w') as file:
      file.writestr('folder/a.gz', GZIP)
    path = zipfile.Path(archive, 'folder/a.gz')
    np.testing.assert_array_equal(datasets.read_idx(path), CUBE, strict=True)

  def test_rejects_unknown_compression_in_archive(self):
    archive = self.data_dir / 'a.zip'
    with zipfile.ZipFile(archive, 'w', zipfile.ZIP_BZIP2) as file:
      file.writestr('a', IDX)
    self.assert_path_refused(
      zipfile.Path(archive, 'a'),
      'is damaged in its archive (it is neither stored nor deflated)',
    )

  def test_rejects_damaged_file_in_archive(self):
    archive = self.data_dir / 'a.zip'
    with zipfile.ZipFile(archive, 'w') as file:
      file.writestr('a', IDX)
    archive.write_bytes(archive.read_bytes().replace(IDX, flipped(IDX, -1)))
    self.assert_path_refused(
      zipfile.Path(archive, 'a'),
      'is damaged in its archive (Bad CRC-32',
      'original file',
    )
