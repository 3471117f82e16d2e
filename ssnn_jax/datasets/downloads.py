"""Downloads the original files of data sets, verified by their checksums.

TFDS and tonic know where the files are and what they must be, and fetch them.
Either tries for minutes where there is no network, so servers are asked first
whether they have the files.
"""

from collections.abc import Iterator
import contextlib
import http.client
import os
import pathlib
import ssl
import sys
from typing import Any
from typing import NamedTuple
import urllib.error
import zipfile

from ssnn_jax.datasets import folders
from ssnn_jax.datasets import tfds_sets
from ssnn_jax.datasets import types

_PATIENCE = 5.0  # seconds
_N_MNIST_FOLDERS = {'train.zip': 'Train', 'test.zip': 'Test'}


class Source(NamedTuple):
  """Where a file is, and what it must be."""

  url: str
  checksum: Any  # as TFDS has it, a UrlInfo, or as tonic has it, an MD5


def download(name: str, data_dir: pathlib.Path) -> None:
  """Downloads the original files of a data set, those that are not there.

  None is put in its place before all have been verified.

  Args:
    name: `mnist`, `fashion_mnist`, `emnist/<split>`, whose splits all come in
      one archive, or `n_mnist`.
    data_dir: the folder of data sets.

  Raises:
    DatasetError: if a file cannot be had or written, or is not what it must be.
  """
  family = name.partition('/')[0]
  is_n_mnist = family == 'n_mnist'
  folder = data_dir / ('NMNIST' if is_n_mnist else family)
  fetch = _fetch_recordings if is_n_mnist else _fetch_images
  sources = _sources(family)
  try:
    with folders.scratch(folder) as scratch:
      with contextlib.redirect_stdout(sys.stderr):
        new = fetch(sources, folder, scratch)
      folder.mkdir(parents=True, exist_ok=True)
      for path in new:
        if not (folder / path.name).exists():
          os.rename(path, folder / path.name)
  except OSError as error:
    raise folders.unwritable(folder, error) from error


def _sources(family: str) -> dict[str, Source]:
  """Looks up the files of a family of data sets."""
  if family == 'n_mnist':
    original = _import_tonic().datasets.NMNIST
    train = Source(original.train_url, original.train_md5)
    test = Source(original.test_url, original.test_md5)
    return {original.train_filename: train, original.test_filename: test}
  url_infos = tfds_sets.import_tfds().builder_cls(family).url_infos
  return {info.filename: Source(url, info) for url, info in url_infos.items()}


def _fetch_images(sources, folder, scratch):
  """Fetches files of images by TFDS; returns their paths."""
  missing = {
    file: source
    for file, source in sources.items()
    if not (folder / file).exists()
    and not (folder / file.removesuffix('.gz')).exists()
  }
  _ask(missing, folder)
  manager = tfds_sets.import_tfds().download.DownloadManager(
    download_dir=scratch,
    url_infos=dict(missing.values()),
    force_checksums_validation=True,
  )
  # One by one, so that none is still being written when another fails.
  for file, source in missing.items():
    with _blaming(source.url, folder / file):
      os.rename(manager.download(source.url), scratch / file)
  return [scratch / file for file in missing]


def _fetch_recordings(sources, folder, scratch):
  """Fetches and unpacks the archives of N-MNIST by tonic; returns paths."""
  tools = _import_tonic().download_utils
  needed = {
    file: source
    for file, source in sources.items()
    if not (folder / _N_MNIST_FOLDERS[file]).exists()
  }
  missing = {f: s for f, s in needed.items() if not (folder / f).exists()}
  _ask(missing, folder)
  new = []
  for file, (url, md5) in needed.items():
    archive = folder / file
    with _blaming(url, folder / file):
      if file in missing:
        archive = scratch / file
        tools.download_url(url, str(scratch), file, md5)
        new.append(archive)
      elif not tools.check_integrity(str(archive), md5):
        raise types.damaged(archive, 'does not have the checksum it must have')
      tools.extract_archive(str(archive), str(scratch))
    new.append(scratch / _N_MNIST_FOLDERS[file])
  return new


def _import_tonic():
  try:
    import tonic.datasets
    import tonic.download_utils
  except ImportError as error:
    raise types.DatasetError(
      f'N-MNIST is downloaded by tonic, which cannot be imported ({error}); '
      'install it with: pip install tonic.'
    ) from error
  return tonic


def _ask(missing: dict[str, Source], folder: pathlib.Path) -> None:
  """Asks whether files can be had, without patience."""
  import requests

  for file, source in missing.items():
    with _blaming(source.url, folder / file):
      answer = requests.get(source.url, stream=True, timeout=_PATIENCE)
      with answer:
        answer.raise_for_status()


@contextlib.contextmanager
def _blaming(url: str, path: pathlib.Path) -> Iterator[None]:
  """Turns what goes wrong while a file is fetched into a sentence."""
  import requests
  from tensorflow_datasets.core import download as tfds_download
  from tensorflow_datasets.core.download import download_manager

  reason = folders.explain
  try:
    yield
  except (requests.ConnectionError, requests.Timeout) as error:
    problem, origin = f'cannot be reached ({reason(error)})', error
  except (
    *(requests.RequestException, tfds_download.DownloadError),
    *(urllib.error.URLError, http.client.HTTPException),
    *(ConnectionError, TimeoutError, ssl.SSLError),
  ) as error:
    problem, origin = f'cannot be downloaded ({reason(error)})', error
  except (download_manager.NonMatchingChecksumError, RuntimeError) as error:
    # The latter is what tonic raises.
    problem, origin = 'does not have the checksum it must have', error
  except zipfile.BadZipFile as error:
    problem, origin = f'is a damaged archive ({reason(error)})', error
  else:
    return
  raise types.DatasetError(
    f'{url} {problem}; try again later, or put the file there by hand: {path}.'
  ) from origin
