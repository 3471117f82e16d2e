"""Tests of the choice of learning rates on held-out samples."""

import pathlib

from absl.testing import parameterized
import numpy as np

from experiments import grid_summary
from experiments import plot
from experiments import tuning
from experiments.config import grids
from tests.testing import sweeps

SWEEP = [
  'method=bp;learning_rate=0.5,2,0.1,1;hold_out=0.2',
  'method=bp_stdp;learning_rate=0.1,1;hold_out=0.2',
]
# Percent; that of seed 1 is 2 points higher.
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


def make_runs(workdir='nowhere'):
  """Returns runs that only differ from `ACCURACIES` in unused accuracies."""
  return sweeps.make_runs(
    SWEEP,
    lambda c: sweeps.accuracies(
      ACCURACIES[c.method, c.learning_rate] + 2 * c.seed,
      10 * c.learning_rate,
      0.0,
    ),
    workdir=workdir,
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
    (grids.SWEEPS['tune'], True),
  )
  def test_recognizes_sweeps_over_learning_rates(self, sweep, expected):
    settings = sweeps.make_settings(sweep)
    self.assertEqual(tuning.is_tuning(settings), expected)

  def test_no_settings_are_no_tuning(self):
    self.assertFalse(tuning.is_tuning([]))

  def test_picks_the_lowest_of_the_best_rates(self):
    runs = make_runs()
    for listed in (runs, runs[::-1]):
      self.assertEqual(
        tuning.pick(grid_summary.group(listed)), {'bp': 0.5, 'bp_stdp': 1.0}
      )

  def test_picks_by_the_mean_over_seeds(self):
    runs = make_runs()
    for run in runs:
      if run.final['method'] == 'bp' and run.config['learning_rate'] == 2.0:
        run.final['test_accuracy'] += (-0.02, 0.025)[run.final['seed']]
    self.assertEqual(tuning.pick(grid_summary.group(runs))['bp'], 2.0)

  def test_figure_marks_the_picked_rates(self):
    sheet = tuning.draw(grid_summary.group(make_runs()))
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

  def test_record_has_the_table_and_the_figure(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    sweeps.write_runs(make_runs(workdir))
    table, sheet, name = plot.read_record(workdir)
    self.assertEqual((table, name), (TABLE, 'tuning'))
    self.assertLen(sheet.axes, 1)
