"""Tests for synthetic recordings and their files."""

import errno
import json
import os
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from ssnn_jax.datasets import synthetic_events
from tests.testing import datasets as data_util
from tests.testing.datasets import random_images
from tests.testing.datasets import random_split


class RecordTest(data_util.EventCameraTestCase):
  def assert_differ(self, one, other):
    self.assertNotEqual(one.t.tolist(), other.t.tolist())

  def test_recordings_depend_on_key(self):
    images = random_images(1)
    first = self.record(images)
    data_util.assert_arrays_equal(self.record(images), first)
    self.assert_differ(self.record(images, seed=1)[0], first[0])

  def test_recording_depends_only_on_image_and_index(self):
    images = random_images(6)  # more than a batch
    whole = self.record(images)
    data_util.assert_arrays_equal(self.record(images[:3]), whole[:3])
    others = np.concatenate([images[:5][::-1], images[5:]])
    data_util.assert_arrays_equal(self.record(others)[5:], whole[5:])
    twice = self.record(np.stack([images[0]] * 2))
    data_util.assert_arrays_equal(twice[:1], whole[:1])
    self.assert_differ(twice[0], twice[1])

  def test_events_are_sorted_and_on_the_sensor(self):
    for events in self.record(random_images(4)):
      self.assertNotEmpty(events.t)
      self.assertTrue(np.all(events.t[1:] >= events.t[:-1]))
      self.assertLess(events.t[-1], self.camera.duration * 1000.0)
      self.assertLess(max(events.x.max(), events.y.max()), 34)
      self.assertEqual(set(events.p.tolist()), {0, 1})


class ResizeTest(absltest.TestCase):
  def test_keeps_images_of_mnist_size(self):
    images = random_images(2)
    np.testing.assert_array_equal(synthetic_events.resize(images), images)

  def test_scales_small_images_and_adds_margin(self):
    images = np.zeros((2, 8, 8), np.uint8)
    images[0] = 255
    images[1, :4, 4:] = 200
    full, corner = synthetic_events.resize(images)
    expected = np.pad(np.full((20, 20), 255, np.uint8), 4)
    np.testing.assert_array_equal(full, expected, strict=True)
    self.assertEqual((corner[4, 23], corner[23, 4], corner[4, 4]), (200, 0, 0))


class WriteTest(data_util.EventCameraTestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.data_dir / 'digits' / 'NMNIST'

  def write_events(self, num_train=3):
    train, test = random_split(num_train), random_split(2)
    synthetic_events.write(
      self.folder, 'digits', train, test, self.camera, seed=np.int64(5)
    )

  def test_tonic_decodes_encoded_events(self):
    import tonic

    random = np.random.RandomState(0)
    x, y, p, t = (
      np.append(random.randint(limit, size=1000), (0, limit - 1))
      for limit in (2**8, 240, 2, 2**23)
    )
    x, y, p = (values.astype(np.uint8) for values in (x, y, p))
    events = synthetic_events.Events(x, y, p, np.sort(t).astype(np.uint32))
    path = self.write('a.bin', synthetic_events.encode(events))
    self.assertEqual(path.stat().st_size, 5 * 1002)
    found = tonic.io.read_mnist_file(path, dtype=tonic.datasets.NMNIST.dtype)
    for name, expected in events._asdict().items():
      np.testing.assert_array_equal(found[name], expected)

  def test_folder_has_layout_of_n_mnist_and_description(self):
    self.write_events()
    files = sorted(self.folder.rglob('*.*'))
    self.assertEqual(
      [str(file.relative_to(self.folder)) for file in files],
      [
        'SYNTHETIC.json',
        'Test/0/00001.bin',
        'Test/7/00002.bin',
        'Train/0/00001.bin',
        'Train/4/00003.bin',
        'Train/7/00002.bin',
      ],
    )
    self.assertEqual(os.listdir(self.folder.parent), ['NMNIST'])
    description = json.loads(files[0].read_text())
    self.assertIn('synthetic', description['note'])
    self.assertEqual(
      (description['source'], description['seed']), ('digits', 5)
    )
    self.assertEqual(description['camera']['threshold'], self.camera.threshold)
    for part, written in (('Train', files[3:]), ('Test', files[1:3])):
      num_events = sum(file.stat().st_size for file in written) // 5
      expected = {'recordings': len(written), 'events': num_events}
      self.assertEqual(description['counts'][part], expected)

  def test_first_images_give_first_files_and_splits_differ(self):
    self.write_events()
    whole = self.folder.rename(self.data_dir / 'whole')
    self.write_events(num_train=2)
    for file in self.folder.rglob('*.bin'):
      same = whole / file.relative_to(self.folder)
      self.assertEqual(file.read_bytes(), same.read_bytes())
    train, test = (whole / part / '0/00001.bin' for part in ('Train', 'Test'))
    self.assertNotEqual(train.read_bytes(), test.read_bytes())

  def test_rejects_existing_folder(self):
    self.write('digits/NMNIST/file', b'')
    start = f'{self.folder} exists already; remove it'
    self.assert_refused(start, '', self.write_events)
    self.assertEqual(os.listdir(self.folder), ['file'])

  def test_keeps_folder_of_concurrent_process(self):
    rename = os.rename

    def rename_second(path, target):
      other = self.data_dir / 'other'
      other.mkdir()
      (other / 'first').touch()
      rename(other, target)
      return rename(path, target)

    with mock.patch.object(os, 'rename', rename_second):
      self.write_events()
    self.assertEqual(os.listdir(self.folder), ['first'])
    self.assertEqual(os.listdir(self.data_dir), ['digits'])

  @parameterized.parameters(
    OSError(errno.ENOSPC, 'No space left'), KeyboardInterrupt()
  )
  def test_failure_leaves_no_files(self, error):
    write_bytes = pathlib.Path.write_bytes

    def fail_at_last_file(path, content):
      if path.parent.parent.name == 'Test' and path.stem == '00002':
        raise error
      return write_bytes(path, content)

    with mock.patch.object(pathlib.Path, 'write_bytes', fail_at_last_file):
      if isinstance(error, OSError):
        start = f'{self.folder} cannot be written (No space left); free disk'
        self.assert_refused(start, '', self.write_events)
      else:
        self.assertRaises(KeyboardInterrupt, self.write_events)
    self.assert_empty(self.data_dir)
