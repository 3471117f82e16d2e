"""Tests of tables of text, and of the line above them in pages."""

from absl.testing import absltest
import pandas as pd

from experiments.analysis import grid_table
from experiments.analysis import record_section
from tests.testing.sweeps import accuracies
from tests.testing.sweeps import make_frame

TABLE = """\
Heading
all rows: seeds 5
all rows but bp: device custom
settle by timing: none (buffered), 0 (realtime)

                     final
method  T  timing    potential
------------------------------
bp
ssnn    4  buffered  1 ± 0
ssnn    4  realtime  2 ± 0
ssnn    8  realtime  3 ± 0"""


def final(config):
  return accuracies(90 + config.seed)


class LayOutTest(absltest.TestCase):
  def test_names_shared_and_dependent_values_once(self):
    columns = {
      'method': ['bp', *3 * ['ssnn']],
      'device': ['', *3 * ['custom']],
      'num_steps': ['', '4', '4', '8'],
      'timing': ['', 'buffered', 'realtime', 'realtime'],
      'settle': ['', 'none', '0', '0'],
      'final potential': ['', '1 ± 0', '2 ± 0', '3 ± 0'],
      'update error': 4 * [''],
      'seeds': 4 * ['5'],
    }
    (table,) = grid_table.set_titles({'Heading': pd.DataFrame(columns)})
    self.assertEqual(grid_table.lay_out(table), TABLE)

  def test_wide_tables_continue_below_next_to_their_keys(self):
    columns = {'key': ['a', 'b', 'c']}
    columns |= {f'{i}': [f'{i}{j:028}' for j in range(3)] for i in range(8)}
    columns['6'][1] = columns['7'][1] = ''
    text = grid_table.lay_out(pd.DataFrame(columns))
    lines = text.splitlines()
    self.assertLessEqual(max(map(len, lines)), grid_table.WIDTH)
    blocks = text.split('\n\n')
    self.assertLen(blocks, 3)
    for block, keys in zip(blocks, ('abc', 'abc', 'ac')):
      heads, _, *rows = block.splitlines()
      self.assertEqual(heads.split()[0], 'key')
      self.assertEqual(''.join(row[0] for row in rows), keys)
    cells = {cell for line in lines for cell in line.split()}
    expected = {cell for own in columns.values() for cell in own if cell}
    self.assertContainsSubset(expected, cells)


class ConditionsTest(absltest.TestCase):
  def describe(self, grid):
    text = record_section.describe_conditions(make_frame(grid, final))
    return text.partition('. ')[0]

  def test_names_simulation_trains_and_steps(self):
    ours = self.describe('num_steps=8')
    self.assertEqual(ours, 'Fast simulation, Sobol trains, T = 8')
    self.assertEqual(
      self.describe('num_steps=8,16;sampler=bernoulli,sobol;timing=realtime'),
      'Real time, Bernoulli or Sobol trains',
    )
    self.assertEqual(self.describe('method=bp'), 'ANN')
    chip = self.describe('method=bp,chip;num_steps=8')
    self.assertEqual(chip, 'Integer arithmetic of the chip, T = 8')
