"""Tests for decoding, caching and binning recordings of events."""

from unittest import mock

from absl.testing import parameterized
import numpy as np
from tonic import datasets as tonic_datasets

from ssnn_jax import datasets
from ssnn_jax.datasets import event_sets
from ssnn_jax.datasets import recordings
from tests.testing import datasets as data_util
from tests.testing.datasets import event_bytes


class NMNIST(tonic_datasets.NMNIST):
  """Reader of tonic, without the check that the dataset is complete."""

  def _check_exists(self):
    return True


class DecodeTest(data_util.RecordingsTestCase):
  def assert_equals_tonic(self, data_dir):
    loaded = event_sets.load_folder('n_mnist', data_dir / 'NMNIST', 10)
    for name, is_train in (('train', True), ('test', False)):
      expected = NMNIST(str(data_dir), train=is_train)
      found = loaded[name]
      np.testing.assert_array_equal(found.labels, expected.targets)
      for index in range(len(expected)):
        events, _ = expected[index]
        part = slice(*found.offsets[index : index + 2])
        rest, x = np.divmod(found.addresses[part], 34)
        p, y = np.divmod(rest, 34)
        np.testing.assert_array_equal(found.times[part], events['t'])
        for axis, values in (('x', x), ('y', y), ('p', p)):
          np.testing.assert_array_equal(values, events[axis])
      self.assertEqual(found.offsets[-1], len(found.times))
    return loaded

  def test_written_recordings_equal_tonic(self):
    self.write_recordings()
    self.assert_equals_tonic(self.data_dir)

  @data_util.requires_files('NMNIST/Train')
  def test_real_recordings_equal_tonic(self):
    train = self.assert_equals_tonic(data_util.REAL_DATA)['train']
    # The saccades last 300 ms, and the recordings slightly longer.
    self.assertBetween(np.max(train.times), 300_000, 350_000)
    self.assertBetween(np.mean(np.diff(train.offsets)), 3_500, 4_700)

  def test_decodes_encoded_events_and_timer_overflow(self):
    events = [(1, 2, 1, 8000), (0, 240, 0, 0), (3, 4, 0, 100)]
    found = recordings.read_bin(self.write('a', event_bytes(events)))
    expected = [(1, 2, 1, 8000), (3, 4, 0, 100 + 2**13)]
    self.assertEqual(found.tolist(), expected)
    limits = {'x': 2**8, 'y': 240, 'p': 2, 't': 2**23}
    events = np.zeros(2, recordings.EVENTS)
    for name, limit in limits.items():
      events[name][1] = limit - 1
    encoded = self.write('b', recordings.encode_bin(events))
    np.testing.assert_array_equal(recordings.read_bin(encoded), events)


class LoadTest(data_util.RecordingsTestCase):
  @parameterized.parameters(
    (event_bytes([(1, 2, 1, 3)]) + b'\0', '6 bytes'),
    (event_bytes([(1, 2, 1, 3), (34, 5, 0, 4)]), 'an event outside of'),
  )
  def test_damaged_recordings_are_not_cached(self, content, problem):
    self.write_recordings()
    self.write('NMNIST/Test/5/00009.bin', content)
    self.assert_load_refused('n_mnist', 'n_mnist', problem)


def unpack(trains):
  """Unpacks trains `[N, K, I]` to spikes `[N, 32 K, I]`."""
  bits = trains[:, :, None] >> np.arange(32, dtype=np.uint32)[:, None] & 1
  return bits.reshape(len(trains), -1, trains.shape[2]).astype(bool)


class BinEventsTest(data_util.RecordingsTestCase):
  @parameterized.product(
    num_steps=(1, 32, 50, 70),
    event_window=(300.0, 77.7),
  )
  def test_tick_spikes_if_it_has_an_event(self, num_steps, event_window):
    written, _ = self.write_recordings()
    loaded = event_sets.load_folder('n_mnist', self.folder, 10)['train']
    settings = datasets.Binning(num_steps, event_window)
    trains = recordings.bin_events(loaded, settings)
    shape = len(written), settings.num_words, 2 * 34 * 34
    self.assertEqual((trains.shape, trains.dtype), (shape, np.uint32))
    expected = np.zeros((shape[0], 32 * shape[1], 2, 34, 34), bool)
    for index, (_, events) in enumerate(written):
      for x, y, p, t in events:
        tick = t * num_steps // round(1000 * event_window)
        if tick < num_steps:
          expected[index, tick, p, y, x] = True
    np.testing.assert_array_equal(
      unpack(trains), expected.reshape(shape[0], 32 * shape[1], -1)
    )
    for num_events in (1, 100, 500):
      with mock.patch.object(recordings, '_CHUNK_SIZE', num_events):
        chunked = recordings.bin_events(loaded, settings)
      np.testing.assert_array_equal(chunked, trains)

  @parameterized.parameters(
    ((1, 1, 7), (7,)),
    ((1, 4, 3), (4, 3)),
    ((2, 4, 3), (2, 4, 3)),
    ((2, 200, 300), (2, 200, 300)),  # more addresses than 16 bits have
  )
  def test_sensors_of_any_size(self, sensor_shape, trains_shape):
    random = np.random.default_rng(0)
    sizes = [5, 0, 9]
    axes = [random.integers(n, size=sum(sizes)) for n in sensor_shape]
    addresses = np.ravel_multi_index(axes, sensor_shape)
    owners, times = np.repeat(range(3), sizes), random.integers(40, size=14)
    made = recordings.Recordings(
      times=times.astype(np.uint32),
      addresses=addresses.astype(np.uint32),
      offsets=np.cumsum([0, *sizes]),
      labels=np.zeros(3, np.int32),
      sensor_shape=sensor_shape,
    )
    binning = datasets.Binning(20, event_window=0.03)
    self.assertEqual(recordings.trains_shape(sensor_shape), trains_shape)
    found = unpack(recordings.bin_events(made, binning))
    expected = np.zeros((3, 32, *sensor_shape), bool)
    for owner, time, *axis in zip(owners, times, *axes):
      if time < 30:
        expected[owner, time * 20 // 30, *axis] = True
    np.testing.assert_array_equal(found, expected.reshape(found.shape))
    late = np.mean(times >= 30)
    self.assertBetween(late, 0.1, 0.9)
    self.assertEqual(recordings.late_fraction(made, binning), late)
