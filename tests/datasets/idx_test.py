"""Tests for the IDX reader and its errors."""

import gzip
import pathlib
from unittest import mock
import zipfile

from absl.testing import parameterized
import numpy as np

from ssnn_jax import datasets
from tests.testing import datasets as data_util
from tests.testing.datasets import CUBE
from tests.testing.datasets import flipped
from tests.testing.datasets import idx_bytes

IDX = idx_bytes(CUBE)  # a header of 16 bytes, and 24 items
GZIP = gzip.compress(IDX, mtime=0)
# The file, its content, and what the message says.
DAMAGED = (
  ('a.gz', IDX, 'decompressed'),
  ('a.gz', flipped(GZIP, -8), 'decompressed'),  # the checksum
  ('a.gz', flipped(GZIP, 10), 'decompressed'),
  ('a.gz', GZIP + b'more', 'decompressed'),
  ('a.gz', gzip.compress(IDX + b'\0\0'), '42 bytes'),
  ('a', IDX + b'\0', '41 bytes'),
  ('a', idx_bytes(CUBE[0]), '2-dimensional, not 3-'),
  ('a', idx_bytes(CUBE[None]), '4-dimensional, not 3-'),
  ('a', idx_bytes(CUBE.astype('i1'), 0x09), 'unsigned bytes'),
  ('a', idx_bytes(CUBE[:0]), 'the shape (0, 3, 4)'),
  ('a', idx_bytes(CUBE, shape=(2**32 - 1,) * 3), 'the shape'),
)


class ReadIdxTest(data_util.DatasetTestCase):
  def assert_path_refused(self, path, detail, num_axes=None):
    self.assert_refused(f'{path} ', detail, datasets.read_idx, path, num_axes)

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
  def test_rejects_damaged_file(self, name, content, detail):
    path = self.write(name, content)
    self.assert_path_refused(path, detail, num_axes=3)

  @parameterized.parameters(('a', IDX), ('a.gz', GZIP))
  def test_rejects_file_truncated_anywhere(self, name, content):
    for size in range(len(content)):
      path = self.write(name, content[:size])
      self.assert_path_refused(path, 'original file')

  def test_rejects_every_changed_header_byte(self):
    for position in range(16):
      path = self.write('a', flipped(IDX, position))
      self.assert_path_refused(path, 'original file')

  @parameterized.parameters(0, 4, 255)
  def test_default_number_of_axes_is_bounded(self, num_axes):
    content = idx_bytes(CUBE[:1, :1, :1], shape=(1,) * num_axes)
    path = self.write('a', content)
    self.assert_path_refused(path, f'{num_axes}-dimensional, not 1 to 3-')

  def test_rejects_folder_and_unreadable_file(self):
    self.assert_path_refused(self.data_dir, 'Is a directory')
    path = self.write('a', IDX)
    # Mocked, because file modes do not restrict the superuser.
    error = PermissionError(13, 'Permission denied', str(path))
    with mock.patch.object(pathlib.Path, 'open', side_effect=error):
      self.assert_path_refused(path, 'Permission denied')

  def test_reads_file_in_archive(self):
    archive = self.data_dir / 'a.zip'
    with zipfile.ZipFile(archive, 'w') as file:
      file.writestr('folder/a.gz', GZIP)
    path = zipfile.Path(archive, 'folder/a.gz')
    np.testing.assert_array_equal(datasets.read_idx(path), CUBE, strict=True)

  def test_rejects_damaged_file_in_archive(self):
    archive = self.data_dir / 'a.zip'
    with zipfile.ZipFile(archive, 'w') as file:
      file.writestr('a', IDX)
    archive.write_bytes(archive.read_bytes().replace(IDX, flipped(IDX, -1)))
    self.assert_path_refused(zipfile.Path(archive, 'a'), 'Bad CRC-32')
