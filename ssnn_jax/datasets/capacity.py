"""Bounds on the content of files, which hold less than some of them announce.

What a file announces is allocated only if its compressed bytes can hold it.
"""

import os
import pathlib
import zipfile

# Deflate takes at least 2 bits, a length and a distance, for 258 bytes.
_MAX_RATIO = 1032


def of_file(path: pathlib.Path | zipfile.Path) -> int:
  """Returns the most bytes of a file, decompressed if its name ends in `.gz`.

  Raises OSError or BadZipFile if the file or its archive cannot be read.
  """
  if isinstance(path, zipfile.Path):
    size = of_member(path.root, path.at)
  else:
    size = path.stat().st_size
  return size * _MAX_RATIO if path.suffix == '.gz' else size


def of_member(archive: zipfile.ZipFile, name: str) -> int:
  """Returns the most bytes of a file of an archive.

  Raises BadZipFile if it is neither stored nor deflated.
  """
  info = archive.getinfo(name)
  size = min(info.compress_size, os.path.getsize(archive.filename))
  if info.compress_type == zipfile.ZIP_STORED:
    return size
  if info.compress_type == zipfile.ZIP_DEFLATED:
    return size * _MAX_RATIO
  raise zipfile.BadZipFile('it is neither stored nor deflated')
