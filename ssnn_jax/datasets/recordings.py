"""Event-camera recordings in the file format of N-MNIST, and their binning.

A recording is a file `{Train,Test}/<label>/<number>.bin`, with 5 bytes per
event: column, row, and 24 bits, of which the first is the polarity and the
others are the time in microseconds. A row of 240 is no event, but an overflow
of the timer after 2**13 us.

The events are decoded once, and then memory-mapped from a cache. Binning makes
spike trains of T ticks of them.
"""

from concurrent import futures
import dataclasses
import os
import pathlib
from typing import NamedTuple

import numpy as np
import tqdm

from ssnn_jax import checks
from ssnn_jax import spikes
from ssnn_jax.datasets import cache
from ssnn_jax.datasets import files

WIDTH, HEIGHT, NUM_POLARITIES = 34, 34, 2
SYNTHETIC = 'SYNTHETIC.json'  # this file marks a folder of synthetic recordings
POLARITIES = ('both', 'merged', 'on', 'off')

_OVERFLOW_ROW, _OVERFLOW = 240, 2**13
_CHUNK_SIZE = 128  # recordings that a thread bins at once
_MAX_WINDOW = 4e6  # milliseconds; times are below 2**32 microseconds


class Recordings(NamedTuple):
  """Events of N recordings, concatenated."""

  times: np.ndarray  # [E] uint32 microseconds since the recording's start
  addresses: np.ndarray  # [E] uint16 (polarity HEIGHT + y) WIDTH + x
  offsets: np.ndarray  # [N + 1] int64 first event of each recording, and E
  labels: np.ndarray  # [N] int32 classes


def sensor_shape(num_trains: int) -> tuple[int, ...]:
  """Returns the shape of the trains of a recording.

  Args:
    num_trains: number of trains.

  Returns:
    `[H, W]`, with both polarities `[2, H, W]`; otherwise `[I]`, for trains that
    are not those of the sensor.
  """
  num_polarities, others = divmod(num_trains, HEIGHT * WIDTH)
  if others or num_polarities not in (1, NUM_POLARITIES):
    return (num_trains,)
  shape = num_polarities, HEIGHT, WIDTH
  return shape if num_polarities > 1 else shape[1:]


def load(
  name: str, folder: pathlib.Path, num_classes: int
) -> dict[str, Recordings]:
  """Loads the memory-mapped splits 'train' and 'test' of recordings.

  The folder contains `Train` and `Test`; labels must be below `num_classes`.
  """
  return {
    split: _load_split(f'{name}/{split}', folder / split.title(), num_classes)
    for split in ('train', 'test')
  }


def decode(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
  """Decodes the times `[E]` and addresses `[E]` of one recording."""
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
  arrays = cache.load_or_build(name, paths, lambda: _decode_all(name, paths))
  offsets = np.concatenate([[0], np.cumsum(arrays['sizes'], dtype=np.int64)])
  return Recordings(arrays['times'], arrays['addresses'], offsets, labels)


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


def _decode_all(name, paths):
  """Decodes the recordings of a split in order."""
  progress = tqdm.tqdm(paths, f'decoding {name}', disable=None, unit='files')
  times, addresses = zip(*map(decode, progress))
  return {
    'times': np.concatenate(times),
    'addresses': np.concatenate(addresses),
    'sizes': np.array(list(map(len, times)), np.int32),
  }


@dataclasses.dataclass(frozen=True)
class Binning:
  """Conversion of recorded events to spike trains.

  Attributes:
    num_steps: T, number of ticks of a spike train.
    event_window: duration that the ticks cover, from the start of the
      recording, in milliseconds, from 0.001 to 4,000,000; later events are
      dropped.
    polarity: events to use: 'both' polarities with separate trains, both
      'merged' into one train per pixel, or only 'on' (bit 1) or 'off' (bit 0)
      events.
    shuffle_ticks: whether to permute the ticks of each recording in its own
      fixed order, which preserves rates and coincidences, not temporal order.

  Raises:
    UserError: if a field is out of range.
  """

  num_steps: int = 64
  event_window: float = 300.0
  polarity: str = 'both'
  shuffle_ticks: bool = False

  def __post_init__(self):
    window, polarities = self.event_window, ', '.join(POLARITIES)
    ticks = f'1 to {checks.MAX_COUNT} ticks'
    is_window = checks.is_real(window) and 1e-3 <= window <= _MAX_WINDOW
    is_bool = isinstance(self.shuffle_ticks, bool | np.bool_)
    for field, is_valid, expected in (
      ('num_steps', checks.is_count(self.num_steps), ticks),
      ('event_window', is_window, '0.001 to 4,000,000 milliseconds'),
      ('polarity', self.polarity in POLARITIES, f'one of {polarities}'),
      ('shuffle_ticks', is_bool, 'True or False'),
    ):
      checks.check_field(self, field, is_valid, expected)
    # A NumPy integer could overflow or promote the times of events to floats.
    object.__setattr__(self, 'num_steps', int(self.num_steps))

  @property
  def num_inputs(self) -> int:
    """I, number of trains of a recording."""
    per_pixel = NUM_POLARITIES if self.polarity == 'both' else 1
    return per_pixel * WIDTH * HEIGHT

  @property
  def num_words(self) -> int:
    """K, number of 32-tick words of a train."""
    return spikes.count_words(self.num_steps)


def bin_events(recordings: Recordings, binning: Binning) -> np.ndarray:
  """Bins events into `[N, K, I]` uint32 spike trains, one bit per tick.

  An event at time t makes its input spike in tick floor(t T / event_window).
  """
  num_recordings = len(recordings.labels)
  shape = num_recordings, binning.num_words, binning.num_inputs
  trains = np.zeros(shape, np.uint32)

  def bin_chunk(start):
    chunk = slice(start, min(start + _CHUNK_SIZE, num_recordings))
    _bin_chunk(trains[chunk], recordings, binning, chunk)

  # NumPy releases the GIL, and each thread writes to its own trains.
  with futures.ThreadPoolExecutor(os.cpu_count()) as executor:
    list(executor.map(bin_chunk, range(0, num_recordings, _CHUNK_SIZE)))
  return trains


def _bin_chunk(trains, recordings, binning, chunk):
  """Sets the spikes of a slice of the recordings in its trains `[n, K, I]`."""
  offsets = recordings.offsets[chunk.start : chunk.stop + 1]
  events = slice(offsets[0], offsets[-1])
  owners = np.repeat(np.arange(len(trains)), np.diff(offsets))
  ticks = recordings.times[events].astype(np.int64) * binning.num_steps
  ticks //= round(binning.event_window * 1000)  # microseconds
  inputs = recordings.addresses[events]
  is_used = ticks < binning.num_steps
  if binning.polarity != 'both':
    polarity, inputs = np.divmod(inputs, np.uint16(binning.num_inputs))
    if binning.polarity != 'merged':
      is_used &= polarity == (binning.polarity == 'on')
  if not is_used.all():
    owners, ticks, inputs = owners[is_used], ticks[is_used], inputs[is_used]
  if binning.shuffle_ticks:
    orders = [
      np.random.RandomState(index).permutation(binning.num_steps)
      for index in range(chunk.start, chunk.stop)
    ]
    ticks = np.array(orders)[owners, ticks]
  words, bits = np.divmod(ticks, spikes.TICKS_PER_WORD)
  positions = (owners * binning.num_words + words) * binning.num_inputs + inputs
  masks = np.uint32(1) << bits.astype(np.uint32)
  np.bitwise_or.at(trains.reshape(-1), positions, masks)
