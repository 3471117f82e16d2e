"""Tests for the simulated event camera."""

import math
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np

from ssnn_jax import datasets
from ssnn_jax.datasets import event_camera
from tests.testing import datasets as data_util
from tests.testing import statistics

CAMERA = event_camera.Camera()
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


class EventCameraTest(data_util.DatasetTestCase):
  def setUp(self):
    super().setUp()
    self.enterContext(mock.patch.object(event_camera, '_BATCH_SIZE', 4))

  def record(self, images, camera=CAMERA, seed=0):
    """Returns the recordings of images, with sampled thresholds."""
    camera_key, key = jax.random.split(jax.random.key(seed))
    thresholds = event_camera.draw_thresholds(camera_key, camera)
    return list(event_camera.record(key, camera, thresholds, images))

  @parameterized.parameters(
    (0.0, {'columns': -1.0, 'rows': 1.0}, 4),
    # Changes during the refractory period are lost.
    (50.0, {'columns': 1.0, 'rows': 1.0}, 1),
  )
  def test_ramp_makes_one_event_per_threshold(self, refractory, moves, number):
    # The light doubles from each column to the next, so a saccade by one column
    # changes its logarithm by log 2: 4 thresholds, and half of one is left.
    ramp = np.zeros((28, 28), np.uint8)
    ramp[:, 10:17] = 2 ** np.arange(1, 8)
    camera = event_camera.Camera(
      refractory=refractory,
      threshold=math.log(2.0) / 4.5,
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
      np.testing.assert_array_equal(counts, number)
      # Moved forwards, every part of the ramp is followed by a darker one.
      np.testing.assert_array_equal(events['p'][inside], move > 0)
      # Without noise, the still image after the saccade makes no event.
      self.assertLess(events['t'].max(), 50_000 + 250)

  def test_noise_has_its_rate_and_polarity(self):
    camera = event_camera.Camera(saccades=())
    recordings = self.record(data_util.random_images(64), camera)
    counts = np.zeros((64, 34, 34))
    for count, events in zip(counts, recordings):
      np.add.at(count, (events['y'], events['x']), 1)
      self.assertTrue(np.all(events['p'] == 1))
    # 74,000 pixels detect a bias of 5 % of the rate.
    expected = camera.noise_rate * camera.duration / 1000.0
    statistics.assert_mean_within(counts.ravel(), expected)

  def test_recording_depends_only_on_image_and_index(self):
    images = data_util.random_images(6)  # more than a batch
    whole = self.record(images)
    other = self.record(np.stack([images[0]] * 2))
    data_util.assert_arrays_equal(other[:1], whole[:1])
    other += self.record(images[:1], seed=1)
    for events in other[1:]:
      self.assertNotEqual(events['t'].tolist(), whole[0]['t'].tolist())
    for events in whole:
      self.assertTrue(np.all(events['t'][1:] >= events['t'][:-1]))

  def test_scales_small_images_and_adds_margin(self):
    images = np.zeros((2, 8, 8), np.uint8)
    images[0] = 255
    images[1, :4, 4:] = 200
    full, corner = resized = event_camera.resize(images)
    expected = np.pad(np.full((20, 20), 255, np.uint8), 4)
    np.testing.assert_array_equal(full, expected, strict=True)
    self.assertEqual((corner[4, 23], corner[23, 4], corner[4, 4]), (200, 0, 0))
    np.testing.assert_array_equal(event_camera.resize(resized), resized)

  def test_loads_spike_trains_of_images_and_caches_the_events(self):
    digits = datasets.load('digits')
    train, test = data_util.random_split(3), data_util.random_split(2, seed=1)
    digits = digits._replace(train=train, test=test)
    binning = datasets.Binning(10, event_window=500.0)
    load = lambda: event_camera.load('synthetic_events/own', digits, binning)
    made = load()
    self.assertEqual(made.name, 'synthetic_events/own')
    self.assertEqual(made.class_names, digits.class_names)
    self.assertEqual(made.train.labels.tolist(), [0, 4, 7])  # sorted
    self.assertEqual(made.input_shape, (2, 34, 34))
    self.assertEqual(made.late_fraction, 0)
    camera_key, key, _ = jax.random.split(jax.random.key(0), 3)
    thresholds = event_camera.draw_thresholds(camera_key, CAMERA)
    recorded = list(event_camera.record(key, CAMERA, thresholds, train.inputs))
    for trains, index in zip(made.train.inputs, (0, 2, 1)):
      fields = (recorded[index][name] for name in 'tpyx')
      times, *axes = fields
      addresses = np.ravel_multi_index(axes, (2, 34, 34))
      expected = datasets.bin_events(times, addresses, 2312, binning)
      np.testing.assert_array_equal(trains, expected)
    with mock.patch.object(event_camera, 'record') as record:
      data_util.assert_arrays_equal(load()[1:3], made[1:3])
      record.assert_not_called()
      digits = digits._replace(test=data_util.random_split(2, seed=2))
      record.side_effect = ValueError('recorded again')
      self.assertRaisesRegex(ValueError, 'recorded again', load)
