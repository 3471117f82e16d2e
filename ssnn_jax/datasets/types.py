"""What the loaders of data sets share: their results, and their error."""

import os
from typing import NamedTuple

import numpy as np

from ssnn_jax import types


class DatasetError(types.UserError):
  """Data that cannot be used; the message is one sentence with the remedy."""


class Split(NamedTuple):
  """What a network is shown and what it should answer, item by item."""

  # [N, H, W] uint8 grey values or float32 rates, or [N, K, I] uint32 trains
  inputs: np.ndarray
  labels: np.ndarray  # [N] int32 classes


class Dataset(NamedTuple):
  """A data set in disjoint splits.

  Its inputs are images, `[N, H, W]` uint8 grey values or float32 rates within
  [0, 1], or recordings of events, `[N, K, I]` uint32 spike trains packed 32
  ticks a word.
  """

  name: str  # one of NAMES, or that of own arrays
  train: Split  # what a network learns from
  test: Split  # what it is judged on
  class_names: tuple[str, ...]  # [C] a name for each label
  validation: Split | None = None  # what it is tuned on, if held out
  full_size: int | None = None  # items that the whole set has, if known

  @property
  def num_classes(self) -> int:
    """The number of classes, C."""
    return len(self.class_names)

  @property
  def num_inputs(self) -> int:
    """The number of inputs: pixels of an image, or trains of a recording."""
    _, rows, columns = self.train.inputs.shape
    return columns if self.train.inputs.dtype == np.uint32 else rows * columns


def damaged(path: str | os.PathLike, problem: str) -> DatasetError:
  """Makes the error that a file is not what it should be."""
  return DatasetError(f'{path} {problem}; replace it with the original file.')


def unreadable(path: str | os.PathLike, error: OSError) -> DatasetError:
  """Makes the error that a file or folder cannot be read."""
  return DatasetError(
    f'{path} cannot be read ({error.strerror}); check what it is and its '
    'permissions.'
  )
