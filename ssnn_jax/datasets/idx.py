"""Reader for IDX files, the original format of MNIST and its successors.

The layout of an IDX file, which may be gzipped, is

  bytes 0, 1     zero
  byte 2         item type; only 0x08, unsigned byte, is supported
  byte 3         number of axes A
  4 A bytes      length of each axis, big-endian
  the rest       items, with the last axis varying fastest.
"""

import contextlib
import gzip
import io
import math
import os
import pathlib
import struct
import zipfile
import zlib

import numpy as np

from ssnn_jax.datasets import capacity
from ssnn_jax.datasets import errors

_GZIP = b'\x1f\x8b'
_TYPES = {9: 'int8', 11: 'int16', 12: 'int32', 13: 'float32', 14: 'float64'}


def read_idx(
  path: str | os.PathLike | zipfile.Path, num_axes: int | None = None
) -> np.ndarray:
  """Reads an IDX file of unsigned bytes.

  Args:
    path: the file, which may lie within a zip archive; it must be gzipped if
      and only if its name ends in `.gz`.
    num_axes: required number of axes; by default, 1 to 3.

  Returns:
    The array, uint8 and read-only.

  Raises:
    DatasetError: if the file cannot be read or has invalid content.
  """
  if not isinstance(path, zipfile.Path):
    path = pathlib.Path(path)
  with _open(path) as (file, most):
    shape = _read_header(path, file, num_axes)
    size, header_size = math.prod(shape), 4 + 4 * len(shape)
    announced = f'its header announces {header_size + size} bytes, and'
    problem = f'is truncated: {announced} at most {most} were found'
    _require(size <= most, path, problem)
    with errors.explain_memory(path):
      # One more byte shows whether there are trailing bytes.
      items, is_whole = _read(file, size + 1)
  found = len(items)
  end = '' if is_whole else ' before the end of its gzip stream'
  problem = f'is truncated: {announced} {header_size + found} were found{end}'
  _require(found >= size and is_whole, path, problem)
  _require(found == size, path, f'has trailing bytes: {announced} has more')
  return np.frombuffer(items.toreadonly(), np.uint8).reshape(shape)


@contextlib.contextmanager
def _open(path):
  """Opens and decompresses a file, of some bytes at most; converts errors."""
  try:
    most = capacity.of_file(path)
    with path.open('rb') as file:
      if path.suffix != '.gz':
        yield file, most
        return
      start = file.read(2)
      # A prefix of the magic bytes is a truncated gzip file.
      if not _GZIP.startswith(start):
        raise errors.DatasetError(
          f'{path} is named .gz but is not gzipped; remove .gz from its name '
          'if it was unpacked, or replace it with the original file.'
        )
      file.seek(0)
      content = file if start == _GZIP else io.BytesIO()
      yield gzip.GzipFile(fileobj=content), most
  except errors.DatasetError:
    raise
  except (gzip.BadGzipFile, zlib.error) as error:
    raise errors.damaged(path, f'is a damaged gzip file ({error})') from error
  except OSError as error:
    raise errors.unreadable(path, error) from error
  except Exception as error:  # zipfile raises various types
    problem = f'is damaged in its archive ({errors.root_cause(error)})'
    raise errors.damaged(path, problem) from error


def _read(file, size):
  """Reads at most some bytes; returns them, and whether the file is complete.

  Returns also the bytes before a truncation.
  """
  content, found = memoryview(bytearray(size)), 0
  try:
    while found < size and (count := file.readinto1(content[found:])):
      found += count
  except EOFError:
    return content[:found], False
  return content[:found], True


def _read_header(path, file, num_axes):
  """Returns the shape in the header of an IDX file."""
  too_short = 'is truncated: its header has {} bytes, and {} were found'
  header, _ = _read(file, 4)
  found = len(header)
  _require(found == 4, path, too_short.format('at least 4', found))
  start, type_code, axes = bytes(header[:2]), header[2], header[3]
  problem = f'is not an IDX file: it starts with {start.hex(" ")}, not 00 00'
  _require(start == b'\0\0', path, problem)
  type_name = f'{_TYPES.get(type_code, "unknown")} (0x{type_code:02x})'
  problem = f'has items of type {type_name}, not uint8 (0x08)'
  _require(type_code == 0x08, path, problem)
  problem = f'is {axes}-dimensional, not {num_axes or "1 to 3"}-dimensional'
  _require(axes in ((num_axes,) if num_axes else (1, 2, 3)), path, problem)
  lengths, _ = _read(file, 4 * axes)
  found, header_size = 4 + len(lengths), 4 + 4 * axes
  _require(found == header_size, path, too_short.format(header_size, found))
  shape = struct.unpack(f'>{axes}I', lengths)
  _require(0 not in shape, path, f'is empty: its header announces {shape}')
  return shape


def _require(condition, path, problem):
  if not condition:
    raise errors.damaged(path, problem)
