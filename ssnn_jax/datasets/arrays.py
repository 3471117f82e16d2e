"""Datasets of user-provided NumPy arrays, in memory or in an `.npz` file."""

import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

from ssnn_jax.datasets import files
from ssnn_jax.datasets import types
from ssnn_jax.spikes import encoding

_ARRAYS = ('x_train', 'y_train', 'x_test', 'y_test')
_MOST_COLORS = 4  # channels of an image, with transparency
_RECIPE = 'np.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)'


def is_npz_path(name: object) -> bool:
  """Returns whether a dataset name is the path of an `.npz` file."""
  return isinstance(name, str) and name.endswith('.npz')


def load_npz(path: str) -> types.Dataset:
  """Loads the arguments of `from_arrays` from an `.npz` file.

  Other arrays are ignored, and objects are not unpickled.
  """
  try:
    with np.load(pathlib.Path(path).expanduser()) as file:
      names = (*_ARRAYS, 'class_names')
      arrays = {name: file[name] for name in names if name in file}
  except Exception as error:  # zip, zlib and NumPy raise many types
    raise files.DatasetError(
      f'{path} cannot be read ({files.root_cause(error)}); save arrays of '
      f'numbers, and class_names of strings, with {_RECIPE}.'
    ) from None
  missing = [name for name in _ARRAYS if name not in arrays]
  if missing:
    raise files.DatasetError(
      f'{path} lacks {", ".join(missing)}; create it with {_RECIPE}.'
    )
  try:
    return from_arrays(**arrays, name=path)
  except files.DatasetError as error:
    raise files.DatasetError(f'{path}: {error}') from None


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
    x_train: `[N, H, W]`, `[N, H, W, C]` or `[N, I]` training inputs, either
      integer values from 0 to 255, float rates in [0, 1], or bool. The
      channels of images, such as colors, are last.
    y_train: `[N]` or `[N, 1]` training labels, integers from 0, or bool.
    x_test: test inputs, with the shape and dtype of the training inputs.
    y_test: test labels.
    name: name of the dataset in messages and titles.
    class_names: `[C]` name of each class; by default, the classes are 0 to the
      largest training label, and their names are these numbers.

  Returns:
    The dataset, with integer values as uint8, rates as float32, inputs `[N, I]`
    as `[N, 1, I]`, and images of one channel as `[N, H, W]`.

  Raises:
    DatasetError: if an array has an invalid shape, dtype or value.
  """
  splits = []
  for part, inputs, labels in (
    ('train', x_train, y_train),
    ('test', x_test, y_test),
  ):
    if np.ma.is_masked(inputs) or np.ma.is_masked(labels):
      raise files.DatasetError(
        f'x_{part} or y_{part} has masked values; fill them, or leave these '
        'samples out.'
      )
    inputs = _check_inputs(f'x_{part}', inputs)
    labels = check_labels(part, labels, len(inputs))
    splits.append(types.Split(inputs, labels))
  train, test = splits
  names = name_classes(class_names, train.labels, test.labels)
  given, expected = (
    (split.inputs.shape[1:], split.inputs.dtype) for split in (test, train)
  )
  if given != expected:
    raise files.DatasetError(
      'x_test has inputs of shape {} and dtype {}, and x_train of shape {} and '
      'dtype {}; make them equal.'.format(*given, *expected)
    )
  return types.Dataset(name, train, test, names)


def as_classes(labels: Any) -> Any:
  """Returns labels `[N, 1]` as `[N]`, and bool as integers."""
  if labels.ndim == 2 and labels.shape[1] == 1:
    labels = labels[:, 0]
  return labels.astype(np.int32) if labels.dtype == bool else labels


def check_labels(
  part: str, labels: npt.ArrayLike, num_samples: int
) -> np.ndarray:
  """Returns the labels of a split as `[N]` int32, one for each sample.

  Raises `DatasetError` if they are no integers from 0.
  """
  labels = as_classes(np.asarray(labels))
  is_integer = np.issubdtype(labels.dtype, np.integer)
  if labels.shape != (num_samples,) or not is_integer or labels.min() < 0:
    raise files.DatasetError(
      f'y_{part} has the shape {labels.shape}, the dtype {labels.dtype} and '
      f'values from {labels.min()}; expected one class for each of the '
      f'{num_samples} samples, integers from 0.'
    )
  return labels.astype(np.int32)


def name_classes(
  class_names: npt.ArrayLike | None, train: np.ndarray, test: np.ndarray
) -> tuple[str, ...]:
  """Returns the name of each class; None names classes by their numbers.

  Raises `DatasetError` if one of the labels of the splits has no name.
  """
  if class_names is None:
    if train.min() > 0:
      raise files.DatasetError(
        f'y_train has no label below {train.min()}; classes count from 0: '
        'subtract that from all labels, or name all classes with class_names.'
      )
    class_names = range(train.max() + 1)
  names = tuple(map(str, class_names))
  for part, last in (('train', train.max()), ('test', test.max())):
    if last >= len(names):
      raise files.DatasetError(
        f'y_{part} has the label {last}, out of range 0 to {len(names) - 1}; '
        'include every class in the training split, or name all classes with '
        'class_names.'
      )
  return names


def _check_inputs(name, inputs):
  """Returns images as uint8 values or float32 rates."""
  inputs = np.asarray(inputs)
  shape, dtype = inputs.shape, inputs.dtype
  if inputs.ndim == 4 and shape[-1] == 1:
    inputs = inputs[..., 0]
  elif inputs.ndim == 2:
    inputs = inputs[:, None]
  if inputs.ndim not in (3, 4):
    raise files.DatasetError(
      f'{name} has the shape {shape}; expected [N, H, W], [N, H, W, C] or '
      '[N, I].'
    )
  if inputs.ndim == 4 and shape[1] <= _MOST_COLORS < shape[2] == shape[3]:
    raise files.DatasetError(
      f'{name} has the shape {shape}, with the channels first; move them last, '
      f'with {name}.transpose(0, 2, 3, 1).'
    )
  if dtype == np.bool_:
    return inputs.astype(np.float32)
  if dtype == np.uint8:
    return inputs
  is_integer = np.issubdtype(dtype, np.integer)
  is_number = is_integer or np.issubdtype(dtype, np.floating)
  if not is_number or not encoding.is_within(inputs, 255 if is_integer else 1):
    smallest, largest = inputs.min(), inputs.max()
    found = f'values in [{smallest}, {largest}]'
    if smallest != smallest:
      found = 'values that are not a number (NaN)'
    raise files.DatasetError(
      f'{name} has the dtype {dtype} and {found}; expected float rates in '
      '[0, 1] (divide grey values by 255), integer values from 0 to 255, or '
      'bool instead of 0 and 1.'
    )
  if is_integer:
    return inputs.astype(np.uint8)
  rates = inputs.astype(np.float32, copy=False)
  return np.clip(rates, 0, 1)  # errors of rounding
