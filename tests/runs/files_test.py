"""Tests of atomic writes, digests and locks."""

import errno
import os
import pathlib
from unittest import mock

from absl.testing import parameterized
import numpy as np

from experiments.runs import records
from ssnn_jax import types
from ssnn_jax.runs import files


class FilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'file'

  @parameterized.parameters(
    (os, 'replace', OSError(errno.ENOSPC, 'No space left on device')),
    (pathlib.Path, 'write_bytes', OSError(errno.ENOSPC, 'No space left')),
    (os, 'replace', KeyboardInterrupt()),
  )
  def test_failed_or_killed_write_keeps_old_content(self, owner, name, error):
    for before in (None, 'before'):
      if before:
        files.write_atomically(self.path, before)
      with mock.patch.object(owner, name, side_effect=error):
        with self.assertRaises(type(error)):
          files.write_atomically(self.path, 'after')
      # What is left of a first write does not count as a file.
      self.assertEqual(records.is_nonempty(self.folder), before is not None)
    self.assertEqual(self.path.read_text(), 'before')
    files.write_atomically(self.path, 'after')
    self.assertEqual(self.path.read_text(), 'after')
    self.assertEqual(list(self.folder.iterdir()), [self.path])

  def test_digests_are_equal_if_and_only_if_bits_are_equal(self):
    def digest(*weights):
      layer = types.LayerParams(np.array(weights), np.zeros(1))
      return files.sha256((layer,))

    self.assertEqual(digest(0.0, 1.0), digest(0.0, 1.0))
    others = digest(1.0, 0.0), digest(-0.0, 1.0), digest(0.0, 1.0 + 2**-23)
    self.assertLen({digest(0.0, 1.0), *others}, 4)

  def test_lock_creates_its_folder_and_is_released_after_an_error(self):
    folder = self.folder / 'a/b'

    def assert_locked():
      words = f'^{folder} is in use by another process'
      with self.assertRaisesRegex(types.UserError, words):
        with records.exclusive_lock(folder):
          self.fail('two processes hold the lock')

    self.assertFalse(records.is_nonempty(folder))
    with self.assertRaisesRegex(ValueError, 'stopped'):
      with records.exclusive_lock(folder):
        assert_locked()
        raise ValueError('stopped')
    with records.exclusive_lock(folder):
      assert_locked()
    self.assertFalse(records.is_nonempty(folder))
