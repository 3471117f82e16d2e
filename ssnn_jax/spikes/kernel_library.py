"""Compiled library of the CPU kernels, in the user's cache.

The library is compiled when it is first needed, for this processor, jaxlib and
version of the sources, by the system's C++ compiler ($CXX, or c++). Loading a
library runs code, so that folders which other users can write to are refused.
"""

import ctypes
import functools
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import stat
import subprocess
import sys
import tempfile

import jax

from ssnn_jax import types
from ssnn_jax import user_cache

_SOURCES = pathlib.Path(__file__).with_name('cpu')
_FLAGS = '-std=c++17 -O3 -march=native -fPIC -shared -Wall -Wno-psabi'.split()


@functools.cache
def load() -> ctypes.CDLL | None:
  """Loads the library, and compiles it first if it is missing.

  Returns:
    The library; None if it cannot be compiled or loaded, which is printed.
  """
  library = path()
  try:
    check_folder(library.parent)
    if not library.exists():
      print('compiling kernels for this processor, once', file=sys.stderr)
      compile_library(library)
    return ctypes.CDLL(str(library))
  except (OSError, types.UserError) as error:
    reason = str(error).rstrip('.')
    if isinstance(error, OSError):
      reason = f'{library} cannot be written or loaded ({error})'
    print(
      f'{reason}. Without compiled kernels, learning is about three times '
      'slower.',
      file=sys.stderr,
    )
    return None


def compile_library(library: pathlib.Path) -> None:
  """Compiles the library to a file, which it replaces when it is complete."""
  compiler = os.environ.get('CXX') or 'c++'
  # One unit parses the headers of jaxlib once.
  unit = ''.join(f'#include "{own}"\n' for own in sorted(_SOURCES.glob('*.cc')))
  command = [*compiler.split(), *_FLAGS, '-isystem', jax.ffi.include_dir()]
  with tempfile.TemporaryDirectory(dir=library.parent) as folder:
    compiled = f'{folder}/compiled.so'
    command += ['-x', 'c++', '-', '-o', compiled]
    try:
      run = subprocess.run(command, input=unit, capture_output=True, text=True)
    except FileNotFoundError:
      raise types.UserError(
        f'{compiler} was not found; install a C++ compiler, or name one in '
        '$CXX.'
      ) from None
    if run.returncode:
      lines = run.stderr.strip().splitlines() or ['no message']
      first = next((line for line in lines if 'error' in line), lines[0])
      raise types.UserError(
        f'{compiler} cannot compile the kernels ({first}); name another '
        'compiler in $CXX.'
      )
    os.chmod(compiled, 0o755)  # whatever the umask allows
    os.replace(compiled, library)


def path() -> pathlib.Path:
  """Returns its path, by the sources, the compiler, jaxlib and processor."""
  parts = [own.read_text() for own in sorted(_SOURCES.glob('*.[ch]*'))]
  compiler = os.environ.get('CXX') or 'c++'
  parts += [compiler, importlib.metadata.version('jaxlib'), processor()]
  digest = hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:16]
  return user_cache.folder() / 'kernels' / f'{digest}.so'


def processor() -> str:
  """Returns the system, architecture and instruction sets of the processor."""
  features = []
  if os.path.exists('/proc/cpuinfo'):
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    features = [s for s in lines if s.startswith(('flags', 'Features'))][:1]
  return ' '.join([platform.system(), platform.machine(), *features])


def check_folder(folder: pathlib.Path) -> None:
  """Makes a folder; raises a UserError if other users can write to it."""
  folder.mkdir(mode=0o755, parents=True, exist_ok=True)
  status = folder.stat()
  is_private = not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
  if not is_private or status.st_uid not in (0, os.geteuid()):
    raise types.UserError(
      f'Other users can write to {folder}, so kernels from it are not loaded; '
      'make it yours alone, or name another folder in $SSNN_JAX_CACHE_DIR.'
    )
