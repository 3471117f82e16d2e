"""Tests of the fit of devices to pulse responses."""

import dataclasses

from absl.testing import parameterized
import numpy as np

from experiments.measurements import pulse_fit
import ssnn_jax
from ssnn_jax import hardware
from ssnn_jax.hardware import device_config

VARYING = pulse_fit.COARSE
EXACT = device_config.remove_variability(VARYING)
NUM_SETS = 8


def at(point, config):
  """Returns a device without variability, whose weights begin at a point."""
  up = config.dw_min * (1 + min(config.up_down, 0))
  down = config.dw_min * (1 - max(config.up_down, 0))
  up *= 1 - config.gamma_up * point / config.w_max
  down *= 1 - config.gamma_down * point / config.w_min
  w_max, w_min = config.w_max - point, config.w_min - point
  end_up = config.dw_min * (1 + min(config.up_down, 0)) * (1 - config.gamma_up)
  end_down = config.dw_min * (1 - max(config.up_down, 0))
  end_down *= 1 - config.gamma_down
  return {
    'dw_min': max(up, down),
    'up_down': (up - down) / max(up, down),
    'w_max': w_max,
    'w_min': w_min,
    'gamma_up': 1 - end_up / up,
    'gamma_down': 1 - end_down / down,
  }


class FitTest(parameterized.TestCase):
  @parameterized.parameters(1.0, 1e-6, 1e12)
  def test_device_without_noise_is_found_in_any_unit(self, unit):
    curves, _ = pulse_fit.simulate(EXACT)
    curves = [c._replace(conductances=unit * c.conductances) for c in curves]
    fit = hardware.fit_pulse_response(curves)
    for name, expected in at(0.0, EXACT).items():
      self.assertAlmostEqual(getattr(fit.config, name), expected, delta=2e-5)
    self.assertAlmostEqual(fit.zero / unit, 5.0, places=4)
    self.assertAlmostEqual(fit.scale / unit, 2.0, places=4)
    self.assertEqual((fit.config.dw_min_dtod, fit.num_devices), (0.0, 1))
    self.assertLen(fit.notes, 2)  # on noise and on variability

  def test_steps_are_equal_at_the_symmetry_point(self):
    curves, _ = pulse_fit.simulate(EXACT)
    fit = hardware.fit_pulse_response(curves, zero='symmetry', w_max=0.5)
    # Up steps 1 - 0.75 w and down steps 0.875 (1 + 0.5 w) are equal.
    point = (1 - 0.875) / (0.75 + 0.5 * 0.875)
    self.assertAlmostEqual((fit.zero - 5) / 2, point, places=4)
    expected = at(point, EXACT)
    larger = max(expected['w_max'], -expected['w_min'])
    for name, value in expected.items():
      is_weight = name in ('dw_min', 'w_max', 'w_min')
      value *= 0.5 / larger if is_weight else 1.0
      self.assertAlmostEqual(getattr(fit.config, name), value, delta=2e-5)

  def test_bounds_that_are_not_reached_are_extreme_weights(self):
    config = dataclasses.replace(EXACT, dw_min=0.02)
    curves, _ = pulse_fit.simulate(config)
    fit = hardware.fit_pulse_response(curves)
    values = np.concatenate([curve.conductances for curve in curves])
    self.assertAlmostEqual(fit.zero, (values.max() + values.min()) / 2, 3)
    self.assertNoCommonElements(('w_max', 'w_min'), fit.intervals)
    step = fit.config.dw_min * fit.scale / 2
    expected = at((fit.zero - 5) / 2, config)
    self.assertAlmostEqual(step, expected['dw_min'], places=4)
    self.assertLen([note for note in fit.notes if 'saturate' in note], 2)

  def test_intervals_contain_the_devices(self):
    curves, constants = pulse_fit.simulate(
      VARYING, NUM_SETS, num_cycles=2, read_noise=0.02
    )
    hits = {}
    for index in range(NUM_SETS):
      own = [curve for curve in curves if curve.device == str(index)]
      fit = hardware.fit_pulse_response(own)
      truth = pulse_fit.truth(VARYING, constants, index, fit)
      for name, value in truth.items():
        if name in fit.intervals:
          low, high = fit.intervals[name]
          hits.setdefault(name, []).append(low <= value <= high)
    for name, found in hits.items():
      # 5 standard errors of a probability of 0.95.
      lowest = 0.95 - 5 * np.sqrt(0.95 * 0.05 / len(found))
      self.assertGreaterEqual(np.mean(found), lowest, name)
    self.assertLen(hits['dw_min'], NUM_SETS)

  def test_devices_give_mean_and_variability(self):
    curves, _ = pulse_fit.simulate(
      VARYING, 6, num_cycles=2, seed=1, read_noise=0.02
    )
    fit = hardware.fit_pulse_response(curves)
    self.assertEqual(fit.num_devices, 6)
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
    # 1176 readings: a standard error of about 2.5%.
    self.assertAlmostEqual(fit.read_noise * unit, 0.02, delta=0.0025)
    self.assertTrue(fit.config.mult_noise)

  def test_rejects_what_cannot_be_fitted(self):
    curves, _ = pulse_fit.simulate(EXACT)
    linear = dataclasses.replace(EXACT, gamma_up=0.0, gamma_down=0.0)
    linear, _ = pulse_fit.simulate(linear)
    starts, pulses = np.linspace(-1, 1, 9), np.arange(2)
    up = np.minimum(starts + 0.4, 1)
    down = np.maximum(starts - 0.9 * (1 + 0.8 * starts), -1)
    abrupt = [  # the step 0.4 at the symmetry point -0.69 exceeds the bound -1
      hardware.PulseCurve(pulses, np.array([start, end]), is_up)
      for is_up, ends in ((True, up), (False, down))
      for start, end in zip(starts, ends)
    ]
    for given, options, message in (
      (curves, {'zero': 'top'}, '^zero is top; expected one of middle, sym'),
      (curves, {'w_max': 0.0}, '^w_max is 0.0; expected a finite number'),
      (curves[:1], {}, '^device 0 has 0 readings of down pulses; expected '),
      (linear, {'zero': 'symmetry'}, '^zero is symmetry, but the up and down'),
      (
        abrupt,
        {'zero': 'symmetry'},
        '^the fitted dw_min is .*: the curves are',
      ),
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        hardware.fit_pulse_response(given, **options)
