"""Datasets of user-provided NumPy arrays, in memory or in an `.npz` file."""

import os
import pathlib
import zipfile

import numpy as np
import numpy.typing as npt

from ssnn_jax.datasets import errors
from ssnn_jax.datasets import types

_ARRAYS = ('x_train', 'y_train', 'x_test', 'y_test', 'class_names')
_RECIPE = 'np.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)'


def is_npz_path(name: object) -> bool:
  """Returns whether a dataset name is the path of an `.npz` file."""
  return isinstance(name, str) and name.endswith('.npz')


def load_npz(path: str | os.PathLike) -> types.Dataset:
  """Loads a dataset from an `.npz` file with the arguments of `from_arrays`.

  Other arrays are ignored; a leading `~` in the path is the home folder.
  """
  arrays = _read_arrays(pathlib.Path(path).expanduser())
  try:
    return from_arrays(**arrays, name=os.fspath(path))
  except errors.DatasetError as error:
    raise errors.DatasetError(f'{path}: {error}') from None


def from_arrays(
  x_train: npt.ArrayLike,
  y_train: npt.ArrayLike,
  x_test: npt.ArrayLike,
  y_test: npt.ArrayLike,
  *,
  name: str = 'arrays',
  class_names: npt.ArrayLike | None = None,
) -> types.Dataset:
  """Builds a dataset from arrays, named as in the datasets of Keras.

  Args:
    x_train: `[N, H, W]`, `[N, H, W, 1]` or `[N, I]` training inputs, either
      uint8 grey values or float rates in [0, 1].
    y_train: `[N]` training labels, integers from 0.
    x_test: test inputs, with the shape and dtype of the training inputs.
    y_test: test labels.
    name: name of the dataset in messages and titles.
    class_names: `[C]` name of each class; by default, the classes are 0 to the
      largest training label, and their names are these numbers.

  Returns:
    The dataset, with rates as float32, and inputs `[N, I]` as `[N, 1, I]`.

  Raises:
    DatasetError: if an array has an invalid shape, dtype or value.
  """
  train = _make_split('train', x_train, y_train)
  test = _make_split('test', x_test, y_test)
  first = min(train.labels.min(), test.labels.min())
  if first > 0:
    raise errors.DatasetError(
      f'y_train and y_test have no class 0, but classes from {first} on; count '
      'classes from 0.'
    )
  names = _name_classes(class_names, train.labels)
  _check_consistent(train, test, len(names))
  splits = [types.Split(x, y.astype(np.int32)) for x, y in (train, test)]
  return types.Dataset(name, *splits, names)


def _read_arrays(path):
  """Reads the arrays of a file by name, without unpickling of objects."""
  try:
    with np.load(path) as file:
      names = set(file).intersection(_ARRAYS)
      arrays = {name: file[name] for name in names}
  except FileNotFoundError:
    raise errors.DatasetError(
      f'There is no file {path}; create it with {_RECIPE}.'
    ) from None
  except OSError as error:
    raise errors.unreadable(path, error) from error
  except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
    raise errors.DatasetError(
      f'{path} cannot be read ({errors.root_cause(error)}); save arrays of '
      f'numbers, and class_names of strings, with {_RECIPE}.'
    ) from None
  missing = [name for name in _ARRAYS[:4] if name not in arrays]
  if missing:
    raise errors.DatasetError(
      f'{path} lacks {", ".join(missing)}; create it with {_RECIPE}.'
    )
  return arrays


def _make_split(part, inputs, labels):
  """Returns a checked split; the labels keep their dtype."""
  inputs = _as_intensities(f'x_{part}', _as_images(f'x_{part}', inputs))
  labels = _as_array(f'y_{part}', labels)
  _check_labels(f'y_{part}', labels)
  if len(labels) != len(inputs):
    raise errors.DatasetError(
      f'y_{part} has {len(labels)} labels and x_{part} has {len(inputs)} '
      'samples; give one label for each sample.'
    )
  return types.Split(inputs, labels)


