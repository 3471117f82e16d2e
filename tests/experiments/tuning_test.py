"""Tests for the choice of learning rates on held-out samples."""

import dataclasses
import pathlib

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from experiments import config_records
from experiments import defaults
from experiments import grid_summary
from experiments import grids
from experiments import plot
from experiments import tuning
from ssnn_jax.runs import records
from tests.experiments import grid_summary_test

BASE = defaults.CONFIGS['digits']
# Percent, of seed 0; that of seed 1 is 2 points higher.
ACCURACIES = {
  ('bp', 0.5): 95.0,
  ('bp', 2.0): 95.0,
  ('bp', 0.1): 90.0,
  ('bp', 1.0): 94.5,
  ('bp_stdp', 0.1): 70.0,
  ('bp_stdp', 1.0): 80.0,
}
TABLE = """\
method   learning rate  held-out accuracy          seeds
--------------------------------------------------------
bp       0.1            91.00 ± 1.41               2
bp       0.5            96.00 ± 1.41       picked  2
bp       1              95.50 ± 1.41               2
bp       2              96.00 ± 1.41               2
bp_stdp  0.1            71.00 ± 1.41               2
bp_stdp  1              81.00 ± 1.41       picked  2"""


def make_runs(num_seeds=2, workdir='nowhere', hold_out=0.2):
  """Makes finished runs of `ACCURACIES`."""
  runs = []
  for (method, rate), percent in ACCURACIES.items():
    for seed in range(num_seeds):
      config = dataclasses.replace(
        BASE, method=method, learning_rate=rate, hold_out=hold_out, seed=seed
      )
      final = {
        **{'event': 'final', 'method': method, 'seed': seed},
        **{'test_accuracy': (percent + 2 * seed) / 100},
        # Which is not what is judged by.
        **{'test_accuracy_potential': rate / 10, 'test_accuracy_rate': 0.0},
      }
      folder = pathlib.Path(workdir, f'{method}-{rate}', str(seed))
      runs.append(
        records.Run(folder, config_records.as_record(config), [final])
      )
  return runs


def make_settings(*listed):
  """Makes settings of grids, of which nothing is told."""
  final = {'event': 'final', 'seed': 0}
  return grid_summary.group(
    records.Run('nowhere', config_records.as_record(config), [final])
    for _, config in grids.settings(BASE, *listed)
  )


class TuningTest(parameterized.TestCase):
  @parameterized.parameters(
    ('method=bp;learning_rate=0.1,1;hold_out=0.2', True),
    ('learning_rate=0.1,1;hold_out=0.2', True),
    ('learning_rate=0.1,1', False),
    ('learning_rate=0.1,1;hold_out=0,0.2', False),
    ('learning_rate=0.1,1;hold_out=0.1,0.2', False),
    ('method=ssnn;learning_rate=0.1,1;num_steps=4,16;hold_out=0.2', False),
    ('method=bp,bp_stdp;hold_out=0.2', False),
    ('method=bp;hold_out=0.2', False),
  )
  def test_learning_rates_that_vary_alone_are_recognised(self, text, expected):
    settings = make_settings(grids.parse(text))
    self.assertEqual(tuning.is_tuning(settings), expected)

  def test_the_sweep_of_that_name_is_recognised(self):
    settings = make_settings(*grids.SWEEPS['tune'])
    self.assertTrue(tuning.is_tuning(settings))
    self.assertFalse(tuning.is_tuning([]))

  def test_the_lowest_of_the_best_rates_is_picked(self):
    runs = make_runs()
    for listed in (runs, runs[::-1]):
      self.assertEqual(
        tuning.pick(grid_summary.group(listed)), {'bp': 0.5, 'bp_stdp': 1.0}
      )

  def test_the_mean_over_seeds_decides(self):
    runs = make_runs()
    for run in runs:
      if run.final['method'] == 'bp' and run.config['learning_rate'] == 2.0:
        run.final['test_accuracy'] += (-0.02, 0.025)[run.final['seed']]
    self.assertEqual(tuning.pick(grid_summary.group(runs))['bp'], 2.0)

  def test_a_table_tells_each_rate(self):
    settings = grid_summary.group(make_runs())
    self.assertEqual(tuning.table(settings), TABLE)

  def test_a_figure_rings_what_is_picked(self):
    settings = grid_summary.group(make_runs())
    sheet = tuning.draw(settings)
    (axes,), (legend,) = sheet.axes, sheet.legends
    self.assertEqual(axes.get_xscale(), 'log')
    ann, other = (bars.lines[0].get_xydata() for bars in axes.containers)
    np.testing.assert_allclose(ann, [[0.1, 91], [0.5, 96], [1, 95.5], [2, 96]])
    np.testing.assert_allclose(other, [[0.1, 71], [1, 81]])
    rings = [line for line in axes.lines if line.get_fillstyle() == 'none']
    np.testing.assert_allclose(
      [ring.get_xydata() for ring in rings], [[[0.5, 96]], [[1, 81]]]
    )
    colors = [bars.lines[0].get_color() for bars in axes.containers]
    self.assertEqual([ring.get_color() for ring in rings], colors)
    self.assertNotEqual(*colors)
    labels = [text.get_text() for text in legend.get_texts()]
    self.assertEqual(labels, ['bp', 'bp_stdp'])
    self.assertIn('digits, 20% of', sheet.get_suptitle())

  def test_a_record_of_it_is_told_by_it(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    grid_summary_test.write_runs(make_runs(workdir=workdir))
    table, sheet, name = plot.read_record(workdir)
    self.assertEqual((table, name), (TABLE, 'tuning'))
    self.assertLen(sheet.axes, 1)


if __name__ == '__main__':
  absltest.main()
