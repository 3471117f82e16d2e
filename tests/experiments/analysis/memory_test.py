"""Tests of the comparison of stored bits and of the energy of accesses."""

from absl.testing import absltest

from experiments.analysis import grid_table
from experiments.analysis import memory
import ssnn_jax
from ssnn_jax.hardware import energy

SIZES = 784, 256, 10


class MemoryTest(absltest.TestCase):
  def test_compares_ways_of_learning(self):
    compared = memory.compare(SIZES, 64).set_index('learning')
    state = 266 + 256  # membranes and error currents
    kbit = {
      'real time, n = 1': 32 * state / 1e3,
      'buffered, n = 32': (32 * state + 83_968) / 1e3,
      'backpropagation': 33.28,
      'feedback alignment': 33.28,
      'surrogate gradient, T = 64': 64 * (1040 + 32 * 256) / 1e3 + 0.32,
    }
    self.assertEqual(list(compared.index), list(kbit))
    words = {
      'real time, n = 1': 2 * 64 * state,
      'buffered, n = 32': 2 * 2 * state + 2 * (1040 * 64 + 256 * 2) / 32,
      'backpropagation': 2 * 1040,
      'feedback alignment': 2 * 1040,
      'surrogate gradient, T = 64': 2 * (64 * (1040 / 32 + 256) + 10),
    }
    for name, row in compared.iterrows():
      self.assertAlmostEqual(row[memory.TOTAL], kbit[name])
      kinds = [x for x in row.index if x.endswith('kbit')]
      kinds = set(kinds) - {memory.TOTAL, memory.FEEDBACK}
      self.assertAlmostEqual(row[list(kinds)].sum(), kbit[name])
      for table in energy.TABLES:
        access = energy.load_table(table).memory_access
        nanojoules = words[name] * access / 1e3
        self.assertAlmostEqual(row[f'{table}, nJ'], nanojoules)
    feedback = compared[memory.FEEDBACK]
    self.assertEqual(feedback.pop('feedback alignment'), 2560 * 32 / 1e3)
    self.assertFalse(feedback.any())

  def test_writes_a_table(self):
    written = memory.write(memory.compare(SIZES, 64))
    self.assertNotIn('inhibition, kbit', written)
    row = written.set_index('learning').loc['backpropagation']
    self.assertEqual(row['activations, kbit'], '33.28')
    self.assertEqual(row['spikes, kbit'], '')
    self.assertIn('surrogate gradient, T = 64', grid_table.lay_out(written))

  def test_buffered_windows_are_no_longer_than_the_presentation(self):
    compared = memory.compare(SIZES, 16)
    self.assertIn('buffered, n = 16', list(compared['learning']))

  def test_rejects_presentations_without_time_for_errors(self):
    with self.assertRaises(ssnn_jax.UserError):
      memory.compare(SIZES, 3)
