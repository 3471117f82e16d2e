"""Tests of claims: their verdicts, and the commands of their records."""

import dataclasses
import re
import shlex

from absl.testing import parameterized

from experiments import cells
from experiments import claim_table
from experiments import claims
from experiments import commands
from experiments import tables
from experiments import verdicts
from experiments.config import defaults
from experiments.config import grids
from experiments.config import serialization as config_records
from ssnn_jax.runs import records

# Flags of the sweep of each record.
FLAGS = {
  record: [
    tuple(word[2:].split('=', 1))
    for word in shlex.split(lines[0])
    if word.startswith('--')
  ]
  for record, lines in commands.COMMANDS.items()
  if lines[0].startswith('python -m experiments.sweep')
}
# Starts of columns that hold a standard deviation, not an interval.
DEVIATIONS = 'accuracy', 'by potential', 'read as ANN', 'update', 'quant'


class VerdictsTest(parameterized.TestCase):
  @parameterized.parameters(
    (verdicts.above(1), [2.0, 0.5], verdicts.HOLDS, 0.5, '1.5 > 1'),
    (verdicts.above(1), [2.0, 1.5], verdicts.UNTOLD, 0.5, '0.5 ≤ 1 ≤ 3.5'),
    (verdicts.above(1), [0.0, 0.5], verdicts.FAILS, -0.5, '0.5 ≤ 1'),
    (verdicts.above(1), [1.0], verdicts.FAILS, 0.0, '1 ≤ 1'),
    (verdicts.below(1), [0.0, 0.5], verdicts.HOLDS, 0.5, '0.5 < 1'),
    (verdicts.below(1), [0.0, 1.5], verdicts.UNTOLD, 0.5, '-1.5 ≤ 1 ≤ 1.5'),
    (verdicts.below(1), [2.0, 0.5], verdicts.FAILS, -0.5, '1.5 ≥ 1'),
    (verdicts.within(0.3), [-0.1, 0.2], verdicts.HOLDS, 0.0, '0.3 ≤ 0.3'),
    (verdicts.within(1), [-1.0, 0.5], verdicts.UNTOLD, 0.5, '0.5 ≤ 1 ≤ 1.5'),
    (verdicts.within(1), [0.5, 1.0], verdicts.UNTOLD, 0.5, '0 ≤ 1 ≤ 1.5'),
    (verdicts.within(1), [-2.0, 0.5], verdicts.FAILS, -0.5, '1.5 > 1'),
    (verdicts.between(1, 2), [1.75], verdicts.HOLDS, 0.25, '1.75 < 2'),
    (verdicts.between(1, 2), [2.5], verdicts.FAILS, -0.5, '2.5 ≥ 2'),
    (verdicts.between(1, 2), [0.5], verdicts.FAILS, -0.5, '0.5 ≤ 1'),
    (verdicts.unseen, [-0.5, 1.0], verdicts.HOLDS, 0.5, '-1.5 ≤ 0 ≤ 0.5'),
    (verdicts.unseen, [-1.5, 1.0], verdicts.FAILS, -0.5, '-0.5 < 0'),
    (verdicts.unseen, [1.5, 1.0], verdicts.FAILS, -0.5, '0.5 > 0'),
  )
  def test_verdicts_of_known_intervals(
    self, judge, numbers, word, margin, reason
  ):
    verdict = judge(verdicts.interval(numbers))
    self.assertEqual((verdict.word, verdict.reason), (word, reason))
    self.assertAlmostEqual(verdict.margin, margin, 12)

  def test_worst_verdict_has_the_smallest_margin(self):
    within = verdicts.within(1)
    found = {
      mean: within(verdicts.interval([mean, 0.5])) for mean in (0, 0.4, 1, 3, 2)
    }
    self.assertIs(verdicts.worst(found.values()), found[3])
    self.assertIs(verdicts.worst(found[n] for n in (0, 0.4, 1)), found[1])
    self.assertIs(verdicts.worst(found[n] for n in (0, 0.4)), found[0.4])

  def test_interval_has_one_or_two_numbers(self):
    for numbers in ([], [1.0, 2.0, 3.0]):
      with self.assertRaises(ValueError):
        verdicts.interval(numbers)


class ClaimsTest(parameterized.TestCase):
  def test_table_has_each_claim_once_with_its_verdict(self):
    _, _, *rows = claim_table.table().splitlines()
    self.assertLen(rows, len(claim_table.CLAIMS))
    statements = [claim.statement for claim in claim_table.CLAIMS]
    self.assertLen(set(statements), len(statements))
    for claim, row in zip(claim_table.CLAIMS, rows):
      self.assertStartsWith(row, f'| {claim.statement} | ')
      verdict = claim_table.judge(claim)
      self.assertEndsWith(row, f'| {verdict.word}: {verdict.reason} |')
      self.assertLen(re.findall(r'(?<!\\)\|', row), 8)

  def test_verdict_depends_on_the_recorded_interval(self):
    reference = 'SSNN, T = 16; minus'
    mean, half_width = cells.numbers(f'spike_train_length-digits: {reference}')
    farthest = abs(mean) + half_width
    for bound, word in (
      (farthest + 0.01, verdicts.HOLDS),
      (abs(mean), verdicts.UNTOLD),
      (abs(mean) - half_width - 0.01, verdicts.FAILS),
    ):
      claim = claims.Claim(
        statement='',
        record='spike_train_length-digits',
        measured={'x': reference},
        unit='points',
        holds=verdicts.within(bound),
      )
      self.assertEqual(claim_table.judge(claim).word, word)
    self.assertEqual(
      claim_table.measured(claim),
      f'x: {mean:.2f} ± {half_width:.2f} points',
    )

  def test_standard_deviations_are_not_judged_as_intervals(self):
    for claim in claim_table.CLAIMS:
      for reference in claim.measured.values():
        column, *words = reference.split('; ')[1:]
        if ' less ' not in reference and not words:
          self.assertFalse(column.startswith(DEVIATIONS), claim.statement)


class CommandsTest(parameterized.TestCase):
  def test_each_record_has_a_command(self):
    folders = {path.name for path in tables.FOLDER.iterdir()}
    self.assertEqual(set(commands.COMMANDS), folders)

  def test_each_sweep_has_a_record(self):
    named = {
      dict(given).get('sweep', 'spike_train_length')
      for given in FLAGS.values()
      if 'grid' not in dict(given)
    }
    self.assertEqual(named, set(grids.SWEEPS))

  @parameterized.parameters(*FLAGS.items())
  def test_record_has_the_runs_of_its_command(self, record, given):
    flags = dict(given)
    seeds = range(int(flags.pop('num_seeds', 5)))
    self.assertGreaterEqual(len(seeds), 3)
    sweep = [grids.parse(text) for name, text in given if name == 'grid']
    if not flags.pop('grid', None):
      sweep = grids.SWEEPS[flags.pop('sweep', 'spike_train_length')]
    fields = {}
    for flag, text in flags.items():
      parsed = grids.parse(f'{flag}={text.replace(",", "-")}')
      fields |= {name: value for name, (value,) in parsed.items()}
    base = dataclasses.replace(defaults.CONFIGS[flags['dataset']], **fields)
    expected = {
      f'{setting.name}/seed={seed}': config_records.as_record(
        dataclasses.replace(setting.config, seed=seed)
      )
      for setting in grids.settings(base, *sweep)
      for seed in seeds
    }
    folder = tables.folder(record)
    found = {
      str(run.folder.relative_to(folder)): config_records.complete(run.config)
      for run in records.find(folder)
    }
    self.assertEqual(found, expected)
