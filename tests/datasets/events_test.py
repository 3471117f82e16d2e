"""Tests for recordings of N-MNIST, of tonic and of folders, and for binning."""

from unittest import mock

from absl.testing import parameterized
import h5py
import numpy as np
import tonic.datasets

from ssnn_jax import datasets
from ssnn_jax.datasets import arrays
from tests.testing import datasets as data_util

N_MNIST, OWN, GESTURE = (34, 34, 2), (6, 3, 2), (128, 128, 2)  # sensors
BINNING = datasets.Binning(20, event_window=1000.0)
EVENTS = np.dtype(
  [('t', np.int64), ('x', np.int64), ('y', np.int16), ('p', bool)]
)


def draw_events(seed, sensor, size=30, duration=1_200_000):
  """Draws events as a structured array, in the order of their times."""
  random, events = np.random.default_rng(seed), np.zeros(size, EVENTS)
  events['t'] = np.sort(random.integers(duration, size=size))
  for axis, length in zip('xyp', sensor):
    events[axis] = random.integers(length, size=size)
  return events


def expected_trains(events, sensor, binning):
  """Bins events one by one, into the `[K, I]` words of their trains."""
  width, height, polarities = sensor
  num_words = -(-binning.num_steps // 32)
  words = np.zeros((num_words, polarities, height, width), np.uint32)
  for t, x, y, p in events:
    tick = int(t) * binning.num_steps // round(1000 * binning.event_window)
    if tick < binning.num_steps:
      words[tick // 32, int(p), y, x] |= np.uint32(1 << tick % 32)
  return words.reshape(num_words, -1)


class EventsTest(data_util.DatasetTestCase):
  def load(self, name, binning=BINNING, **options):
    return datasets.load(name, self.data_dir, binning=binning, **options)

  def assert_load_refused(self, words, name):
    self.assert_refused(words, self.load, name)

  def assert_trains(self, split, expected, sensor, binning=BINNING):
    """Asserts the trains of recordings, given their events."""
    for found, events in zip(split.inputs, expected, strict=True):
      trains = expected_trains(events, sensor, binning)
      np.testing.assert_array_equal(found, trains, strict=True)

  def write_events(self, path, events):
    path = self.data_dir / path
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, events)

  def write_n_mnist(self, sizes=(7, 3)):
    """Writes recordings; returns the labels and events of each split."""
    written = []
    for part, size in zip(('Train', 'Test'), sizes):
      recordings = []
      for number in range(size):
        label = number * 7 % 10
        events = draw_events(number, N_MNIST, 1 + 9 * number, 310_000)
        content = data_util.event_bytes(events[['x', 'y', 'p', 't']].tolist())
        self.write(f'NMNIST/{part}/{label}/{number:05d}.bin', content)
        recordings.append((label, number, events))
      labels, _, events = zip(*sorted(recordings, key=lambda own: own[:2]))
      written.append((labels, events))
    return written

  def write_folder(self, name='own', sensor=OWN, extra=None):
    """Writes a set whose classes are numbers; returns the events of a split."""
    events = [draw_events(seed, sensor) for seed in range(2)]
    for part in ('train', 'test'):
      for recording, label in zip(events, ('9', '10')):
        self.write_events(f'{name}/{part}/{label}/a.npy', recording)
    if extra is not None:
      self.write_events(f'{name}/train/9/b.npy', extra)
    return events

  @parameterized.parameters((1, 300.0), (32, 77.7), (50, 300.0), (70, 77.7))
  def test_tick_spikes_if_it_has_an_event(self, *setting):
    written, binning = self.write_n_mnist(), datasets.Binning(*setting)
    n_mnist = self.load('n_mnist', binning)
    for split, (labels, events) in zip(n_mnist[1:3], written):
      self.assertEqual(tuple(split.labels), labels)
      self.assert_trains(split, events, N_MNIST, binning)
    self.assertEqual(n_mnist.input_shape, (2, 34, 34))
    self.assertEqual((n_mnist.num_inputs, n_mnist.num_classes), (2312, 10))
    self.assertEqual((n_mnist.name, n_mnist.full_size), ('n_mnist', 70_000))
    self.assertEqual(n_mnist.class_names, tuple('0123456789'))
    times = np.concatenate([own['t'] for own in written[0][1]])
    late = np.mean(times >= 1000 * binning.event_window)
    self.assertEqual(n_mnist.late_fraction, late)
    self.assertGreater(late, 0)

  def test_downloads_only_on_request(self):
    download = self.enterContext(
      mock.patch.object(tonic.datasets.NMNIST, 'download')
    )
    self.assert_load_refused('no recordings.*NMNIST.*--download', 'n_mnist')
    download.assert_not_called()
    self.write_n_mnist()
    self.load('n_mnist')
    download.assert_not_called()
    self.load('n_mnist', download=True)
    self.assertEqual(download.call_count, 2)

  @parameterized.parameters('SHD', 'SSC')
  def test_tonic_reads_spikes_of_one_row(self, name):
    (self.data_dir / name).mkdir()
    written = []
    for part, size in (('train', 5), ('test', 3)):
      path = self.data_dir / name / f'{name.lower()}_{part}.h5'
      own = [draw_events(seed, (700, 1, 1), 20 + seed) for seed in range(size)]
      with h5py.File(path, 'w') as file:
        for field, column, dtype, unit in (
          ('times', 't', np.float32, 1e6),
          ('units', 'x', np.uint16, 1),
        ):
          kind = h5py.vlen_dtype(dtype)
          made = file.create_dataset(f'spikes/{field}', size, kind)
          for index, events in enumerate(own):
            made[index] = (events[column] / unit).astype(dtype)
        file['labels'] = np.arange(size) % 2
        file['extra/keys'] = np.array([b'zero', b'eins'])
        file['extra/speaker'] = np.zeros(size, int)
      for events in own:  # tonic rounds seconds down to microseconds
        events['t'] = (events['t'] / 1e6).astype(np.float32).astype(float) * 1e6
      written.append(own)
    found = self.load(f'tonic:{name}')
    self.assertEqual((found.input_shape, found.num_inputs), ((700,), 700))
    self.assertEqual(found.test.labels.tolist(), [0, 1, 0])
    self.assertEqual(found.class_names, ('zero', 'eins'))
    for split, events in zip(found[1:3], written):
      self.assert_trains(split, events, (700, 1, 1))
    counted = self.load(f'tonic:{name}/100ms')
    self.assertEqual(counted.train.inputs.shape, (5, 10, 700))
    for x, y, events in zip(*counted.test, written[1]):
      expected = np.zeros((10, 700), int)
      used = events[events['t'] < 1_000_000]
      np.add.at(expected, (used['t'] // 100_000, used['x']), 64)
      np.testing.assert_allclose(x, np.minimum(expected, 255), atol=1)
      last = events['t'].max() // 100_000
      self.assertEqual((y != -1).tolist(), (np.arange(10) <= last).tolist())

  def test_reads_folders_and_decodes_again_if_they_change(self):
    extra = np.ones(3, [('x', int), ('t', int)])  # of a sensor of one row
    first, second = self.write_folder(extra=extra)
    self.write('own/train/9/.hidden', b'')
    for _ in range(2):
      own = self.load('tonic:own')
      self.assertEqual(own.class_names, ('9', '10'))
      self.assertEqual(own.input_shape, (2, 3, 6))
      self.assertEqual(own.train.labels.tolist(), [0, 0, 1])
      self.assertEqual(own.test.labels.tolist(), [0, 1])
      self.assert_trains(own.test, [first, second], OWN)
      self.assert_trains(own.train, [first, [(1, 1, 0, 0)], second], OWN)
      check = mock.Mock(side_effect=ValueError)  # labels of decoded recordings
      self.enterContext(mock.patch.object(arrays, 'check_labels', check))
    self.write_events('own/train/9/b.npy', extra[:2])
    with self.assertRaises(ValueError):
      self.load('tonic:own')

  @parameterized.parameters(
    ((1, 1, 7), (7,)),
    ((1, 4, 3), (4, 3)),
    ((2, 200, 300), (2, 200, 300)),  # more addresses than 16 bits have
  )
  def test_sensors_of_any_size(self, shape, input_shape):
    events = np.zeros(2, EVENTS)
    events[1] = 0, *np.subtract(shape, 1)[::-1]  # the last pixel
    for part in ('train', 'test'):
      self.write_events(f'own/{part}/0/a.npy', events)
    own = self.load('tonic:own')
    self.assertEqual(own.input_shape, input_shape)
    self.assert_trains(own.test, [events], shape[::-1])

  def test_reads_files_of_n_mnist_whose_timer_may_overflow(self):
    content = [(1, 2, 1, 8000), (0, 240, 0, 0), (3, 4, 0, 100)]
    for part in ('train', 'test'):
      self.write(f'own/{part}/cat/1.bin', data_util.event_bytes(content))
    expected = [(8000, 1, 2, 1), (100 + 2**13, 3, 4, 0)]
    binning = datasets.Binning(64, 10.0)
    found = self.load('tonic:own', binning).test
    self.assert_trains(found, [expected], (4, 5, 2), binning)

  @parameterized.parameters(
    ('t', 2**32, 't from .* to 4294967296, not 0 to 4294967295'),
    ('t', -1, 't from -1 to'),
    ('y', 128, 'y from .* to 128, not 0 to 127'),
    ('x', -1, 'x from -1 to'),
  )
  def test_events_beyond_the_sensor_are_refused(self, field, value, words):
    extra = draw_events(3, GESTURE)
    extra[field][7] = value
    self.write_folder('DVSGesture', GESTURE, extra)  # whose sensor is known
    words = f'train/9/b.npy cannot be read .*{words}'
    self.assert_load_refused(words, 'tonic:DVSGesture')

  @parameterized.parameters(
    ([(0.5, 0)], [('t', float), ('x', int)], 'Cannot cast'),
    ([(0,)], [('x', int)], 'no field of name t'),
    ([(0, 2**40)], EVENTS.descr[:2], 'x from 0 to 1099511627776'),
  )
  def test_wrong_events_of_an_unknown_sensor_are_refused(
    self, events, dtype, words
  ):
    self.write_folder(extra=np.array(events, dtype))
    words = f'train/9/b.npy cannot be read .*{words}'
    self.assert_load_refused(words, 'tonic:own')
