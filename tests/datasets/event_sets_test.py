"""Tests for event sets of tonic, and for folders of recordings."""

from unittest import mock

from absl.testing import parameterized
import h5py
import numpy as np
import tonic.datasets

from ssnn_jax import datasets
from ssnn_jax.datasets import event_sets
from tests.testing import datasets as data_util

BINNING = datasets.Binning(20, event_window=1000.0)
EVENTS = np.dtype(
  [('t', np.int64), ('x', np.int16), ('y', np.int16), ('p', bool)]
)


def draw_events(seed, sensor_size, size=30, duration=1_200_000):
  """Draws events as a structured array, in the order of their times."""
  random, events = np.random.default_rng(seed), np.zeros(size, EVENTS)
  events['t'] = np.sort(random.integers(duration, size=size))
  for axis, length in zip('xyp', sensor_size):
    events[axis] = random.integers(length, size=size)
  return events


def expected_trains(events, sensor_size, binning=BINNING):
  """Bins events one by one, into the `[K, I]` words of their trains."""
  width, height, polarities = sensor_size
  words = np.zeros((binning.num_words, polarities, height, width), np.uint32)
  for t, x, y, p in events:
    tick = t * binning.num_steps // binning.window_microseconds
    if tick < binning.num_steps:
      words[tick // 32, int(p), y, x] |= np.uint32(1 << tick % 32)
  return words.reshape(binning.num_words, -1)


class Made(tonic.datasets.SHD):
  """An event set as a class of tonic, whose files are arrays of events."""

  sensor_size = (5, 4, 2)
  classes = ('left', 'right')

  def __init__(self, save_to, train=True):
    super(tonic.datasets.SHD, self).__init__(save_to)
    self.filename, self.url = 'made.zip', 'http://made'
    part = 'train' if train else 'test'
    if not self._check_exists():
      self.download()
    with np.load(f'{self.location_on_system}/{part}.npz') as file:
      self.events, self.labels = file['events'], file['labels']

  def __len__(self):
    return len(self.labels)

  def __getitem__(self, index):
    return self.events[index], self.labels[index]

  def _check_exists(self):
    return self._is_file_present()

  def download(self):
    raise AssertionError('downloaded without a request')


class Split(Made):
  """The same, with another argument."""

  classes = None

  def __init__(self, save_to, split='train'):
    super().__init__(save_to, train=split == 'train')


class TonicTestCase(data_util.RecordingsTestCase):
  def setUp(self):
    super().setUp()
    for kind in (Made, Split):
      self.enterContext(
        mock.patch.object(tonic.datasets, kind.__name__, kind, create=True)
      )

  def load(self, name, binning=BINNING, **options):
    return datasets.load(name, self.data_dir, binning=binning, **options)

  def write_events(self, path, events):
    path = self.data_dir / path
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, events)
    return path

  def write_made(self, name='Made', events=None, labels=(0, 1, 1)):
    """Writes both splits of a made-up class; returns their events."""
    if events is None:
      events = np.stack([draw_events(seed, (5, 4, 2)) for seed in range(3)])
    (self.data_dir / name).mkdir(exist_ok=True)
    for part in ('train', 'test'):
      path = self.data_dir / name / f'{part}.npz'
      np.savez(path, events=events, labels=labels)
    return events


class ClassTest(TonicTestCase):
  @parameterized.parameters('Made', 'Split')
  def test_loads_any_class_with_two_splits(self, name):
    events = self.write_made(name)
    made = self.load(f'tonic:{name}')
    self.assertEqual((made.name, made.full_size), (f'tonic:{name}', None))
    names = {'Made': ('left', 'right'), 'Split': ('0', '1')}[name]
    self.assertEqual(made.class_names, names)
    self.assertEqual(made.input_shape, (2, 4, 5))
    for split in (made.train, made.test):
      self.assertEqual(split.labels.tolist(), [0, 1, 1])
      self.assertEqual(split.labels.dtype, np.int32)
      for found, own in zip(split.inputs, events, strict=True):
        np.testing.assert_array_equal(found, expected_trains(own, (5, 4, 2)))
    self.assertEqual(made.late_fraction, np.mean(events['t'] >= 10**6))
    self.assertGreater(made.late_fraction, 0)

  def test_decodes_again_only_if_files_change(self):
    self.write_made()
    self.load('tonic:Made')
    with mock.patch.object(event_sets, '_decode') as decode:
      self.load('tonic:Made')
    decode.assert_not_called()
    self.write_made(labels=(1, 1, 0))
    self.assertEqual(self.load('tonic:Made').test.labels.tolist(), [1, 1, 0])

  def test_downloads_only_on_request(self):
    self.assert_load_refused(
      'tonic:Made', 'tonic:Made cannot be ', '--download'
    )
    self.write_made()
    with mock.patch.object(Made, 'download') as download:
      self.load('tonic:Made')
      download.assert_not_called()
      self.load('tonic:Made', download=True)
      self.assertEqual(download.call_count, 2)

  @parameterized.parameters(
    ('t', 2**32, 'out of range 0 to 2**32'),
    ('x', 5, 'recording 0 has an event outside of the sensor of 5 x 4 pixels'),
  )
  def test_events_out_of_range_are_refused(self, field, value, detail):
    events = self.write_made()
    events[0][field][7] = value
    self.write_made(events=events)
    self.assert_load_refused('tonic:Made', 'tonic:Made cannot be read', detail)


