"""Compiled library of the CPU kernels, in the user's cache.

The library is compiled when it is first needed, for this processor, jaxlib and
version of the sources, by the system's C++ compiler ($CXX, or c++).
"""

import contextlib
import fcntl
import functools
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

import jax

from ssnn_jax import types
from ssnn_jax import user_cache

_SOURCES = pathlib.Path(__file__).with_name('cpu')
_FLAGS = '-std=c++17 -O3 -march=native -fPIC -shared -Wall -Wno-psabi'.split()


@functools.cache
def find() -> pathlib.Path | None:
  """Finds the library, and compiles it first if it is missing.

  Returns:
    The path of the library; None if it cannot be compiled, which is printed.
  """
  library = path()
  if library.exists():
    return library
  try:
    with _lock(library):
      if not library.exists():  # not compiled by another process meanwhile
        print('compiling kernels for this processor, once', file=sys.stderr)
        compile_library()
  except types.UserError as error:
    print(
      f'{error} Without compiled kernels, learning is two to three times '
      'slower.',
      file=sys.stderr,
    )
    return None
  return library


def compile_library() -> pathlib.Path:
  """Compiles the library, whether it exists or not.

  Returns:
    The path of the library; processes that start later use it.

  Raises:
    UserError: if there is no compiler, the compiler fails, or the cache cannot
      be written to.
  """
  library = path()
  command = [*_compiler().split(), *_FLAGS, '-isystem', jax.ffi.include_dir()]
  # One unit parses the headers of jaxlib once.
  unit = ''.join(f'#include "{source}"\n' for source in _sources('*.cc'))
  try:
    library.parent.mkdir(parents=True, exist_ok=True)
    # Renamed when complete: other processes may load the library meanwhile.
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
      compiled = pathlib.Path(folder) / library.name
      command += ['-x', 'c++', '-', '-o', str(compiled)]
      subprocess.run(
        command, input=unit, check=True, capture_output=True, text=True
      )
      compiled.replace(library)
  except FileNotFoundError:
    raise types.UserError(
      f'{_compiler()} was not found; install a C++ compiler, or name one in '
      '$CXX.'
    ) from None
  except subprocess.CalledProcessError as error:
    raise types.UserError(
      f'{_compiler()} cannot compile the kernels; name another compiler in '
      f'$CXX. Its output: {_first_error(error.stderr)}.'
    ) from None
  except OSError as error:
    raise _unwritable(library, error) from None
  return library


def path() -> pathlib.Path:
  """Returns the path of the library, whether it exists or not.

  Returns:
    A file in the user's cache, whose name depends on the sources, the compiler,
    jaxlib and the processor.
  """
  parts = [file.read_text() for file in _sources('*.h') + _sources('*.cc')]
  parts += [_compiler(), importlib.metadata.version('jaxlib'), processor()]
  digest = hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:16]
  return user_cache.folder() / f'kernels-{digest}.so'


def processor() -> str:
  """Returns the system, architecture and instruction sets of the processor."""
  features = []
  if os.path.exists('/proc/cpuinfo'):
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    features = [s for s in lines if s.startswith(('flags', 'Features'))][:1]
  return ' '.join([platform.system(), platform.machine(), *features])


def _sources(pattern):
  return sorted(_SOURCES.glob(pattern))


def _compiler():
  return os.environ.get('CXX') or 'c++'


def _first_error(output):
  """Returns the line of a compiler's output that names the first error."""
  lines = output.strip().splitlines() or ['none']
  return next((line for line in lines if 'error' in line), lines[0]).rstrip('.')


@contextlib.contextmanager
def _lock(library):
  """Waits until no other process compiles the library."""
  try:
    library.parent.mkdir(parents=True, exist_ok=True)
    lock = open(library.with_suffix('.lock'), 'a')
  except OSError as error:
    raise _unwritable(library, error) from None
  with lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield


def _unwritable(library, error):
  return types.UserError(
    f'The kernels cannot be written to {library.parent} ({error.strerror}); '
    'name another folder in $SSNN_JAX_CACHE_DIR.'
  )
