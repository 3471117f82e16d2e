"""Recordings of events: their spike trains, and the file format of N-MNIST.

The events of any sensor are decoded once, and then memory-mapped from a cache.
Binning makes spike trains of T ticks of them.
"""

from concurrent import futures
import dataclasses
import itertools
import math
import os
import pathlib
from typing import NamedTuple

import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.datasets import files

SENSOR_SIZE = 34, 34, 2  # width, height and polarities of N-MNIST
EVENTS = np.dtype([(name, np.int64) for name in 'xypt'])  # t: microseconds
SYNTHETIC = 'SYNTHETIC.json'  # this file marks a folder of synthetic recordings

_OVERFLOW_ROW, _OVERFLOW = 240, 2**13
_CHUNK_SIZE = 2**19  # events that a thread bins at once
_WINDOWS = 1e-3, 4e6  # milliseconds; times are below 2**32 microseconds


class Recordings(NamedTuple):
  """Events of N recordings, concatenated."""

  times: np.ndarray  #: [E] uint32 microseconds since the recording's start
  addresses: np.ndarray  #: [E] unsigned integers, (polarity H + y) W + x
  offsets: np.ndarray  #: [N + 1] int64 first event of each recording, and E
  labels: np.ndarray  #: [N] int32 classes
  sensor_shape: tuple[int, int, int]  #: polarities, H and W


def read_bin(path: pathlib.Path) -> np.ndarray:
  """Reads a recording of N-MNIST: `[E]` events with the fields x, y, p and t.

  Raises `DatasetError` if the last event is incomplete.
  """
  # An event has 5 bytes: column, row, and 24 bits, of which the first is the
  # polarity and the others are the time in microseconds. A row of 240 is no
  # event, but an overflow of the timer after 2**13 us.
  content = np.fromfile(path, np.uint8)
  if content.size % 5:
    problem = f'has {content.size} bytes; expected 5 bytes for each event'
    raise files.damaged(path, problem)
  x, y, first, second, third = content.reshape(-1, 5).astype(np.int64).T
  is_overflow = y == _OVERFLOW_ROW
  events = np.empty(len(x), EVENTS)
  events['x'], events['y'], events['p'] = x, y, first >> 7
  events['t'] = (first & 127) << 16 | second << 8 | third
  events['t'] += np.cumsum(is_overflow) * _OVERFLOW
  return events[~is_overflow]


def encode_bin(events: np.ndarray) -> bytes:
  """Encodes events for `read_bin`: rows below 240, times below 2**23 us."""
  x, y, p, t = (events[name] for name in 'xypt')
  columns = x, y, p << 7 | t >> 16, t >> 8, t
  return np.stack(columns, axis=1).astype(np.uint8).tobytes()


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
  """Returns the shape of trains: `[2, H, W]`, `[H, W]` or, of a row, `[W]`."""
  num_polarities, height, width = sensor_shape
  if num_polarities > 1:
    return sensor_shape
  return (height, width) if height > 1 else (width,)


def bin_events(recordings: Recordings, binning: Binning) -> np.ndarray:
  """Bins events into `[N, K, I]` uint32 spike trains, one bit per tick.

  An event at time t makes its input spike in tick floor(t T / event_window).
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

  # Chunks of few events or of one recording: NumPy releases the GIL, and each
  # thread writes to its own trains.
  starts = np.arange(0, recordings.offsets[-1], _CHUNK_SIZE)
  bounds = np.searchsorted(recordings.offsets, starts)
  bounds = np.unique([*bounds, len(recordings.labels)])
  chunks = itertools.starmap(slice, itertools.pairwise(bounds))
  with futures.ThreadPoolExecutor(os.cpu_count()) as executor:
    list(executor.map(bin_chunk, chunks))
  return trains


def late_fraction(recordings: Recordings, binning: Binning) -> float:
  """Returns the fraction of events that binning drops, after the window."""
  is_late = recordings.times >= binning.window_microseconds
  return float(np.mean(is_late)) if len(is_late) else 0.0
