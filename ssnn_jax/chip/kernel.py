"""The compiled kernel of the chip for CPU, in the user's cache.

It presents samples many times faster than the rules in JAX, with the same bits.
It is compiled when it is first needed, for this processor, jaxlib and version
of the source, by the system's C++ compiler ($CXX, or c++); where that is not
possible, the rules run instead. Loading a library runs code, so that folders
which other users can write to are refused.
"""

from collections.abc import Callable
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
from typing import Any

import jax
import jax.extend

from ssnn_jax import types
from ssnn_jax import user_cache

NAME = 'ssnn_chip'
_SOURCE = pathlib.Path(__file__).with_name('kernel.cc')
_FLAGS = '-std=c++17 -O3 -march=native -fPIC -shared -Wall -Wno-psabi'.split()


def by_platform(
  on_cpu: Callable[..., Any], elsewhere: Callable[..., Any]
) -> Callable[..., Any]:
  """Returns the function of the platform on which a program runs."""
  # To trace a program for other platforms takes as long again.
  if set(jax.extend.backend.backends()) == {'cpu'}:
    return on_cpu
  return functools.partial(
    jax.lax.platform_dependent, cpu=on_cpu, default=elsewhere
  )


@functools.cache
def is_available() -> bool:
  """Registers the kernel; returns whether there is one for this process."""
  # Elsewhere it would be compiled for nothing.
  compiled = load() if jax.default_backend() == 'cpu' else None
  if compiled is None:
    return False
  capsule = jax.ffi.pycapsule(getattr(compiled, NAME))
  jax.ffi.register_ffi_target(NAME, capsule, platform='cpu')
  return True


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
      print('compiling the chip for this processor, once', file=sys.stderr)
      compile_library(library)
    return ctypes.CDLL(str(library))
  except (OSError, types.UserError) as error:
    reason = str(error).rstrip('.')
    if isinstance(error, OSError):
      reason = f'{library} cannot be written or loaded ({error})'
    print(
      f'{reason}. Without a compiled kernel, the chip is simulated slowly.',
      file=sys.stderr,
    )
    return None


def compile_library(library: pathlib.Path) -> None:
  """Compiles the library to a file, which it replaces when it is complete."""
  compiler = os.environ.get('CXX') or 'c++'
  command = [*compiler.split(), *_FLAGS, '-isystem', jax.ffi.include_dir()]
  with tempfile.TemporaryDirectory(dir=library.parent) as folder:
    compiled = f'{folder}/compiled.so'
    command += [str(_SOURCE), '-o', compiled]
    try:
      run = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
      raise types.UserError(
        f'{compiler} was not found; install a C++ compiler, or name one in '
        '$CXX.'
      ) from None
    if run.returncode:
      lines = run.stderr.strip().splitlines() or ['no message']
      first = next((line for line in lines if 'error' in line), lines[0])
      raise types.UserError(
        f'{compiler} cannot compile the chip ({first}); name another '
        'compiler in $CXX.'
      )
    os.chmod(compiled, 0o755)  # whatever the umask allows
    os.replace(compiled, library)


def path() -> pathlib.Path:
  """Returns its path, by the source, the compiler, jaxlib and processor."""
  compiler = os.environ.get('CXX') or 'c++'
  parts = [
    _SOURCE.read_text(),
    compiler,
    importlib.metadata.version('jaxlib'),
    processor(),
  ]
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
      f'Other users can write to {folder}, so the kernel in it is not loaded; '
      'make it yours alone, or name another folder in $SSNN_JAX_CACHE_DIR.'
    )
