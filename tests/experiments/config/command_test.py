"""Tests of what commands share."""

import os
import pathlib
from unittest import mock

from absl.testing import absltest
import jax

from experiments.config import command


class ProgramsTest(absltest.TestCase):
  def keep_programs(self, cache):
    """Returns the changes of the configuration of JAX."""
    found, own = {}, os.environ | {'SSNN_JAX_CACHE_DIR': str(cache)}
    own = {k: v for k, v in own.items() if not k.startswith('JAX_')}
    with (
      mock.patch.dict(os.environ, own, clear=True),
      mock.patch.object(type(jax.config), 'update') as update,
    ):
      command._keep_programs()
    for call in update.call_args_list:
      name, value = call.args[-2:]
      found[name] = value
    return found

  def test_programs_are_kept_in_the_cache_if_it_is_writable(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    kept = self.keep_programs(folder / 'new')['jax_compilation_cache_dir']
    self.assertEqual(kept, str(folder / 'new' / 'programs'))
    (folder / 'file').touch()
    found = self.keep_programs(folder / 'file')
    self.assertNotIn('jax_compilation_cache_dir', found)
