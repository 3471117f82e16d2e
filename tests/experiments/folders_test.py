"""Tests of the folders of runs."""

import pathlib
import subprocess
from unittest import mock

from absl.testing import parameterized

from experiments import folders
import ssnn_jax


class FoldersTest(parameterized.TestCase):
  def test_environment_names_versions_and_devices(self):
    environment = folders.environment()
    for name in ('jax', 'jaxlib', 'numpy', 'optax', 'flax'):
      self.assertRegex(environment['versions'][name], r'^\d+\.\d+')
    self.assertEqual(environment['num_devices'], 1)
    self.assertEqual(environment['accelerator'], 'cpu')
    with mock.patch.object(subprocess, 'run', side_effect=OSError):
      environment = folders.environment()
    self.assertIsNone(environment['commit'])
    self.assertIsNone(environment['dirty'])

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
