"""Tests of means and variability of estimated devices."""

from absl.testing import absltest
import numpy as np

from ssnn_jax.hardware.fit import population

MEAN = np.array([0.02, 0.016, 1.0, -0.8, 0.5, 0.6, 0.3])


class SummaryTest(absltest.TestCase):
  def test_one_device_has_its_values_without_variability(self):
    covariance = np.diag([1e-3, 1e-3, 0.0, 0.1, 0.1, 0.1, 0.01]) ** 2
    values, intervals = population.summarize(
      MEAN[None], covariance[None], 10**6
    )
    expected = [0.02, 0.2, 1.0, -0.8, 0.5, 0.6, 0.3]
    np.testing.assert_allclose(list(values.values()), expected, rtol=1e-12)
    self.assertNotIn('w_max', intervals)  # fixed
    np.testing.assert_allclose(
      intervals['gamma_up'], (0.5 - 0.196, 0.5 + 0.196), atol=1e-4
    )
    np.testing.assert_allclose(
      np.array(intervals['dw_min']), 0.02 + 1.96e-3 * np.array([-1, 1]), 1e-4
    )

  def test_variability_excludes_the_errors_of_the_estimates(self):
    rng, number = np.random.default_rng(0), 4000
    common, half = 0.1 * rng.normal(size=(2, number))
    devices = np.tile(MEAN, (number, 1))
    devices[:, 0] += 0.02 * (common + half)
    devices[:, 1] += 0.02 * (common - half)
    devices[:, 2] += 0.25 * rng.normal(size=number)
    devices[:, 4] += 0.05 * rng.normal(size=number)
    errors = np.array([0.0, 0.0, 0.15, 0.0, 0.05, 0.0, 0.0])
    covariances = np.tile(np.diag(errors) ** 2, (number, 1, 1))
    values, intervals = population.summarize(devices, covariances, 9)
    relative = 5 / np.sqrt(2 * number)  # 5 standard errors
    for name, expected, total in (
      ('dw_min_dtod', 0.1, 0.1),
      ('up_down_dtod', 0.1, 0.1),
      ('w_max_dtod', 0.2, 0.25),
    ):
      error = relative * total**2 / expected
      self.assertAlmostEqual(values[name], expected, delta=error)
      low, high = intervals[name]
      self.assertBetween(values[name], low, high)
    # What the errors explain is no variability.
    self.assertLess(values['gamma_up_dtod'], 0.05 * np.sqrt(2 * relative))
    self.assertEqual(values['w_min_dtod'], 0.0)
