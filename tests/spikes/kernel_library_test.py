"""Tests of the compilation and of the loading of kernels."""

import contextlib
import hashlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

import ssnn_jax
from ssnn_jax.spikes import compile_kernels
from ssnn_jax.spikes import kernel_library

LOAD = (
  'from ssnn_jax.spikes import kernel_library; '
  'print(kernel_library.load() is not None)'
)
# Instead of the kernels, compiles a library that appends a line to $LOADED when
# it is loaded, and appends a line to a file for each compilation.
COMPILER = """#!/bin/sh
echo run >> {folder}/compiled
sleep {seconds}
for last; do :; done
cat > /dev/null
exec c++ -shared -fPIC -x c++ -o "$last" - << END
#include <cstdio>
#include <cstdlib>
__attribute__((constructor)) static void loaded() {{
  FILE* file = fopen(getenv("LOADED"), "a");
  fputs("{name}\\\\n", file);
  fclose(file);
}}
END
"""


def requires_compiler():
  if not shutil.which('c++'):
    raise absltest.SkipTest('there is no C++ compiler')


class KernelLibraryTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    self.cache = self.folder / 'cache'
    kernel_library.load.cache_clear()
    self.addCleanup(kernel_library.load.cache_clear)

  def set_compiler(self, compiler):
    variables = {
      'CXX': compiler,
      'SSNN_JAX_CACHE_DIR': str(self.cache),
      'LOADED': str(self.folder / 'loaded'),
    }
    self.enterContext(mock.patch.dict(os.environ, variables))

  def write_compiler(self, name='ours', seconds=0):
    requires_compiler()
    path = self.folder / 'compiler'
    content = COMPILER.format(folder=self.folder, name=name, seconds=seconds)
    path.write_text(content)
    path.chmod(0o755)
    self.set_compiler(str(path))

  def compile(self, name='ours'):
    self.write_compiler(name)
    return kernel_library.compile_library()

  def load(self):
    """Loads the library; returns whether it was, and the errors printed."""
    kernel_library.load.cache_clear()
    with contextlib.redirect_stderr(io.StringIO()) as errors:
      library = kernel_library.load()
    return library is not None, errors.getvalue()

  def load_in_process(self):
    """Starts to load the library in another process."""
    return subprocess.Popen(
      [sys.executable, '-c', LOAD],
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  def lines(self, name):
    path = self.folder / name
    return path.read_text().split() if path.exists() else []

  def assert_runs_without_kernels(self, message):
    is_loaded, errors = self.load()
    self.assertFalse(is_loaded)
    self.assertIsNone(kernel_library.load())  # and says so once
    *_, line = errors.splitlines()
    self.assertRegex(line, message)
    self.assertEndsWith(line, 'learning is two to three times slower.')

  def assert_replaced(self, library, reason):
    """Asserts that an unusable library is compiled again, loaded and kept."""
    unusable = library.read_bytes()
    is_loaded, errors = self.load()
    self.assertTrue(is_loaded)
    self.assertRegex(errors, f'^compiling kernels .*{reason}')
    self.assertFalse(library.is_symlink())
    self.assertNotEqual(library.read_bytes(), unusable)
    self.assertEqual(self.load(), (True, ''))

  @parameterized.parameters(
    ('no-such', 'no-such was not found'), ('false', 'false cannot compile')
  )
  def test_runs_without_a_working_compiler(self, compiler, message):
    self.set_compiler(compiler)
    self.assert_runs_without_kernels(message)
    with self.assertRaisesRegex(SystemExit, f'^error: {message}'):
      compile_kernels.main()
    self.assertEmpty(list(self.folder.rglob('*.so')))

  def test_runs_where_the_cache_cannot_be_written(self):
    (self.folder / 'file').write_text('')
    self.cache = self.folder / 'file' / 'cache'
    self.set_compiler('c++')
    self.assert_runs_without_kernels('cannot be written to .*file')

  def test_runs_where_a_library_cannot_be_replaced(self):
    self.compile().write_bytes(b'')
    failure = OSError(30, 'Read-only file system')
    with mock.patch.object(pathlib.Path, 'replace', side_effect=failure):
      self.assert_runs_without_kernels('Read-only file system')

  @parameterized.named_parameters(
    ('empty', lambda content: b''),
    ('truncated', lambda content: content[: len(content) // 2]),
    ('changed', lambda content: content[:99] + b'?' + content[100:]),
  )
  def test_damaged_library_is_compiled_again(self, damage):
    library = self.compile()
    content = library.read_bytes()
    library.write_bytes(damage(content))
    self.assertNotEqual(library.read_bytes(), content)
    self.assert_replaced(library, 'damaged')

  def test_library_that_is_no_library_is_compiled_again(self):
    library = self.compile()
    content = b'no library'
    library.write_bytes(content + hashlib.sha256(content).digest())
    self.assert_replaced(library, 'cannot be loaded')

  def test_linked_library_is_compiled_again(self):
    library = self.compile()
    content = library.read_bytes()
    theirs = library.rename(self.folder / 'theirs.so')
    library.symlink_to(theirs)
    is_loaded, errors = self.load()
    self.assertTrue(is_loaded)
    self.assertIn('symbolic link', errors)
    self.assertFalse(library.is_symlink())
    self.assertEqual(theirs.read_bytes(), content)

  @parameterized.parameters(0o775, 0o757)
  def test_library_that_others_can_write_is_compiled_again(self, mode):
    library = self.compile()
    library.chmod(mode)
    is_loaded, errors = self.load()
    self.assertTrue(is_loaded)
    self.assertIn(f'Other users can write to {library}', errors)
    self.assertEqual(self.load(), (True, ''))

  @parameterized.parameters(0o775, 0o777)
  def test_folder_that_others_can_write_is_not_used(self, mode):
    folder = self.compile().parent
    folder.chmod(mode)
    message = f'Other users can write to {folder}'
    self.assert_runs_without_kernels(message)
    self.assertLen(self.lines('compiled'), 1)

  def test_umask_leaves_no_permission_to_others(self):
    self.addCleanup(os.umask, os.umask(0o002))
    self.compile()
    self.assertEqual(self.load(), (True, ''))

  @parameterized.parameters('file', 'folder')
  def test_library_of_another_user_does_not_run(self, foreign):
    library = self.compile('theirs')
    self.write_compiler('ours')
    foreign = os.stat(library if foreign == 'file' else library.parent)

    def status(read):
      def read_owner(path, **options):
        found = read(path, **options)
        if found.st_ino != foreign.st_ino:
          return found
        return os.stat_result([*found[:4], 12345, *found[5:]])

      return read_owner

    with (
      mock.patch.object(os, 'fstat', status(os.fstat)),
      mock.patch.object(os, 'stat', status(os.stat)),
    ):
      is_loaded, errors = self.load()
    self.assertIn('Other users can write to', errors)
    self.assertNotIn('theirs', self.lines('loaded'))
    # A file can be replaced; a folder of another user cannot be trusted.
    is_file = foreign.st_ino != os.stat(library.parent).st_ino
    self.assertEqual(is_loaded, is_file)
    self.assertEqual(self.lines('loaded'), ['ours'] * is_file)

  def test_own_library_runs(self):
    self.compile('theirs')
    self.write_compiler('ours')
    self.assertEqual(self.load(), (True, ''))
    self.assertEqual(self.lines('loaded'), ['theirs'])

  def test_processes_compile_once(self):
    self.write_compiler(seconds=1)
    processes = [self.load_in_process() for _ in range(2)]
    printed, said = zip(*(process.communicate() for process in processes))
    self.assertEqual(printed, ('True\n', 'True\n'))
    self.assertLen(self.lines('compiled'), 1)
    self.assertLen(self.lines('loaded'), 2)
    self.assertLen(list(self.cache.rglob('*.so')), 1)
    self.assertEqual(''.join(said).count('compiling kernels'), 1)

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
    requires_compiler()
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
    # Sums of rows are compiled only with AVX-512.
    self.assertEqual(re.findall(r'\d+ skipped', done.stdout), ['4 skipped'])


if __name__ == '__main__':
  absltest.main()
