"""Tests for decoding and caching recordings of events."""

import os
import pathlib
from unittest import mock

from absl.testing import parameterized
from joblib.externals import loky
import numpy as np
from tonic import datasets as tonic_datasets

from ssnn_jax.datasets import recordings
from tests.testing import datasets as data_util
from tests.testing.datasets import event_bytes


class NMNIST(tonic_datasets.NMNIST):
  """Reader of tonic, without the check that the dataset is complete."""

  def _check_exists(self):
    return True


class DecodeTest(data_util.RecordingsTestCase):
  def assert_equals_tonic(self, data_dir):
    loaded = recordings.load('n_mnist', data_dir / 'NMNIST', 10)
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

  def test_decodes_timer_overflow(self):
    events = [(1, 2, 1, 8000), (0, 240, 0, 0), (3, 4, 0, 100)]
    times, addresses = recordings.decode(self.write('a', event_bytes(events)))
    np.testing.assert_array_equal(times, [8000, 100 + 2**13])
    np.testing.assert_array_equal(addresses, [(34 + 2) * 34 + 1, 4 * 34 + 3])


class LoadTest(data_util.RecordingsTestCase):
  def load(self, name='n_mnist'):
    return recordings.load(name, self.folder, 10)

  def refuse(self, start, detail=''):
    self.assert_refused(start, detail, self.load)

  @parameterized.parameters(
    (event_bytes([(1, 2, 1, 3)]) + b'\0', 'is truncated: an event has 5 byt'),
    (b'\0\0\0\0', 'is truncated: an event has 5 bytes, and 4 were found'),
    (b'', 'is empty: it has no event'),
    (event_bytes([(0, 240, 0, 0)]), 'is empty: it has no event'),
    (event_bytes([(1, 2, 1, 3), (34, 5, 0, 4)]), 'has an event at (34, 5), o'),
    (event_bytes([(0, 34, 1, 3)]), 'has an event at (0, 34), outside 34 x 34'),
  )
  def test_damaged_split_is_not_cached(self, content, problem):
    self.write_recordings()
    path = self.write('NMNIST/Test/5/00009.bin', content)
    self.refuse(f'{path} {problem}', 'replace it with the original file')
    self.assertLen(os.listdir(self.cache_dir), 1)  # the training split

  def test_decodes_again_only_if_files_change(self):
    self.write_recordings()
    first = self.load()
    with mock.patch.object(recordings, 'decode') as decode:
      second = self.load()
    decode.assert_not_called()
    data_util.assert_arrays_equal(first, second)
    for split in second.values():
      self.assertTrue(data_util.is_mapped(split.times))
    events = event_bytes(data_util.random_events(9))
    self.write('NMNIST/Train/9/00099.bin', events)
    changed = self.load()
    self.assertLen(changed['train'].labels, 8)
    self.assertEqual(changed['train'].labels[-1], 9)
    self.assertLen(changed['test'].labels, 3)

  def test_workers_decode_as_one_process_and_report_damage(self):
    self.write_recordings((20, 3))
    expected = self.load()
    with (
      mock.patch.multiple(recordings, _PARALLEL_FROM=10, _CHUNK_SIZE=3),
      mock.patch('joblib.cpu_count', return_value=2),
      # Keeps the workers for the second load; joblib ends them after an error.
      mock.patch.object(loky, 'get_reusable_executor') as executor,
    ):
      data_util.assert_arrays_equal(self.load('other'), expected)
      executor.return_value.shutdown.assert_called_once()
      entries = os.listdir(self.cache_dir)
      damaged = self.write('NMNIST/Train/5/00099.bin', b'\0')
      self.refuse(f'{damaged} is truncated')
      self.assertEqual(os.listdir(self.cache_dir), entries)

  def test_rejects_folders_without_valid_recordings(self):
    start = f'Cannot find a recording {self.folder}/Train/<label>/<number>.bin'
    self.refuse(start, 'put the folder Train of the dataset')
    self.write('NMNIST/Train/0/readme.txt', b'')
    self.refuse(start)
    self.write_recordings()
    self.write('NMNIST/Train/10/00001.bin', event_bytes([(0, 0, 0, 0)]))
    self.refuse(f'{self.folder}/Train/10 has the label 10, out of range 0 to 9')

  def test_unreadable_folder_is_reported(self):
    # Mocked, because file modes do not restrict the superuser.
    error = PermissionError(13, 'Permission denied', str(self.folder / 'Train'))
    with mock.patch.object(pathlib.Path, 'iterdir', side_effect=error):
      start = f'{self.folder}/Train cannot be read (Permission denied)'
      self.refuse(start, 'permissions')
