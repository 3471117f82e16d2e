"""Tests for the statistics over seeds."""

import math
import re

from absl.testing import absltest
import numpy as np
from scipy import stats

from experiments import summary
import ssnn_jax
from ssnn_jax.runs import records

ACCURACY = {
  'bp': [0.90, 0.92, 0.91],
  1: [0.70, 0.75, 0.71],
  64: [0.91, 0.92, 0.90],
}


def make_runs(accuracy=ACCURACY, **options):
  """Makes finished runs of the ANN and of spiking networks, last T first."""
  for setting, values in reversed(accuracy.items()):
    for seed, value in enumerate(values):
      is_ann = setting == 'bp'
      config = {
        'method': 'bp' if is_ann else 'ssnn',
        'num_steps': 16 if is_ann else setting,
        'dataset': 'digits',
        'hold_out': 0.0,
        'seed': seed,
        **options,
      }
      final = dict.fromkeys(summary.ACCURACIES + summary.ERRORS, value)
      final |= {'event': 'final', 'seed': seed}
      yield records.Run('nowhere', config, [final])


class SummaryTest(absltest.TestCase):
  def test_runs_are_grouped_over_seeds(self):
    unfinished = records.Run('nowhere', {'method': 'ssnn'}, [])
    settings = summary.group([*make_runs(), unfinished])
    self.assertEqual([s.num_steps for s in settings], [1, 16, 64])
    for setting in settings:
      self.assertEqual(setting.seeds, [0, 1, 2])
    first = settings[0]
    self.assertAlmostEqual(first.mean('test_accuracy'), 0.72)
    expected = np.sqrt((0.02**2 + 0.03**2 + 0.01**2) / 2)
    self.assertAlmostEqual(first.deviation('test_accuracy'), expected)

  def test_the_difference_is_paired(self):
    comparison = summary.compare(summary.group(make_runs()), 'here')
    mean, half_width = summary.paired_difference(
      comparison.spiking[0], comparison.ann, 'test_accuracy'
    )
    test = stats.ttest_rel(ACCURACY[1], ACCURACY['bp'])
    low, high = test.confidence_interval(0.95)
    self.assertAlmostEqual(mean - half_width, low)
    self.assertAlmostEqual(mean + half_width, high)

  def test_only_common_seeds_are_paired(self):
    runs = [run for run in make_runs() if run.config['seed'] != 1]
    runs += [r for r in make_runs() if r.config['num_steps'] == 1][1:2]
    comparison = summary.compare(summary.group(runs), 'here')
    mean, _ = summary.paired_difference(
      comparison.spiking[0], comparison.ann, 'test_accuracy'
    )
    self.assertAlmostEqual(mean, (0.70 - 0.90 + 0.71 - 0.91) / 2)

  def test_one_seed_has_no_interval(self):
    runs = [run for run in make_runs() if run.config['seed'] == 0]
    comparison = summary.compare(summary.group(runs), 'here')
    _, half_width = summary.paired_difference(
      comparison.spiking[0], comparison.ann, 'test_accuracy'
    )
    self.assertTrue(math.isnan(half_width))

  def test_what_cannot_be_compared_is_refused(self):
    runs = list(make_runs())
    others = list(make_runs(batch_size=7))
    for mixed in (
      runs + others,
      runs + [run for run in others if run.config['method'] == 'ssnn'],
      [run for run in runs if run.config['method'] == 'ssnn'],
      [run for run in runs if run.config['method'] == 'bp'],
      [],
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, '--workdir=here holds'):
        summary.compare(summary.group(mixed), 'here')

  def test_what_runs_lack_is_left_out(self):
    runs = list(make_runs())
    for run in runs[:3]:
      del run.final['update_error']
    lacking, *others = summary.group(runs)[::-1]
    self.assertEqual(lacking.num_steps, 64)
    self.assertEqual(summary.spread(lacking, 'update_error', 1, 3), '')
    told = summary.spread(lacking, 'quantisation_error', 1, 3)
    self.assertEqual(told, '0.910 ± 0.010')
    for setting in others:
      self.assertNotEqual(summary.spread(setting, 'update_error', 1, 3), '')

  def test_seeds_are_counted(self):
    runs = list(make_runs({'bp': [0.9] * 3, 1: [0.7] * 5, 64: [0.8]}))
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

  def test_the_table_tells_each_setting(self):
    comparison = summary.compare(summary.group(make_runs()), 'here')
    lines = summary.table(comparison).splitlines()
    self.assertLen(lines, 5)
    cells = [re.split(' {2,}', line) for line in lines]
    self.assertLen(cells[0], 8)
    self.assertEqual(cells[2], ['ANN (BP)', '91.00 ± 1.00', '3'])
    # The differences are -0.20, -0.17 and -0.20; Student's t is 4.303.
    one = ['72.00 ± 2.65'] * 3 + ['-19.00 ± 4.30'] + ['0.720 ± 0.026'] * 2
    self.assertEqual(cells[3], ['SSNN, T = 1', *one, '3'])
    # Here they are 0.01, 0 and -0.01.
    last = ['91.00 ± 1.00'] * 3 + ['+0.00 ± 2.48'] + ['0.910 ± 0.010'] * 2
    self.assertEqual(cells[4], ['SSNN, T = 64', *last, '3'])


if __name__ == '__main__':
  absltest.main()
