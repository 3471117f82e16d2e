"""Memory-mapped cache of arrays that are expensive to read or decode.

A cache entry is a folder. Its `cache.json` records the provenance of the arrays
and the dtype, shape and digest of each array, which has a file with its items
in C order. Changed entries are recognized by the digests, and rebuilt. A
complete entry is renamed from a temporary folder, so readers never see a part
of an entry, and if two processes build the same entry, the first one is kept.
"""

import collections
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import hashlib
import json
import math
import mmap
import os
import pathlib
import shutil
import sys
from typing import Any

import numpy as np

from ssnn_jax import user_cache
from ssnn_jax.datasets import errors
from ssnn_jax.datasets import folders

VERSION = 2  # of the file format and of the cached arrays
_DESCRIPTION = 'cache.json'


def fingerprint_files(paths: Sequence[pathlib.Path]) -> dict[str, Any]:
  """Computes the number of files, and a digest of their names, sizes and times.

  Of each path, it has the last folder; `entry_name` distinguishes whole paths.
  """
  digest = hashlib.sha256()
  for path in paths:
    try:
      status = os.stat(path)
    except OSError as error:
      raise errors.unreadable(path, error) from error
    line = f'{path.parent.name}/{path.name} {status.st_size}'
    digest.update(f'{line} {status.st_mtime_ns}\n'.encode())
  return {'files': len(paths), 'sha256': digest.hexdigest()}


def entry_name(dataset: str, folder: str | os.PathLike) -> str:
  """Returns the name of a cache entry, unique to a dataset and its folder."""
  digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()
  return f'{dataset.replace("/", "-")}-{digest[:8]}'


def load_or_build(
  name: str,
  provenance: Mapping[str, Any],
  build: Callable[[], Iterable[Mapping[str, np.ndarray]]],
) -> dict[str, np.ndarray]:
  """Loads a cache entry, and builds it first if it is missing or stale.

  Args:
    name: name of the entry, from `entry_name`.
    provenance: JSON values that determine the arrays; if they differ from those
      of the entry, it is stale.
    build: yields chunks of the arrays by name, to be concatenated along axis 0.

  Returns:
    The arrays by name, memory-mapped and read-only.

  Raises:
    DatasetError: if the entry cannot be written.
  """
  folder = user_cache.folder() / name
  # As JSON returns it, with lists instead of tuples.
  provenance = json.loads(json.dumps({'version': VERSION, **provenance}))
  try:
    return _open(folder, provenance)
  except (FileNotFoundError, _StaleError) as error:
    problem = error
  try:
    with folders.scratch(folder.parent) as scratch:
      new = scratch / 'new'
      _write(new, provenance, build())
      arrays = _open(new, provenance)  # remains valid after a rename
      folder.parent.mkdir(parents=True, exist_ok=True)
      _publish(new, folder, provenance)
  except OSError as error:
    entry = f'The cache {folder}'
    raise errors.unwritable(entry, error, 'SSNN_JAX_CACHE_DIR') from error
  if isinstance(problem, _StaleError):
    print(f'the cache {folder} {problem}; it was rebuilt', file=sys.stderr)
  return arrays


def release_pages(array: np.ndarray) -> None:
  """Releases the resident memory of a memory-mapped array."""
  while isinstance(array, np.ndarray):
    array = array.base
  if isinstance(array, mmap.mmap) and hasattr(mmap, 'MADV_DONTNEED'):
    array.madvise(mmap.MADV_DONTNEED)


class _StaleError(Exception):
  """A cache entry must be rebuilt; the message says why."""


def _open(folder, provenance):
  """Opens an entry; raises if it is missing, damaged or of other provenance."""
  if not folder.exists():
    raise FileNotFoundError(folder)
  try:
    description = json.loads((folder / _DESCRIPTION).read_text())
    found = description['made_from']
    if found['version'] != VERSION:
      raise _StaleError('was written by another version of ssnn_jax')
    if found != provenance:
      raise _StaleError('was built from other files')
    layouts = description['arrays']
    _check(_digest_layouts(layouts), description['sha256'])
    return {
      name: _map(folder / name, **layout) for name, layout in layouts.items()
    }
  except (OSError, ValueError, KeyError, TypeError, RecursionError):
    raise _StaleError('is damaged') from None


def _map(path, dtype, shape, sha256):
  """Memory-maps the file of one array, and checks its digest."""
  with open(path, 'rb') as file:
    # Reading is faster than page faults, and needs no memory.
    _check(hashlib.file_digest(file, 'sha256'), sha256)
    if not math.prod(shape):
      return np.empty(shape, dtype)  # an empty file cannot be mapped
    array = np.memmap(file, dtype, mode='r', shape=tuple(shape))
  return array.view(np.ndarray)


def _digest_layouts(layouts):
  return hashlib.sha256(json.dumps(layouts).encode())


def _check(digest, expected):
  if digest.hexdigest() != expected:
    raise ValueError('the digest differs')


def _write(folder, provenance, chunks):
  """Writes arrays chunk by chunk."""
  folder.mkdir()
  layouts, digests = {}, collections.defaultdict(hashlib.sha256)
  for chunk in chunks:
    for name, array in chunk.items():
      layout = layouts.setdefault(
        name, {'dtype': array.dtype.str, 'shape': [0, *array.shape[1:]]}
      )
      layout['shape'][0] += len(array)
      content = np.ascontiguousarray(array).data
      digests[name].update(content)
      # Writes report a full disk; stores to a memory map would crash.
      with open(folder / name, 'ab') as file:
        file.write(content)
  for name, digest in digests.items():
    layouts[name]['sha256'] = digest.hexdigest()
  sha256 = _digest_layouts(layouts).hexdigest()
  description = {'made_from': provenance, 'arrays': layouts, 'sha256': sha256}
  (folder / _DESCRIPTION).write_text(json.dumps(description, indent=2) + '\n')


def _publish(new, folder, provenance):
  """Renames a new entry; an entry of equal provenance is kept."""
  for _ in range(10):  # other processes may publish at the same time
    try:
      os.rename(new, folder)
      return
    except OSError:
      if not folder.exists():
        raise
    with contextlib.suppress(FileNotFoundError, _StaleError):
      _open(folder, provenance)
      return
    # A rename cannot replace a non-empty folder.
    stale = new.with_name('stale')
    with contextlib.suppress(FileNotFoundError):
      os.rename(folder, stale)
    shutil.rmtree(stale, ignore_errors=True)
