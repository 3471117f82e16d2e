"""Tests of the fit of devices to pulse responses."""

import dataclasses

from absl.testing import absltest
import numpy as np

import ssnn_jax
from ssnn_jax import stochastic
from ssnn_jax.stochastic import device_config
from tests.testing import pulse_curves
from tests.testing import statistics

# About as many pulses as cross the range of weights.
NUM_PULSES, NUM_DEVICES = 25, 6
VARYING = dataclasses.replace(pulse_curves.COARSE, dw_min=0.125)
EXACT = device_config.remove_variability(VARYING)


def fit_simulated(config=EXACT, unit=1.0, every=1, read_noise=0.0, **options):
  """Fits a device to two cycles of readings, measured in any unit."""
  curves, _ = pulse_curves.simulate(
    config,
    num_pulses=NUM_PULSES * every,
    num_cycles=2,
    every=every,
    read_noise=read_noise,
  )
  curves = [c._replace(conductances=unit * c.conductances) for c in curves]
  return stochastic.fit_pulse_response(curves, **options)


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


class FitTest(absltest.TestCase):
  def assert_parameters(self, config, expected):
    for name, value in expected.items():
      self.assertAlmostEqual(getattr(config, name), value, delta=2e-5)

  def test_device_without_noise_is_found_in_any_unit(self):
    unit = 1e-6
    fit = fit_simulated(  # pulses without readings count
      unit=unit, every=2, zero='symmetry', w_max=0.5
    )
    # Up steps 1 - 0.75 w and down steps 0.875 (1 + 0.5 w) are equal.
    point = (1 - 0.875) / (0.75 + 0.5 * 0.875)
    expected = at(point, EXACT)
    scale = max(expected['w_max'], -expected['w_min']) / 0.5
    for name in ('dw_min', 'w_max', 'w_min'):
      expected[name] /= scale
    self.assert_parameters(fit.config, expected)
    self.assertAlmostEqual(fit.zero / unit, 5.0 + 2.0 * point, places=4)
    self.assertAlmostEqual(fit.scale / unit, 2.0 * scale, places=4)
    self.assertEqual((fit.config.dw_min_dtod, fit.num_devices), (0.0, 1))
    self.assertLen(fit.notes, 2)  # on noise and on variability
    self.assertLess(fit.read_noise, 1e-3)

  def test_constant_steps_have_no_symmetry_point(self):
    config = dataclasses.replace(EXACT, gamma_up=0.0, gamma_down=0.0)
    with self.assertRaisesRegex(ssnn_jax.UserError, '^zero is symmetry'):
      fit_simulated(config, zero='symmetry')

  def test_bounds_that_are_not_reached_are_extreme_weights(self):
    config = dataclasses.replace(EXACT, dw_min=0.04)
    curves, _ = pulse_curves.simulate(
      config, num_pulses=NUM_PULSES, num_cycles=2
    )
    fit = stochastic.fit_pulse_response(curves)
    # The first reading, from which the next are predicted, is no estimate.
    values = np.concatenate([curve.conductances[1:] for curve in curves])
    self.assertAlmostEqual(fit.zero, (values.max() + values.min()) / 2, 3)
    self.assertNoCommonElements(('w_max', 'w_min'), fit.intervals)
    step = fit.config.dw_min * fit.scale / 2
    expected = at((fit.zero - 5) / 2, config)
    self.assertAlmostEqual(step, expected['dw_min'], places=4)
    self.assertAlmostEqual(fit.config.up_down, expected['up_down'], places=3)
    self.assertLen([note for note in fit.notes if 'saturate' in note], 2)

  def test_constant_write_noise_is_found(self):
    config = ssnn_jax.DeviceConfig(
      dw_min=0.1,
      dw_min_std=0.5,
      mult_noise=False,
      w_max=1.0,
      w_min=-1.0,
      gamma_up=1.0,
      gamma_down=1.0,
    )
    fit = fit_simulated(config, read_noise=0.005)
    self.assertFalse(fit.config.mult_noise)
    # 96 readings: a standard error of at least 7%.
    error = 5 * 0.5 / np.sqrt(2 * 96)
    self.assertAlmostEqual(fit.config.dw_min_std, 0.5, delta=error)

  def test_fields_with_all_values_in_their_interval_are_named(self):
    fit = fit_simulated(read_noise=0.7)
    self.assertEqual(fit.intervals['gamma_up'], (0.0, 1.0))
    self.assertIn('do not identify gamma_up, gamma_down.', ' '.join(fit.notes))


class VaryingTest(absltest.TestCase):
  """Devices are fitted one by one and together."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.curves, cls.constants = pulse_curves.simulate(
      VARYING, NUM_DEVICES, NUM_PULSES, num_cycles=2, read_noise=0.02
    )

  def test_intervals_contain_the_devices(self):
    hits, log_noises = {}, []
    for index in range(NUM_DEVICES):
      curves = [curve for curve in self.curves if curve.device == str(index)]
      fit = stochastic.fit_pulse_response(curves)
      log_noises.append(np.log(fit.config.dw_min_std))
      truth = pulse_curves.truth(VARYING, self.constants, index, fit)
      for name, value in truth.items():
        if name in fit.intervals:
          low, high = fit.intervals[name]
          hits.setdefault(name, []).append(low <= value <= high)
    for name, each in hits.items():
      # 5 standard errors of a probability of 0.95.
      lowest = 0.95 - 5 * np.sqrt(0.95 * 0.05 / len(each))
      self.assertGreaterEqual(np.mean(each), lowest, name)
    self.assertLen(hits['dw_min'], NUM_DEVICES)
    statistics.assert_mean_within(log_noises, np.log(VARYING.dw_min_std))

  def test_devices_give_mean_and_variability(self):
    fit = stochastic.fit_pulse_response(self.curves)
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
    # 576 readings: a standard error of about 4%.
    self.assertAlmostEqual(fit.read_noise * unit, 0.02, delta=0.004)
    self.assertTrue(fit.config.mult_noise)

  def test_variability_excludes_the_errors_of_the_estimates(self):
    names = 'dw_min_dtod', 'up_down_dtod'
    config = dataclasses.replace(VARYING, **dict.fromkeys(names, 0.0))
    curves, _ = pulse_curves.simulate(
      config, 3, NUM_PULSES, num_cycles=2, read_noise=0.02
    )
    intervals = stochastic.fit_pulse_response(curves).intervals
    for name in names:
      self.assertEqual(intervals[name][0], 0.0, name)
