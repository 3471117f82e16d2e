"""Reads IDX files, the original format of MNIST and its relatives.

An IDX file, gzipped or not, is

  bytes 0, 1     zero
  byte 2         type of an item; 0x08, unsigned byte, is the only one read here
  byte 3         number of axes A
  4 A bytes      length of each axis, big-endian
  all the rest   the items, last axis fastest.
"""

import math
import os
import pathlib
import struct
import zipfile
import zlib

import numpy as np

from ssnn_jax.datasets import types

_OTHER_TYPES = {
  0x09: 'int8',
  0x0B: 'int16',
  0x0C: 'int32',
  0x0D: 'float32',
  0x0E: 'float64',
}


def read_idx(
  path: str | os.PathLike | zipfile.Path, num_axes: int | None = None
) -> np.ndarray:
  """Reads an IDX file of unsigned bytes.

  Args:
    path: the file, which may lie within a zip archive; gzipped if, and only if,
      its name ends in `.gz`.
    num_axes: the number of axes that the array must have; left out, 1 to 3.

  Returns:
    The array, uint8 and read-only.

  Raises:
    DatasetError: if the file cannot be read, or is not what it should be.
  """
  if not isinstance(path, zipfile.Path):
    path = pathlib.Path(path)
  content, is_whole = _read_content(path)
  shape = _parse_header(path, content, num_axes)
  header_size = 4 + 4 * len(shape)
  # The header may announce anything, so nothing is allocated on its word.
  expected, found = header_size + math.prod(shape), len(content)
  counts = f'its header announces {expected} bytes, and {found} were found'
  end = '' if is_whole else ' before its gzip stream broke off'
  _require(found >= expected and is_whole, path, f'is truncated: {counts}{end}')
  _require(found <= expected, path, f'has trailing bytes: {counts}')
  return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)


def _read_content(path):
  """Returns the bytes of a file, unzipped, and whether they are all there."""
  try:
    content = path.read_bytes()
  except OSError as error:
    raise types.unreadable(path, error) from error
  except (zipfile.BadZipFile, zlib.error) as error:
    raise types.damaged(path, f'is damaged in its archive ({error})') from error
  if path.suffix != '.gz':
    return content, True
  # A file cut within gzip's two magic bytes is truncated, not of another kind.
  if not b'\x1f\x8b'.startswith(content[:2]):
    raise types.DatasetError(
      f'{path} is named .gz but is not gzipped; drop .gz from its name if it '
      'has been unpacked, or else replace it with the original file.'
    )
  members = []
  while content:
    # Unlike the gzip module, zlib hands out what precedes a break.
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
      members.append(inflater.decompress(content))
    except zlib.error as error:
      raise types.damaged(path, f'is a damaged gzip file ({error})') from error
    if not inflater.eof:
      return b''.join(members), False
    content = inflater.unused_data.lstrip(b'\0')  # gzip allows padding
  return b''.join(members), True


def _parse_header(path, content, num_axes):
  """Returns the shape that an IDX file announces."""
  found = len(content)
  too_short = 'is truncated: its header takes {} bytes, and {} were found'
  _require(found >= 4, path, too_short.format('at least 4', found))
  start, type_code, axes = content[:2], content[2], content[3]
  problem = f'is no IDX file: it begins with {start.hex(" ")}, not two zeros'
  _require(start == b'\0\0', path, problem)
  type_name = f'{_OTHER_TYPES.get(type_code, "unknown")} (0x{type_code:02x})'
  problem = f'has items of type {type_name}, not uint8 (0x08)'
  _require(type_code == 0x08, path, problem)
  problem = f'has the number of axes {axes}, not {num_axes or "1 to 3"}'
  _require(axes in ((num_axes,) if num_axes else (1, 2, 3)), path, problem)
  header_size = 4 + 4 * axes
  _require(found >= header_size, path, too_short.format(header_size, found))
  shape = struct.unpack(f'>{axes}I', content[4:header_size])
  _require(0 not in shape, path, f'is empty: its header announces {shape}')
  return shape


def _require(condition, path, problem):
  if not condition:
    raise types.damaged(path, problem)
