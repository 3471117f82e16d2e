"""Loads any data set by its name."""

import os
import pathlib

from ssnn_jax.datasets import binning as binning_lib
from ssnn_jax.datasets import downloads
from ssnn_jax.datasets import images
from ssnn_jax.datasets import recordings
from ssnn_jax.datasets import types

IMAGES = tuple(images.CLASS_NAMES)
RECORDINGS = ('n_mnist', *(f'synthetic_events/{name}' for name in IMAGES))
NAMES = (*IMAGES, *RECORDINGS)
_N_MNIST_SIZE = 70_000


def load(
  name: str,
  data_dir: str | os.PathLike | None = None,
  *,
  download: bool = False,
  binning: binning_lib.Binning | None = None,
) -> types.Dataset:
  """Loads a data set by name.

  Images come from a prepared set of TensorFlow Datasets, `<data_dir>/<name>/`
  `<version>/`, or else from the original files in `<data_dir>/<name>/` (all of
  EMNIST's, or their archive `gzip.zip`, in `<data_dir>/emnist/`); recordings of
  events from `<data_dir>/NMNIST/{Train,Test}/<label>/*.bin`, synthetic ones
  from `<data_dir>/synthetic_events/<set>/NMNIST/`. `digits` needs no file. Read
  once, all but `digits` are memory-mapped from a cache.

  Args:
    name: one of `NAMES`.
    data_dir: the folder of data sets; by default `$TFDS_DATA_DIR`, or
      `~/tensorflow_datasets`.
    download: whether original files that are missing are downloaded.
    binning: how recordings of events become spike trains; by default 300 ms in
      64 ticks. It does not concern images.

  Returns:
    The data set.

  Raises:
    DatasetError: if the name is unknown, or if the data is missing or unsound.
  """
  if name not in NAMES:
    raise types.DatasetError(
      f'There is no data set named {name!r}; choose one of {", ".join(NAMES)}.'
    )
  if not data_dir:
    data_dir = os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets'
  data_dir = pathlib.Path(os.path.abspath(os.path.expanduser(data_dir)))
  if name in IMAGES:
    return images.load(name, data_dir, download)
  return _load_recordings(
    name, data_dir, download, binning or binning_lib.Binning()
  )


def recordings_folder(name: str, data_dir: pathlib.Path) -> pathlib.Path:
  """Tells where the recordings of a set lie, in its folders Train and Test."""
  parent = data_dir if name == 'n_mnist' else data_dir / name
  return parent / 'NMNIST'


def _load_recordings(name, data_dir, download, binning):
  folder = recordings_folder(name, data_dir)
  is_original = name == 'n_mnist'
  if is_original and download:
    downloads.download(name, data_dir)  # only what is missing
  if is_original and recordings.is_synthetic(folder):
    raise types.DatasetError(
      f'{folder} holds synthetic recordings, which are no N-MNIST; choose '
      'another folder, or their own name, synthetic_events/<set>.'
    )
  class_names = images.CLASS_NAMES[
    'mnist' if is_original else name.partition('/')[2]
  ]
  train, test = (
    types.Split(binning_lib.bin_events(events, binning), events.labels)
    for events in recordings.load(name, folder, len(class_names)).values()
  )
  full_size = _N_MNIST_SIZE if is_original else None
  return types.Dataset(name, train, test, class_names, full_size=full_size)
