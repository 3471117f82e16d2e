"""Tests of the fit of devices to pulse responses."""

import dataclasses
import functools
from unittest import mock

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import hardware
from ssnn_jax.hardware import device_config
from ssnn_jax.hardware import fit as fit_lib
from tests.testing import pulse_curves
from tests.testing import statistics

VARYING = pulse_curves.COARSE
EXACT = device_config.remove_variability(VARYING)
NUM_DEVICES = 10
# Steps of 0.05 (1 - 0.8 w) up and 0.04 (1 + 0.5 w) down, without bounds.
X = np.array([np.log(0.05), 0.8, 9.0, np.log(0.04), 0.5, 9.0])
NOISE = np.array([0.0144, 0.0263])  # write noise of a pulse, and read noise


_estimate, _estimates = fit_lib._estimate, {}


def estimate_once(curves, shape, mult_noise):
  key = shape, mult_noise, *(curve.conductances.tobytes() for curve in curves)
  if key not in _estimates:
    _estimates[key] = _estimate(curves, shape, mult_noise)
  return _estimates[key]


class EstimateOnceTest(absltest.TestCase):
  """Devices are estimated once in all tests."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    once = mock.patch.object(fit_lib, '_estimate', estimate_once)
    cls.enterClassContext(once)


@functools.cache
def simulate_exact():
  """Returns curves of the device without noise."""
  return pulse_curves.simulate(EXACT, num_cycles=2)[0]


def predict(readings):
  with jax.enable_x64(True):
    return jax.tree.map(
      np.array, jax.jit(fit_lib._predict)(X, NOISE, X, readings)
    )


def make_device(x, covariance=None):
  return fit_lib._Device(
    x=x,
    noise=np.array([0.006, 0.01]),
    covariance=covariance,
    deviance=0.0,
    ends=x[[2, 5]],
    is_bound=np.array([True, True]),
    errors=np.ones(100),
  )


def at(point, config):
  """Returns a device without variability, whose weights begin at a point."""
  up = config.dw_min * (1 + min(config.up_down, 0))
  down = config.dw_min * (1 - max(config.up_down, 0))
  end_up, end_down = up * (1 - config.gamma_up), down * (1 - config.gamma_down)
  up *= 1 - config.gamma_up * point / config.w_max
  down *= 1 - config.gamma_down * point / config.w_min
  return {
    'dw_min': max(up, down),
    'up_down': (up - down) / max(up, down),
    'w_max': config.w_max - point,
    'w_min': config.w_min - point,
    'gamma_up': 1 - end_up / up,
    'gamma_down': 1 - end_down / down,
  }


class PredictTest(absltest.TestCase):
  def test_innovations_are_independent_with_the_predicted_variance(self):
    device = ssnn_jax.DeviceConfig(
      dw_min=0.05,
      dw_min_std=NOISE[0] / 0.045,
      up_down=0.2,
      w_max=1.25,
      w_min=-2.0,
      gamma_up=1.0,
      gamma_down=1.0,
    )
    curves, _ = pulse_curves.simulate(
      device, 500, num_pulses=20, read_noise=NOISE[1]
    )
    weights = np.array([(curve.conductances - 5) / 2 for curve in curves]).T
    is_down = np.array([not curve.is_up for curve in curves], int)
    gaps = np.minimum(np.arange(20), 1)[:, None] * np.ones_like(is_down)
    weights = (1 - 2 * is_down) * weights
    readings = fit_lib._Readings(weights, gaps, is_down, True)
    residuals, log_variance, _ = predict(readings)
    samples = residuals * np.exp(-log_variance / 2)
    samples = samples.reshape(19, 1000)[1:].T  # [curves, pulses]
    statistics.assert_mean_within(samples.mean(axis=1), 0.0)
    products = samples[:, 1:] * samples[:, :-1]
    statistics.assert_mean_within(products.mean(axis=1), 0.0)
    # The residuals have equal variances.
    statistics.assert_mean_within((samples**2).mean(axis=1), 1.0)

  def test_skipped_readings_are_predicted_over_all_pulses(self):
    weights, gaps = np.array([[-0.9, 0.8], [0, 0]]), np.array([[0, 0], [3, 0]])
    readings = fit_lib._Readings(weights, gaps, np.array([0, 1]), True)
    residuals, _, estimates = predict(readings)
    # The distance to weight 1 / 0.8 shrinks by 1 - 0.05 0.8 with each pulse.
    self.assertAlmostEqual(residuals[0], (1.25 + 0.9) * 0.96**3 - 1.25)
    # The second curve has no second reading.
    self.assertEqual((residuals[1], estimates[0, 1]), (0.0, 0.8))

  def test_clipped_moments_are_those_of_clipped_samples(self):
    mean, deviation, low, high = 0.3, 0.5, -0.4, 0.7
    samples = mean + deviation * np.random.default_rng(0).normal(size=100_000)
    samples = np.clip(samples, low, high)
    with jax.enable_x64(True):
      moments = fit_lib._clip(jnp.float64(mean), deviation**2, low, high)
    center, variance = map(float, moments)
    statistics.assert_mean_within(samples, center)
    statistics.assert_mean_within((samples - center) ** 2, variance)


class FitTest(EstimateOnceTest):
  def fit_in_unit(self, unit, **options):
    """Fits the device without noise, measured in any unit."""
    curves = [
      curve._replace(conductances=unit * curve.conductances)
      for curve in simulate_exact()
    ]
    return hardware.fit_pulse_response(curves, **options)

  def test_device_without_noise_is_found_in_any_unit(self):
    unit = 1e-6
    fit = self.fit_in_unit(unit)
    for name, expected in at(0.0, EXACT).items():
      self.assertAlmostEqual(getattr(fit.config, name), expected, delta=2e-5)
    self.assertAlmostEqual(fit.zero / unit, 5.0, places=4)
    self.assertAlmostEqual(fit.scale / unit, 2.0, places=4)
    self.assertEqual((fit.config.dw_min_dtod, fit.num_devices), (0.0, 1))
    self.assertLen(fit.notes, 2)  # on noise and on variability
    self.assertLess(fit.read_noise, 1e-3)

  def test_steps_are_equal_at_the_symmetry_point(self):
    unit = 1e-6
    fit = self.fit_in_unit(unit, zero='symmetry', w_max=0.5)
    # Up steps 1 - 0.75 w and down steps 0.875 (1 + 0.5 w) are equal.
    point = (1 - 0.875) / (0.75 + 0.5 * 0.875)
    self.assertAlmostEqual((fit.zero / unit - 5) / 2, point, places=4)
    expected = at(point, EXACT)
    larger = max(expected['w_max'], -expected['w_min'])
    for name, value in expected.items():
      is_weight = name in ('dw_min', 'w_max', 'w_min')
      value *= 0.5 / larger if is_weight else 1.0
      self.assertAlmostEqual(getattr(fit.config, name), value, delta=2e-5)

  def test_bounds_that_are_not_reached_are_extreme_weights(self):
    config = dataclasses.replace(EXACT, dw_min=0.02)
    curves, _ = pulse_curves.simulate(config, num_cycles=2)
    fit = hardware.fit_pulse_response(curves)
    # The first reading, from which the next are predicted, is no estimate.
    values = np.concatenate([curve.conductances[1:] for curve in curves])
    self.assertAlmostEqual(fit.zero, (values.max() + values.min()) / 2, 3)
    self.assertNoCommonElements(('w_max', 'w_min'), fit.intervals)
    step = fit.config.dw_min * fit.scale / 2
    expected = at((fit.zero - 5) / 2, config)
    self.assertAlmostEqual(step, expected['dw_min'], places=4)
    self.assertLen([note for note in fit.notes if 'saturate' in note], 2)

  def test_fields_with_all_values_in_their_interval_are_named(self):
    intervals = {'up_down': (-1.0, 1.0), 'gamma_up': (0.1, 1.0)}
    values = dict.fromkeys(fit_lib._RANGES, 0.5)
    notes = fit_lib._notes([make_device(X)], values, intervals)
    self.assertIn('The curves do not identify up_down.', [*notes])

  def test_constant_write_noise_is_found(self):
    config = ssnn_jax.DeviceConfig(
      dw_min=0.05,
      dw_min_std=0.5,
      mult_noise=False,
      w_max=1.0,
      w_min=-1.0,
      gamma_up=1.0,
      gamma_down=1.0,
    )
    curves, _ = pulse_curves.simulate(config, num_cycles=2, read_noise=0.005)
    fit = hardware.fit_pulse_response(curves)
    self.assertFalse(fit.config.mult_noise)
    # 196 readings: a standard error of at least 5%.
    error = 5 * 0.5 / np.sqrt(2 * 196)
    self.assertAlmostEqual(fit.config.dw_min_std, 0.5, delta=error)

  def test_variability_excludes_the_errors_of_the_estimates(self):
    number, rng = 400, np.random.default_rng(0)
    x = np.array([np.log(0.02), 0.5, 1.0, np.log(0.02), 0.5, 0.8])
    errors = np.array([0.0, 0.0, 0.1, 0.0, 0.0, 0.0])
    spreads = np.array([0.1, 0.0, 0.1, 0.1, 0.0, 0.0])
    covariance = np.zeros((9, 9))
    covariance[:6, :6] = np.diag(errors**2)
    devices = [
      make_device(own, covariance)
      for own in x + np.hypot(errors, spreads) * rng.normal(size=(number, 6))
    ]
    with jax.enable_x64(True):
      values, intervals = fit_lib._summarize(devices, 0.0, 1.0)
    relative = 5 / np.sqrt(2 * number)  # 5 standard errors
    # Half of the sum and of the difference of independent steps.
    for name, expected, total in (
      ('dw_min_dtod', 0.1 / np.sqrt(2), 0.1 / np.sqrt(2)),
      ('up_down_dtod', 0.1 / np.sqrt(2), 0.1 / np.sqrt(2)),
      ('w_max_dtod', 0.1, 0.1 * np.sqrt(2)),
    ):
      error = relative * total**2 / expected
      self.assertAlmostEqual(values[name], expected, delta=error)
      low, high = intervals[name]
      self.assertBetween(values[name], low, high)
    self.assertLess(values['w_min_dtod'], 1e-4)

  def test_constant_steps_have_no_symmetry_point(self):
    device = make_device(np.array([-3.0, 0.0, 1.0, -3.1, 0.0, 1.0]))
    with self.assertRaisesRegex(ssnn_jax.UserError, '^zero is symmetry'):
      fit_lib._map_weights([device], 'symmetry', 1.0)


class VaryingTest(EstimateOnceTest):
  """Devices are fitted one by one and together."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.curves, cls.constants = pulse_curves.simulate(
      VARYING, NUM_DEVICES, num_cycles=2, read_noise=0.02
    )

  def test_intervals_contain_the_devices(self):
    hits, log_noises = {}, []
    for index in range(NUM_DEVICES):
      own = [curve for curve in self.curves if curve.device == str(index)]
      fit = hardware.fit_pulse_response(own)
      log_noises.append(np.log(fit.config.dw_min_std))
      truth = pulse_curves.truth(VARYING, self.constants, index, fit)
      for name, value in truth.items():
        if name in fit.intervals:
          low, high = fit.intervals[name]
          hits.setdefault(name, []).append(low <= value <= high)
    for name, found in hits.items():
      # 5 standard errors of a probability of 0.95.
      lowest = 0.95 - 5 * np.sqrt(0.95 * 0.05 / len(found))
      self.assertGreaterEqual(np.mean(found), lowest, name)
    self.assertLen(hits['dw_min'], NUM_DEVICES)
    statistics.assert_mean_within(log_noises, np.log(VARYING.dw_min_std))

  def test_devices_give_mean_and_variability(self):
    fit = hardware.fit_pulse_response(self.curves)
    self.assertEqual(fit.num_devices, NUM_DEVICES)
    point, unit = (fit.zero - 5) / 2, fit.scale / 2
    expected = at(point, VARYING)
    names = 'dw_min', 'up_down', 'dw_min_dtod', 'up_down_dtod', 'dw_min_std'
    expected |= {name: getattr(VARYING, name) for name in names[2:]}
    expected['dw_min'] /= unit
    for name in names:
      low, high = fit.intervals[name]
      value, center = getattr(fit.config, name), expected[name]
      self.assertBetween(value, low, high)
      # A half interval is about 2 standard errors.
      self.assertLess(abs(value - center), 2.5 * (high - low) / 2, name)
    # 1960 readings: a standard error of about 2%.
    self.assertAlmostEqual(fit.read_noise * unit, 0.02, delta=0.0025)
    self.assertTrue(fit.config.mult_noise)
