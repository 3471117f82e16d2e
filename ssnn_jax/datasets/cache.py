"""Memory-mapped cache of arrays that are expensive to read or decode.

A cache entry is a folder. Its `cache.json` records the provenance of the arrays
and the dtype, shape and digest of each array, which has a file with its items
in C order. Changed entries are recognized by the digests, and rebuilt. A
complete entry is renamed from a temporary folder, so readers never see a part
of an entry.
"""

import collections
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import fcntl
import hashlib
import json
import math
import mmap
import os
import pathlib
import sys
from typing import Any

import numpy as np

from ssnn_jax import user_cache
from ssnn_jax.datasets import files

VERSION = 2  # of the file format and of the cached arrays
_DESCRIPTION = 'cache.json'


def fingerprint_files(paths: Sequence[pathlib.Path]) -> dict[str, Any]:
  """Computes the number of files, and a digest of their names, sizes and times.

  Of each path, it has the last folder; `entry_name` distinguishes whole paths.
  """
  digest = hashlib.sha256()
  for path in paths:
    status = os.stat(path)
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

  Of processes that need the same entry, one builds it while the others wait.

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
  arrays, _ = _open(folder, provenance)
  if arrays is not None:
    return arrays
  try:
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = open(folder.with_name(f'{name}.lock'), 'a')
  except OSError as error:
    raise files.DatasetError(
      f'The cache {folder.parent} cannot be written ({error.strerror}); choose '
      'another folder with SSNN_JAX_CACHE_DIR.'
    ) from error
  with lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    arrays, problem = _open(folder, provenance)
    if arrays is not None:  # built by another process meanwhile
      return arrays
    with files.scratch(folder.parent) as scratch:
      _write(scratch / 'new', provenance, build())
      if folder.exists():  # its mapped arrays remain valid
        os.rename(folder, scratch / 'stale')
      os.rename(scratch / 'new', folder)
    arrays, _ = _open(folder, provenance)
  if problem:
    print(f'the cache {folder} {problem}; it was rebuilt', file=sys.stderr)
  return arrays


def release_pages(array: np.ndarray) -> None:
  """Releases the resident memory of a memory-mapped array."""
  while isinstance(array, np.ndarray):
    array = array.base
  if isinstance(array, mmap.mmap) and hasattr(mmap, 'MADV_DONTNEED'):
    array.madvise(mmap.MADV_DONTNEED)


def _open(folder, provenance):
  """Returns the arrays of an entry, or None and the problem, if it exists."""
  if not folder.exists():
    return None, ''
  try:
    description = json.loads((folder / _DESCRIPTION).read_text())
    if description['made_from'] != provenance:
      return None, 'was built from other files or by another version'
    layouts = description['arrays']
    _check(_digest_layouts(layouts), description['sha256'])
    return {
      name: _map(folder / name, **layout) for name, layout in layouts.items()
    }, ''
  except (OSError, ValueError, KeyError, TypeError, RecursionError):
    return None, 'is damaged'


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
