"""Tests of powers of T and target errors of the study of fidelity."""

import math

from absl.testing import absltest
import pandas as pd

from experiments.studies import fidelity


def make_lines(errors, window, **fields):
  """Returns lines of the measurement `fidelity`, one for each T."""
  return [
    {
      'dataset': 'digits',
      'train_steps': 4,
      'layer_sizes': [4, 3, 2],
      'sampler': 'bernoulli',
      'window': min(window, t),
      'num_steps': t,
      'error': error,
      'num_draws': 2,
      **fields,
    }
    for t, error in errors.items()
  ]


def make_times(times):
  """Returns lines of a benchmark, one for each T."""
  return [
    {
      'name': 'learn',
      'method': 'ssnn',
      'layer_sizes': [4, 3, 2],
      'sampler': 'bernoulli',
      'window': min(32, t),
      'num_steps': t,
      'ratio_to_bp': ratio,
    }
    for t, ratio in times.items()
  ]


class FidelityStudyTest(absltest.TestCase):
  def test_fits_power_laws_from_16_ticks(self):
    errors = {t: 3.0 * t**-0.7 for t in (16, 32, 64, 1024)}
    power, error = fidelity.fit(pd.Series({4: 9.0, 8: 0.1} | errors))
    self.assertAlmostEqual(power, -0.7)
    self.assertAlmostEqual(error, 0.0)

  def test_standard_error_is_that_of_least_squares(self):
    # Of x = 0, 1, 2 and y = 0, 1, 0 the slope is 0 and residuals are
    # -1/3, 2/3, -1/3: their squares sum to 2/3, those of x about 1 to 2.
    power, error = fidelity.fit(pd.Series({16: 1.0, 32: 2.0, 64: 1.0}))
    self.assertAlmostEqual(power, 0.0)
    self.assertAlmostEqual(error, math.sqrt(2 / 3 / 1 / 2))

  def test_few_points_have_no_power(self):
    power, _ = fidelity.fit(pd.Series({4: 1.0, 16: 0.5, 64: 0.2}))
    self.assertTrue(math.isnan(power))

  def test_target_is_interpolated_between_points(self):
    for factor, expected in ((2.0, 64), (1.5, 36)):
      errors = {t: factor / math.sqrt(t) for t in (4, 16, 64, 256)}
      curve = pd.DataFrame({'error': errors, 'ratio_to_bp': math.nan})
      steps, time = fidelity.find_target(curve)
      self.assertAlmostEqual(steps, expected)
      self.assertTrue(math.isnan(time))
    never = curve.assign(error=1.0)
    self.assertTrue(math.isnan(fidelity.find_target(never)[0]))

  def test_window_that_is_longer_than_t_is_t(self):
    errors = {t: 1.5 / math.sqrt(t) for t in (16, 32, 64)}
    lines = make_lines(errors, 32) + make_lines({64: 0.1}, 64)
    lines += make_times({32: 2.0, 64: 4.0})
    curves = fidelity.collect_curves(pd.DataFrame(lines))
    network = '4-3-2', 'bernoulli'
    self.assertEqual(list(curves), [(*network, 32), (*network, 'T')])
    timed, whole = curves.values()
    self.assertEqual(list(timed.index), [16, 32, 64])
    self.assertEqual(list(whole.index), [16, 32, 64])
    self.assertEqual(whole['error'].iloc[-1], 0.1)
    steps, cost = fidelity.find_target(timed)
    self.assertAlmostEqual(steps, 36)
    # Between 32 and 64 ticks time is proportional to T.
    self.assertAlmostEqual(cost, 2.0 * 36 / 32)
    self.assertTrue(math.isnan(fidelity.find_target(whole)[1]))

  def test_lines_without_times_have_no_cost(self):
    lines = make_lines({16: 0.5, 32: 0.2}, 32)
    curve, *_ = fidelity.collect_curves(pd.DataFrame(lines)).values()
    steps, cost = fidelity.find_target(curve)
    self.assertBetween(steps, 16, 32)
    self.assertTrue(math.isnan(cost))


if __name__ == '__main__':
  absltest.main()
