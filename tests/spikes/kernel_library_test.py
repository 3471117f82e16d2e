"""Tests of the compilation of kernels, on demand and in advance."""

import contextlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
from unittest import mock

from absl.testing import absltest

import ssnn_jax
from ssnn_jax.spikes import compile_kernels
from ssnn_jax.spikes import kernel_library

FIND = (
  'from ssnn_jax.spikes import kernel_library; print(kernel_library.find())'
)
# Counts its runs, takes its time, and compiles an empty library.
COMPILER = """#!/bin/sh
echo run >> {folder}/runs
sleep 1
for last; do :; done
touch "$last"
"""


class KernelLibraryTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    kernel_library.find.cache_clear()
    self.addCleanup(kernel_library.find.cache_clear)

  def environment(self, compiler, cache='cache'):
    cache = str(self.folder / cache)
    return {**os.environ, 'CXX': compiler, 'SSNN_JAX_CACHE_DIR': cache}

  def write_compiler(self):
    path = self.folder / 'compiler'
    path.write_text(COMPILER.format(folder=self.folder))
    path.chmod(0o755)
    return str(path)

  def assert_runs_without_kernels(self, message, *environment):
    errors = io.StringIO()
    with (
      mock.patch.dict(os.environ, self.environment(*environment)),
      contextlib.redirect_stderr(errors),
    ):
      self.assertIsNone(kernel_library.find())
      self.assertIsNone(kernel_library.find())  # and says so once
      with self.assertRaisesRegex(SystemExit, f'^error: {message}'):
        compile_kernels.main()
    (line,) = (
      errors.getvalue()
      .removeprefix('compiling kernels for this processor, once\n')
      .splitlines()
    )
    self.assertRegex(line, f'^{message}')
    self.assertEndsWith(line, 'learning is two to three times slower.')
    self.assertEmpty(list(self.folder.rglob('*.so')))

  def test_runs_without_a_compiler(self):
    self.assert_runs_without_kernels('no-such was not found; ', 'no-such')

  def test_runs_with_a_failing_compiler(self):
    message = 'false cannot compile the kernels; '
    self.assert_runs_without_kernels(message, 'false')

  def test_runs_where_the_cache_cannot_be_written(self):
    (self.folder / 'file').write_text('')
    message = 'The kernels cannot be written to .*file'
    self.assert_runs_without_kernels(message, 'c++', 'file/cache')

  def test_processes_compile_once(self):
    environment = self.environment(self.write_compiler())
    processes = [
      subprocess.Popen(
        [sys.executable, '-c', FIND],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
      )
      for _ in range(3)
    ]
    printed, said = zip(*(process.communicate() for process in processes))
    self.assertEqual((self.folder / 'runs').read_text(), 'run\n')
    (library,) = (self.folder / 'cache').glob('*.so')
    self.assertEqual(set(printed), {f'{library}\n'})
    expected = 'compiling kernels for this processor, once\n'
    self.assertEqual(''.join(said), expected)

  def test_library_depends_on_processor_and_compiler(self):
    ours = kernel_library.path()
    with mock.patch.object(kernel_library, 'processor', lambda: 'another'):
      self.assertNotEqual(kernel_library.path(), ours)
    with mock.patch.dict(os.environ, CXX='another'):
      self.assertNotEqual(kernel_library.path(), ours)
    self.assertEqual(kernel_library.path(), ours)

  def test_kernels_without_avx512_equal_the_reference(self):
    if 'avx512bw' not in kernel_library.processor():
      raise absltest.SkipTest('the processor has no AVX-512')
    if not shutil.which('c++'):
      raise absltest.SkipTest('there is no C++ compiler')
    tests = pathlib.Path(__file__).with_name('kernels_test.py')
    done = subprocess.run(
      [sys.executable, '-m', 'pytest', '-q', '-p', 'no:xdist', str(tests)],
      cwd=pathlib.Path(ssnn_jax.__file__).parent.parent,
      env={**os.environ, 'CXX': 'c++ -mno-avx512f'},
      capture_output=True,
      text=True,
    )
    self.assertEqual(done.returncode, 0, done.stdout)
    self.assertNotIn('skipped', done.stdout)


if __name__ == '__main__':
  absltest.main()
