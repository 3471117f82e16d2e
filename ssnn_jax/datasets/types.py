"""Containers of the dataset loaders."""

import math
from typing import NamedTuple

import numpy as np

_MAX_NAMES = 10  # of classes in a summary


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

  def __repr__(self):
    """Summarizes the inputs, the classes and the splits."""
    inputs = self.train.inputs
    kind, ends = 'images', ''
    if self.is_recorded:
      kind, ends = 'spike trains', f' of {inputs.shape[1]} words of 32 ticks'
    names = ', '.join(self.class_names[:_MAX_NAMES])
    if self.num_classes > _MAX_NAMES:
      names += ', ...'
    splits = {
      'training': self.train,
      'validation': self.validation,
      'test': self.test,
    }
    sizes = [
      f'{len(split.labels):,} {name}' for name, split in splits.items() if split
    ]
    total = f' of {self.full_size:,}' if self.full_size else ''
    return (
      f'{self.name}: {kind} {list(self.input_shape)}{ends}, {inputs.dtype}\n'
      f'  {self.num_classes} classes: {names}\n'
      f'  samples{total}: {", ".join(sizes)}'
    )

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
    Recordings of an event camera have `[H, W]` trains, or `[2, H, W]` for
    events off and on; other recordings `[I]`.
    """
    shape = self.train.inputs.shape[1:]
    if self.is_recorded:
      shape = self.sensor_shape or shape[-1:]
    return tuple(shape)
