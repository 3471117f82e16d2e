"""Tests of the compilation and of the loading of kernels."""

import contextlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

import ssnn_jax
from ssnn_jax.spikes import kernel_library


class KernelLibraryTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    if not shutil.which('c++'):
      raise absltest.SkipTest('there is no C++ compiler')
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.cache = self.folder / 'cache'
    kernel_library.load.cache_clear()
    self.addCleanup(kernel_library.load.cache_clear)

  def load(self, script='echo "" | exec c++ -shared -x c++ -o "$last" -'):
    """Loads the library that a compiler makes; returns it and what it says."""
    compiler = self.folder / 'compiler'
    lines = '#!/bin/sh', 'cat > /dev/null', 'for last; do :; done'
    counted = f'echo run >> {self.folder}/runs'
    compiler.write_text('\n'.join([*lines, counted, script, '']))
    compiler.chmod(0o755)
    variables = {'CXX': str(compiler), 'SSNN_JAX_CACHE_DIR': str(self.cache)}
    kernel_library.load.cache_clear()
    with (
      mock.patch.dict(os.environ, variables),
      contextlib.redirect_stderr(io.StringIO()) as said,
    ):
      return kernel_library.load(), said.getvalue()

  def num_runs(self):
    path = self.folder / 'runs'
    return len(path.read_text().split()) if path.exists() else 0

  def test_is_compiled_once_and_not_by_others_writable(self):
    self.addCleanup(os.umask, os.umask(0o002))
    library, said = self.load()
    self.assertIsNotNone(library)
    self.assertStartsWith(said, 'compiling kernels')
    library, said = self.load()
    self.assertIsNotNone(library)
    self.assertEqual((said, self.num_runs()), ('', 1))
    (path,) = self.cache.rglob('*.so')
    self.assertFalse(path.stat().st_mode & 0o022)
    self.assertEqual(os.listdir(path.parent), [path.name])

  @parameterized.parameters(
    ('exit 1', 'compiler cannot compile the kernels'),
    ('echo "" > $last', 'cannot be written or loaded'),
  )
  def test_runs_without_a_working_compiler(self, script, message):
    library, said = self.load(script)
    self.assertIsNone(library)
    self.assertRegex(said, message)
    self.assertEndsWith(said, 'learning is about three times slower.\n')

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
        kernel_library.check_folder(folder)
    self.assertEqual(self.num_runs(), 1)

  def test_name_depends_on_processor_and_compiler(self):
    ours = kernel_library.path()
    with mock.patch.object(kernel_library, 'processor', lambda: 'another'):
      self.assertNotEqual(kernel_library.path(), ours)
    with mock.patch.dict(os.environ, CXX='another'):
      self.assertNotEqual(kernel_library.path(), ours)
    self.assertEqual(kernel_library.path(), ours)

  def test_kernels_without_avx512_equal_the_reference(self):
    if 'avx512bw' not in kernel_library.processor():
      raise absltest.SkipTest('the processor has no AVX-512')
    compiler = self.folder / 'compiler'  # which does not optimize, for speed
    compiler.write_text('#!/bin/sh\nexec c++ "$@" -mno-avx512f -O0\n')
    compiler.chmod(0o755)
    tests = pathlib.Path(__file__).with_name('kernels_test.py')
    done = subprocess.run(
      [sys.executable, '-m', 'pytest', '-q', '-p', 'no:xdist', str(tests)],
      cwd=pathlib.Path(ssnn_jax.__file__).parent.parent,
      env={**os.environ, 'CXX': str(compiler)},
      capture_output=True,
      text=True,
    )
    self.assertEqual(done.returncode, 0, done.stdout)
    self.assertNotIn('skipped', done.stdout)
