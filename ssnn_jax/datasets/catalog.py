"""Names of datasets, and loading by name."""

import difflib
import os
import pathlib

from ssnn_jax import types
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import events
from ssnn_jax.datasets import images

_DIGITS = tuple('0123456789')
_UPPER = tuple('ABCDEFGHIJKLMNOPQRSTUVWXYZ')
_LOWER = tuple('abcdefghijklmnopqrstuvwxyz')
# EMNIST merges the upper and lower case of letters that look alike.
_MERGED = _DIGITS + _UPPER + tuple('abdefghnqrt')
_CLOTHES = (
  'T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, '
  'Ankle boot'
)
_N_MNIST, _TONIC = 'n_mnist', 'tonic:'  # recordings, and the start of names
_SETS = {  # name of each class, and number of samples of both splits
  'digits': (_DIGITS, 1_797),
  'mnist': (_DIGITS, 70_000),
  'fashion_mnist': (tuple(_CLOTHES.split(', ')), 70_000),
  'emnist/balanced': (_MERGED, 131_600),
  'emnist/letters': (_UPPER, 145_600),
  'emnist/digits': (_DIGITS, 280_000),
  'emnist/mnist': (_DIGITS, 70_000),
  'emnist/byclass': (_DIGITS + _UPPER + _LOWER, 814_255),
  'emnist/bymerge': (_MERGED, 814_255),
  _N_MNIST: (_DIGITS, 70_000),
}
NAMES = tuple(_SETS)


def is_recorded(name: str) -> bool:
  """Returns whether a dataset holds recordings of events, and not images."""
  return name == _N_MNIST or name.startswith(_TONIC)


def find_data_dir(data_dir: str | os.PathLike | None) -> pathlib.Path:
  """Returns the given folder of all datasets, or else the default one."""
  default = os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets'
  return pathlib.Path(data_dir or default).expanduser().absolute()


def load(
  name: str,
  data_dir: str | os.PathLike | None = None,
  *,
  download: bool = False,
  binning: events.Binning | None = None,
) -> arrays.Dataset:
  """Loads a dataset by name.

  All but `digits` are read from files once, which `docs/data.md` describes, and
  then memory-mapped from a cache.

  Args:
    name: one of `NAMES`, the name of images that TFDS has prepared,
      `tonic:<name>`, or the path of an `.npz` file for `from_arrays`.
    data_dir: folder of all datasets; by default, `$TFDS_DATA_DIR` or
      `~/tensorflow_datasets`.
    download: whether to download missing files of `NAMES` and of tonic.
    binning: conversion of recordings to spike trains, by default 300 ms in 64
      ticks; unused for images.

  Raises:
    UserError: if the name is unknown, or a file is missing or invalid.
  """
  if arrays.is_npz_path(name):
    return arrays.load_npz(name)
  data_dir = find_data_dir(data_dir)
  class_names, full_size = _SETS.get(name, (None, None))
  if is_recorded(name):
    folder = 'NMNIST' if name == _N_MNIST else name.removeprefix(_TONIC)
    binning = binning or events.Binning()
    dataset = events.load_tonic(name, data_dir / folder, download, binning)
  elif name == 'digits':
    dataset = images.load_digits(class_names)
  else:
    dataset = images.load(name, data_dir, download, class_names)
  if dataset is None:
    close = [own for own in NAMES if own.startswith(f'{name.lower()}/')]
    close = close or difflib.get_close_matches(name.lower(), NAMES, 1, 0.7)
    hint = f'did you mean {close[0]}? Choose' if close else 'choose'
    raise types.UserError(
      f'There is no dataset named {name!r} in {data_dir}; {hint} one of '
      f'{", ".join(NAMES)}, {_TONIC}<name>, own.npz, or images prepared by '
      f'TFDS as {images.FORMAT}.'
    )
  names = class_names or dataset.class_names
  return dataset._replace(full_size=full_size, class_names=names)
