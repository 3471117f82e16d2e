"""Tests of the verdicts on claims, and of lengths in words."""

from absl.testing import parameterized

from experiments.analysis import claims
from experiments.analysis import lengths
from experiments.analysis import statistics
from tests.testing.sweeps import accuracies
from tests.testing.sweeps import make_frame

SEEDS = 5


def near(mean, deviation=0.1, num=SEEDS):
  return statistics.Number(mean, deviation, num, True)


def judge(claim, **numbers):
  (verdict,) = claims.judge([claim], [numbers])
  return verdict


class ClaimsTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'above': 1}, near(2), claims.SUPPORTED, '1.88 > 1, p = 1.2e-05'),
    ({'above': 1}, near(1.05), claims.INCONCLUSIVE, '0.926 < 1, p = 0.16'),
    ({'above': 1}, near(0), claims.REFUTED, '0.124 < 1, p = 1.2e-05'),
    ({'below': 1}, near(0), claims.SUPPORTED, '0.124 < 1, p = 1.2e-05'),
    (
      {'within': 0.3},
      near(-0.1),
      claims.SUPPORTED,
      '-0.224 > -0.3, p = 0.0055',
    ),
    ({'within': 0.3}, near(0.25), claims.INCONCLUSIVE, '0.374 > 0.3, p = 0.16'),
    ({'within': 0.3}, near(0.5), claims.REFUTED, '0.376 > 0.3, p = 0.0055'),
    ({'below': 4}, statistics.Number(3.4), claims.SUPPORTED, '3.4 < 4'),
    ({'below': 4}, statistics.Number(12.8), claims.REFUTED, '12.8 > 4'),
    ({'below': 4}, statistics.Number(4.0), claims.REFUTED, '4 = 4'),
  )
  def test_verdict_of_one_number(self, bounds, number, word, reason):
    claim = claims.Claim('', ('x',), **bounds)
    self.assertEqual(judge(claim, x=number), (word, reason))

  def test_a_difference_within_chance_is_no_equivalence(self):
    # The interval contains zero, and a difference as large as the margin.
    claim = claims.Claim('', ('x',), within=0.3)
    verdict = judge(claim, x=near(0.05, deviation=1.0))
    self.assertEqual(verdict.word, claims.INCONCLUSIVE)

  def test_all_numbers_have_to_support_a_claim(self):
    claim = claims.Claim('', ('x', 'y'), above=0)
    good, open_, bad = near(1), near(0.01), near(-1)
    self.assertEqual(judge(claim, x=good, y=good).word, claims.SUPPORTED)
    self.assertEqual(judge(claim, x=good, y=open_).word, claims.INCONCLUSIVE)
    verdict = judge(claim, x=good, y=bad)
    self.assertEqual(verdict.word, claims.REFUTED)
    self.assertIn('-0.876 < 0', verdict.reason)

  def test_many_claims_need_stronger_evidence(self):
    claim, number = claims.Claim('', ('x',), above=0), near(0.12)
    self.assertEqual(judge(claim, x=number).word, claims.SUPPORTED)
    verdicts = claims.judge([claim] * 30, [{'x': number}] * 30)
    self.assertEqual({x.word for x in verdicts}, {claims.INCONCLUSIVE})
    # Numbers without uncertainty are no tests, and do not count.
    exact = {'x': statistics.Number(1.0)}
    verdicts = claims.judge([claim] * 30, [{'x': number}, *[exact] * 29])
    self.assertEqual({x.word for x in verdicts}, {claims.SUPPORTED})

  def test_few_seeds_are_reported(self):
    claim = claims.Claim('', ('x',), above=0)
    self.assertIn('only 3 seeds', judge(claim, x=near(1, num=3)).reason)
    self.assertNotIn('seeds', judge(claim, x=near(1)).reason)


class LengthsTest(parameterized.TestCase):
  @parameterized.parameters(
    ((-5, -0.2, 0.0), 'within 1 point of the ANN for T >= 16'),
    ((0.1, -0.2, 0.0), 'within 1 point of the ANN for T >= 4'),
    ((-5, -3, 0.0), 'within 1 point of the ANN for T = 64'),
    (
      (-5, -1, 0.0),
      'within 1 point of the ANN for T = 64 (inconclusive at T = 16)',
    ),
    ((-5, -4, -3), 'not within 1 point of the ANN up to T = 64'),
    (
      (-5, -3, -1),
      'inconclusive (margin: 1 point)',
    ),
  )
  def test_shortest_sufficient_length(self, means, expected):
    numbers = dict(zip((4, 16, 64), map(near, means)))
    self.assertEqual(lengths.compare(numbers, 1), expected)

  def test_sweep_has_a_sentence_for_each_curve(self):
    def final(config):
      loss = 0 if config.method == 'bp' or config.sampler == 'sobol' else 3
      return accuracies(90 + 0.1 * config.seed - loss)

    runs = make_frame(
      'num_steps=16,64;sampler=bernoulli,sobol', final, num_seeds=5
    )
    self.assertEqual(
      lengths.describe(runs),
      [
        'ssnn, sampler=bernoulli: not within 1 point of the ANN up to T = 64.',
        'ssnn, sampler=sobol: within 1 point of the ANN for T >= 16.',
      ],
    )
    self.assertEmpty(lengths.describe(make_frame('window=8,32', final)))
    few = make_frame('num_steps=16,64;sampler=sobol', final, num_seeds=3)
    self.assertEqual(
      lengths.describe(few), ['ssnn: inconclusive (margin: 1 point).']
    )
