"""Errors of the dataset loaders."""

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


def unwritable(folder: str | os.PathLike, error: Exception) -> DatasetError:
  """Returns the error for a folder that cannot be written."""
  return DatasetError(
    f'{folder} cannot be written ({root_cause(error)}); free disk space or '
    'change its permissions, or choose another folder with --data_dir or '
    'TFDS_DATA_DIR.'
  )


def not_importable(
  purpose: str, packages: str, error: ImportError
) -> DatasetError:
  """Returns the error for optional packages that are not installed."""
  return DatasetError(
    f'{purpose} needs packages that cannot be imported ({error}); install them '
    f'with: pip install {packages}.'
  )


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
