"""Tests of atomic writes and locks."""

import errno
import os
import pathlib
from unittest import mock

from absl.testing import parameterized

import ssnn_jax
from ssnn_jax.runs import files


class FilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.path = self.folder / 'file'

  @parameterized.parameters((os, 'replace'), (pathlib.Path, 'write_bytes'))
  def test_failed_write_keeps_old_content(self, owner, name):
    files.write_atomically(self.path, 'before')
    error = OSError(errno.ENOSPC, 'No space left on device')
    with mock.patch.object(owner, name, side_effect=error):
      with self.assertRaisesRegex(
        ssnn_jax.UserError,
        f'^{self.path} cannot be used .No space left on device.; free disk',
      ):
        files.write_atomically(self.path, 'after')
    self.assertEqual(self.path.read_text(), 'before')
    self.assertEqual(list(self.folder.iterdir()), [self.path])

  def test_killed_write_keeps_old_content(self):
    for before in (None, 'before'):
      if before:
        files.write_atomically(self.path, before)
      with mock.patch.object(os, 'replace', side_effect=KeyboardInterrupt):
        with self.assertRaises(KeyboardInterrupt):
          files.write_atomically(self.path, 'after')
      # What is left of a first write does not count as a file.
      self.assertEqual(files.is_nonempty(self.folder), before is not None)
    self.assertEqual(self.path.read_text(), 'before')
    files.write_atomically(self.path, 'after')
    self.assertEqual(self.path.read_text(), 'after')
    self.assertEqual(list(self.folder.iterdir()), [self.path])

  def assert_locked(self):
    with self.assertRaisesRegex(
      ssnn_jax.UserError, f'^{self.folder} is in use by another process'
    ):
      with files.exclusive_lock(self.folder):
        self.fail('two processes hold the lock')

  def test_lock_creates_its_folder_and_is_released_after_an_error(self):
    self.folder /= 'a/b'
    self.assertFalse(files.is_nonempty(self.folder))
    with self.assertRaisesRegex(ValueError, 'stopped'):
      with files.exclusive_lock(self.folder):
        self.assert_locked()
        raise ValueError('stopped')
    with files.exclusive_lock(self.folder):
      self.assert_locked()
    self.assertFalse(files.is_nonempty(self.folder))
