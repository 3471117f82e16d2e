"""Tests of the choice of learning rates on held-out samples."""

from absl.testing import absltest
import numpy as np

from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.studies import tuning
from tests.testing import sweeps

SWEEP = [
  'method=bp;learning_rate=0.5,2,0.1,1;hold_out=0.2',
  'method=bp_stdp;learning_rate=0.1,1;hold_out=0.2',
]
# Percent; the accuracy of seed 1 is 2 points higher.
ACCURACIES = {
  ('bp', 0.5): 95.0,
  ('bp', 2.0): 95.0,
  ('bp', 0.1): 90.0,
  ('bp', 1.0): 94.5,
  ('bp_stdp', 0.1): 70.0,
  ('bp_stdp', 1.0): 80.0,
}
TABLE = """\
all rows: seeds 2

method   rate  accuracy      best
---------------------------------
bp       0.1   91.00 ± 1.41
bp       0.5   96.00 ± 1.41  best
bp       1.0   95.50 ± 1.41
bp       2.0   96.00 ± 1.41
bp_stdp  0.1   71.00 ± 1.41
bp_stdp  1.0   81.00 ± 1.41  best"""


def make_frame(sweep=SWEEP, **options):
  """Returns runs with accuracies of `ACCURACIES`."""
  return sweeps.make_frame(
    sweep,
    lambda c: sweeps.accuracies(
      ACCURACIES[c.method, c.learning_rate] + 2 * c.seed - 50 * c.dropout, 0.0
    ),
    num_seeds=2,
    **options,
  )


class TuningTest(absltest.TestCase):
  def test_chooses_the_lowest_of_the_best_rates(self):
    runs = frames.select(make_frame(), method='bp')
    for listed in (runs, runs[::-1]):
      best = tuning.choose(frames.settings(listed))
      self.assertEqual(frames.field(best, 'learning_rate'), 0.5)

  def test_table_marks_the_best_setting_of_each_method(self):
    (table,) = tuning.table(make_frame())
    self.assertEqual(grid_table.lay_out(table), TABLE)

  def test_regularizers_compete_with_each_other(self):
    runs = make_frame(
      'method=bp;learning_rate=0.1,0.5;dropout=0.0,0.1;hold_out=0.2'
    )
    (table,) = tuning.table(runs)
    best = table[table['best'] == 'best']
    self.assertEqual(best['dropout'].tolist(), ['0.0'])
    (axes,) = tuning.draw(runs).axes
    (bars,) = axes.containers
    np.testing.assert_allclose(
      bars.lines[0].get_xydata(), [[0.1, 91], [0.5, 96]]
    )
