"""Loading of any dataset by its name."""

import os
import pathlib

from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import catalog
from ssnn_jax.datasets import downloads
from ssnn_jax.datasets import event_camera
from ssnn_jax.datasets import event_sets
from ssnn_jax.datasets import files
from ssnn_jax.datasets import images
from ssnn_jax.datasets import recordings
from ssnn_jax.datasets import types


def load(
  name: str,
  data_dir: str | os.PathLike | None = None,
  *,
  download: bool = False,
  binning: recordings.Binning | None = None,
) -> types.Dataset:
  """Loads a dataset by name.

  The files are found in these folders:

  - images: `<data_dir>/<name>/<version>/` for a prepared TFDS dataset, or else
    `<data_dir>/<name>/` for the original files. The files of EMNIST, or their
    archive `gzip.zip`, may also lie in `<data_dir>/emnist/`.
  - N-MNIST: `<data_dir>/NMNIST/{Train,Test}/<label>/*.bin`.
  - synthetic recordings: `<data_dir>/synthetic_events/<images>/NMNIST/`.
  - `tonic:<name>`: the folder `<data_dir>/<name>/` of an event set of tonic, or
    of recordings `{train,test}/<class>/*`, in files `.npy` or `.bin`.

  `digits` needs no file. All other images and recordings are read once, and
  then memory-mapped from a cache.

  Args:
    name: one of `NAMES`, the name of any image dataset that TFDS has prepared
      as `array_record`, `tonic:<name>`, or the path of an `.npz` file with the
      arrays of `from_arrays`.
    data_dir: folder of all datasets; by default, `$TFDS_DATA_DIR` or
      `~/tensorflow_datasets`.
    download: whether to download missing original files, of names in `NAMES`
      and event sets of tonic, and to simulate missing synthetic recordings of
      all images.
    binning: conversion of recordings to spike trains, by default 300 ms in 64
      ticks; unused for images.

  Returns:
    The dataset.

  Raises:
    UserError: if the name is unknown, or a file is missing or invalid.

  Example:
    >>> digits = ssnn_jax.datasets.load('digits')
    >>> digits.train.inputs.shape, digits.train.inputs.dtype
    ((1437, 8, 8), dtype('uint8'))
    >>> digits.num_inputs, digits.num_classes
    (64, 10)
  """
  if arrays.is_npz_path(name):
    return arrays.load_npz(name)
  data_dir = find_data_dir(data_dir)
  full_size = catalog.FULL_SIZES.get(name)
  if not catalog.is_recorded(name):
    dataset = images.load(name, data_dir, download)
    return dataset._replace(full_size=full_size)
  if name.startswith(catalog.TONIC):
    parts, class_names = event_sets.load_tonic(name, data_dir, download)
  else:
    parts = _load_recordings(name, data_dir, download)
    class_names = catalog.CLASS_NAMES[name]
  binning = binning or recordings.Binning()
  train, test = (
    types.Split(recordings.bin_events(part, binning), part.labels)
    for part in parts.values()
  )
  return types.Dataset(
    name,
    train,
    test,
    class_names,
    full_size=full_size,
    sensor_shape=recordings.trains_shape(parts['train'].sensor_shape),
    late_fraction=recordings.late_fraction(parts['train'], binning),
  )


def find_data_dir(data_dir: str | os.PathLike | None) -> pathlib.Path:
  """Returns the given folder of all datasets, or else the default one."""
  given = data_dir or os.environ.get('TFDS_DATA_DIR')
  return pathlib.Path(given or '~/tensorflow_datasets').expanduser().absolute()


def _load_recordings(name, data_dir, download):
  """Loads the splits 'train' and 'test' of recordings, before binning."""
  is_original = name == 'n_mnist'
  folder = (data_dir if is_original else data_dir / name) / 'NMNIST'
  if is_original and download:
    downloads.download(name, data_dir)
  elif download and not folder.exists():
    source = catalog.image_source(name)
    dataset = load(source, data_dir, download=True)
    event_camera.write(folder, source, dataset.train, dataset.test)
  found = files.list_names(folder)
  if not found:
    remedy = 'simulate the recordings with --download'
    if is_original:
      remedy = (
        'put the folders Train and Test of N-MNIST there, set <data_dir> with '
        '--data_dir or TFDS_DATA_DIR, or download them with --download'
      )
    raise files.DatasetError(f'Cannot find the folder {folder}; {remedy}.')
  if is_original and recordings.SYNTHETIC in found:
    raise files.DatasetError(
      f'{folder} contains synthetic recordings instead of N-MNIST; choose '
      'another folder, or load synthetic_events/<images>.'
    )
  return event_sets.load_folder(name, folder, len(catalog.CLASS_NAMES[name]))
