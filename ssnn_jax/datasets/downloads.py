"""Downloads of the original dataset files, verified by checksums.

TFDS and tonic provide the URLs and checksums, and download the files. Both
retry for minutes without a network, so the availability of every file is
checked first, with a short timeout.
"""

import contextlib
import os
import pathlib
import sys

from ssnn_jax.datasets import files
from ssnn_jax.datasets import tfds_sets

_TIMEOUT = 5.0  # seconds
_N_MNIST_FOLDERS = {'train.zip': 'Train', 'test.zip': 'Test'}


def download(name: str, data_dir: pathlib.Path) -> None:
  """Downloads the missing original files of a dataset, or all splits of EMNIST.

  All files are verified before the first is moved to its final folder.
  """
  family = name.partition('/')[0]
  folder, fetch = data_dir / family, _fetch_images
  if family == 'n_mnist':
    folder, fetch = data_dir / 'NMNIST', _fetch_recordings
  sources = _sources(family)
  with files.scratch(folder) as scratch:
    with contextlib.redirect_stdout(sys.stderr):
      new = fetch(sources, folder, scratch)
    folder.mkdir(parents=True, exist_ok=True)
    for path in new:
      if not (folder / path.name).exists():
        os.rename(path, folder / path.name)


def _sources(family):
  """Returns the URL and the checksum of each file of a family of datasets.

  The checksum is a `UrlInfo` of TFDS, or an MD5 digest of tonic.
  """
  if family == 'n_mnist':
    from tonic.datasets import NMNIST as n_mnist  # noqa: N811

    return {
      n_mnist.train_filename: (n_mnist.train_url, n_mnist.train_md5),
      n_mnist.test_filename: (n_mnist.test_url, n_mnist.test_md5),
    }
  url_infos = tfds_sets.import_tfds().builder_cls(family).url_infos
  return {info.filename: (url, info) for url, info in url_infos.items()}


def _fetch_images(sources, folder, scratch):
  """Downloads the missing files of images with TFDS; returns their paths."""
  missing = {
    file: source
    for file, source in sources.items()
    if not (folder / file).exists()
    and not (folder / file.removesuffix('.gz')).exists()
  }
  for file, (url, _) in missing.items():
    check_available(url, folder / file)
  manager = tfds_sets.import_tfds().download.DownloadManager(
    download_dir=scratch,
    url_infos=dict(missing.values()),
    force_checksums_validation=True,
  )
  # One at a time, so that no download is running when another one fails.
  for file, (url, _) in missing.items():
    with _explain_errors(url, folder / file):
      os.rename(manager.download(url), scratch / file)
  return [scratch / file for file in missing]


def _fetch_recordings(sources, folder, scratch):
  """Downloads and unpacks missing archives with tonic; returns new paths."""
  from tonic import download_utils as tools

  needed = {
    file: source
    for file, source in sources.items()
    if not (folder / _N_MNIST_FOLDERS[file]).exists()
  }
  missing = {f: s for f, s in needed.items() if not (folder / f).exists()}
  for file, (url, _) in missing.items():
    check_available(url, folder / file)
  new = []
  for file, (url, md5) in needed.items():
    archive = folder / file
    with _explain_errors(url, folder / file):
      if file in missing:
        archive = scratch / file
        tools.download_url(url, str(scratch), file, md5)
        new.append(archive)
      elif not tools.check_integrity(str(archive), md5):
        raise ValueError(f'{archive} has a wrong checksum')
      tools.extract_archive(str(archive), str(scratch))
    new.append(scratch / _N_MNIST_FOLDERS[file])
  return new


def check_available(url: str, path: pathlib.Path) -> None:
  """Refuses a file that its server does not provide, to be saved as a path."""
  import requests

  with _explain_errors(url, path):
    with requests.get(url, stream=True, timeout=_TIMEOUT) as response:
      response.raise_for_status()


@contextlib.contextmanager
def _explain_errors(url, path):
  """Converts the errors of a download, of many types, to a `DatasetError`."""
  try:
    yield
  except Exception as error:
    raise files.DatasetError(
      f'{url} cannot be downloaded ({files.root_cause(error)}); try again '
      f'later, or download the file manually to {path}.'
    ) from error
