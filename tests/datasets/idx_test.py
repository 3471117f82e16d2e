"""Tests for reading IDX files, and for every way in which they can fail."""

import gzip
import pathlib
import tracemalloc
from unittest import mock
import zipfile

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from ssnn_jax import datasets
from tests.testing import datasets as data_util


def flipped(content, position):
  """Returns the content with every bit of one of its bytes flipped."""
  changed = bytearray(content)
  changed[position] ^= 0xFF
  return bytes(changed)


CUBE = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
IDX = data_util.idx_bytes(CUBE)  # a header of 16 bytes, and 24 items
# Stored rather than compressed, so that what precedes a cut is known: the file
# begins at byte 15 of the stream; the last 8 bytes are its two checksums.
GZIP = gzip.compress(IDX, compresslevel=0, mtime=0)

# The file, how the message goes on after its path, and what else it says.
DAMAGED = {
  'not_gzip': ('a.gz', IDX, 'is named .gz but is not gzipped; drop .gz', ''),
  'gzip_crc': ('a.gz', flipped(GZIP, -8), 'is a damaged gzip', 'data check'),
  'gzip_length': ('a.gz', flipped(GZIP, -4), 'is a damaged gzip', 'length'),
  'gzip_block': ('a.gz', flipped(GZIP, 10), 'is a damaged gzip', 'block'),
  'gzip_tail': ('a.gz', GZIP + b'more', 'is a damaged gzip', 'header check'),
  'gzip_cut': ('a.gz', GZIP[:54], 'is truncated', '40 bytes, and 39 were'),
  'gzip_cut_late': ('a.gz', GZIP[:-1], 'is truncated', 'and 40 were found'),
  'gzip_trailing': (
    'a.gz',
    gzip.compress(IDX + b'\0\0'),
    'has trailing bytes',
    '40 bytes, and 42 were found',
  ),
  'empty_file': ('a', b'', 'is truncated', 'at least 4 bytes, and 0 were'),
  'cut_in_magic': ('a', IDX[:3], 'is truncated', 'at least 4 bytes, and 3'),
  'cut_in_shape': ('a', IDX[:15], 'is truncated', '16 bytes, and 15 were'),
  'cut_in_items': ('a', IDX[:-1], 'is truncated', '40 bytes, and 39 were'),
  'trailing': ('a', IDX + b'\0', 'has trailing bytes', '40 bytes, and 41'),
  'not_idx': ('a', b'\x89P' + IDX[2:], 'is no IDX file', 'with 89 50, not'),
  'few_axes': (
    'a',
    data_util.idx_bytes(CUBE[0]),
    'has the number of axes 2, not 3',
    '',
  ),
  'more_axes': (
    'a',
    data_util.idx_bytes(CUBE[None]),
    'has the number of axes 4, not 3',
    '',
  ),
  'floats': (
    'a',
    data_util.idx_bytes(CUBE.astype('>f4'), 0x0D),
    'has items of type float32 (0x0d), not uint8 (0x08)',
    '',
  ),
  'no_such_type': (
    'a',
    data_util.idx_bytes(CUBE, 0x42),
    'has items of type unknown',
    '',
  ),
  'no_items': ('a', data_util.idx_bytes(CUBE[:0]), 'is empty', '(0, 3, 4)'),
}


