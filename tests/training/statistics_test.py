"""Tests of paired differences and of verdicts."""

import math

from absl.testing import parameterized
import numpy as np
from scipy import stats

from ssnn_jax.training import statistics


class PairedDifferenceTest(parameterized.TestCase):
  def test_is_the_interval_of_scipy(self):
    own, base = np.random.RandomState(0).uniform(0.9, 1.0, (2, 7))
    found = statistics.paired_difference(own, base, 10_000)
    low, high = stats.ttest_rel(100 * own, 100 * base).confidence_interval(0.95)
    np.testing.assert_allclose(
      [found.mean - found.half_width, found.mean + found.half_width],
      [low, high],
      rtol=1e-12,
    )

  def test_variance_is_not_below_that_of_one_sample(self):
    """Equal differences of one of 360 samples are no certainty."""
    found = statistics.paired_difference([0.9 + 1 / 360] * 2, [0.9] * 2, 360)
    self.assertAlmostEqual(found.standard_error, 100 / 360 / math.sqrt(2))
    quantile = stats.t(1).ppf(0.975)
    self.assertAlmostEqual(found.half_width, quantile * found.standard_error)

  def test_folds_have_the_variance_of_nadeau_and_bengio(self):
    own, base = np.random.RandomState(0).uniform(0.9, 1.0, (2, 10))
    alone = statistics.paired_difference(own, base, 180)
    folds = statistics.paired_difference(own, base, 180, overlap=1 / 9)
    ratio = folds.standard_error / alone.standard_error
    self.assertAlmostEqual(ratio, math.sqrt((1 / 10 + 1 / 9) / (1 / 10)))

  def test_one_seed_has_no_interval(self):
    found = statistics.paired_difference([0.98], [0.97], 10_000)
    self.assertTrue(math.isnan(found.half_width))
    self.assertEqual(str(found), '+1.00')


class VerdictTest(parameterized.TestCase):
  def test_is_two_one_sided_tests(self):
    own, base = 0.97 + np.random.RandomState(1).normal(0, 3e-3, (2, 6))
    difference = statistics.paired_difference(own, base, 10_000)
    distances, verdicts = 100 * (own - base), set()
    for margin in np.linspace(0.01, 1.5, 50):
      tests = (
        stats.ttest_1samp(distances, -margin, alternative='greater'),
        stats.ttest_1samp(distances, margin, alternative='less'),
      )
      is_equivalent = max(test.pvalue for test in tests) < 0.05
      verdict = statistics.verdict(difference, margin).partition(' ')[0]
      self.assertEqual(verdict == 'within', is_equivalent)
      verdicts.add(verdict)
    self.assertEqual(verdicts, {'within', 'not', 'inconclusive'})

  def test_few_seeds_have_no_verdict(self):
    few, enough = (
      statistics.paired_difference([0.9] * number, [0.9] * number, 10_000)
      for number in (4, 5)
    )
    verdict = statistics.verdict(few, 1.0)
    self.assertEqual(verdict, 'inconclusive (4 of 5 seeds)')
    self.assertEqual(statistics.verdict(enough, 1.0), 'within 1 point')
