"""Tests of the bounds on the content of files."""

import zipfile
import zlib

from ssnn_jax.datasets import capacity
from tests.testing import datasets as data_util


class CapacityTest(data_util.DatasetTestCase):
  def test_bound_of_deflate_is_tight(self):
    # The best case of deflate, whose header and first bytes take 0.1 %.
    zeros = bytes(10**7)
    path = self.write('a.gz', zlib.compress(zeros, 9))
    most = capacity.of_file(path)
    self.assertBetween(most, len(zeros), 1.01 * len(zeros))

  def test_stored_files_hold_their_own_size(self):
    path = self.write('a', bytes(100))
    self.assertEqual(capacity.of_file(path), 100)
    archive = self.data_dir / 'a.zip'
    with zipfile.ZipFile(archive, 'w') as file:
      file.write(path, 'a')
    self.assertEqual(capacity.of_file(zipfile.Path(archive, 'a')), 100)
