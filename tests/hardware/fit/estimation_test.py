"""Tests of the estimate of one device."""

import dataclasses

from absl.testing import absltest
import numpy as np

from experiments.measurements import pulse_fit
import ssnn_jax
from ssnn_jax.hardware.fit import estimation
from ssnn_jax.hardware.fit import kalman

DEVICE = ssnn_jax.DeviceConfig(dw_min=0.05, w_max=1.0, w_min=-1.0)


def estimate(config, mult_noise=True, **options):
  """Estimates a simulated device; returns the estimate and half its range."""
  curves, _ = pulse_fit.simulate(config, num_cycles=2, **options)
  values = np.array([curve.conductances for curve in curves])
  half = np.ptp(values) / 2
  weights = (values - (values.max() + values.min()) / 2) / half
  is_up = np.array([curve.is_up for curve in curves])
  is_read = np.ones(weights.shape, bool)
  readings = kalman.Readings(weights, is_read, is_up)
  return estimation.estimate(readings, mult_noise), half / 2


class EstimateTest(absltest.TestCase):
  def test_hard_bounds_are_identified_and_constant_steps_are_found(self):
    found, half = estimate(DEVICE, read_noise=0.01)
    np.testing.assert_array_equal(found.is_bound, True)
    np.testing.assert_allclose(half * found.extremes, [-1, 1], atol=0.02)
    errors = np.sqrt(np.diag(found.covariance))
    for name, expected in (
      ('log_up', np.log(0.05 / half)),
      ('decrease_up', 0.0),
      ('log_down', np.log(0.05 / half)),
      ('decrease_down', 0.0),
    ):
      index = kalman.Response._fields.index(name)
      distance = abs(found.response[index] - expected)
      self.assertLess(distance, 5 * errors[index], name)
    read_noise = half * kalman.read_noise(found.response)
    self.assertAlmostEqual(float(read_noise), 0.01, delta=0.002)

  def test_write_noise_and_its_kind_are_found(self):
    soft = dataclasses.replace(
      DEVICE, dw_min_std=0.5, gamma_up=1.0, gamma_down=1.0
    )
    for is_relative in (True, False):
      config = dataclasses.replace(soft, mult_noise=is_relative)
      found = {
        kind: estimate(config, kind, read_noise=0.005)[0]
        for kind in (True, False)
      }
      best = min(found.values(), key=lambda each: each.deviance)
      self.assertEqual(best.mult_noise, is_relative)
      noise = float(kalman.write_noise(best.response))
      # 196 readings: a standard error of at least 5%.
      self.assertAlmostEqual(noise, 0.5, delta=5 * 0.5 / np.sqrt(2 * 196))
      self.assertLess(abs(best.correlation), 5 / np.sqrt(196))
