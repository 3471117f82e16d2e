"""Recordings of events: their binning, and the file format of N-MNIST.

The events of any sensor are decoded once, and then memory-mapped from a cache.
Binning makes spike trains of T ticks of them.

A recording of N-MNIST is a file `{Train,Test}/<label>/<number>.bin`, with 5
bytes per event: column, row, and 24 bits, of which the first is the polarity
and the others are the time in microseconds. A row of 240 is no event, but an
overflow of the timer after 2**13 us.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from concurrent import futures
import dataclasses
import itertools
import math
import os
import pathlib
from typing import NamedTuple

import numpy as np
import tqdm

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.datasets import cache
from ssnn_jax.datasets import files

WIDTH, HEIGHT = 34, 34  # of the sensor of N-MNIST, in pixels
SYNTHETIC = 'SYNTHETIC.json'  # this file marks a folder of synthetic recordings
SENSOR_SHAPE = 2, HEIGHT, WIDTH  # polarities, rows and columns of N-MNIST
PACKED = 'times', 'addresses', 'sizes'  # arrays of `pack`

_OVERFLOW_ROW, _OVERFLOW = 240, 2**13
_CHUNK_SIZE = 2**19  # events that a thread bins at once
_WINDOWS = 1e-3, 4e6  # milliseconds; times are below 2**32 microseconds


class Recordings(NamedTuple):
  """Events of N recordings, concatenated."""

  times: np.ndarray  #: [E] uint32 microseconds since the recording's start
  addresses: np.ndarray  #: [E] unsigned integers, (polarity H + y) W + x
  offsets: np.ndarray  #: [N + 1] int64 first event of each recording, and E
  labels: np.ndarray  #: [N] int32 classes
  sensor_shape: tuple[int, int, int] = SENSOR_SHAPE  #: polarities, H and W


def pack(
  name: str, decoded: Iterable[tuple[np.ndarray, np.ndarray]], total: int
) -> dict[str, np.ndarray]:
  """Concatenates decoded recordings for the cache, with a progress bar.

  Args:
    name: name of the split.
    decoded: times `[E]` and addresses `[E]` of each recording.
    total: number of recordings.

  Returns:
    Arrays for `unpack`.
  """
  progress = tqdm.tqdm(
    decoded, f'decoding {name}', total, disable=None, unit='files'
  )
  times, addresses = zip(*progress)
  sizes = np.array(list(map(len, times)), np.int32)
  packed = np.concatenate(times), np.concatenate(addresses), sizes
  return dict(zip(PACKED, packed))


def unpack(
  arrays: Mapping[str, np.ndarray],
  labels: np.ndarray,
  sensor_shape: tuple[int, int, int] = SENSOR_SHAPE,
) -> Recordings:
  """Returns the recordings of packed arrays, with their labels and sensor."""
  offsets = np.concatenate([[0], np.cumsum(arrays['sizes'], dtype=np.int64)])
  return Recordings(
    arrays['times'], arrays['addresses'], offsets, labels, sensor_shape
  )


def load(
  name: str, folder: pathlib.Path, num_classes: int
) -> dict[str, Recordings]:
  """Loads the memory-mapped splits 'train' and 'test' of N-MNIST's format.

  The folder contains `Train` and `Test`; labels must be below `num_classes`.
  """
  return {
    split: _load_split(f'{name}/{split}', folder / split.title(), num_classes)
    for split in ('train', 'test')
  }


def decode(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
  """Decodes the times `[E]` and addresses `[E]` of a recording of N-MNIST."""
  content = np.fromfile(path, np.uint8)
  if not content.size or content.size % 5:
    problem = f'has {content.size} bytes; expected 5 bytes for each event'
    raise files.damaged(path, problem)
  x, y, first, second, third = content.reshape(-1, 5).astype(np.uint32).T
  is_overflow = y == _OVERFLOW_ROW
  times = (first & 127) << 16 | second << 8 | third
  times += np.cumsum(is_overflow, dtype=np.uint32) * np.uint32(_OVERFLOW)
  addresses = ((first >> 7) * HEIGHT + y) * WIDTH + x
  is_outside = ~is_overflow & ((x >= WIDTH) | (y >= HEIGHT))
  if is_outside.any():
    event = np.argmax(is_outside)
    problem = f'has an event at ({x[event]}, {y[event]}), outside the sensor'
    raise files.damaged(path, problem)
  return times[~is_overflow], addresses[~is_overflow].astype(np.uint16)


def _load_split(name, folder, num_classes):
  """Loads the recordings of one split through the cache."""
  paths, labels = _find(folder, num_classes)
  build = lambda: pack(name, map(decode, paths), len(paths))
  return unpack(cache.load_or_build(name, paths, build), labels)


def _find(folder, num_classes):
  """Finds the recordings of a split; returns their paths and labels."""
  paths, labels = [], []
  classes = filter(str.isdecimal, files.list_names(folder))
  for name in sorted(classes, key=int):
    found = sorted((folder / name).glob('*.bin'))
    if found and int(name) >= num_classes:
      raise files.DatasetError(
        f'{folder / name} has the label {name}, out of range 0 to '
        f'{num_classes - 1}; remove the folder.'
      )
    paths += found
    labels += [int(name)] * len(found)
  if not paths:
    raise files.DatasetError(
      f'Cannot find a recording {folder}/<label>/<number>.bin; put the folder '
      f'{folder.name} of the dataset into {folder.parent}.'
    )
  return paths, np.array(labels, np.int32)


@dataclasses.dataclass(frozen=True)
class Binning:
  """Conversion of recorded events to spike trains.

  Attributes:
    num_steps: T, number of ticks of a spike train.
    event_window: duration that the ticks cover, from the start of the
      recording, in milliseconds; later events are dropped.

  Raises:
    UserError: if a field is out of range.
  """

  num_steps: int = 64
  event_window: float = 300.0

  def __post_init__(self):
    if self.num_steps < 1:
      raise types.UserError(
        f'num_steps is {self.num_steps}; expected one tick or more.'
      )
    if not _WINDOWS[0] <= self.event_window <= _WINDOWS[1]:
      raise types.UserError(
        f'event_window is {self.event_window}; expected 0.001 to 4,000,000 '
        'milliseconds.'
      )

  @property
  def num_words(self) -> int:
    """K, number of 32-tick words of a train."""
    return spikes.count_words(self.num_steps)

  @property
  def window_microseconds(self) -> int:
    """The event window in microseconds, the unit of times."""
    return round(self.event_window * 1000)


def trains_shape(sensor_shape: tuple[int, int, int]) -> tuple[int, ...]:
  """Returns the shape of the trains of a recording; I is its product.

  Args:
    sensor_shape: polarities, height and width of the sensor.

  Returns:
    `[2, H, W]` with polarities, otherwise `[H, W]`, or `[W]` of a sensor of one
    row.
  """
  num_polarities, height, width = sensor_shape
  if num_polarities > 1:
    return sensor_shape
  return (height, width) if height > 1 else (width,)


def bin_events(recordings: Recordings, binning: Binning) -> np.ndarray:
  """Bins events into `[N, K, I]` uint32 spike trains, one bit per tick.

  An event at time t makes its input spike in tick floor(t T / event_window).

  Args:
    recordings: the events of N recordings.
    binning: number of ticks and event window.

  Returns:
    The trains; `trains_shape` is the shape of the last axis.
  """
  num_inputs = math.prod(recordings.sensor_shape)
  shape = len(recordings.labels), binning.num_words, num_inputs
  trains = np.zeros(shape, np.uint32)

  def bin_chunk(chunk):
    """Sets the spikes of a slice of the recordings."""
    offsets = recordings.offsets[chunk.start : chunk.stop + 1]
    events = slice(offsets[0], offsets[-1])
    owners = np.repeat(np.arange(chunk.start, chunk.stop), np.diff(offsets))
    ticks = recordings.times[events].astype(np.int64) * binning.num_steps
    ticks //= binning.window_microseconds
    inputs = recordings.addresses[events]
    is_used = ticks < binning.num_steps
    owners, ticks, inputs = owners[is_used], ticks[is_used], inputs[is_used]
    words, bits = np.divmod(ticks, spikes.TICKS_PER_WORD)
    positions = (owners * binning.num_words + words) * num_inputs + inputs
    masks = np.uint32(1) << bits.astype(np.uint32)
    np.bitwise_or.at(trains.reshape(-1), positions, masks)

  # NumPy releases the GIL, and each thread writes to its own trains.
  with futures.ThreadPoolExecutor(os.cpu_count()) as executor:
    list(executor.map(bin_chunk, _chunks(recordings.offsets)))
  return trains


def late_fraction(recordings: Recordings, binning: Binning) -> float:
  """Returns the fraction of events that binning drops, after the window."""
  is_late = recordings.times >= binning.window_microseconds
  return float(np.mean(is_late)) if len(is_late) else 0.0


def _chunks(offsets: np.ndarray) -> Iterator[slice]:
  """Yields slices of recordings, each of few events or of one recording."""
  starts = np.arange(0, offsets[-1], _CHUNK_SIZE)
  bounds = np.searchsorted(offsets, starts)
  for bound, following in itertools.pairwise(
    np.unique([*bounds, len(offsets) - 1])
  ):
    yield slice(bound, following)
