"""Files and folders of datasets, and their errors."""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import tempfile
import zipfile

from ssnn_jax import types


class DatasetError(types.UserError):
  """Unusable data; the message is one sentence that names the remedy."""


def damaged(path: str | os.PathLike, problem: str) -> DatasetError:
  """Returns the error for a file with invalid content."""
  return DatasetError(f'{path} {problem}; replace it with the original file.')


def root_cause(error: BaseException) -> str:
  """Describes the root cause of an error in one line."""
  while causes := [
    cause
    for cause in (error.__cause__, *error.args)
    if isinstance(cause, BaseException)
  ]:
    error = causes[0]
  text = getattr(error, 'strerror', None) or str(error) or type(error).__name__
  return text.splitlines()[0].partition(';')[0].rstrip('.')


def list_names(folder: pathlib.Path | zipfile.Path) -> set[str]:
  """Lists the names of the entries of a folder; none if it does not exist."""
  try:
    return {path.name for path in folder.iterdir()}
  # ValueError: not in the archive.
  except (FileNotFoundError, NotADirectoryError, ValueError):
    return set()


@contextlib.contextmanager
def scratch(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """Creates a temporary folder, which is removed on exit or after an error.

  Files can be renamed from it into the given folder, which may be missing.
  """
  ancestor = next(path for path in (folder, *folder.parents) if path.exists())
  with tempfile.TemporaryDirectory(
    dir=ancestor, prefix='.ssnn_jax-', ignore_cleanup_errors=True
  ) as path:
    yield pathlib.Path(path)


def publish(finished: pathlib.Path, folder: pathlib.Path) -> None:
  """Renames a finished folder to its final name, atomically.

  A non-empty folder of that name, of a process that was faster, is kept.
  """
  folder.parent.mkdir(parents=True, exist_ok=True)
  try:
    os.rename(finished, folder)
  except OSError:
    if not list_names(folder):
      raise
