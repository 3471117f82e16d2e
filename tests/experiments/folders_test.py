"""Tests of the folders of runs."""

import pathlib

from absl.testing import absltest

from experiments import folders
import ssnn_jax


class FoldersTest(absltest.TestCase):
  def test_lock_creates_its_folder_and_is_released_after_an_error(self):
    folder = pathlib.Path(self.create_tempdir().full_path, 'a/b')

    def assert_locked():
      with self.assertRaisesRegex(
        ssnn_jax.UserError, f'^{folder} is in use by another process'
      ):
        with folders.exclusive_lock(folder):
          self.fail('two processes hold the lock')

    self.assertFalse(folders.is_nonempty(folder))
    with self.assertRaisesRegex(ValueError, 'stopped'):
      with folders.exclusive_lock(folder):
        assert_locked()
        raise ValueError('stopped')
    with folders.exclusive_lock(folder):
      assert_locked()
    self.assertFalse(folders.is_nonempty(folder))
