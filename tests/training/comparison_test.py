"""Tests of comparisons of a spiking network with its ANN."""

import math

from absl.testing import parameterized
import numpy as np
from scipy import stats

import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import training

CONFIG = ssnn_jax.NetworkConfig((6, 3), num_steps=8)
INPUTS = np.random.default_rng(0).random((64, 6), np.float32)
LABELS = np.argmax(INPUTS[:, :3], axis=1)
DATASET = datasets.Dataset(
  'made up',
  datasets.Split(INPUTS[:32], LABELS[:32]),
  datasets.Split(INPUTS[32:], LABELS[32:]),
  ('0', '1', '2'),
)


def compare(**options):
  values = {'num_epochs': 3, 'batch_size': 8, 'progress': False, **options}
  seeds = values.pop('seeds', (0, 7))
  return training.compare(CONFIG, DATASET, seeds, **values)


def made_up(ssnn, ann, margin=None):
  return training.Comparison(
    tuple(range(len(ann))), np.array(ssnn), np.array(ann), margin
  )


class ComparisonTest(parameterized.TestCase):
  def test_equals_trainings_of_both_networks(self):
    optimizer = training.make_optimizer(0.5)
    found = compare(seeds=(7,), optimizer=optimizer)
    networks = ssnn_jax.ssnn(CONFIG), ssnn_jax.ann(CONFIG)
    for network, accuracies in zip(networks, (found.ssnn, found.ann)):
      result = training.fit(
        network,
        optimizer,
        DATASET,
        num_epochs=3,
        batch_size=8,
        seed=7,
        progress=False,
      )
      self.assertEqual(accuracies[0], result.history.eval_accuracy[-1])

  def test_interval_is_that_of_paired_differences(self):
    ssnn, ann = [0.95, 0.97, 0.94, 0.96], [0.96, 0.975, 0.955, 0.96]
    found = made_up(ssnn, ann)
    interval = stats.ttest_rel(ssnn, ann).confidence_interval(0.95)
    low, high = (
      found.difference.mean + sign * found.half_width for sign in (-1, 1)
    )
    np.testing.assert_allclose(found.differences, [-1, -0.5, -1.5, 0])
    self.assertAlmostEqual(low, 100 * interval.low)
    self.assertAlmostEqual(high, 100 * interval.high)
    self.assertEqual(
      str(found),
      'spiking network 95.50 %, ANN 96.25 %: difference -0.75 ± 1.03 '
      'percentage points (95 % interval, 4 seeds)',
    )

  @parameterized.parameters(
    (2.0, True, ': within 2 points of the ANN'),
    (1.0, None, ': inconclusive (margin: 1 point)'),
    (0.1, None, ': inconclusive (margin: 0.1 points)'),
  )
  def test_verdicts_on_equivalence(self, margin, verdict, ending):
    found = made_up(
      [0.95, 0.97, 0.94, 0.96], [0.96, 0.975, 0.955, 0.96], margin
    )
    self.assertIs(found.is_equivalent, verdict)
    self.assertEndsWith(str(found), ending)

  def test_a_difference_beyond_the_margin_is_not_equivalent(self):
    found = made_up([0.90, 0.91, 0.92], [0.95, 0.96, 0.975], 1.0)
    self.assertIs(found.is_equivalent, False)
    ending = '; by two one-sided tests at 5 %: not within 1 point of the ANN'
    self.assertEndsWith(str(found), ending)

  def test_one_seed_has_no_interval(self):
    found = made_up([0.5], [0.6], 1.0)
    self.assertTrue(math.isnan(found.half_width))
    self.assertIsNone(found.is_equivalent)
    self.assertIn('(one seed)', str(found))

  @parameterized.parameters(
    ({'seeds': (1, 1)}, 'seeds are'),
    ({'seeds': ()}, 'seeds are'),
    ({'margin': -1.0}, 'margin is -1.0'),
    ({'evaluate': False}, 'no samples to evaluate on'),
    (
      {
        'optimizer': ssnn_jax.hardware.make_resistive(
          ssnn_jax.DeviceConfig(), 1
        )
      },
      'optimizer is of type Device',
    ),
  )
  def test_refuses_what_cannot_be_compared(self, options, message):
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      compare(**options)
