"""Data sets of one's own: NumPy arrays, or a file that holds them.

The names of the arrays are those of Keras, x_train, y_train, x_test and y_test.
"""

import os
import pathlib
import zipfile
import zlib

import numpy as np
import numpy.typing as npt

from ssnn_jax.datasets import folders
from ssnn_jax.datasets import types

_REQUIRED = ('x_train', 'y_train', 'x_test', 'y_test')
_RECIPE = (
  "np.savez('own.npz', x_train=..., y_train=..., x_test=..., y_test=...)"
)
# What NumPy and zipfile raise on files that are others, encrypted or damaged.
_UNSOUND = (ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def is_file(name: object) -> bool:
  """Tells whether the name of a data set is that of a file of arrays."""
  return isinstance(name, str) and name.endswith('.npz')


def read(path: str | os.PathLike) -> types.Dataset:
  """Reads a file of arrays, as `np.savez` writes it.

  Args:
    path: the file, whose arrays are named as the arguments of `from_arrays`;
      others are left alone. A leading `~` is the user's folder.

  Returns:
    The data set, named by the path as it was given.

  Raises:
    DatasetError: if there is no such file, or it is unsound.
  """
  arrays = _read_arrays(pathlib.Path(path).expanduser())
  try:
    return from_arrays(**arrays, name=os.fspath(path))
  except types.DatasetError as error:
    raise types.DatasetError(f'{path}: {error}') from None


def from_arrays(
  x_train: npt.ArrayLike,
  y_train: npt.ArrayLike,
  x_test: npt.ArrayLike,
  y_test: npt.ArrayLike,
  *,
  name: str = 'arrays',
  class_names: npt.ArrayLike | None = None,
) -> types.Dataset:
  """Makes a data set of arrays.

  Args:
    x_train: `[N, H, W]`, `[N, H, W, 1]` or `[N, I]` what a network learns from,
      as uint8 grey values or as float rates within [0, 1].
    y_train: `[N]` their classes, integers from 0 up.
    x_test: likewise, what it is judged on.
    y_test: the classes of that.
    name: what the data set is called in messages and titles.
    class_names: `[C]` a string for each class; left out, the classes are those
      up to the last one in `y_train`, and named by their numbers.

  Returns:
    The data set. Float rates are float32 in it, and what has no rows has one.

  Raises:
    DatasetError: if an array is not what it should be.
  """
  train = _make_split('train', x_train, y_train)
  test = _make_split('test', x_test, y_test)
  names = _name_classes(class_names, train.labels)
  _check_alike(train, test, len(names))
  # Within range by now.
  train, test = (
    split._replace(labels=split.labels.astype(np.int32))
    for split in (train, test)
  )
  return types.Dataset(name, train, test, names)


def _check_alike(train, test, num_classes):
  """Refuses a test split that a network of the training split does not fit."""
  if test.labels.max() >= num_classes:
    raise types.DatasetError(
      f'y_test has the label {test.labels.max()}, out of range 0 to '
      f'{num_classes - 1}; give a sample of each class to train on, or name '
      'all classes by class_names.'
    )
  for what in ('shape', 'dtype'):
    ours, others = (getattr(split.inputs[0], what) for split in (test, train))
    if ours != others:
      raise types.DatasetError(
        f'x_test holds inputs of {what} {ours} and x_train of {what} {others}; '
        'make them alike.'
      )


def _read_arrays(path):
  """Reads the arrays of a file by name; none may hold objects."""
  arrays, reading = {}, None
  try:
    with open(path, 'rb') as file:
      if not zipfile.is_zipfile(file):  # which NumPy would tell as a pickle
        raise ValueError('it is no whole archive of np.savez')
      file.seek(0)
      stored = np.load(file, allow_pickle=False)  # a pickle may run anything
      for reading in (*_REQUIRED, 'class_names'):
        if reading in stored:
          arrays[reading] = stored[reading]
  except FileNotFoundError:
    raise types.DatasetError(
      f'There is no file {path}; make it by {_RECIPE}.'
    ) from None
  except OSError as error:
    raise types.unreadable(path, error) from error
  except _UNSOUND as error:
    what = f'{path}: {reading}' if reading else path
    raise types.DatasetError(
      f'{what} cannot be read ({folders.explain(error)}); save whole arrays of '
      f'numbers, class_names of strings, by {_RECIPE}.'
    ) from None
  for name in _REQUIRED:
    if name not in arrays:
      raise types.DatasetError(
        f'{path} lacks the array {name}; make it by {_RECIPE}.'
      )
  return arrays


def _make_split(part, inputs, labels):
  """Makes a split; its labels are checked, but have their own dtype yet."""
  inputs = _check_inputs(f'x_{part}', _as_array(f'x_{part}', inputs))
  labels = _check_labels(f'y_{part}', _as_array(f'y_{part}', labels))
  if len(labels) != len(inputs):
    raise types.DatasetError(
      f'y_{part} holds {len(labels)} labels and x_{part} {len(inputs)} '
      'samples; give one label for each sample.'
    )
  return types.Split(inputs, labels)


def _as_array(name, values):
  try:
    return np.asarray(values)
  except ValueError:
    raise types.DatasetError(
      f'{name} is no array of numbers; make all of its rows equally long.'
    ) from None


def _check_inputs(name, array):
  """Checks inputs; returns them as `[N, H, W]`, uint8 or float32."""
  shape, dtype = array.shape, array.dtype
  if array.ndim == 4 and shape[-1] == 1:
    array = array[..., 0]
  elif array.ndim == 2:
    array = array[:, None]
  if array.ndim != 3:
    raise types.DatasetError(
      f'{name} has the shape {shape}; expected [N, H, W], [N, H, W, 1] or '
      '[N, I]: reshape it, and make colours grey.'
    )
  if not array.size:
    raise types.DatasetError(
      f'{name} is empty, of shape {shape}; give one sample or more.'
    )
  if dtype == np.uint8:
    return array
  if not np.issubdtype(dtype, np.floating):
    raise types.DatasetError(
      f'{name} has the dtype {dtype}; expected uint8 grey values, or float '
      'rates within [0, 1]: convert it by astype.'
    )
  low, high = array.min(), array.max()
  if np.isnan(low):
    raise types.DatasetError(
      f'{name} holds NaN; a rate must be a number within [0, 1].'
    )
  if low < 0.0 or high > 1.0:
    raise types.DatasetError(
      f'{name} lies within [{low:g}, {high:g}]; rates must lie within [0, 1]: '
      'rescale them, or pass grey values as uint8.'
    )
  return array.astype(np.float32, copy=False)


def _check_labels(name, array):
  if array.ndim != 1:
    raise types.DatasetError(
      f'{name} has the shape {array.shape}; expected [N], a class for each '
      'sample: flatten it, or take the argmax of one-hot labels.'
    )
  if not array.size:
    raise types.DatasetError(f'{name} is empty; give one label or more.')
  if not np.issubdtype(array.dtype, np.integer):
    raise types.DatasetError(
      f'{name} has the dtype {array.dtype}; expected integers, classes from 0 '
      'up: convert it by astype.'
    )
  if array.min() < 0:
    raise types.DatasetError(
      f'{name} has the label {array.min()}; number classes from 0 up.'
    )
  return array


def _name_classes(class_names, labels):
  """Names the classes of labels to train on, as asked or by their numbers."""
  last = int(labels.max())
  if class_names is None:
    if last >= len(labels):  # most of the classes would have no sample
      raise types.DatasetError(
        f'y_train has the label {last}, more than its {len(labels)} samples '
        'can need; number classes from 0 up, or name all by class_names.'
      )
    return tuple(map(str, range(last + 1)))
  names = _as_array('class_names', class_names)
  if names.ndim != 1 or names.dtype.kind != 'U':
    raise types.DatasetError(
      f'class_names has the shape {names.shape} and the dtype {names.dtype}; '
      'expected [C], a string for each class.'
    )
  if last >= len(names):
    raise types.DatasetError(
      f'y_train has the label {last}, but class_names has {len(names)} names, '
      'for labels from 0 up; name all classes.'
    )
  return tuple(names.tolist())
