"""Tests for recordings of events: decoding, the cache, and binning."""

import os
import pathlib
import unittest
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
from tonic import datasets as tonic_datasets
from tonic import transforms

from ssnn_jax import datasets
from ssnn_jax import types
from ssnn_jax.datasets import binning
from ssnn_jax.datasets import loading
from ssnn_jax.datasets import recordings
from tests.testing import datasets as data_util
from tests.testing.datasets import event_bytes
from tests.testing.datasets import random_events

_DATA_DIR = os.environ.get('TFDS_DATA_DIR', '/nowhere')


class NMNIST(tonic_datasets.NMNIST):
  """tonic's own reader, which else asks for the whole set."""

  def _check_exists(self):
    return True


def unpack(trains):
  """Unpacks trains `[N, K, I]` to spikes `[N, 32 K, I]`."""
  bits = trains[:, :, None] >> np.arange(32, dtype=np.uint32)[:, None] & 1
  return bits.reshape(len(trains), -1, trains.shape[2]).astype(bool)


class DecodeTest(data_util.RecordingsTestCase):
  def assert_equals_tonic(self, data_dir, folder):
    loaded = recordings.load('n_mnist', folder, 10)
    for name, is_train in (('train', True), ('test', False)):
      theirs, ours = NMNIST(str(data_dir), train=is_train), loaded[name]
      np.testing.assert_array_equal(ours.labels, theirs.targets)
      for index in range(len(theirs)):
        events, _ = theirs[index]
        part = slice(*ours.offsets[index : index + 2])
        rest, x = np.divmod(ours.addresses[part], 34)
        p, y = np.divmod(rest, 34)
        np.testing.assert_array_equal(ours.times[part], events['t'])
        for axis, values in (('x', x), ('y', y), ('p', p)):
          np.testing.assert_array_equal(values, events[axis])
      self.assertEqual(ours.offsets[-1], len(ours.times))

  def test_written_recordings_are_decoded_as_tonic_does(self):
    self.write_recordings()
    self.assert_equals_tonic(self.data_dir, self.folder)

  @unittest.skipUnless(
    pathlib.Path(_DATA_DIR, 'NMNIST', 'Train').is_dir(),
    'no recordings in $TFDS_DATA_DIR/NMNIST',
  )
  def test_real_recordings_are_decoded_as_tonic_does(self):
    folder = pathlib.Path(_DATA_DIR, 'NMNIST')
    self.assert_equals_tonic(_DATA_DIR, folder)
    train = recordings.load('n_mnist', folder, 10)['train']
    # The sensor's saccades last 300 ms; the recordings a little longer.
    self.assertBetween(np.max(train.times), 300_000, 350_000)
    self.assertBetween(np.mean(np.diff(train.offsets)), 3_500, 4_700)

  def test_a_timer_that_overflows_is_followed(self):
    events = [(1, 2, 1, 8000), (0, 240, 0, 0), (3, 4, 0, 100)]
    times, addresses = recordings.decode(self.write('a', event_bytes(events)))
    np.testing.assert_array_equal(times, [8000, 100 + 2**13])
    np.testing.assert_array_equal(addresses, [(34 + 2) * 34 + 1, 4 * 34 + 3])

  @parameterized.parameters(
    (
      event_bytes([(1, 2, 1, 3)]) + b'\0',
      'is truncated: an event has 5 bytes',
    ),
    (b'\0\0\0\0', 'is truncated: an event has 5 bytes, and 4 were found'),
    (b'', 'is empty: it holds no event'),
    (event_bytes([(0, 240, 0, 0)]), 'is empty: it holds no event'),
    (
      event_bytes([(1, 2, 1, 3), (34, 5, 0, 4)]),
      'has an event at (34, 5), bey',
    ),
    (
      event_bytes([(0, 34, 1, 3)]),
      'has an event at (0, 34), beyond 34 x 34',
    ),
  )
  def test_damage_is_told_and_nothing_is_cached(self, content, message):
    self.write_recordings()
    path = self.write('NMNIST/Test/5/00009.bin', content)
    self.assert_refused(
      f'{path} {message}',
      'replace it with the original file',
      recordings.load,
      'n_mnist',
      self.folder,
      10,
    )
    self.assertLen(os.listdir(self.cache_dir), 1)  # the sound one of the two

  def test_what_is_cached_is_not_decoded_again_until_files_change(self):
    self.write_recordings()
    first = recordings.load('n_mnist', self.folder, 10)
    with mock.patch.object(recordings, 'decode') as decode:
      again = recordings.load('n_mnist', self.folder, 10)
    decode.assert_not_called()
    for one, other in zip(first.values(), again.values()):
      self.assertTrue(data_util.is_mapped(other.times))
      for array, expected in zip(one, other):
        np.testing.assert_array_equal(array, expected)
    self.write(
      'NMNIST/Train/9/00099.bin',
      event_bytes(random_events(9)),
    )
    changed = recordings.load('n_mnist', self.folder, 10)
    self.assertLen(changed['train'].labels, 8)
    self.assertEqual(changed['train'].labels[-1], 9)
    self.assertLen(changed['test'].labels, 3)

  def test_many_recordings_are_decoded_by_several_workers(self):
    self.write_recordings((20, 3))
    alone = recordings.load('n_mnist', self.folder, 10)
    with (
      mock.patch.multiple(
        recordings, _FILES_WORTH_WORKERS=10, _FILES_PER_PART=3
      ),
      mock.patch('joblib.cpu_count', return_value=2),
    ):
      together = recordings.load('other', self.folder, 10)
    for one, other in zip(alone.values(), together.values()):
      for array, expected in zip(one, other):
        np.testing.assert_array_equal(array, expected)

  def test_damage_that_a_worker_finds_is_told(self):
    self.write_recordings((20, 3))
    path = self.write('NMNIST/Train/5/00099.bin', b'\0')
    with mock.patch.multiple(
      recordings, _FILES_WORTH_WORKERS=10, _FILES_PER_PART=3
    ):
      self.assert_refused(
        f'{path} is truncated', '', recordings.load, 'n_mnist', self.folder, 10
      )
    self.assertEmpty(os.listdir(self.cache_dir))

  def test_folders_must_hold_recordings(self):
    load = (recordings.load, 'n_mnist', self.folder, 10)
    start = f'Cannot find a recording {self.folder}/Train/<label>/<number>.bin'
    self.assert_refused(start, 'put the folder Train of the set', *load)
    self.write('NMNIST/Train/0/readme.txt', b'')
    self.assert_refused(start, '', *load)
    self.write_recordings()
    self.write('NMNIST/Train/10/00001.bin', event_bytes([(0, 0, 0, 0)]))
    self.assert_refused(
      f'{self.folder}/Train/10 is named after the label 10, out of range 0 to',
      '',
      *load,
    )

  def test_a_folder_that_cannot_be_read_is_told(self):
    # Mocked, as a mode does not stop the superuser.
    error = PermissionError(13, 'Permission denied', str(self.folder / 'Train'))
    with mock.patch.object(pathlib.Path, 'iterdir', side_effect=error):
      self.assert_refused(
        f'{self.folder}/Train cannot be read (Permission denied)',
        'permissions',
        recordings.load,
        'n_mnist',
        self.folder,
        10,
      )


