"""Arrays made once from files, and memory-mapped ever after.

A cache is a folder: `cache.json` tells what it was made from and what arrays it
holds, and each array lies in a file of its own, item after item as in memory. A
cache whose files have changed, or that another version of this package made, is
made anew.

A folder is written under another name and renamed when it is whole, so readers
never see half of one, and of two processes that make the same one the first
wins.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
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

from ssnn_jax.datasets import folders
from ssnn_jax.datasets import types

VERSION = 1  # of what is cached, and how
_DESCRIPTION = 'cache.json'

Arrays = dict[str, np.ndarray]


def default_folder() -> pathlib.Path:
  """Tells where caches lie: `$SSNN_JAX_CACHE_DIR`, or the user's cache."""
  given = os.environ.get('SSNN_JAX_CACHE_DIR')
  if given:
    return pathlib.Path(given).expanduser()
  base = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
  return pathlib.Path(base, 'ssnn_jax').expanduser()


def describe_files(paths: Iterable[pathlib.Path]) -> dict[str, Any]:
  """Describes files by their names, sizes and times of change.

  Of their place only the last folder counts; `place` tells the others apart.

  Args:
    paths: the files.

  Returns:
    Their number, and a digest that differs if any of them was changed.

  Raises:
    DatasetError: if one of them cannot be read.
  """
  digest, number = hashlib.sha256(), 0
  for path in paths:
    try:
      status = os.stat(path)
    except OSError as error:
      raise types.unreadable(path, error) from error
    what = f'{path.parent.name}/{path.name} {status.st_size}'
    digest.update(f'{what} {status.st_mtime_ns}\n'.encode())
    number += 1
  return {'files': number, 'sha256': digest.hexdigest()}


def place(name: str, folder: str | os.PathLike) -> str:
  """Names the cache of what comes from a folder, apart from that of others.

  Args:
    name: the data set.
    folder: where its files lie.

  Returns:
    The name of the cache.
  """
  digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()
  return f'{name.replace("/", "-")}-{digest[:8]}'


def load_or_make(
  name: str,
  made_from: Mapping[str, Any],
  make: Callable[[], Iterable[Mapping[str, np.ndarray]]],
) -> Arrays:
  """Opens a cache, after making it if it is not there or out of date.

  Args:
    name: what the cache is called, as `place` makes it.
    made_from: what its arrays depend on; JSON values.
    make: yields parts of the arrays by name; those of one name are joined along
      their first axis.

  Returns:
    The arrays, memory-mapped and read-only.

  Raises:
    DatasetError: if the cache cannot be written.
  """
  folder = default_folder() / name
  made_from = json.loads(json.dumps({'version': VERSION, **made_from}))
  stale = None
  try:
    return _open(folder, made_from)
  except FileNotFoundError:
    pass
  except _StaleError as error:
    stale = error
  try:
    with folders.scratch(folder.parent) as scratch:
      new = scratch / 'new'
      _write(new, made_from, make())
      arrays = _open(new, made_from)  # stays open whatever becomes of the name
      folder.parent.mkdir(parents=True, exist_ok=True)
      _publish(new, folder, made_from)
  except OSError as error:
    raise types.DatasetError(
      f'The cache {folder} cannot be written ({error.strerror}); make room or '
      'permission there, or name another folder by SSNN_JAX_CACHE_DIR.'
    ) from error
  if stale is not None:
    print(f'the cache {folder} {stale}; it was made anew', file=sys.stderr)
  return arrays


def release(array: np.ndarray) -> None:
  """Lets go of the memory that a mapped array has taken, until it is read."""
  while isinstance(array, np.ndarray):
    array = array.base
  if isinstance(array, mmap.mmap) and hasattr(mmap, 'MADV_DONTNEED'):
    array.madvise(mmap.MADV_DONTNEED)


class _StaleError(Exception):
  """A cache that must be made anew; the message says why."""


def _open(folder, made_from):
  """Opens a cache, which must be there, whole, and made from what is given."""
  if not folder.exists():
    raise FileNotFoundError(folder)
  try:
    description = json.loads((folder / _DESCRIPTION).read_text())
    there, layouts = description['made_from'], description['arrays']
    if there == made_from:
      return {
        name: _map(folder / name, **kind) for name, kind in layouts.items()
      }
    if there['version'] != VERSION:
      raise _StaleError('was made by another version of ssnn_jax')
  except (OSError, ValueError, KeyError, TypeError):
    raise _StaleError('is damaged') from None
  raise _StaleError('was made from other files')


def _map(path, dtype, shape):
  """Maps the file of one array into memory."""
  dtype = np.dtype(dtype)
  expected, found = math.prod(shape) * dtype.itemsize, path.stat().st_size
  if found != expected:
    raise ValueError(f'{path} has {found} bytes, not {expected}')
  if not expected:
    return np.empty(shape, dtype)  # there is nothing to map
  return np.memmap(path, dtype, mode='r', shape=tuple(shape)).view(np.ndarray)


def _write(folder, made_from, parts):
  """Writes arrays part by part; plain writes tell when the disk is full."""
  folder.mkdir()
  layouts = {}
  with contextlib.ExitStack() as stack:
    files = {}
    for part in parts:
      for name, array in part.items():
        if name not in files:
          files[name] = stack.enter_context(open(folder / name, 'wb'))
          layouts[name] = {
            'dtype': array.dtype.str,
            'shape': [0, *array.shape[1:]],
          }
        files[name].write(np.ascontiguousarray(array).data)
        layouts[name]['shape'][0] += len(array)
  description = {'made_from': made_from, 'arrays': layouts}
  (folder / _DESCRIPTION).write_text(json.dumps(description, indent=2) + '\n')


def _publish(new, folder, made_from):
  """Puts a new cache in its place; who came first with the same one wins."""
  for _ in range(10):  # others may be doing the same
    try:
      os.rename(new, folder)
      return
    except OSError:
      if not folder.exists():
        raise
    with contextlib.suppress(FileNotFoundError, _StaleError):
      _open(folder, made_from)
      return
    # A name that is taken cannot be replaced in one step.
    stale = new.with_name('stale')
    with contextlib.suppress(FileNotFoundError):
      os.rename(folder, stale)
    shutil.rmtree(stale, ignore_errors=True)
