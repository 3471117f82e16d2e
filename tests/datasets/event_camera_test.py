"""Tests for the simulated event camera."""

import math

from absl.testing import parameterized
import jax
import numpy as np

from ssnn_jax.datasets import event_camera
from tests.testing import datasets as data_util
from tests.testing import statistics

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


class EventCameraTest(data_util.EventCameraTestCase):
  @parameterized.parameters(
    (1, 0.0, {'columns': 1.0, 'rows': -1.0}, 1),
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
      (by_column, by_column.x, by_column.y, moves['columns']),
      (by_row, by_row.y, by_row.x, moves['rows']),
    ):
      # Sensor pixels 14 to 18 see the ramp both before and after.
      inside = (along >= 14) & (along < 19) & (across >= 4) & (across < 30)
      counts = np.zeros((5, 26), int)
      np.add.at(counts, (along[inside] - 14, across[inside] - 4), 1)
      np.testing.assert_array_equal(counts, num_events)
      # Moved forwards, every part of the ramp is followed by a darker one.
      np.testing.assert_array_equal(events.p[inside], move > 0)
      # Without noise, the still image after the saccade makes no event.
      self.assertLess(events.t.max(), 50_000 + 250)

  def test_noise_has_its_rate_and_polarity(self):
    camera = event_camera.Camera(saccades=())
    recordings = self.record(data_util.random_images(64), camera)
    counts = np.zeros((64, 34, 34))
    for count, events in zip(counts, recordings):
      np.add.at(count, (events.y, events.x), 1)
      self.assertTrue(np.all(events.p == 1))
    # 74,000 pixels detect a bias of 5 % of the rate.
    expected = camera.noise_rate * camera.duration / 1000.0
    statistics.assert_mean_within(counts.ravel(), expected)

  def test_thresholds_have_mean_and_spread(self):
    drawn = event_camera.draw_thresholds(jax.random.key(0), self.camera)
    logarithms = np.log(np.asarray(drawn, np.float64)).ravel()
    mean, spread = np.log(self.camera.threshold), self.camera.threshold_spread
    error = spread / np.sqrt(logarithms.size)
    sigmas = statistics.NUM_SIGMAS
    self.assertLess(abs(logarithms.mean() - mean), sigmas * error)
    self.assertLess(
      abs(logarithms.std() - spread), sigmas * error / np.sqrt(2.0)
    )

  def test_intervals_exceed_refractory_period(self):
    (events,) = self.record(data_util.random_images(1))
    pixels = events.y.astype(int) * 34 + events.x
    order = np.lexsort((events.t, pixels))
    is_same_pixel = np.diff(pixels[order]) == 0
    intervals = np.diff(events.t[order].astype(int))[is_same_pixel]
    # Times are rounded down to microseconds.
    self.assertBetween(intervals.min(), 4999, 5001)
