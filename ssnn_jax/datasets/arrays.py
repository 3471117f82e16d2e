"""Datasets of arrays: containers, checks, `.npz` files and splits."""

from collections.abc import Sequence
import math
import pathlib
from typing import Any
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.trains import encoding

PARTS = 'train', 'test'
_MOST_COLORS = 4  # channels of an image, with transparency


class Split(NamedTuple):
  """Inputs and labels of one split of a dataset.

  The inputs are either images, `[N, H, W]` or with channels `[N, H, W, C]`, of
  uint8 values or float32 rates in [0, 1]; signals in time, `[N, L, I]`, of such
  values at L moments, zero after the end of a signal; or recordings of events,
  `[N, K, I]` uint32 spike trains with 32 ticks packed into each word.
  """

  inputs: np.ndarray
  #: [N] int32 classes; of signals [N, L], with -1 at moments without a class
  labels: np.ndarray


class Dataset(NamedTuple):
  """A dataset with disjoint splits."""

  name: str  #: as for `load`, or the name of user-provided arrays
  train: Split
  test: Split
  class_names: tuple[str, ...]  #: [C] name of each label
  validation: Split | None = None  #: held out of the training split, if at all
  full_size: int | None = None  #: samples of the complete dataset, if known
  sensor_shape: tuple[int, ...] | None = None  #: of the trains of recordings
  late_fraction: float = 0.0  #: of recorded events, after the event window

  @property
  def num_classes(self) -> int:
    """Number of classes, C."""
    return len(self.class_names)

  @property
  def is_recorded(self) -> bool:
    """Whether the inputs are recordings of events, and not images."""
    return self.train.inputs.dtype == np.uint32

  @property
  def is_signal(self) -> bool:
    """Whether the inputs are signals in time, with labels of moments."""
    return self.train.labels.ndim == 2

  @property
  def input_shape(self) -> tuple[int, ...]:
    """Shape of an image, `[H, W]` or `[H, W, C]`, or of a recording's trains.

    An event camera has `[2, H, W]` trains, for events off and on, or `[H, W]`
    without polarities; other sensors `[I]`. A signal has `[L, I]`.
    """
    shape = self.train.inputs.shape
    return self.sensor_shape or shape[-1 if self.is_recorded else 1 :]

  @property
  def num_inputs(self) -> int:
    """Number of pixels, of trains of events, or of all values of a signal."""
    return math.prod(self.input_shape)


def is_npz_path(name: object) -> bool:
  """Returns whether a dataset name is the path of an `.npz` file."""
  return isinstance(name, str) and name.endswith('.npz')


def holds_signals(path: str) -> bool:
  """Returns whether an `.npz` file has lengths, or labels of moments."""
  with checks.explain(path, 'save x_train, y_train, x_test and y_test in it'):
    with np.load(pathlib.Path(path).expanduser()) as file:
      if 'lengths_train' in file:
        return True
      shape = file['y_train'].shape
      return len(shape) == 2 and shape[1] > 1


def load_npz(path: str) -> Dataset:
  """Loads the arguments of `from_arrays` from an `.npz` file.

  Other arrays are ignored, and objects are not unpickled.
  """
  names = 'x_train', 'y_train', 'x_test', 'y_test', 'class_names'
  names += 'lengths_train', 'lengths_test'
  remedy = 'save x_train, y_train, x_test and y_test with np.savez'
  with checks.explain(path, remedy):
    with np.load(pathlib.Path(path).expanduser()) as file:
      arrays = {name: file[name] for name in names if name in file}
    return from_arrays(**arrays, name=path)


