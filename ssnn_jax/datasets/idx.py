"""Reader for IDX files, the original format of MNIST and its successors.

The layout of an IDX file, which may be gzipped, is

  bytes 0, 1     zero
  byte 2         item type; only 0x08, unsigned byte, is supported
  byte 3         number of axes A
  4 A bytes      length of each axis, big-endian
  the rest       items, with the last axis varying fastest.
"""

import math
import os
import pathlib
import struct
import zipfile
import zlib

import numpy as np

from ssnn_jax.datasets import errors

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
  content, is_whole = _read_content(path)
  shape = _parse_header(path, content, num_axes)
  header_size = 4 + 4 * len(shape)
  # Nothing is allocated from the announced shape, which may be arbitrary.
  expected, found = header_size + math.prod(shape), len(content)
  sizes = f'its header announces {expected} bytes, and {found} were found'
  end = '' if is_whole else ' before the end of its gzip stream'
  _require(found >= expected and is_whole, path, f'is truncated: {sizes}{end}')
  _require(found <= expected, path, f'has trailing bytes: {sizes}')
  return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)


def _read_content(path):
  """Returns the decompressed bytes of a file, and whether it is complete."""
  try:
    content = path.read_bytes()
  except OSError as error:
    raise errors.unreadable(path, error) from error
  except (zipfile.BadZipFile, zlib.error) as error:
    problem = f'is damaged in its archive ({error})'
    raise errors.damaged(path, problem) from error
  if path.suffix != '.gz':
    return content, True
  # A prefix of the magic bytes is a truncated gzip file.
  if not b'\x1f\x8b'.startswith(content[:2]):
    raise errors.DatasetError(
      f'{path} is named .gz but is not gzipped; remove .gz from its name if it '
      'was unpacked, or replace it with the original file.'
    )
  members = []
  while content:
    # Unlike the gzip module, zlib returns the bytes before a truncation.
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
      members.append(inflater.decompress(content))
    except zlib.error as error:
      raise errors.damaged(path, f'is a damaged gzip file ({error})') from error
    if not inflater.eof:
      return b''.join(members), False
    content = inflater.unused_data.lstrip(b'\0')  # gzip allows padding
  return b''.join(members), True


def _parse_header(path, content, num_axes):
  """Returns the shape in the header of an IDX file."""
  found = len(content)
  too_short = 'is truncated: its header has {} bytes, and {} were found'
  _require(found >= 4, path, too_short.format('at least 4', found))
  start, type_code, axes = content[:2], content[2], content[3]
  problem = f'is not an IDX file: it starts with {start.hex(" ")}, not 00 00'
  _require(start == b'\0\0', path, problem)
  type_name = f'{_TYPES.get(type_code, "unknown")} (0x{type_code:02x})'
  problem = f'has items of type {type_name}, not uint8 (0x08)'
  _require(type_code == 0x08, path, problem)
  problem = f'is {axes}-dimensional, not {num_axes or "1 to 3"}-dimensional'
  _require(axes in ((num_axes,) if num_axes else (1, 2, 3)), path, problem)
  header_size = 4 + 4 * axes
  _require(found >= header_size, path, too_short.format(header_size, found))
  shape = struct.unpack(f'>{axes}I', content[4:header_size])
  _require(0 not in shape, path, f'is empty: its header announces {shape}')
  return shape


def _require(condition, path, problem):
  if not condition:
    raise errors.damaged(path, problem)
