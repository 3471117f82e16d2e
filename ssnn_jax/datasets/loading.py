"""Loads any data set by its name."""

import os
import pathlib

from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import binning as binning_lib
from ssnn_jax.datasets import downloads
from ssnn_jax.datasets import folders
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
  once, all but `digits` are memory-mapped from a cache. A name that ends in
  `.npz` is the path of a file of own arrays, as `from_arrays` takes them.

  Args:
    name: one of `NAMES`, or the path of a file of arrays.
    data_dir: the folder of data sets; by default `$TFDS_DATA_DIR`, or
      `~/tensorflow_datasets`.
    download: whether original files that are missing are downloaded.
    binning: how recordings of events become spike trains; by default 300 ms in
      64 ticks. It does not concern images.

  Returns:
    The data set.

  Raises:
    DatasetError: if the name is unknown, or if the data is missing or unsound.

  Example:
    >>> digits = ssnn_jax.datasets.load('digits')
    >>> digits.train.inputs.shape, digits.train.inputs.dtype
    ((1437, 8, 8), dtype('uint8'))
    >>> digits.num_inputs, digits.num_classes
    (64, 10)
  """
  if arrays.is_file(name):
    return arrays.read(name)
  if name not in NAMES:
    raise types.DatasetError(
      f'There is no data set named {name!r}; choose one of {", ".join(NAMES)}, '
      'or path/to/own.npz.'
    )
  data_dir = find_data_dir(data_dir)
  if name in IMAGES:
    return images.load(name, data_dir, download)
  return _load_trains(
    name, data_dir, download, binning or binning_lib.Binning()
  )


def find_data_dir(data_dir: str | os.PathLike | None) -> pathlib.Path:
  """Finds the folder of data sets: the one given, or else the default."""
  given = data_dir or os.environ.get('TFDS_DATA_DIR')
  return pathlib.Path(given or '~/tensorflow_datasets').expanduser().absolute()


def source_of(name: str) -> str:
  """Names the set of images that synthetic recordings are made of."""
  return name.removeprefix('synthetic_events/')


def recordings_folder(name: str, data_dir: pathlib.Path) -> pathlib.Path:
  """Tells where the recordings of a set lie, in its folders Train and Test."""
  parent = data_dir if name == 'n_mnist' else data_dir / name
  return parent / 'NMNIST'


def load_recordings(
  name: str, data_dir: pathlib.Path, download: bool = False
) -> dict[str, recordings.Recordings]:
  """Loads the recordings of a set as they are: events, not yet spike trains.

  Args:
    name: one of `RECORDINGS`.
    data_dir: the folder of data sets.
    download: whether N-MNIST is downloaded if it is missing.

  Returns:
    The recordings of the splits 'train' and 'test'.

  Raises:
    DatasetError: if they are missing or unsound.
  """
  folder = recordings_folder(name, data_dir)
  is_original = name == 'n_mnist'
  if is_original and download:
    downloads.download(name, data_dir)  # only what is missing
  there = folders.names(folder)
  if not there:
    remedy = (
      f'make it by: python -m experiments.prepare --dataset={name} '
      f'--data_dir={data_dir}'
    )
    if is_original:
      remedy = (
        'put the folders Train and Test of N-MNIST there, name <data_dir> by '
        '--data_dir or TFDS_DATA_DIR, or have them fetched by --download'
      )
    raise types.DatasetError(f'Cannot find the folder {folder}; {remedy}.')
  if is_original and recordings.SYNTHETIC in there:
    raise types.DatasetError(
      f'{folder} holds synthetic recordings, which are no N-MNIST; choose '
      'another folder, or their own name, synthetic_events/<set>.'
    )
  return recordings.load(name, folder, len(_class_names(name)))


def _load_trains(name, data_dir, download, binning):
  events = load_recordings(name, data_dir, download)
  train, test = (
    types.Split(binning_lib.bin_events(part, binning), part.labels)
    for part in events.values()
  )
  full_size = _N_MNIST_SIZE if name == 'n_mnist' else None
  return types.Dataset(
    name, train, test, _class_names(name), full_size=full_size
  )


def _class_names(name):
  """Names the classes of recordings: those of the images recorded."""
  source = 'mnist' if name == 'n_mnist' else source_of(name)
  return images.CLASS_NAMES[source]
