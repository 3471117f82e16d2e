"""Tests for binning events into spike trains."""

from unittest import mock

from absl.testing import parameterized
import numpy as np
from tonic import transforms

from ssnn_jax import datasets
from ssnn_jax import types
from ssnn_jax.datasets import binning
from ssnn_jax.datasets import recordings
from tests.testing import datasets as data_util


def unpack(trains):
  """Unpacks trains `[N, K, I]` to spikes `[N, 32 K, I]`."""
  bits = trains[:, :, None] >> np.arange(32, dtype=np.uint32)[:, None] & 1
  return bits.reshape(len(trains), -1, trains.shape[2]).astype(bool)


class BinEventsTest(data_util.RecordingsTestCase):
  def setUp(self):
    super().setUp()
    self.events, _ = self.write_recordings()
    self.recordings = recordings.load('n_mnist', self.folder, 10)['train']

  def bin(self, *args, **kwargs):
    settings = datasets.Binning(*args, **kwargs)
    return binning.bin_events(self.recordings, settings)

  @parameterized.product(
    num_steps=(1, 32, 50, 70),
    event_window=(300.0, 77.7, 1e-3, 4e6),
    polarity=('both', 'merged', 'on', 'off'),
  )
  def test_tick_spikes_if_it_has_an_event(
    self, num_steps, event_window, polarity
  ):
    settings = datasets.Binning(num_steps, event_window, polarity)
    trains = binning.bin_events(self.recordings, settings)
    shape = len(self.events), settings.num_words, settings.num_inputs
    self.assertEqual((trains.shape, trains.dtype), (shape, np.uint32))
    expected = np.zeros((shape[0], 32 * shape[1], 2, 34, 34), bool)
    for index, (_, events) in enumerate(self.events):
      for x, y, p, t in events:
        tick = t * num_steps // round(1000 * event_window)
        if tick < num_steps:
          expected[index, tick, p, y, x] = True
    planes = {
      'both': expected,
      'merged': expected.any(axis=2),
      'on': expected[:, :, 1],
      'off': expected[:, :, 0],
    }
    np.testing.assert_array_equal(
      unpack(trains), planes[polarity].reshape(shape[0], 32 * shape[1], -1)
    )

  def test_ticks_equal_frames_of_tonic(self):
    trains = self.bin(num_steps=30)
    frames = transforms.ToFrame(
      sensor_size=(34, 34, 2),
      time_window=10_000,
      start_time=0,
      end_time=300_000,
    )
    dtype = np.dtype([(name, int) for name in 'xypt'])
    for (_, events), spikes in zip(self.events, unpack(trains)):
      expected = frames(np.array(events, dtype)) > 0
      found = spikes[:30].reshape(30, 2, 34, 34)
      np.testing.assert_array_equal(found, expected)

  def test_trains_do_not_depend_on_chunk_size(self):
    whole = self.bin(num_steps=40, shuffle_ticks=True)
    with mock.patch.object(binning, '_CHUNK_SIZE', 2):
      chunks = self.bin(num_steps=40, shuffle_ticks=True)
    np.testing.assert_array_equal(whole, chunks)

  @parameterized.parameters(np.int8, np.int64, np.uint64)
  def test_accepts_numpy_integers(self, dtype):
    trains = self.bin(num_steps=dtype(40))
    np.testing.assert_array_equal(trains, self.bin(num_steps=40), strict=True)

  def test_shuffling_differs_between_recordings(self):
    events = slice(*self.recordings.offsets[-2:])
    times, addresses = (
      np.tile(array[events], 2)
      for array in (self.recordings.times, self.recordings.addresses)
    )
    offsets = len(times) // 2 * np.arange(3)
    self.recordings = recordings.Recordings(
      times, addresses, offsets, labels=np.zeros(2, np.int32)
    )
    for shuffle in (False, True):
      first, second = self.bin(shuffle_ticks=shuffle)
      self.assertEqual((first == second).all(), not shuffle)

  @parameterized.parameters(33, 64)
  def test_shuffling_permutes_ticks(self, num_steps):
    ordered, shuffled = (
      unpack(self.bin(num_steps, shuffle_ticks=shuffle))
      for shuffle in (False, True)
    )
    np.testing.assert_array_equal(ordered.sum(axis=1), shuffled.sum(axis=1))
    self.assertFalse(shuffled[:, num_steps:].any())
    for before, after in zip(ordered[:, :num_steps], shuffled[:, :num_steps]):
      # The spikes of a tick stay together.
      self.assertCountEqual(map(bytes, before), map(bytes, after))
    self.assertFalse((ordered == shuffled).all())


class BinningTest(parameterized.TestCase):
  @parameterized.parameters(
    ('num_steps', 0, 'num_steps is 0; expected 1 to 2147483647 ticks.'),
    ('num_steps', 32.0, 'num_steps is 32.0; expected 1 to 2147483647 ticks.'),
    ('num_steps', True, 'num_steps is True; expected 1 to 2147483647 ticks.'),
    ('event_window', 0.0, 'event_window is 0.0; expected 0.001 to 4,000,000'),
    ('event_window', -1.0, 'event_window is -1.0; expected 0.001 to'),
    ('event_window', 1e-9, 'event_window is 1e-09; expected 0.001 to'),
    ('event_window', 4.1e6, 'event_window is 4100000.0; expected 0.001 to'),
    ('event_window', 1e300, r'event_window is 1e\+300; expected 0.001 to'),
    ('event_window', float('inf'), 'event_window is inf'),
    ('event_window', float('nan'), 'event_window is nan'),
    ('polarity', 'none', 'polarity is none; expected one of both, merged,'),
  )
  def test_rejects_invalid_field(self, field, value, message):
    with self.assertRaisesRegex(types.UserError, message):
      datasets.Binning(**{field: value})
