"""Files of datasets: decoded arrays and downloads."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import hashlib
import os
import pathlib
import re
import sys
import tempfile

import numpy as np

from ssnn_jax import checks
from ssnn_jax import user_cache
from ssnn_jax import version

_TIMEOUT = 5.0  # seconds without an answer of a server


def load_or_build(
  name: str,
  sources: Iterable[pathlib.Path],
  build: Callable[[], Mapping[str, np.ndarray]],
) -> dict[str, np.ndarray]:
  """Loads the decoded arrays of a dataset; builds them first if files changed.

  An entry of the cache is a folder of `.npy` files, named by its dataset and by
  a digest of the source files and of the modules that decode. The arrays are
  memory-mapped and read-only.

  Raises a `UserError` if an entry is damaged or cannot be written.
  """
  digest = hashlib.sha256(version.__version__.encode())
  for path in sorted(pathlib.Path(__file__).parent.glob('*.py')):
    digest.update(path.read_bytes())
  for path in sorted(sources):
    status = os.stat(path)
    line = f'{os.path.realpath(path)} {status.st_size} {status.st_mtime_ns}\n'
    digest.update(os.fsencode(line))
  name = f'{re.sub("[/:]", "-", name)}-{digest.hexdigest()[:16]}'
  folder = user_cache.folder() / 'decoded' / name
  arrays = None if folder.exists() else build()
  remedy = 'remove it, or choose another folder with SSNN_JAX_CACHE_DIR'
  with checks.explain(
    f'The cache {folder}', remedy, 'cannot be written or read'
  ):
    if arrays is not None:
      _write(folder, arrays)
    return {path.stem: np.load(path, 'r') for path in folder.glob('*.npy')}


def _write(folder, arrays):
  """Writes a folder of arrays; after an error nothing is left.

  A folder of that name, of a process that was faster, is kept.
  """
  folder.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(
    dir=folder.parent, prefix='.ssnn_jax-', ignore_cleanup_errors=True
  ) as scratch:
    unfinished = pathlib.Path(scratch, folder.name)
    unfinished.mkdir()
    for key, array in arrays.items():
      np.save(unfinished / f'{key}.npy', array)
    try:
      os.rename(unfinished, folder)
    except OSError:
      if not any(folder.glob('*')):
        raise


def download(family: str, folder: pathlib.Path) -> None:
  """Downloads missing original files of a set of TFDS, such as `emnist`.

  A file gets its name when it is verified, and existing files are never
  changed, so an interrupted download continues with the next file.
  """
  with checks.extra('data'):
    import pooch
    import tensorflow_datasets as tfds

  # TFDS would retry for minutes without a network.
  show_progress = sys.stderr.isatty()
  get = pooch.HTTPDownloader(progressbar=show_progress, timeout=_TIMEOUT)
  for url, info in tfds.builder_cls(family).url_infos.items():
    name, digest = info.filename, f'sha256:{info.checksum}'
    path = folder / name
    if not path.exists() and not (folder / name.removesuffix('.gz')).exists():
      remedy = f'try again later, or download the file manually to {path}'
      with checks.explain(url, remedy, 'cannot be downloaded'):
        pooch.retrieve(url, digest, name, folder, downloader=get)
