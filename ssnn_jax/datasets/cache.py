"""Cache of arrays that are expensive to read or decode, memory-mapped.

An entry is a folder of `.npy` files, named by its dataset and by a digest of
the files that it is made from. A complete entry is renamed from a temporary
folder, so readers never see a part of an entry.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import hashlib
import os
import pathlib
import re

import numpy as np

from ssnn_jax import user_cache
from ssnn_jax import version
from ssnn_jax.datasets import files


def load_or_build(
  name: str,
  sources: Sequence[pathlib.Path],
  build: Callable[[], Mapping[str, np.ndarray]],
) -> dict[str, np.ndarray]:
  """Loads the arrays of a dataset, and builds them first if files changed.

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
  name = re.sub('[/:]', '-', name)
  name = f'{name}-{digest.hexdigest()[:16]}'
  folder = user_cache.folder() / 'datasets' / name
  arrays = None if folder.exists() else build()
  try:
    if arrays is not None:
      with files.scratch(folder.parent) as scratch:
        new = scratch / name
        new.mkdir()
        for key, array in arrays.items():
          np.save(new / f'{key}.npy', array)
        files.publish(new, folder)
    return {path.stem: np.load(path, 'r') for path in folder.glob('*.npy')}
  except (OSError, ValueError) as error:
    raise files.DatasetError(
      f'The cache {folder} cannot be written or read '
      f'({files.root_cause(error)}); remove it, or choose another folder with '
      'SSNN_JAX_CACHE_DIR.'
    ) from error
