"""Containers of the dataset loaders."""

import math
from typing import NamedTuple

import numpy as np

from ssnn_jax.datasets import recordings


class Split(NamedTuple):
  """Inputs and labels of one split of a dataset.

  The inputs are either images, `[N, H, W]` uint8 grey values or float32 rates
  in [0, 1], or recordings of events, `[N, K, I]` uint32 spike trains with 32
  ticks packed into each word.
  """

  inputs: np.ndarray
  labels: np.ndarray  # [N] int32 classes


class Dataset(NamedTuple):
  """A dataset with disjoint splits."""

  name: str  # one of NAMES, or the name of user-provided arrays
  train: Split
  test: Split
  class_names: tuple[str, ...]  # [C] name of each label
  validation: Split | None = None  # held out of the training split, if at all
  full_size: int | None = None  # samples of the complete dataset, if known

  @property
  def num_classes(self) -> int:
    """Number of classes, C."""
    return len(self.class_names)

  @property
  def num_inputs(self) -> int:
    """Number of inputs, I: pixels of an image or trains of a recording."""
    return math.prod(self.input_shape)

  @property
  def input_shape(self) -> tuple[int, ...]:
    """Shape of the inputs: that of an image, or of the trains of a recording.

    Recordings of an event camera have `[H, W]` trains, or `[2, H, W]` for
    events off and on; other recordings `[I]`.
    """
    _, *shape = self.train.inputs.shape
    if self.train.inputs.dtype != np.uint32:
      return tuple(shape)
    return recordings.sensor_shape(shape[-1])
