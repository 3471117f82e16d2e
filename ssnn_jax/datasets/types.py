"""Containers of the dataset loaders."""

import math
from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
  """Inputs and labels of one split of a dataset.

  The inputs are either images, `[N, H, W]` or with channels `[N, H, W, C]`, of
  uint8 values or float32 rates in [0, 1], or recordings of events, `[N, K, I]`
  uint32 spike trains with 32 ticks packed into each word.
  """

  inputs: np.ndarray
  labels: np.ndarray  #: [N] int32 classes


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
  def num_inputs(self) -> int:
    """Number of inputs, I, which are pixels of an image or trains of events."""
    return math.prod(self.input_shape)

  @property
  def is_recorded(self) -> bool:
    """Whether the inputs are recordings of events, and not images."""
    return self.train.inputs.dtype == np.uint32

  @property
  def input_shape(self) -> tuple[int, ...]:
    """Shape of the inputs: that of an image, or of the trains of a recording.

    Images have `[H, W]` pixels, or `[H, W, C]` with the channels last.
    Recordings of an event camera have `[2, H, W]` trains, for events off and
    on, or `[H, W]` without polarities; other recordings `[I]`.
    """
    shape = self.train.inputs.shape[1:]
    if self.is_recorded:
      shape = self.sensor_shape or shape[-1:]
    return tuple(shape)
