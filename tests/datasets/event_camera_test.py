"""Tests for the simulated event camera and its files."""

import json
import math
import os
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from ssnn_jax.datasets import event_camera
from tests.testing import datasets as data_util
from tests.testing import statistics
from tests.testing.datasets import random_images
from tests.testing.datasets import random_split

# Time steps so short that no threshold is exceeded by much.
IDEAL = {
  'threshold_spread': 0.0,
  'gamma': 1.0,
  'dark_level': 1e-6,
  'noise_rate': 0.0,
  'time_step': 0.25,
  'duration': 100.0,
  'origin': (3.0, 3.0),
}


class CameraTestCase(data_util.DatasetTestCase):
  """Test case that simulates an event camera in small batches."""

  # One camera for most tests, because each one is compiled.
  camera = event_camera.Camera(refractory=4.0)

  def setUp(self):
    super().setUp()
    self.enterContext(mock.patch.object(event_camera, '_BATCH_SIZE', 4))

  def record(self, images, camera=None, seed=0):
    """Returns the recordings of images, with sampled thresholds."""
    camera = camera or self.camera
    camera_key, key = jax.random.split(jax.random.key(seed))
    thresholds = event_camera.draw_thresholds(camera_key, camera)
    return list(event_camera.record(key, camera, thresholds, images))


class EventCameraTest(CameraTestCase):
  @parameterized.parameters(
    (4, 0.0, {'columns': -1.0, 'rows': 1.0}, 4),
    # Changes during the refractory period are lost.
    (4, 50.0, {'columns': 1.0, 'rows': 1.0}, 1),
  )
  def test_ramp_makes_one_event_per_threshold(
    self, num_thresholds, refractory, moves, num_events
  ):
    # The light doubles from each column to the next, so a saccade by one column
    # changes its logarithm by log 2; half a threshold is left over.
    ramp = np.zeros((28, 28), np.uint8)
    ramp[:, 10:17] = 2 ** np.arange(1, 8)
    camera = event_camera.Camera(
      refractory=refractory,
      threshold=math.log(2.0) / (num_thresholds + 0.5),
      saccades=(event_camera.Saccade(start=0.0, duration=50.0, **moves),),
      **IDEAL,
    )
    by_column, by_row = self.record(np.stack([ramp, ramp.T]), camera)
    for events, along, across, move in (
      (by_column, by_column['x'], by_column['y'], moves['columns']),
      (by_row, by_row['y'], by_row['x'], moves['rows']),
    ):
      # Sensor pixels 14 to 18 see the ramp both before and after.
      inside = (along >= 14) & (along < 19) & (across >= 4) & (across < 30)
      counts = np.zeros((5, 26), int)
      np.add.at(counts, (along[inside] - 14, across[inside] - 4), 1)
      np.testing.assert_array_equal(counts, num_events)
      # Moved forwards, every part of the ramp is followed by a darker one.
      np.testing.assert_array_equal(events['p'][inside], move > 0)
      # Without noise, the still image after the saccade makes no event.
      self.assertLess(events['t'].max(), 50_000 + 250)

  def test_noise_has_its_rate_and_polarity(self):
    camera = event_camera.Camera(saccades=())
    recordings = self.record(random_images(64), camera)
    counts = np.zeros((64, 34, 34))
    for count, events in zip(counts, recordings):
      np.add.at(count, (events['y'], events['x']), 1)
      self.assertTrue(np.all(events['p'] == 1))
    # 74,000 pixels detect a bias of 5 % of the rate.
    expected = camera.noise_rate * camera.duration / 1000.0
    statistics.assert_mean_within(counts.ravel(), expected)


class RecordTest(CameraTestCase):
  def assert_differ(self, one, other):
    self.assertNotEqual(one['t'].tolist(), other['t'].tolist())

  def test_recording_depends_only_on_image_and_index(self):
    images = random_images(6)  # more than a batch
    whole = self.record(images)
    data_util.assert_arrays_equal(self.record(images[:3]), whole[:3])
    others = np.concatenate([images[:5][::-1], images[5:]])
    data_util.assert_arrays_equal(self.record(others)[5:], whole[5:])
    twice = self.record(np.stack([images[0]] * 2))
    data_util.assert_arrays_equal(twice[:1], whole[:1])
    self.assert_differ(twice[0], twice[1])
    self.assert_differ(self.record(images[:1], seed=1)[0], whole[0])

  def test_events_are_sorted_and_on_the_sensor(self):
    for events in self.record(random_images(4)):
      self.assertNotEmpty(events['t'])
      self.assertTrue(np.all(events['t'][1:] >= events['t'][:-1]))
      self.assertLess(events['t'][-1], self.camera.duration * 1000.0)
      self.assertLess(max(events['x'].max(), events['y'].max()), 34)
      self.assertEqual(set(events['p'].tolist()), {0, 1})


class ResizeTest(absltest.TestCase):
  def test_scales_small_images_and_adds_margin(self):
    images = np.zeros((2, 8, 8), np.uint8)
    images[0] = 255
    images[1, :4, 4:] = 200
    full, corner = resized = event_camera.resize(images)
    expected = np.pad(np.full((20, 20), 255, np.uint8), 4)
    np.testing.assert_array_equal(full, expected, strict=True)
    self.assertEqual((corner[4, 23], corner[23, 4], corner[4, 4]), (200, 0, 0))
    np.testing.assert_array_equal(event_camera.resize(resized), resized)


class WriteTest(CameraTestCase):
  def setUp(self):
    super().setUp()
    self.folder = self.data_dir / 'digits' / 'NMNIST'

  def write_events(self, num_train=3):
    train, test = random_split(num_train), random_split(2)
    event_camera.write(self.folder, 'digits', train, test, self.camera, seed=5)

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

  def test_failure_leaves_no_files(self):
    write_bytes = pathlib.Path.write_bytes

    def fail_at_last_file(path, content):
      if path.parent.parent.name == 'Test' and path.stem == '00002':
        raise KeyboardInterrupt
      return write_bytes(path, content)

    with (
      mock.patch.object(pathlib.Path, 'write_bytes', fail_at_last_file),
      self.assertRaises(KeyboardInterrupt),
    ):
      self.write_events()
    self.assertEmpty(os.listdir(self.data_dir))
