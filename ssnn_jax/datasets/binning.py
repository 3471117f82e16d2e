"""Binning of events into spike trains of T ticks."""

from concurrent import futures
import dataclasses
import os

import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.datasets import cache
from ssnn_jax.datasets import recordings as recordings_lib

POLARITIES = ('both', 'merged', 'on', 'off')
_CHUNK_SIZE = 128  # recordings that a thread bins at a time
_MAX_WINDOW = 4e6  # milliseconds; times are below 2**32 microseconds


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
    steps, window, polarity = self.num_steps, self.event_window, self.polarity
    is_window = types.is_real(window) and 1e-3 <= window <= _MAX_WINDOW
    is_bool = isinstance(self.shuffle_ticks, bool | np.bool_)
    for field, is_valid, expected in (
      ('num_steps', types.is_count(steps), f'1 to {types.MAX_COUNT} ticks'),
      ('event_window', is_window, '0.001 to 4,000,000 milliseconds'),
      ('shuffle_ticks', is_bool, 'True or False'),
      ('polarity', polarity in POLARITIES, 'one of both, merged, on, off'),
    ):
      if not is_valid:
        value = getattr(self, field)
        raise types.UserError(f'{field} is {value}; expected {expected}.')
    # A NumPy integer could overflow or promote the times of events to floats.
    object.__setattr__(self, 'num_steps', int(self.num_steps))

  @property
  def num_inputs(self) -> int:
    """I, number of trains of a recording."""
    per_pixel = recordings_lib.NUM_POLARITIES if self.polarity == 'both' else 1
    return per_pixel * recordings_lib.WIDTH * recordings_lib.HEIGHT

  @property
  def num_words(self) -> int:
    """K, number of 32-tick words of a train."""
    return spikes.count_words(self.num_steps)


def bin_events(
  recordings: recordings_lib.Recordings, binning: Binning
) -> np.ndarray:
  """Bins events into `[N, K, I]` uint32 spike trains, one bit per tick.

  An event at time t makes its input spike in tick floor(t T / event_window).
  """
  num_recordings = len(recordings.labels)
  shape = num_recordings, binning.num_words, binning.num_inputs
  trains = np.zeros(shape, np.uint32)

  def bin_chunk(start):
    chunk = slice(start, min(start + _CHUNK_SIZE, num_recordings))
    _bin_chunk(trains[chunk], recordings, binning, chunk)
    cache.release_pages(recordings.times)
    cache.release_pages(recordings.addresses)

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
