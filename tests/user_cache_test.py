"""Tests of the folder of code that is loaded."""

import os
import pathlib
from unittest import mock

from absl.testing import parameterized

import ssnn_jax
from ssnn_jax import user_cache


class CodeFolderTest(parameterized.TestCase):
  @parameterized.parameters(0o775, 0o757, None)
  def test_folder_of_others_is_refused(self, mode):
    cache = self.create_tempdir().full_path
    self.enterContext(mock.patch.dict(os.environ, SSNN_JAX_CACHE_DIR=cache))
    folder = user_cache.code_folder('programs')
    self.assertEqual(folder, pathlib.Path(cache, 'programs'))
    status = list(os.stat(folder))
    if mode is None:
      status[4] = os.geteuid() + 1  # the owner
    else:
      folder.chmod(mode)
      status = list(os.stat(folder))
    changed = lambda path, **options: os.stat_result(status)
    with mock.patch.object(pathlib.Path, 'stat', changed):
      with self.assertRaisesRegex(ssnn_jax.UserError, f'write to {folder}'):
        user_cache.code_folder('programs')
