"""Atomic writes, new files, and locks between processes."""

from collections.abc import Iterator
import contextlib
import fcntl
import json
import os
import pathlib
from typing import Any

from ssnn_jax import types
from ssnn_jax.runs import errors

_TEMPORARY = '.unfinished'  # suffix of a file during an atomic write
_LOCK = '.lock'


@contextlib.contextmanager
def convert_os_errors(path: str | os.PathLike) -> Iterator[None]:
  """Raises `RecordError`, which names the path, in place of `OSError`."""
  try:
    yield
  except OSError as error:
    raise errors.RecordError(
      f'{path} cannot be used ({error.strerror or error}); free disk space, '
      'change its permissions, or choose another folder.',
      arguments=('folder',),
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

  Creates both, or raises `RecordError`. Also a killed process releases a lock.
  """
  folder = pathlib.Path(folder)
  with contextlib.ExitStack() as stack:
    with convert_os_errors(folder):
      folder.mkdir(parents=True, exist_ok=True)
      lock = stack.enter_context(open(folder / _LOCK, 'a'))
      try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      except BlockingIOError:
        raise errors.RecordError(
          f'{folder} is in use by another process; wait for the process to '
          'end, or choose another folder.',
          arguments=('folder',),
        ) from None
    yield


def append_line(path: str | os.PathLike, values: dict[str, Any]) -> None:
  """Appends a JSON object to a file, as a whole line, or raises `RecordError`.

  A line that does not fit on the disk leaves the file unchanged.
  """
  line = (json.dumps(values) + '\n').encode()
  with convert_os_errors(path), open(path, 'ab', buffering=0) as file:
    start = file.tell()
    written = file.write(line)
    if written != len(line):
      file.truncate(start)
      raise OSError(f'only {written} of {len(line)} bytes fit')


def write_atomically(path: str | os.PathLike, text: str) -> None:
  """Replaces a file completely or not at all, even if the process is killed.

  Raises `RecordError` if the file cannot be written.
  """
  path = pathlib.Path(path)
  temporary = path.with_name(path.name + _TEMPORARY)
  with convert_os_errors(path):
    try:
      temporary.write_text(text)
      os.replace(temporary, path)
    except OSError:
      temporary.unlink(missing_ok=True)
      raise


def write_new(path: str | os.PathLike, content: bytes) -> None:
  """Writes a new file, or none at all.

  Raises a UserError if the file exists or cannot be written.
  """
  path = pathlib.Path(path)
  try:
    with open(path, 'xb') as file:
      try:
        file.write(content)
      except OSError:
        with contextlib.suppress(OSError):
          path.unlink()
        raise
  except FileExistsError:
    raise types.UserError(
      f'{path} exists already and is not overwritten; choose another file.'
    ) from None
  except OSError as error:
    raise types.UserError(
      f'{path} cannot be written ({error.strerror}); choose another file, or '
      'check its folder, the permissions and the free space.'
    ) from None
