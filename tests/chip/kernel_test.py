"""Tests of the compilation and of the loading of the kernel of the chip."""

import contextlib
import io
import os
import pathlib
import shutil
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

import ssnn_jax
from ssnn_jax.chip import kernel


class KernelTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    if not shutil.which('c++'):
      raise absltest.SkipTest('there is no C++ compiler')
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.cache = self.folder / 'cache'
    kernel.load.cache_clear()
    self.addCleanup(kernel.load.cache_clear)

  def load(self, script='echo "" | exec c++ -shared -x c++ -o "$last" -'):
    """Loads the library that a compiler makes; returns it and what it says."""
    compiler = self.folder / 'compiler'
    lines = '#!/bin/sh', 'for last; do :; done'
    counted = f'echo run >> {self.folder}/runs'
    compiler.write_text('\n'.join([*lines, counted, script, '']))
    compiler.chmod(0o755)
    variables = {'CXX': str(compiler), 'SSNN_JAX_CACHE_DIR': str(self.cache)}
    kernel.load.cache_clear()
    with (
      mock.patch.dict(os.environ, variables),
      contextlib.redirect_stderr(io.StringIO()) as said,
    ):
      return kernel.load(), said.getvalue()

  def num_runs(self):
    path = self.folder / 'runs'
    return len(path.read_text().split()) if path.exists() else 0

  def test_is_compiled_once_and_not_by_others_writable(self):
    self.addCleanup(os.umask, os.umask(0o002))
    library, said = self.load()
    self.assertIsNotNone(library)
    self.assertStartsWith(said, 'compiling the chip')
    library, said = self.load()
    self.assertIsNotNone(library)
    self.assertEqual((said, self.num_runs()), ('', 1))
    (path,) = self.cache.rglob('*.so')
    self.assertFalse(path.stat().st_mode & 0o022)
    self.assertEqual(os.listdir(path.parent), [path.name])

  @parameterized.parameters(
    ('exit 1', 'compiler cannot compile the chip'),
    ('echo "" > $last', 'cannot be written or loaded'),
  )
  def test_runs_without_a_working_compiler(self, script, message):
    library, said = self.load(script)
    self.assertIsNone(library)
    self.assertRegex(said, message)
    self.assertEndsWith(said, 'the chip is simulated slowly.\n')

  @parameterized.parameters(0o775, 0o757, None)
  def test_folder_of_others_is_refused(self, mode):
    self.load()
    folder = self.cache / 'kernels'
    status = list(os.stat(folder))
    if mode is None:
      status[4] = os.geteuid() + 1  # the owner
    else:
      folder.chmod(mode)
      status = list(os.stat(folder))
    found = lambda path, **options: os.stat_result(status)
    with mock.patch.object(pathlib.Path, 'stat', found):
      with self.assertRaisesRegex(ssnn_jax.UserError, f'write to {folder}'):
        kernel.check_folder(folder)
    self.assertEqual(self.num_runs(), 1)

  def test_name_depends_on_processor_and_compiler(self):
    ours = kernel.path()
    with mock.patch.object(kernel, 'processor', lambda: 'another'):
      self.assertNotEqual(kernel.path(), ours)
    with mock.patch.dict(os.environ, CXX='another'):
      self.assertNotEqual(kernel.path(), ours)
    self.assertEqual(kernel.path(), ours)
