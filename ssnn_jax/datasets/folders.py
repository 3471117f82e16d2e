"""Folders: listing, temporary folders and atomic publication."""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import tempfile
import zipfile

from ssnn_jax.datasets import errors


def list_names(folder: pathlib.Path | zipfile.Path) -> set[str]:
  """Lists the names of the entries of a folder; none if it does not exist."""
  try:
    return {path.name for path in folder.iterdir()}
  except (FileNotFoundError, ValueError):  # ValueError: not in the archive
    return set()
  except OSError as error:
    raise errors.unreadable(folder, error) from error


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
