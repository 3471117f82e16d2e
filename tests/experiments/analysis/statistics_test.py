"""Tests of means, paired differences and their tests."""

import math

from absl.testing import parameterized
import pandas as pd
from scipy import stats

from experiments.analysis import statistics
import ssnn_jax

OURS, THEIRS = [0.70, 0.75, 0.71, 0.74], [0.90, 0.92, 0.91, 0.90]


def make_setting(accuracies, seeds=None):
  seeds = range(len(accuracies)) if seeds is None else seeds
  return pd.DataFrame({'seed': list(seeds), 'test_accuracy': accuracies})


def make_folds(accuracies):
  """Returns four folds of 25 test samples."""
  samples = {'num_train_samples': 75, 'num_eval_samples': 25}
  return make_setting(accuracies).assign(folds=4, **samples)


def difference(ours=OURS, theirs=THEIRS, make=make_setting):
  return statistics.paired_difference(make(ours), make(theirs))


class StatisticsTest(parameterized.TestCase):
  def test_difference_has_the_paired_t_interval(self):
    number = difference()
    interval = stats.ttest_rel(OURS, THEIRS).confidence_interval(0.95)
    half = statistics.half_width(number)
    self.assertAlmostEqual(number.mean - half, 100 * interval.low)
    self.assertAlmostEqual(number.mean + half, 100 * interval.high)

  @parameterized.parameters(('greater', 'p_above'), ('less', 'p_below'))
  def test_one_sided_tests_agree_with_scipy(self, alternative, name):
    for bound in (-20.0, -18.5, -17.0):
      expected = stats.ttest_1samp(
        [100 * (x - y) for x, y in zip(OURS, THEIRS)],
        bound,
        alternative=alternative,
      ).pvalue
      found = getattr(statistics, name)(difference(), bound)
      self.assertAlmostEqual(found, expected)

  def test_folds_have_the_variance_of_nadeau_and_bengio(self):
    # Differences of -1, 1, 3 and 5 points: mean 2, variance 20 / 3. That of the
    # mean is (1 / 4 + 25 / 75) 20 / 3 = 35 / 9, instead of 5 / 3.
    ours, theirs = [0.79, 0.81, 0.83, 0.85], 4 * [0.8]
    number = difference(ours, theirs, make_folds)
    self.assertAlmostEqual(number.mean, 2)
    self.assertAlmostEqual(number.deviation, math.sqrt(20 / 3))
    # Quantiles of Student's t with 3 degrees of freedom: 3.182 and 2.353.
    half = 3.182446 * math.sqrt(35) / 3
    self.assertAlmostEqual(statistics.half_width(number), half, places=5)
    bound = 2 - 2.353363 * math.sqrt(35) / 3
    self.assertAlmostEqual(statistics.p_above(number, bound), 0.05, places=6)
    seeds = difference(ours, theirs)
    self.assertEqual(seeds._replace(overlap=1 / 3), number)
    half = 3.182446 * math.sqrt(5 / 3)
    self.assertAlmostEqual(statistics.half_width(seeds), half, places=5)

  def test_equivalence_is_the_worse_of_two_one_sided_tests(self):
    number = statistics.Number(0.1, 0.2, 5, True)
    self.assertEqual(
      statistics.p_between(number, -0.5, 0.5),
      max(statistics.p_above(number, -0.5), statistics.p_below(number, 0.5)),
    )

  def test_numbers_without_uncertainty_are_certain(self):
    exact = statistics.Number(2.0)
    self.assertEqual(statistics.p_above(exact, 1), 0)
    self.assertEqual(statistics.p_above(exact, 2), 1)
    self.assertEqual(statistics.p_below(exact, 3), 0)

  def test_one_seed_decides_nothing(self):
    number = difference([0.7], [0.9])
    self.assertTrue(math.isnan(statistics.half_width(number)))
    self.assertEqual(statistics.p_below(number, 0), 1)

  def test_pairs_common_seeds_only(self):
    ours = make_setting([0.7, 0.8], [0, 2])
    theirs = make_setting([0.9, 0.5, 0.7], [0, 1, 2])
    number = statistics.paired_difference(ours, theirs)
    self.assertAlmostEqual(number.mean, 100 * (-0.2 + 0.1) / 2)
    self.assertEqual(number.num, 2)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'common seed'):
      statistics.paired_difference(ours, make_setting([0.9], [7]))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'equal seeds'):
      statistics.paired_difference(ours, make_setting([0.9, 0.8], [0, 0]))

  def test_holm_multiplies_by_the_number_of_remaining_claims(self):
    found = statistics.holm([0.04, 0.01, 0.03, 0.8])
    for value, expected in zip(found, [0.09, 0.04, 0.09, 0.8]):
      self.assertAlmostEqual(value, expected)
    self.assertEqual(statistics.holm([]), [])

  def test_error_of_the_test_set_is_binomial(self):
    self.assertAlmostEqual(statistics.test_set_error(0.9, 100), 0.03)

  @parameterized.parameters(
    (statistics.Number(-0.2, 0.1, 4, True), '', '-0.20 ± 0.16'),
    (statistics.Number(-0.2, 0.1, 4, True), '.1f', '-0.2'),
    (statistics.Number(-0.2, 0.1, 4, True), 'abs', '0.20'),
    (statistics.Number(98.0, 0.12, 4), '', '98.00 ± 0.12'),
    (statistics.Number(0.5, 0.12, 4), 'both .3f', '0.500 ± 0.120'),
    (statistics.Number(0.5, 0.1, 4, True), 'both +.1f', '+0.5 ± 0.2'),
    (statistics.Number(98.0, 0.12, 4), '.0f', '98'),
    (statistics.Number(3.44159), '', '3.44'),
    (statistics.Number(1.0, math.nan, 1, True), '', '+1.00 (one seed)'),
    (statistics.Number(math.nan), '', ''),
  )
  def test_writes_numbers(self, number, form, expected):
    self.assertEqual(statistics.write(number, form), expected)
