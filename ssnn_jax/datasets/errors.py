"""Errors of the dataset loaders.

All functions of this package raise a `DatasetError` for unusable files.
"""

from collections.abc import Iterator
import contextlib
import os

from ssnn_jax import types


class DatasetError(types.UserError):
  """Unusable data; the message is one sentence that names the remedy."""


def damaged(path: str | os.PathLike, problem: str) -> DatasetError:
  """Returns the error for a file with invalid content."""
  return DatasetError(f'{path} {problem}; replace it with the original file.')


def unreadable(path: str | os.PathLike, error: OSError) -> DatasetError:
  """Returns the error for a file or folder that cannot be read."""
  return DatasetError(
    f'{path} cannot be read ({error.strerror}); check the path and its '
    'permissions.'
  )


def unwritable(
  folder: str | os.PathLike,
  error: Exception,
  setting: str = '--data_dir or TFDS_DATA_DIR',
) -> DatasetError:
  """Returns the error for a folder, of a setting, that cannot be written."""
  return DatasetError(
    f'{folder} cannot be written ({root_cause(error)}); free disk space or '
    f'change its permissions, or choose another folder with {setting}.'
  )


@contextlib.contextmanager
def explain_import(purpose: str, packages: str) -> Iterator[None]:
  """Converts import errors of optional packages to a `DatasetError`."""
  try:
    yield
  except ImportError as error:
    raise DatasetError(
      f'{purpose} needs packages that cannot be imported ({error}); install '
      f'them with: pip install {packages}.'
    ) from error


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
