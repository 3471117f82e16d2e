"""Atomic writes, new files, and locks between processes."""

from collections.abc import Iterator
import contextlib
import fcntl
import os
import pathlib

from ssnn_jax import types

_TEMPORARY = '.unfinished'  # suffix of a file during an atomic write
_LOCK = '.lock'


@contextlib.contextmanager
def convert_os_errors(path: str | os.PathLike) -> Iterator[None]:
  """Raises `UserError`, which names the path, instead of `OSError`."""
  try:
    yield
  except OSError as error:
    raise types.UserError(
      f'{path} cannot be used ({error.strerror or error}); free disk space, '
      'change its permissions, or choose another folder.'
    ) from None


def is_nonempty(folder: str | os.PathLike) -> bool:
  """Returns whether a path exists and is not an empty folder.

  What a process killed before its first file leaves does not count.
  """
  folder = pathlib.Path(folder)
  if not folder.is_dir():
    return folder.exists()
  return any(not p.name.endswith((_TEMPORARY, _LOCK)) for p in folder.iterdir())


@contextlib.contextmanager
def exclusive_lock(folder: str | os.PathLike) -> Iterator[None]:
  """Locks a folder, with its file `.lock`, against other processes.

  Creates both, or raises `UserError`. Also a killed process releases a lock.
  """
  folder = pathlib.Path(folder)
  with contextlib.ExitStack() as stack:
    with convert_os_errors(folder):
      folder.mkdir(parents=True, exist_ok=True)
      lock = stack.enter_context(open(folder / _LOCK, 'a'))
      try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      except BlockingIOError:
        raise types.UserError(
          f'{folder} is in use by another process; wait for the process to '
          'end, or choose another folder.'
        ) from None
    yield


def write_atomically(path: str | os.PathLike, content: str | bytes) -> None:
  """Replaces a file completely or not at all, even if the process is killed.

  Raises `UserError` if the file cannot be written.
  """
  path = pathlib.Path(path)
  temporary = path.with_name(path.name + _TEMPORARY)
  with convert_os_errors(path):
    try:
      if isinstance(content, str):
        content = content.encode()
      temporary.write_bytes(content)
      os.replace(temporary, path)
    except OSError:
      temporary.unlink(missing_ok=True)
      raise