def _as_array(name, values):
  try:
    return np.asarray(values)
  except ValueError:
    raise errors.DatasetError(
      f'{name} is not an array of numbers; give all rows the same length.'
    ) from None


def _as_images(name, values):
  """Returns inputs as `[N, H, W]`."""
  array = _as_array(name, values)
  shape = array.shape
  if array.ndim == 4 and shape[-1] == 1:
    array = array[..., 0]
  elif array.ndim == 2:
    array = array[:, None]
  if array.ndim != 3:
    raise errors.DatasetError(
      f'{name} has the shape {shape}; expected [N, H, W], [N, H, W, 1] or '
      '[N, I]: reshape it, and convert color images to grayscale.'
    )
  if not array.size:
    raise errors.DatasetError(
      f'{name} is empty, with the shape {shape}; give at least one sample.'
    )
  return array


def _as_intensities(name, array):
  """Returns inputs as uint8 grey values or float32 rates."""
  if array.dtype == np.uint8:
    return array
  if not np.issubdtype(array.dtype, np.floating):
    raise errors.DatasetError(
      f'{name} has the dtype {array.dtype}; expected uint8 grey values or '
      'float rates in [0, 1]: convert it with astype.'
    )
  low, high = array.min(), array.max()
  if np.isnan(low):
    raise errors.DatasetError(
      f'{name} contains NaN; give rates that are numbers in [0, 1].'
    )
  if low < 0.0 or high > 1.0:
    raise errors.DatasetError(
      f'{name} has values in [{low:g}, {high:g}], and rates must be in [0, 1]; '
      'rescale it, or give grey values as uint8.'
    )
  return array.astype(np.float32, copy=False)


def _check_labels(name, array):
  if array.ndim != 1:
    raise errors.DatasetError(
      f'{name} has the shape {array.shape}; expected [N], one class for each '
      'sample: flatten it, or take the argmax of one-hot labels.'
    )
  if not array.size:
    raise errors.DatasetError(f'{name} is empty; give at least one label.')
  if not np.issubdtype(array.dtype, np.integer):
    raise errors.DatasetError(
      f'{name} has the dtype {array.dtype}; expected integer classes from 0: '
      'convert it with astype.'
    )
  if array.min() < 0:
    raise errors.DatasetError(
      f'{name} has the label {array.min()}; number the classes from 0.'
    )


def _check_consistent(train, test, num_classes):
  """Checks that a network for the training split fits the test split."""
  if test.labels.max() >= num_classes:
    raise errors.DatasetError(
      f'y_test has the label {test.labels.max()}, out of range 0 to '
      f'{num_classes - 1}; include every class in the training split, or name '
      'all classes with class_names.'
    )
  for attribute in ('shape', 'dtype'):
    found = getattr(test.inputs[0], attribute)
    expected = getattr(train.inputs[0], attribute)
    if found != expected:
      raise errors.DatasetError(
        f'x_test has inputs of {attribute} {found} and x_train of {attribute} '
        f'{expected}; make them equal.'
      )


def _name_classes(class_names, labels):
  """Returns the given class names, or the numbers of the training labels."""
  last = int(labels.max())
  if class_names is None:
    if last >= len(labels):  # most of the classes would have no sample
      raise errors.DatasetError(
        f'y_train has the label {last}, but only {len(labels)} samples; number '
        'the classes from 0, or name all classes with class_names.'
      )
    return tuple(map(str, range(last + 1)))
  names = _as_array('class_names', class_names)
  if names.ndim != 1 or names.dtype.kind != 'U':
    raise errors.DatasetError(
      f'class_names has the shape {names.shape} and the dtype {names.dtype}; '
      'expected [C], one string for each class.'
    )
  if last >= len(names):
    raise errors.DatasetError(
      f'y_train has the label {last}, but class_names has {len(names)} names, '
      'for the labels from 0; name all classes.'
    )
  return tuple(names.tolist())