class BinningTest(data_util.RecordingsTestCase):
  def setUp(self):
    super().setUp()
    self.events, _ = self.write_recordings()
    self.recordings = recordings.load('n_mnist', self.folder, 10)['train']

  @parameterized.product(
    num_steps=(1, 32, 50, 70),
    event_window=(300.0, 77.7, 1000.0),
    polarity=('both', 'merged', 'on', 'off'),
  )
  def test_a_tick_spikes_where_it_has_an_event(
    self, num_steps, event_window, polarity
  ):
    how = datasets.Binning(num_steps, event_window, polarity)
    trains = binning.bin_events(self.recordings, how)
    shape = len(self.events), how.num_words, how.num_inputs
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

  def test_ticks_are_the_frames_of_tonic(self):
    trains = binning.bin_events(self.recordings, datasets.Binning(num_steps=30))
    frames = transforms.ToFrame(
      sensor_size=(34, 34, 2),
      time_window=10_000,
      start_time=0,
      end_time=300_000,
    )
    reader = NMNIST(str(self.data_dir), train=True)
    for index, spikes in enumerate(unpack(trains)):
      expected = frames(reader[index][0]) > 0
      found = spikes[:30].reshape(30, 2, 34, 34)
      np.testing.assert_array_equal(found, expected)

  def test_parts_of_the_set_do_not_change_the_trains(self):
    how = datasets.Binning(num_steps=40, shuffle_ticks=True)
    whole = binning.bin_events(self.recordings, how)
    with mock.patch.object(binning, '_RECORDINGS_AT_ONCE', 2):
      parts = binning.bin_events(self.recordings, how)
    np.testing.assert_array_equal(whole, parts)

  def test_each_recording_is_shuffled_in_its_own_way(self):
    events = slice(*self.recordings.offsets[-2:])
    times, addresses = (
      np.tile(array[events], 2)
      for array in (self.recordings.times, self.recordings.addresses)
    )
    twice = recordings.Recordings(
      times, addresses, len(times) // 2 * np.arange(3), np.zeros(2, np.int32)
    )
    for shuffle in (False, True):
      how = datasets.Binning(num_steps=64, shuffle_ticks=shuffle)
      first, second = binning.bin_events(twice, how)
      self.assertEqual((first == second).all(), not shuffle)

  @parameterized.parameters(33, 64)
  def test_shuffling_permutes_the_ticks_of_each_recording(self, num_steps):
    ordered, shuffled = (
      unpack(
        binning.bin_events(
          self.recordings, datasets.Binning(num_steps, shuffle_ticks=shuffle)
        )
      )
      for shuffle in (False, True)
    )
    np.testing.assert_array_equal(ordered.sum(axis=1), shuffled.sum(axis=1))
    self.assertFalse(shuffled[:, num_steps:].any())
    for before, after in zip(ordered[:, :num_steps], shuffled[:, :num_steps]):
      # What fires together still does: the rows are the same ones.
      self.assertCountEqual(map(bytes, before), map(bytes, after))
    self.assertFalse((ordered == shuffled).all())

  @parameterized.parameters(
    (dict(num_steps=0), 'num_steps is 0; expected 1 tick or more.'),
    (dict(num_steps=32.0), 'num_steps is 32.0; expected 1 tick or more.'),
    (dict(event_window=0.0), 'event_window is 0.0; expected a number of mill'),
    (dict(event_window=float('nan')), 'event_window is nan'),
    (dict(polarity='none'), 'polarity is none; expected one of both, merged,'),
  )
  def test_wrong_fields_are_refused(self, fields, message):
    with self.assertRaisesRegex(types.UserError, message):
      datasets.Binning(**fields)


