"""Datasets of user-provided NumPy arrays, in memory or in an `.npz` file."""

import os
import pathlib
from typing import Any
import zipfile

import numpy as np
import numpy.typing as npt

from ssnn_jax import checks
from ssnn_jax.datasets import files
from ssnn_jax.datasets import types
from ssnn_jax.spikes import encoding

_ARRAYS = ('x_train', 'y_train', 'x_test', 'y_test', 'class_names')
_MOST_COLORS = 4  # channels of an image, with transparency
_RECIPE = 'np.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)'


def is_npz_path(name: object) -> bool:
  """Returns whether a dataset name is the path of an `.npz` file."""
  return isinstance(name, str) and name.endswith('.npz')


def load_npz(path: str | os.PathLike) -> types.Dataset:
  """Loads a dataset from an `.npz` file with the arguments of `from_arrays`.

  Other arrays are ignored, and objects are not unpickled.
  """
  try:
    checks.check_file(pathlib.Path(path).expanduser())
    with np.load(pathlib.Path(path).expanduser()) as file:
      arrays = {name: file[name] for name in _ARRAYS if name in file}
  except FileNotFoundError:
    raise files.DatasetError(
      f'There is no file {path}; create it with {_RECIPE}.'
    ) from None
  except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
    raise files.DatasetError(
      f'{path} cannot be read ({files.root_cause(error)}); save arrays of '
      f'numbers, and class_names of strings, with {_RECIPE}.'
    ) from None
  missing = [name for name in _ARRAYS[:4] if name not in arrays]
  if missing:
    raise files.DatasetError(
      f'{path} lacks {", ".join(missing)}; create it with {_RECIPE}.'
    )
  try:
    return from_arrays(**arrays, name=os.fspath(path))
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
  train = _make_split('train', x_train, y_train)
  test = _make_split('test', x_test, y_test)
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
  """Checks the labels of a split.

  Args:
    part: name of the split, 'train' or 'test'.
    labels: `[N]` or `[N, 1]` integers from 0, or bool.
    num_samples: N, number of samples of the split.

  Returns:
    The labels, `[N]` int32.

  Raises:
    DatasetError: if they are not one class for each sample.
  """
  _check_unmasked(f'y_{part}', labels)
  labels = as_classes(np.asarray(labels))
  if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
    raise files.DatasetError(
      f'y_{part} has the shape {labels.shape} and the dtype {labels.dtype}; '
      'expected [N] classes, integers from 0: convert it with astype, or take '
      'the argmax of one-hot labels.'
    )
  if labels.min() < 0:
    raise files.DatasetError(
      f'y_{part} has the class {labels.min()}; expected classes from 0: leave '
      'out samples without a class, and number the others from 0.'
    )
  if len(labels) != num_samples:
    raise files.DatasetError(
      f'y_{part} has {len(labels)} labels and x_{part} has {num_samples} '
      'samples; give one label for each sample.'
    )
  return labels.astype(np.int32)


def name_classes(
  class_names: npt.ArrayLike | None,
  train_labels: np.ndarray,
  test_labels: np.ndarray,
) -> tuple[str, ...]:
  """Returns the name of each class.

  Args:
    class_names: `[C]` names; None names the classes 0 to the largest training
      label by these numbers.
    train_labels: `[N]` training labels.
    test_labels: test labels.

  Returns:
    The names as text.

  Raises:
    DatasetError: if a label has no name.
  """
  if class_names is None:
    class_names = range(train_labels.max() + 1)
  names = tuple(map(str, class_names))
  for part, labels in (('train', train_labels), ('test', test_labels)):
    last = labels.max()
    if last >= len(names):
      raise files.DatasetError(
        f'y_{part} has the label {last}, out of range 0 to {len(names) - 1}; '
        'include every class in the training split, or name all classes with '
        'class_names.'
      )
  return names


def _check_unmasked(name, array):
  if np.ma.is_masked(array):
    raise files.DatasetError(
      f'{name} has masked values; fill them, or leave these samples out.'
    )


def _make_split(part, inputs, labels):
  """Returns a checked split."""
  inputs = _check_inputs(f'x_{part}', inputs)
  return types.Split(inputs, check_labels(part, labels, len(inputs)))


def _check_inputs(name, inputs):
  """Returns images as uint8 values or float32 rates."""
  _check_unmasked(name, inputs)
  inputs = np.asarray(inputs)
  shape, dtype = inputs.shape, inputs.dtype
  if len(shape) == 4 and shape[-1] == 1:
    inputs = inputs[..., 0]
  elif len(shape) == 2:
    inputs = inputs[:, None]
  if inputs.ndim not in (3, 4):
    raise files.DatasetError(
      f'{name} has the shape {shape}; expected [N, H, W], [N, H, W, C] or '
      '[N, I]: reshape it, and give all images the same size.'
    )
  if inputs.ndim == 4 and shape[1] <= _MOST_COLORS < shape[2] == shape[3]:
    raise files.DatasetError(
      f'{name} has the shape {shape}, with the channels first; move them last, '
      f'with {name}.transpose(0, 2, 3, 1).'
    )
  if np.issubdtype(dtype, np.bool_):
    inputs = inputs.astype(np.float32)
  elif dtype != np.uint8:
    is_grey = np.issubdtype(dtype, np.integer)
    if not is_grey and not np.issubdtype(dtype, np.floating):
      raise files.DatasetError(
        f'{name} has the dtype {dtype}; expected integer values from 0 to 255, '
        'or float rates in [0, 1]: convert it with astype.'
      )
    if not encoding.is_within(inputs, 255 if is_grey else 1):
      raise files.DatasetError(
        f'{name} has values in [{inputs.min():.7g}, {inputs.max():.7g}]; '
        'expected float rates in [0, 1], integer values from 0 to 255, or bool '
        'instead of 0 and 1.'
      )
    inputs = inputs.astype(np.uint8 if is_grey else np.float32, copy=False)
    if not is_grey:
      inputs = np.clip(inputs, 0, 1)  # errors of rounding
  return inputs
