"""From events to spike trains of T ticks."""

from concurrent import futures
import dataclasses
import math
import os

import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.datasets import cache
from ssnn_jax.datasets import recordings as recordings_lib

POLARITIES = ('both', 'merged', 'on', 'off')
_RECORDINGS_AT_ONCE = 128


@dataclasses.dataclass(frozen=True)
class Binning:
  """How recordings of events become spike trains.

  Attributes:
    num_steps: T, ticks that a recording is cut into.
    event_window: what is cut, from the recording's start on, in milliseconds;
      later events are left out.
    polarity: which events there are trains of: 'both' polarities, each with
      trains of its own, 'merged' to one, or those 'on' (bit 1) or 'off' (bit 0)
      alone.
    shuffle_ticks: whether the ticks of each recording are put in a random order
      of its own, always the same. What fires together still does, and rates
      stay; what comes when is lost.

  Raises:
    UserError: if a field is out of range.
  """

  num_steps: int = 64
  event_window: float = 300.0
  polarity: str = 'both'
  shuffle_ticks: bool = False

  def __post_init__(self):
    for field, is_valid, expected in (
      (
        'num_steps',
        isinstance(self.num_steps, int) and self.num_steps >= 1,
        '1 tick or more',
      ),
      (
        'event_window',
        1e-3 <= self.event_window < math.inf,
        'a number of milliseconds from 0.001 up',
      ),
      ('polarity', self.polarity in POLARITIES, 'one of both, merged, on, off'),
    ):
      if not is_valid:
        value = getattr(self, field)
        raise types.UserError(f'{field} is {value}; expected {expected}.')

  @property
  def num_inputs(self) -> int:
    """I, trains of a recording."""
    per_pixel = recordings_lib.NUM_POLARITIES if self.polarity == 'both' else 1
    return per_pixel * recordings_lib.WIDTH * recordings_lib.HEIGHT

  @property
  def num_words(self) -> int:
    """K, 32-tick words of a train."""
    return spikes.count_words(self.num_steps)


def bin_events(
  recordings: recordings_lib.Recordings, binning: Binning
) -> np.ndarray:
  """Cuts recordings into ticks: a train spikes where its tick has an event.

  The tick of an event at time t is floor(t T / event_window).

  Args:
    recordings: the events.
    binning: the cut.

  Returns:
    `[N, K, I]` uint32 spike trains, one bit a tick.
  """
  num_recordings = len(recordings.labels)
  shape = num_recordings, binning.num_words, binning.num_inputs
  trains = np.zeros(shape, np.uint32)

  def bin_part(start):
    part = slice(start, min(start + _RECORDINGS_AT_ONCE, num_recordings))
    _bin_part(trains[part], recordings, binning, part)
    cache.release(recordings.times)
    cache.release(recordings.addresses)

  # NumPy lets threads work side by side, each on trains of its own.
  with futures.ThreadPoolExecutor(os.cpu_count()) as executor:
    starts = range(0, num_recordings, _RECORDINGS_AT_ONCE)
    list(executor.map(bin_part, starts))
  return trains


def _bin_part(trains, recordings, binning, part):
  """Sets the spikes of some recordings in their trains `[n, K, I]`."""
  offsets = recordings.offsets[part.start : part.stop + 1]
  events = slice(offsets[0], offsets[-1])
  which = np.repeat(np.arange(len(trains)), np.diff(offsets))
  ticks = recordings.times[events].astype(np.int64) * binning.num_steps
  ticks //= round(binning.event_window * 1000)  # microseconds
  inputs = recordings.addresses[events]
  is_used = ticks < binning.num_steps
  if binning.polarity != 'both':
    polarity, inputs = np.divmod(inputs, np.uint16(binning.num_inputs))
    if binning.polarity != 'merged':
      is_used &= polarity == (binning.polarity == 'on')
  if not is_used.all():
    which, ticks, inputs = which[is_used], ticks[is_used], inputs[is_used]
  if binning.shuffle_ticks:
    numbers = range(part.start, part.stop)
    orders = [_shuffled(number, binning.num_steps) for number in numbers]
    ticks = np.array(orders)[which, ticks]
  words, bits = np.divmod(ticks, spikes.TICKS_PER_WORD)
  places = (which * binning.num_words + words) * binning.num_inputs + inputs
  masks = np.uint32(1) << bits.astype(np.uint32)
  np.bitwise_or.at(trains.reshape(-1), places, masks)


def _shuffled(recording, num_steps):
  """Draws the order of a recording's ticks from its number."""
  return np.random.RandomState(recording).permutation(num_steps)
