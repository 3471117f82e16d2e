"""Tests of predicted readings."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from experiments.measurements import pulse_fit
import ssnn_jax
from ssnn_jax.hardware.fit import kalman
from tests.testing import statistics

RESPONSE = kalman.Response(
  np.log(0.05), 0.8, np.log(0.04), 0.5, 1.5, -1.5, 0.5, np.log(0.03)
)


def predict(response, readings):
  with jax.enable_x64(True):
    parts = kalman.predict(response, readings, response)
    return kalman.Prediction(*map(np.array, parts))


class PredictTest(absltest.TestCase):
  def test_innovations_are_independent_with_the_predicted_variance(self):
    device = ssnn_jax.DeviceConfig(
      dw_min=0.05,
      dw_min_std=0.03 * np.sin(0.5) / 0.045,
      up_down=0.2,
      w_max=1.25,
      w_min=-2.0,
      gamma_up=1.0,
      gamma_down=1.0,
    )
    curves, _ = pulse_fit.simulate(
      device, 500, num_pulses=20, read_noise=0.03 * np.cos(0.5)
    )
    # Step 0.05 (1 - 0.8 w) up, and 0.04 (1 + 0.5 w) down.
    weights = np.array([(curve.conductances - 5) / 2 for curve in curves])
    is_up = np.array([curve.is_up for curve in curves])
    is_read = np.ones(weights.shape, bool)
    readings = kalman.Readings(weights, is_read, is_up)
    found = predict(RESPONSE._replace(upper=9.0, lower=-9.0), readings)
    errors = found.innovations * np.exp(-found.log_variances / 2)
    samples = errors[1:].T  # [1000 curves, pulses]
    statistics.assert_mean_within(samples.mean(axis=1), 0.0)
    statistics.assert_mean_within((samples**2).mean(axis=1), 1.0)
    products = samples[:, 1:] * samples[:, :-1]
    statistics.assert_mean_within(products.mean(axis=1), 0.0)

  def test_skipped_readings_are_predicted_over_all_pulses(self):
    weights = np.linspace(-0.9, 0.9, 7)[None]
    is_read = np.array([[True, False, False, True, False, False, True]])
    readings = kalman.Readings(weights, is_read, np.array([True]))
    found = predict(RESPONSE, readings)
    np.testing.assert_array_equal(found.innovations[[0, 1, 3, 4]], 0.0)
    # The distance to weight 1 / 0.8 shrinks by 1 - 0.05 0.8 with each pulse.
    expected = 1.25 - (1.25 + 0.9) * 0.96**3
    self.assertAlmostEqual(found.innovations[2, 0], -expected)

  def test_clipped_moments_are_those_of_clipped_samples(self):
    mean, deviation, low, high = 0.3, 0.5, -0.4, 0.7
    samples = mean + deviation * np.random.default_rng(0).normal(size=100_000)
    samples = np.clip(samples, low, high)
    with jax.enable_x64(True):
      moments = kalman._clip(jnp.float64(mean), deviation**2, low, high)
    center, variance = map(float, moments)
    statistics.assert_mean_within(samples, center)
    statistics.assert_mean_within((samples - center) ** 2, variance)
