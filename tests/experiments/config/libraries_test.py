"""Tests of the settings of libraries in commands."""

import os
from unittest import mock

from absl.testing import absltest
import jax

from experiments.config import libraries


class LibrariesTest(absltest.TestCase):
  def cache_programs(self, **environment):
    """Returns the environment and the updates of jax's configuration."""
    with (
      mock.patch.dict(os.environ, environment, clear=True),
      mock.patch.object(jax.config, 'update') as update,
    ):
      libraries.cache_programs()
      return dict(os.environ), dict(call.args for call in update.mock_calls)

  def test_programs_are_kept_in_the_cache_of_the_user(self):
    variables, updates = self.cache_programs(SSNN_JAX_CACHE_DIR='/cache')
    # Workers read the variables, and this process has read them already.
    self.assertEqual(variables['JAX_COMPILATION_CACHE_DIR'], '/cache/programs')
    self.assertEqual(updates['jax_compilation_cache_dir'], '/cache/programs')

  def test_folder_of_the_user_stays(self):
    given = {'JAX_COMPILATION_CACHE_DIR': '/mine', 'HOME': '/home/me'}
    variables, updates = self.cache_programs(**given)
    self.assertEqual(variables['JAX_COMPILATION_CACHE_DIR'], '/mine')
    self.assertNotIn('jax_compilation_cache_dir', updates)


if __name__ == '__main__':
  absltest.main()
