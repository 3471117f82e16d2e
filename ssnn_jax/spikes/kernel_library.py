"""Compiled library of the CPU kernels, in the user's cache.

The library is compiled when it is first needed, for this processor, jaxlib and
version of the sources, by the system's C++ compiler ($CXX, or c++).

Loading a library runs code. A library is loaded only if no other user can have
written it, and if it ends with the digest of the rest, which is appended to it
when it is compiled.
"""

import contextlib
import ctypes
import fcntl
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
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@functools.cache
def load() -> ctypes.CDLL | None:
  """Loads the library, and compiles it first if it is missing or unusable.

  Returns:
    The library; None if it cannot be compiled or loaded, which is printed.
  """
  try:
    with contextlib.suppress(FileNotFoundError, types.UserError):
      return _load()
    with _lock():
      try:
        return _load()  # compiled by another process meanwhile
      except FileNotFoundError:
        reason = 'once'
      except types.UserError as error:
        reason = f'again: {error}'
      print(f'compiling kernels for this processor, {reason}', file=sys.stderr)
      compile_library()
      return _load()
  except types.UserError as error:
    print(
      f'{error} Without compiled kernels, learning is two to three times '
      'slower.',
      file=sys.stderr,
    )
    return None


def compile_library() -> pathlib.Path:
  """Compiles the library, whether it exists or not.

  Returns:
    The path of the library; processes that start later use it.

  Raises:
    UserError: if there is no compiler, the compiler fails, or the cache cannot
      be written to, or can be by other users.
  """
  library = path()
  command = [*_compiler().split(), *_FLAGS, '-isystem', jax.ffi.include_dir()]
  # One unit parses the headers of jaxlib once.
  unit = ''.join(f'#include "{source}"\n' for source in _sources('*.cc'))
  _make_folder()
  try:
    # Renamed when complete: other processes may load the library meanwhile.
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
      compiled = pathlib.Path(folder) / library.name
      command += ['-x', 'c++', '-', '-o', str(compiled)]
      subprocess.run(
        command, input=unit, check=True, capture_output=True, text=True
      )
      compiled.chmod(0o755)  # whatever the umask allows
      with open(compiled, 'r+b') as file:
        file.write(hashlib.sha256(file.read()).digest())
        file.flush()
        os.fsync(file.fileno())
      compiled.replace(library)
    entries = os.open(library.parent, os.O_RDONLY)
    try:
      os.fsync(entries)
    finally:
      os.close(entries)
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
    raise _unwritable(library.parent, error) from None
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
  return user_cache.folder() / 'kernels' / f'{digest}.so'


def processor() -> str:
  """Returns the system, architecture and instruction sets of the processor."""
  features = []
  if os.path.exists('/proc/cpuinfo'):
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    features = [s for s in lines if s.startswith(('flags', 'Features'))][:1]
  return ' '.join([platform.system(), platform.machine(), *features])


def _load():
  """Loads the library, or raises FileNotFoundError, or a UserError if unsafe.

  The file is opened once, so what is checked is what is loaded.
  """
  library = path()
  _make_folder()
  try:
    with open(library, 'rb', opener=_open_no_link) as file:
      _check_owner(library, os.fstat(file.fileno()))
      content = file.read()
      size = hashlib.sha256().digest_size
      if hashlib.sha256(content[:-size]).digest() != content[-size:]:
        raise types.UserError(f'{library} is damaged.')
      # Never closed: another library of this number would be taken for it.
      opened = f'/proc/self/fd/{os.dup(file.fileno())}'
      return ctypes.CDLL(opened if os.path.exists(opened) else str(library))
  except FileNotFoundError:
    raise
  except OSError as error:
    raise types.UserError(
      f'{library} cannot be loaded ({error.strerror or error}); name another '
      'folder in $SSNN_JAX_CACHE_DIR.'
    ) from None


def _open_no_link(path, flags):
  return os.open(path, flags | os.O_NOFOLLOW)


def _make_folder():
  """Creates the folder of the library; raises UserError if others can write."""
  folder = path().parent
  try:
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    status = os.stat(folder)
  except OSError as error:
    raise _unwritable(folder, error) from None
  _check_owner(folder, status)


def _check_owner(path, status):
  """Raises a UserError if other users can write to a file or folder."""
  is_own = status.st_uid in (0, os.geteuid())
  if not is_own or status.st_mode & _WRITABLE_BY_OTHERS:
    raise types.UserError(
      f'Other users can write to {path}, so kernels from it are not loaded; '
      'make it yours alone, or name another folder in $SSNN_JAX_CACHE_DIR.'
    )


def _sources(pattern):
  return sorted(_SOURCES.glob(pattern))


def _compiler():
  return os.environ.get('CXX') or 'c++'


def _first_error(output):
  """Returns the line of a compiler's output that names the first error."""
  lines = output.strip().splitlines() or ['none']
  return next((line for line in lines if 'error' in line), lines[0]).rstrip('.')


@contextlib.contextmanager
def _lock():
  """Waits until no other process compiles the library."""
  _make_folder()
  library = path()
  try:
    lock = open(library.with_suffix('.lock'), 'a')
  except OSError as error:
    raise _unwritable(library.parent, error) from None
  with lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield


def _unwritable(folder, error):
  return types.UserError(
    f'The kernels cannot be written to {folder} ({error.strerror}); name '
    'another folder in $SSNN_JAX_CACHE_DIR.'
  )