class FormatTest(TonicTestCase):
  """Tests of event sets of tonic on small files in their formats."""

  def test_reads_n_mnist_as_the_own_decoder_does(self):
    self.write_recordings()
    found, expected = self.load('tonic:NMNIST'), self.load('n_mnist')
    data_util.assert_arrays_equal(found.train, expected.train)
    data_util.assert_arrays_equal(found.test, expected.test)
    self.assertEqual(found.input_shape, expected.input_shape)

  def test_reads_shd(self):
    (self.data_dir / 'SHD').mkdir()
    written = {}
    for part, size in (('train', 5), ('test', 3)):
      own = [draw_events(seed, (700, 1, 1), 20 + seed) for seed in range(size)]
      written[part] = own
      with h5py.File(self.data_dir / 'SHD' / f'shd_{part}.h5', 'w') as file:
        for name, field, dtype, unit in (
          ('times', 't', np.float32, 1e6),
          ('units', 'x', np.uint16, 1),
        ):
          kind = h5py.vlen_dtype(dtype)
          made = file.create_dataset(f'spikes/{name}', size, kind)
          for index, events in enumerate(own):
            made[index] = (events[field] / unit).astype(dtype)
        file['labels'] = np.arange(size) % 2
        file['extra/keys'] = np.array([b'zero', b'eins'])
        file['extra/speaker'] = np.zeros(size, int)
    shd = self.load('tonic:SHD')
    self.assertEqual(shd.class_names, ('zero', 'eins'))
    self.assertEqual((shd.input_shape, shd.num_inputs), ((700,), 700))
    self.assertEqual(shd.test.labels.tolist(), [0, 1, 0])
    for part, split in (('train', shd.train), ('test', shd.test)):
      for found, events in zip(split.inputs, written[part], strict=True):
        # tonic rounds seconds down to microseconds.
        events['t'] = (events['t'] / 1e6).astype(np.float32).astype(float) * 1e6
        expected = expected_trains(events, (700, 1, 1))
        np.testing.assert_array_equal(found, expected)

  def test_reads_dvs_gesture_in_the_order_of_paths(self):
    for part, user in (('Train', 1), ('Test', 2)):
      for label in (10, 3):
        events = draw_events(label, (128, 128, 2), duration=1200)  # in ms
        path = f'DVSGesture/ibmGesture{part}/user{user:02}_lab/{label}.npy'
        columns = [events[axis].astype(np.int64) for axis in 'xypt']
        self.write_events(path, np.stack(columns, axis=1))
    gestures = self.load('tonic:DVSGesture')
    self.assertLen(gestures.class_names, 11)
    self.assertEqual(gestures.input_shape, (2, 128, 128))
    self.assertEqual(gestures.train.labels.tolist(), [10, 3])
    for trains, label in zip(gestures.train.inputs, (10, 3), strict=True):
      events = draw_events(label, (128, 128, 2), duration=1200)
      events['t'] *= 1000
      expected = expected_trains(events, (128, 128, 2))
      np.testing.assert_array_equal(trains, expected)


class FolderTest(TonicTestCase):
  def write_folder(self, name='own', classes=('9', '10')):
    for part in ('train', 'test'):
      for seed, label in enumerate(classes):
        events = draw_events(seed, (6, 3, 2))
        self.write_events(f'{name}/{part}/{label}/a.npy', events)

  def test_reads_arrays_of_events(self):
    self.write_folder()
    extra = np.ones(3, [('x', int), ('t', int)])  # of a sensor of one row
    self.write_events('own/train/9/b.npy', extra)
    self.write('own/train/9/.hidden', b'')
    own = self.load('tonic:own')
    self.assertEqual(own.class_names, ('9', '10'))
    self.assertEqual(own.input_shape, (2, 3, 6))
    self.assertEqual(own.train.labels.tolist(), [0, 0, 1])
    self.assertEqual(own.test.labels.tolist(), [0, 1])
    for trains, seed in zip(own.test.inputs, range(2), strict=True):
      events = draw_events(seed, (6, 3, 2))
      expected = expected_trains(events, (6, 3, 2))
      np.testing.assert_array_equal(trains, expected)
    expected = np.zeros((1, 36), np.uint32)
    expected[0, 1] = 1  # in the first tick, at x = 1
    np.testing.assert_array_equal(own.train.inputs[1], expected)

  def test_classes_are_those_of_the_training_recordings(self):
    self.write_folder()
    self.write_events('own/test/left/a.npy', draw_events(0, (6, 3, 2)))
    start = f'tonic:own: {self.data_dir}/own/test has the class left, '
    self.assert_load_refused('tonic:own', start, 'include every class')
