"""Reader for IDX files, the original format of MNIST and its successors.

The layout of an IDX file, which may be gzipped, is

  bytes 0, 1     zero
  byte 2         item type; only 0x08, unsigned byte, is supported
  byte 3         number of axes A
  4 A bytes      length of each axis, big-endian
  the rest       items, with the last axis varying fastest.
"""

import gzip
import math
import os
import pathlib
import struct
import zipfile
import zlib

import numpy as np

from ssnn_jax.datasets import errors

_DAMAGED = gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, EOFError


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
  try:
    content = path.read_bytes()
    if path.suffix == '.gz':
      content = gzip.decompress(content)
  except _DAMAGED as error:
    problem = f'cannot be decompressed ({errors.root_cause(error)})'
    raise errors.damaged(path, problem) from error
  except OSError as error:
    raise errors.unreadable(path, error) from error
  if not content.startswith(b'\0\0\x08') or len(content) < 4:
    raise errors.damaged(path, 'is not an IDX file of unsigned bytes')
  axes = content[3]
  if axes not in ((num_axes,) if num_axes else (1, 2, 3)):
    problem = f'is {axes}-dimensional, not {num_axes or "1 to 3"}-dimensional'
    raise errors.damaged(path, problem)
  start = 4 + 4 * axes
  # A length that is cut off is read as 0, which is refused, too.
  lengths = content[4:start].ljust(4 * axes, b'\0')
  shape = struct.unpack(f'>{axes}I', lengths)
  if 0 in shape or len(content) != start + math.prod(shape):
    problem = f'has {len(content)} bytes, which do not have the shape {shape}'
    raise errors.damaged(path, problem)
  return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
