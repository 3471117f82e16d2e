"""Files and folders of datasets, the cache of decoded arrays, and errors."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import hashlib
import os
import pathlib
import re
import tempfile
import zipfile

import numpy as np

from ssnn_jax import types
from ssnn_jax import user_cache
from ssnn_jax import version


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


def load_or_build(
  name: str,
  sources: Sequence[pathlib.Path],
  build: Callable[[], Mapping[str, np.ndarray]],
) -> dict[str, np.ndarray]:
  """Loads the decoded arrays of a dataset; builds them first if files changed.

  An entry of the cache is a folder of `.npy` files, named by its dataset and by
  a digest of the files that it is made from.

  Args:
    name: name of the dataset.
    sources: the files that the arrays are made from.
    build: reads the files, and returns the arrays by name.

  Returns:
    The arrays by name, memory-mapped and read-only.

  Raises:
    DatasetError: if an entry is damaged or cannot be written.
  """
  digest = hashlib.sha256(version.__version__.encode())
  for path in sorted(sources):
    status = os.stat(path)
    line = f'{os.path.realpath(path)} {status.st_size} {status.st_mtime_ns}\n'
    digest.update(os.fsencode(line))
  name = f'{re.sub("[/:]", "-", name)}-{digest.hexdigest()[:16]}'
  folder = user_cache.folder() / 'datasets' / name
  arrays = None if folder.exists() else build()
  try:
    if arrays is not None:
      with scratch(folder.parent) as temporary:
        new = temporary / name
        new.mkdir()
        for key, array in arrays.items():
          np.save(new / f'{key}.npy', array)
        publish(new, folder)
    return {path.stem: np.load(path, 'r') for path in folder.glob('*.npy')}
  except (OSError, ValueError) as error:
    raise DatasetError(
      f'The cache {folder} cannot be written or read ({root_cause(error)}); '
      'remove it, or choose another folder with SSNN_JAX_CACHE_DIR.'
    ) from error
