"""Tests of the statistics over seeds."""

import math
import re

from absl.testing import absltest
import numpy as np
from scipy import stats

from experiments import summary
import ssnn_jax
from ssnn_jax.runs import records
from tests.testing.sweeps import ACCURACIES
from tests.testing.sweeps import make_length_sweep


def accuracy_difference(runs):
  """Returns the difference of the shortest trains to the ANN."""
  comparison = summary.compare(summary.group(runs), 'here')
  return summary.paired_difference(
    comparison.spiking[0], comparison.ann, 'test_accuracy'
  )


class SummaryTest(absltest.TestCase):
  def test_groups_finished_runs_over_seeds(self):
    unfinished = records.Run('nowhere', {'method': 'ssnn'}, [])
    settings = summary.group([*make_length_sweep(), unfinished])
    self.assertEqual([s.num_steps for s in settings], [1, 16, 64])
    for setting in settings:
      self.assertEqual(setting.seeds, [0, 1, 2])
    first = settings[0]
    self.assertAlmostEqual(first.mean('test_accuracy'), 0.72)
    expected = np.sqrt((0.02**2 + 0.03**2 + 0.01**2) / 2)
    self.assertAlmostEqual(first.deviation('test_accuracy'), expected)

  def test_difference_is_a_paired_t_interval(self):
    mean, half_width = accuracy_difference(make_length_sweep())
    test = stats.ttest_rel(ACCURACIES[1], ACCURACIES['bp'])
    low, high = test.confidence_interval(0.95)
    self.assertAlmostEqual(mean - half_width, low)
    self.assertAlmostEqual(mean + half_width, high)

  def test_pairs_only_common_seeds(self):
    runs = [
      run
      for run in make_length_sweep()
      if run.config['seed'] != 1 or run.config['num_steps'] == 1
    ]
    mean, _ = accuracy_difference(runs)
    self.assertAlmostEqual(mean, (0.70 - 0.90 + 0.71 - 0.91) / 2)

  def test_one_seed_has_no_interval(self):
    runs = [run for run in make_length_sweep() if run.config['seed'] == 0]
    self.assertTrue(math.isnan(accuracy_difference(runs)[1]))

  def test_compare_needs_one_ann_and_networks_that_differ_in_t(self):
    runs, others = make_length_sweep(), make_length_sweep(batch_size=7)
    for mixed in (
      runs + others,
      runs + [run for run in others if run.config['method'] == 'ssnn'],
      [run for run in runs if run.config['method'] == 'ssnn'],
      [run for run in runs if run.config['method'] == 'bp'],
      [],
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, '--workdir=here holds'):
        summary.compare(summary.group(mixed), 'here')

  def test_missing_values_are_blank(self):
    runs = make_length_sweep()
    for run in runs[:3]:
      del run.final['update_error']
    lacking, *others = summary.group(runs)[::-1]
    self.assertEqual(lacking.num_steps, 64)
    self.assertEqual(summary.spread(lacking, 'update_error', 1, 3), '')
    text = summary.spread(lacking, 'quantisation_error', 1, 3)
    self.assertEqual(text, '0.910 ± 0.010')
    for setting in others:
      self.assertNotEqual(summary.spread(setting, 'update_error', 1, 3), '')

  def test_counts_seeds(self):
    runs = make_length_sweep({'bp': [0.9] * 3, 1: [0.7] * 5, 64: [0.8]})
    one, ann, more = sorted(summary.group(runs), key=lambda s: len(s.seeds))
    both = 'mean and standard deviation (bars, bands) over '
    for settings, seeds, bars in (
      ([one, one], 'one seed', 'one seed'),
      ([ann], '3 seeds', f'{both}3 seeds'),
      ([ann, more], '3 to 5 seeds', f'{both}3 to 5 seeds'),
      ([ann, one, more], '1 to 5 seeds', f'{both}1 to 5 seeds'),
    ):
      self.assertEqual(summary.count_seeds(settings), seeds)
      self.assertEqual(summary.describe_bars(settings), bars)

  def test_table_has_a_row_for_each_setting(self):
    comparison = summary.compare(summary.group(make_length_sweep()), 'here')
    lines = summary.table(comparison).splitlines()
    self.assertLen(lines, 5)
    cells = [re.split(' {2,}', line) for line in lines]
    self.assertLen(cells[0], 8)
    self.assertEqual(cells[2], ['ANN (BP)', '91.00 ± 1.00', '3'])
    # The differences are -0.20, -0.17 and -0.20; Student's t is 4.303.
    one = ['72.00 ± 2.65'] * 3 + ['-19.00 ± 4.30'] + ['0.720 ± 0.026'] * 2
    self.assertEqual(cells[3], ['SSNN, T = 1', *one, '3'])
    # The differences are 0.01, 0 and -0.01.
    last = ['91.00 ± 1.00'] * 3 + ['+0.00 ± 2.48'] + ['0.910 ± 0.010'] * 2
    self.assertEqual(cells[4], ['SSNN, T = 64', *last, '3'])
