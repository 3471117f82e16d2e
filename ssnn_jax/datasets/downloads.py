"""Downloads of the original dataset files, verified by checksums.

TFDS and tonic provide the URLs and checksums; both would retry for minutes
without a network.
"""

import hashlib
import os
import pathlib
import shutil

import tqdm

from ssnn_jax.datasets import files
from ssnn_jax.datasets import tfds_sets

_TIMEOUT = 5.0  # seconds without an answer
_UNPACKED = {'train.zip': 'Train', 'test.zip': 'Test'}  # of N-MNIST


def download(name: str, data_dir: pathlib.Path) -> None:
  """Downloads the missing original files of a dataset, or all splits of EMNIST.

  All files are verified before the first is moved to its final folder.
  """
  family = name.partition('/')[0]
  folder = data_dir / ('NMNIST' if family == 'n_mnist' else family)
  new = []
  with files.scratch(folder) as scratch:
    for file, (url, checksum) in _sources(family).items():
      archive, unpacked = folder / file, _UNPACKED.get(file)
      final = folder / (unpacked or file.removesuffix('.gz'))
      if final.exists() or (archive.exists() and not unpacked):
        continue
      try:
        new += _download_file(url, checksum, archive, unpacked, scratch)
      except Exception as error:  # of many types
        raise files.DatasetError(
          f'{url} cannot be downloaded ({files.root_cause(error)}); try again '
          f'later, or download the file manually to {archive}.'
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    for path in new:
      if not (folder / path.name).exists():
        os.rename(path, folder / path.name)


def _sources(family):
  """Returns the URL and the checksum of each file of a family of datasets.

  The checksum is a SHA-256 digest of TFDS, or an MD5 digest of tonic.
  """
  if family == 'n_mnist':
    from tonic.datasets import NMNIST as n_mnist  # noqa: N811

    return {
      n_mnist.train_filename: (n_mnist.train_url, n_mnist.train_md5),
      n_mnist.test_filename: (n_mnist.test_url, n_mnist.test_md5),
    }
  url_infos = tfds_sets.import_tfds().builder_cls(family).url_infos
  return {
    info.filename: (url, info.checksum) for url, info in url_infos.items()
  }


def _download_file(url, checksum, archive, unpacked, scratch):
  """Downloads, verifies and unpacks a file; returns the new paths."""
  import requests

  new = []
  if not archive.exists():
    archive = scratch / archive.name
    new.append(archive)
    with requests.get(url, stream=True, timeout=_TIMEOUT) as response:
      response.raise_for_status()
      total = int(response.headers.get('Content-Length', 0)) or None
      with (
        open(archive, 'wb') as content,
        tqdm.tqdm(
          desc=archive.name,
          total=total,
          unit='B',
          unit_scale=True,
          disable=None,
        ) as progress,
      ):
        for chunk in response.iter_content(2**20):
          content.write(chunk)
          progress.update(len(chunk))
  kind = 'md5' if len(checksum) == 32 else 'sha256'
  with open(archive, 'rb') as content:
    if hashlib.file_digest(content, kind).hexdigest() != checksum:
      raise ValueError(f'{archive} has a wrong checksum')
  if unpacked:
    shutil.unpack_archive(archive, scratch)
    new.append(scratch / unpacked)
  return new
