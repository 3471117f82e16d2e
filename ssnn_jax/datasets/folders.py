"""Folders: listed, or written whole or not at all, and what stops that."""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import tempfile
import zipfile

from ssnn_jax.datasets import types


def names(folder: pathlib.Path | zipfile.Path) -> set[str]:
  """Names what is in a folder, which need not be there.

  Args:
    folder: the folder, which may lie within an archive.

  Returns:
    The names; none if there is no folder.

  Raises:
    DatasetError: if it cannot be read.
  """
  try:
    return {path.name for path in folder.iterdir()}
  except (FileNotFoundError, ValueError):  # ValueError: not in the archive
    return set()
  except OSError as error:
    raise types.unreadable(folder, error) from error


@contextlib.contextmanager
def scratch(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """Opens a temporary folder from where files can be renamed into a folder.

  Args:
    folder: the folder, which need not be there yet.

  Yields:
    The temporary folder, which is removed whatever happens.
  """
  near = next(path for path in (folder, *folder.parents) if path.exists())
  with tempfile.TemporaryDirectory(
    dir=near, prefix='.ssnn_jax-', ignore_cleanup_errors=True
  ) as path:
    yield pathlib.Path(path)


def publish(new: pathlib.Path, folder: pathlib.Path) -> None:
  """Gives a new folder its name; of two that are made at once, one wins.

  Args:
    new: the folder, whole.
    folder: its name; if a folder that holds anything has it, `new` stays where
      it is.
  """
  folder.parent.mkdir(parents=True, exist_ok=True)
  try:
    os.rename(new, folder)
  except OSError:
    if not names(folder):
      raise


def unwritable(folder: pathlib.Path, error: Exception) -> types.DatasetError:
  """Makes the error that a folder cannot be written."""
  return types.DatasetError(
    f'{folder} cannot be written ({explain(error)}); make room or permission '
    'there, or name another folder by --data_dir or TFDS_DATA_DIR.'
  )


def explain(error: BaseException) -> str:
  """Says in a line what an error comes from, leaving out who passed it on."""
  while origins := [
    origin
    for origin in (error.__cause__, *error.args)
    if isinstance(origin, BaseException)
  ]:
    error = origins[0]
  text = getattr(error, 'strerror', None) or str(error) or type(error).__name__
  return text.splitlines()[0].partition(';')[0].rstrip('.')