def from_arrays(
  x_train: npt.ArrayLike,
  y_train: npt.ArrayLike,
  x_test: npt.ArrayLike,
  y_test: npt.ArrayLike,
  *,
  name: str = 'arrays',
  class_names: npt.ArrayLike | None = None,
  lengths_train: npt.ArrayLike | None = None,
  lengths_test: npt.ArrayLike | None = None,
) -> Dataset:
  """Builds a dataset from arrays, named as in the datasets of Keras.

  Inputs are signals in time, `[N, L, I]`, if lengths are given or the labels
  are those of moments, `[N, L]`.

  Args:
    x_train: `[N, H, W]`, `[N, H, W, C]` or `[N, I]` training inputs, integers
      from 0 to 255, of which the largest is 128 or more, float rates in [0, 1],
      or bool; kept as uint8 or float32, `[N, I]` as `[N, 1, I]`, and images of
      one channel as `[N, H, W]`.
    y_train: `[N]` or `[N, 1]` training labels, integers from 0, or bool; or
      `[N, L]` labels of the moments of signals, -1 at moments without one.
    x_test: test inputs, with the shape and dtype of the training inputs.
    y_test: test labels.
    name: name of the dataset in messages and titles.
    class_names: `[C]` name of each class; by default, the classes are 0 to the
      largest training label, and their names are these numbers.
    lengths_train: `[N]` moments of each training signal, from 1 to L; later
      moments have no label.
    lengths_test: `[N]` moments of each test signal.

  Raises:
    UserError: if an array has an invalid shape, dtype or value.
  """
  if any(map(np.ma.is_masked, (x_train, y_train, x_test, y_test))):
    raise types.UserError(
      'the arrays have masked values; fill them, or leave these samples out.'
    )
  x_train = _check_inputs('x_train', x_train)
  x_test = _check_inputs('x_test', x_test)
  if x_train.dtype == np.uint8 and (most := x_train.max()) < 128:
    raise types.UserError(
      f'the integers of x_train are at most {most}, and 255 is white; pass '
      f'rates: x / {most} of both splits, or x / 255 if the images are dark.'
    )
  of_test, of_train = (f'{x.dtype}{x.shape[1:]}' for x in (x_test, x_train))
  if of_test != of_train:
    raise types.UserError(
      f'x_test has inputs {of_test}, x_train {of_train}; make them equal.'
    )
  y_train, shape_train = _expand_labels(
    'train', x_train, y_train, lengths_train
  )
  y_test, shape_test = _expand_labels('test', x_test, y_test, lengths_test)
  if len(shape_train) != len(shape_test):
    raise types.UserError(
      'one split has labels of moments, [N, L], and the other of samples, [N]; '
      'give lengths_train and lengths_test, or labels of moments of both.'
    )
  shapes = shape_train, shape_test
  (y_train, y_test), names = check_labels(
    (y_train, y_test), shapes, class_names
  )
  return Dataset(name, Split(x_train, y_train), Split(x_test, y_test), names)


def label_moments(
  labels: np.ndarray,
  lengths: np.ndarray,
  num_moments: int,
  dtype: npt.DTypeLike = np.int32,
) -> np.ndarray:
  """Returns labels `[N, L]` of moments, and -1 after the end of a signal.

  The labels given are those of signals, `[N]`, or of moments, `[N, L]`.
  """
  is_given = np.arange(num_moments) < np.asarray(lengths)[:, None]
  labels = labels[:, None] if labels.ndim == 1 else labels
  return np.where(is_given, labels.astype(dtype), np.array(-1, dtype))


def _expand_labels(part, inputs, labels, lengths):
  """Returns labels with given lengths as those of moments, and their shape."""
  labels = as_classes(np.asarray(labels))
  is_3d, num_moments = inputs.ndim == 3, inputs.shape[1]
  if lengths is not None:
    lengths = np.asarray(lengths)
    is_integer = np.issubdtype(lengths.dtype, np.integer)
    is_valid = is_3d and is_integer and lengths.shape == inputs.shape[:1]
    if not is_valid or lengths.min() < 1 or lengths.max() > num_moments:
      raise types.UserError(
        f'lengths_{part} are {lengths.dtype}{lengths.shape} of inputs '
        f'{inputs.shape}; expected signals [N, L, I], and integers [N] from 1 '
        'to L.'
      )
    if labels.shape == inputs.shape[:1]:
      labels = np.broadcast_to(labels[:, None], inputs.shape[:2])
    is_integer = np.issubdtype(labels.dtype, np.integer)
    if labels.shape == inputs.shape[:2] and is_integer:
      # Large labels are refused later, and must not overflow.
      labels = label_moments(labels, lengths, num_moments, np.int64)
  is_signal = is_3d and labels.ndim == 2 and labels.shape[1] == num_moments
  if is_signal and lengths is None and num_moments > 2:
    marks = np.sum(labels == 1, axis=1), np.sum(labels == 0, axis=1)
    if np.all((marks[0] == 1) & (marks[1] == num_moments - 1)):
      raise types.UserError(
        f'y_{part} looks one-hot, and would be labels of moments; pass '
        f'y_{part}.argmax(axis=1).'
      )
  return labels, inputs.shape[: 2 if is_signal else 1]


def as_classes(labels: Any) -> Any:
  """Returns labels `[N, 1]` as `[N]`, and bool as integers."""
  if labels.ndim == 2 and labels.shape[1] == 1:
    labels = labels[:, 0]
  return labels.astype(np.int32) if labels.dtype == bool else labels