class LoadTest(data_util.RecordingsTestCase):
  def test_recordings_are_a_data_set_like_any_other(self):
    written = self.write_recordings()
    n_mnist = datasets.load('n_mnist', self.data_dir)
    self.assertEqual(n_mnist.train.inputs.shape, (7, 2, 2312))
    self.assertEqual(n_mnist.num_inputs, 2312)
    self.assertEqual(n_mnist.num_classes, 10)
    self.assertEqual(n_mnist.full_size, 70_000)
    for split, events in zip((n_mnist.train, n_mnist.test), written):
      self.assertEqual(split.labels.tolist(), [label for label, _ in events])
    on = datasets.Binning(num_steps=100, polarity='on')
    n_mnist = datasets.load('n_mnist', self.data_dir, binning=on)
    self.assertEqual(n_mnist.test.inputs.shape, (3, 4, 1156))
    self.assertEqual(n_mnist.num_inputs, 1156)

  @parameterized.parameters('mnist', 'emnist/digits', 'n_mnist')
  def test_a_data_folder_that_cannot_be_read_is_told(self, name):
    # Mocked, as a mode does not stop the superuser.
    error = PermissionError(13, 'Permission denied')
    with mock.patch.object(pathlib.Path, 'iterdir', side_effect=error):
      self.assert_refused(
        f'{self.data_dir}/',
        'cannot be read (Permission denied); check',
        datasets.load,
        name,
        self.data_dir,
      )

  def test_n_mnist_may_be_downloaded_if_asked_for(self):
    self.assert_refused(
      f'Cannot find the folder {self.folder}; put the folders Train and Test',
      'by --download',
      datasets.load,
      'n_mnist',
      self.data_dir,
    )

    def download(name, data_dir):
      self.assertEqual((name, data_dir), ('n_mnist', self.data_dir))
      self.write_recordings()

    with mock.patch.object(loading.downloads, 'download', download):
      n_mnist = datasets.load('n_mnist', self.data_dir, download=True)
    self.assertLen(n_mnist.train.labels, 7)

  def test_synthetic_recordings_have_their_own_name(self):
    self.write_recordings()
    folder = self.data_dir / 'synthetic_events' / 'digits'
    folder.mkdir(parents=True)
    self.folder.rename(folder / 'NMNIST')
    (folder / 'NMNIST' / 'SYNTHETIC.json').write_text('{}')
    synthetic = datasets.load('synthetic_events/digits', self.data_dir)
    self.assertEqual(synthetic.name, 'synthetic_events/digits')
    self.assertLen(synthetic.train.labels, 7)
    self.assert_refused(
      f'{folder}/NMNIST holds synthetic recordings, which are no N-MNIST',
      'synthetic_events/<set>',
      datasets.load,
      'n_mnist',
      folder,
    )


if __name__ == '__main__':
  absltest.main()