class ReadIdxTest(data_util.DatasetTestCase):
  @parameterized.parameters(1, 2, 3)
  def test_plain_and_gzipped_files_give_the_array_back(self, num_axes):
    array = CUBE[(0,) * (3 - num_axes)]
    content = data_util.idx_bytes(array)
    plain = self.write('a', content)
    zipped = self.write('a.gz', gzip.compress(content))
    for path in (plain, str(plain), zipped, str(zipped)):
      for expected_axes in (None, num_axes):
        found = datasets.read_idx(path, num_axes=expected_axes)
        self.assertEqual(found.dtype, np.uint8)
        np.testing.assert_array_equal(found, array, strict=True)

  def test_gzip_may_come_in_members_and_padded(self):
    content = gzip.compress(IDX[:20]) + gzip.compress(IDX[20:]) + b'\0' * 512
    found = datasets.read_idx(self.write('a.gz', content))
    np.testing.assert_array_equal(found, CUBE, strict=True)

  @parameterized.named_parameters(
    (name, *case) for name, case in DAMAGED.items()
  )
  def test_each_damage_has_its_own_message(self, name, content, start, detail):
    path = self.write(name, content)
    self.assert_refused(
      f'{path} {start}', detail, datasets.read_idx, path, num_axes=3
    )

  @parameterized.parameters(('a', IDX), ('a.gz', GZIP))
  def test_a_file_cut_anywhere_is_truncated(self, name, content):
    for size in range(len(content)):
      path = self.write(name, content[:size])
      self.assert_refused(
        f'{path} is truncated: ', 'were found', datasets.read_idx, path
      )

  @parameterized.parameters(range(16))
  def test_no_byte_of_the_header_may_be_wrong(self, position):
    path = self.write('a', flipped(IDX, position))
    self.assert_refused(f'{path} ', 'original file', datasets.read_idx, path)

  @parameterized.parameters(0, 4, 255)
  def test_number_of_axes_is_bounded_where_it_is_not_known(self, num_axes):
    path = self.write(
      'a', data_util.idx_bytes(CUBE[:1, :1, :1], shape=(1,) * num_axes)
    )
    self.assert_refused(
      f'{path} has the number of axes {num_axes}, not 1 to 3',
      '',
      datasets.read_idx,
      path,
    )

  @parameterized.product(
    length=(2**10, 2**32 - 1),
    name_and_zip=(('a', bytes), ('a.gz', gzip.compress)),
  )
  def test_nothing_is_allocated_on_the_word_of_a_header(
    self, length, name_and_zip
  ):
    name, zip_content = name_and_zip
    content = data_util.idx_bytes(CUBE, shape=(length, length, length))
    path = self.write(name, zip_content(content))
    tracemalloc.start()
    self.addCleanup(tracemalloc.stop)
    self.assert_refused(
      f'{path} is truncated',
      f'announces {16 + length**3} bytes, and 40 were found',
      datasets.read_idx,
      path,
    )
    _, peak = tracemalloc.get_traced_memory()
    self.assertLess(peak, 2**20)

  def test_a_folder_cannot_be_read(self):
    self.assert_refused(
      f'{self.data_dir} cannot be read (Is a directory)',
      'check what it is',
      datasets.read_idx,
      self.data_dir,
    )

  def test_a_forbidden_file_cannot_be_read(self):
    path = self.write('a', IDX)
    # Mocked, as a file mode does not stop the superuser.
    error = PermissionError(13, 'Permission denied', str(path))
    with mock.patch.object(pathlib.Path, 'read_bytes', side_effect=error):
      self.assert_refused(
        f'{path} cannot be read (Permission denied)',
        'permissions',
        datasets.read_idx,
        path,
      )

  def test_a_file_in_an_archive_is_read(self):
    archive = self.data_dir / 'a.zip'
    with zipfile.ZipFile(archive, 'w') as file:
      file.writestr('folder/a.gz', GZIP)
    path = zipfile.Path(archive, 'folder/a.gz')
    np.testing.assert_array_equal(datasets.read_idx(path), CUBE, strict=True)

  def test_an_archive_that_is_damaged_within_gets_a_message(self):
    archive = self.data_dir / 'a.zip'
    with zipfile.ZipFile(archive, 'w') as file:
      file.writestr('a', IDX)
    archive.write_bytes(archive.read_bytes().replace(IDX, flipped(IDX, -1)))
    self.assert_refused(
      f'{archive}/a is damaged in its archive (Bad CRC-32',
      'original file',
      datasets.read_idx,
      zipfile.Path(archive, 'a'),
    )


if __name__ == '__main__':
  absltest.main()
