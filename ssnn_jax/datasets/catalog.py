"""Names of datasets, and loading by name."""

import difflib
import os
import pathlib
import re

from ssnn_jax import types
from ssnn_jax.datasets import arrays
from ssnn_jax.datasets import events
from ssnn_jax.datasets import images
from ssnn_jax.datasets import signals

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
# The end of their names as signals in time: milliseconds of a moment.
_MOMENT = re.compile(r'/([1-9]\d*)ms')
_ROWS = 'mnist/rows', 'mnist/permuted'
_SPEECH = 'speech_commands'  # of TFDS
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
  **dict.fromkeys(_ROWS, (_DIGITS, 70_000)),
  'mnist_1d': (_DIGITS, 5_000),
  'spoken_digits': (_DIGITS, 3_000),
  'spoken_digits/speakers': (_DIGITS, 3_000),
  'braille': (('space', *_UPPER), 1_350),
}
NAMES = tuple(_SETS)


def is_file(name: object) -> bool:
  """Returns whether a dataset name is the path of a file of a user."""
  return arrays.is_npz_path(name) or signals.is_text_path(name)


def has_events(name: str) -> bool:
  """Returns whether a dataset is made of recordings of events."""
  return _divide(name)[0] == _N_MNIST or name.startswith(_TONIC)


def is_recorded(name: str) -> bool:
  """Returns whether a dataset has the spike trains of recorded events."""
  return has_events(name) and _divide(name)[1] is None


def is_signal(name: str) -> bool:
  """Returns whether a dataset holds signals in time, as its name says.

  The labels of an `.npz` file or of a set of TFDS may also say it.
  """
  if arrays.is_npz_path(name):
    return arrays.holds_signals(name)
  is_counted = has_events(name) and not is_recorded(name)
  is_known = _family(name) in (*signals.FAMILIES, _SPEECH) or name in _ROWS
  return is_known or is_counted or signals.is_text_path(name)


def _family(name):
  return name.partition('/')[0]


def _divide(name):
  """Returns the name of recordings, and the milliseconds of a moment if any."""
  moment = _MOMENT.fullmatch(name, name.rfind('/')) if '/' in name else None
  return (name[: moment.start()], int(moment[1])) if moment else (name, None)


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
    name: one of `NAMES`, the name of images or sounds that TFDS has prepared,
      `tonic:<name>`, the path of an `.npz` file for `from_arrays`, or of a
      `.txt` file for `from_text`; `n_mnist/10ms` and `tonic:<name>/10ms` count
      events in moments of 10 milliseconds, as signals in time.
    data_dir: folder of all datasets; by default, `$TFDS_DATA_DIR` or
      `~/tensorflow_datasets`.
    download: whether to download missing files of images and of tonic.
    binning: conversion of recordings to spike trains, by default 300 ms in 64
      ticks; unused for images, and only its event window for signals.

  Raises:
    UserError: if the name is unknown, or a file is missing or invalid.
  """
  if arrays.is_npz_path(name):
    return arrays.load_npz(name)
  if signals.is_text_path(name):
    return signals.load_text(name)
  data_dir = find_data_dir(data_dir)
  class_names, full_size = _SETS.get(name, (None, None))
  if has_events(name):
    base, moment = _divide(name)
    class_names, full_size = _SETS.get(base, (None, None))
    folder = 'NMNIST' if base == _N_MNIST else base.removeprefix(_TONIC)
    binning = binning or events.Binning()
    dataset = events.load_tonic(
      base, data_dir / folder, download, binning, moment
    )._replace(name=name)
  elif name in _ROWS:
    mnist = images.load('mnist', data_dir, download, class_names)
    dataset = signals.cut_rows(name, mnist)
  elif class_names and _family(name) in signals.FAMILIES:
    dataset = signals.load(name, data_dir, class_names)
  elif name == 'digits':
    dataset = images.load_digits(class_names)
  else:
    dataset = images.load(name, data_dir, download, class_names)
  if dataset is None:
    if pathlib.Path(name).expanduser().is_dir():
      raise types.UserError(
        f'{name} is a folder; save its images as arrays x_train, y_train, '
        'x_test and y_test in an .npz file, and give its path.'
      )
    close = [own for own in NAMES if own.startswith(f'{name.lower()}/')]
    close = close or difflib.get_close_matches(name.lower(), NAMES, 1, 0.7)
    hint = f'did you mean {close[0]}? Choose' if close else 'choose'
    raise types.UserError(
      f'There is no dataset named {name!r} in {data_dir}; {hint} one of '
      f'{", ".join(NAMES)}, {_TONIC}<name>, own.npz, own.txt, or images or '
      f'sounds prepared by TFDS as {images.FORMAT}.'
    )
  names = class_names or dataset.class_names
  return dataset._replace(full_size=full_size, class_names=names)
