"""Folders: listing, temporary folders and atomic publication."""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import tempfile
import zipfile

from ssnn_jax.datasets import errors


def list_names(folder: pathlib.Path | zipfile.Path) -> set[str]:
  """Lists the names of the entries of a folder.

  Args:
    folder: the folder, which may be missing or lie within a zip archive.

  Returns:
    The names; the empty set if the folder does not exist.

  Raises:
    DatasetError: if the folder cannot be read.
  """
  try:
    return {path.name for path in folder.iterdir()}
  except (FileNotFoundError, ValueError):  # ValueError: not in the archive
    return set()
  except OSError as error:
    raise errors.unreadable(folder, error) from error


@contextlib.contextmanager
def scratch(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """Creates a temporary folder on the same file system as a folder.

  Files can be renamed from the temporary folder into `folder`.

  Args:
    folder: the folder, which may be missing.

  Yields:
    The temporary folder, which is removed on exit, also after an error.
  """
  ancestor = next(path for path in (folder, *folder.parents) if path.exists())
  with tempfile.TemporaryDirectory(
    dir=ancestor, prefix='.ssnn_jax-', ignore_cleanup_errors=True
  ) as path:
    yield pathlib.Path(path)


def publish(finished: pathlib.Path, folder: pathlib.Path) -> None:
  """Renames a finished folder to its final name, atomically.

  If a non-empty folder of that name exists, for example because another process
  finished first, it is kept and `finished` is not moved.

  Args:
    finished: folder with its complete content.
    folder: final name of the folder.
  """
  folder.parent.mkdir(parents=True, exist_ok=True)
  try:
    os.rename(finished, folder)
  except OSError:
    if not list_names(folder):
      raise