def check_labels(
  labels: Sequence[npt.ArrayLike],
  shapes: Sequence[tuple[int, ...]],
  class_names: npt.ArrayLike | None,
) -> tuple[list[np.ndarray], tuple[str, ...]]:
  """Returns the labels of both splits as int32, and the class names.

  The shapes are `[N]`, or `[N, L]` of labels of moments, which may be -1.
  Classes without names are 0 to the largest training label, which is taken for
  an error if more than half of them would have no training sample.
  """
  labels = [as_classes(np.asarray(array)) for array in labels]
  given = [
    array[array != -1] if len(shape) > 1 else array
    for array, shape in zip(labels, shapes)
  ]
  for part, array in zip(PARTS, given):
    if not array.size:
      raise types.UserError(
        f'y_{part} has no label but -1; give the class of one moment or more.'
      )
  if class_names is None and np.issubdtype(labels[0].dtype, np.integer):
    classes = np.unique(given[0])
    if classes[0] != 0 or classes[-1] >= 2 * len(classes):
      raise types.UserError(
        f'y_train has {len(classes)} different labels from {classes[0]} to '
        f'{classes[-1]}; count classes from 0 without large gaps, or name all '
        'of them with class_names.'
      )
    class_names = range(int(classes[-1]) + 1)
  names = () if class_names is None else tuple(map(str, class_names))
  for part, array, shape in zip(PARTS, labels, shapes):
    if len(shape) > 1:
      array = np.where(array == -1, 0, array)  # at moments without a class
    try:
      checks.check_labels(array, shape, len(names))
    except types.UserError as error:
      raise types.UserError(f'y_{part}: {error}') from None
  return [array.astype(np.int32) for array in labels], names


def _check_inputs(name, inputs):
  """Returns images as uint8 values or float32 rates."""
  inputs = np.asarray(inputs)
  shape, dtype = inputs.shape, inputs.dtype
  is_channels_first = (
    inputs.ndim == 4 and shape[1] <= _MOST_COLORS < shape[2] == shape[3]
  )
  if inputs.ndim not in (2, 3, 4) or not inputs.size or is_channels_first:
    raise types.UserError(
      f'{name} has the shape {shape}; expected [N, H, W], [N, I], or [N, H, W, '
      f'C] as of {name}.transpose(0, 2, 3, 1), and one sample or more.'
    )
  if inputs.ndim == 2:
    inputs = inputs[:, None]
  elif inputs.ndim == 4 and shape[-1] == 1:
    inputs = inputs[..., 0]
  encoding.check_values(name, inputs)
  if dtype == np.bool_:
    return inputs.astype(np.float32)
  if np.issubdtype(dtype, np.integer):
    return inputs.astype(np.uint8, copy=False)
  return np.clip(inputs.astype(np.float32, copy=False), 0, 1)  # of rounding


def hold_out(dataset: Dataset, fraction: float = 0.1, seed: int = 0) -> Dataset:
  """Holds a fraction of the training split out, as the validation split.

  The samples are selected at random by the seed, stratified by class.
  """
  is_drawn = draw(dataset.train.labels, fraction, seed)
  train, validation = _divide(dataset.train, is_drawn)
  return dataset._replace(train=train, validation=validation)


def fold(
  dataset: Dataset, num_folds: int, index: int, seed: int = 0
) -> Dataset:
  """Makes a fold of all samples the test split, for cross-validation.

  Training and test split are joined, and divided into random folds, stratified
  by class; all folds but `index`, from 0 to `num_folds - 1`, are trained on.
  """
  joined = Split(*map(np.concatenate, zip(dataset.train, dataset.test)))
  if not 0 <= index < num_folds:
    raise types.UserError(
      f'there is no fold {index} of {num_folds} folds; count from 0.'
    )
  positions = slice(index, None, num_folds)
  train, test = _divide(joined, _draw(joined.labels, positions, seed))
  return dataset._replace(train=train, test=test)


def draw(labels: np.ndarray, fraction: float, seed: int = 0) -> np.ndarray:
  """Returns whether each item is drawn, `[N]` bool, stratified by class."""
  num_items = len(labels)
  num_drawn = round(fraction * num_items)
  positions = np.arange(num_drawn) * num_items // max(num_drawn, 1)
  return _draw(labels, positions, seed)


def _draw(labels, positions, seed):
  """Returns whether each item is drawn.

  Positions count all items sorted by class, and shuffled within it: equal steps
  draw from every class its share, within one item. The class of a signal is
  that of its last moment with one.
  """
  if labels.ndim == 2:
    last = labels.shape[1] - 1 - np.argmax(labels[:, ::-1] != -1, axis=1)
    labels = np.take_along_axis(labels, last[:, None], axis=1)[:, 0]
  # The stream of RandomState is frozen; the streams of NumPy's newer
  # generators may change between releases, and so would the splits.
  shuffled = np.random.RandomState(seed).permutation(len(labels))
  by_class = shuffled[np.argsort(labels[shuffled], kind='stable')]
  is_drawn = np.zeros(len(by_class), bool)
  is_drawn[by_class[positions]] = True
  if is_drawn.all() or not is_drawn.any():
    raise types.UserError(
      f'{np.sum(is_drawn)} of {len(is_drawn)} items would be drawn; choose a '
      'fraction or a number of folds for which neither split is empty.'
    )
  return is_drawn


def _divide(split, is_drawn):
  """Returns the remaining and the drawn items, both in their original order."""
  return tuple(Split(*(a[m] for a in split)) for m in (~is_drawn, is_drawn))
