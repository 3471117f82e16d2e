"""Tests of claims: their verdicts, their records, and the commands of these."""

import dataclasses
import re
import shlex

from absl.testing import absltest
from absl.testing import parameterized

from experiments import cells
from experiments import claim_table
from experiments import claims
from experiments import commands
from experiments import config_records
from experiments import defaults
from experiments import grids
from experiments import tables
from experiments import verdicts
from ssnn_jax.runs import records

_SWEEPS = {
  record: [
    tuple(word[2:].split('=', 1))
    for word in shlex.split(own[0])
    if word.startswith('--')
  ]
  for record, own in commands.COMMANDS.items()
  if own[0].startswith('python -m experiments.sweep')
}
_DEVIATIONS = 'accuracy', 'by potential', 'read as ANN', 'update', 'quant'


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
  def test_by_hand(self, judge, numbers, word, margin, reason):
    verdict = judge(verdicts.interval(numbers))
    self.assertEqual((verdict.word, verdict.reason), (word, reason))
    self.assertAlmostEqual(verdict.margin, margin, 12)

  def test_the_worst_counts(self):
    within = verdicts.within(1)
    found = {
      mean: within(verdicts.interval([mean, 0.5])) for mean in (0, 0.4, 1, 3, 2)
    }
    self.assertIs(verdicts.worst(found.values()), found[3])
    self.assertIs(verdicts.worst(found[n] for n in (0, 0.4, 1)), found[1])
    self.assertIs(verdicts.worst(found[n] for n in (0, 0.4)), found[0.4])

  def test_an_interval_has_two_numbers_at_most(self):
    for numbers in ([], [1.0, 2.0, 3.0]):
      with self.assertRaises(ValueError):
        verdicts.interval(numbers)


class ClaimsTest(parameterized.TestCase):
  def test_all_are_told_once_with_their_verdicts(self):
    _, _, *rows = claim_table.table().splitlines()
    self.assertLen(rows, len(claim_table.CLAIMS))
    told = [claim.statement for claim in claim_table.CLAIMS]
    self.assertLen(set(told), len(told))
    for claim, row in zip(claim_table.CLAIMS, rows):
      self.assertStartsWith(row, f'| {claim.statement} | ')
      verdict = claim_table.judge(claim)
      self.assertEndsWith(row, f'| {verdict.word}: {verdict.reason} |')
      self.assertLen(re.findall(r'(?<!\\)\|', row), 8)

  def test_a_verdict_is_of_what_was_measured(self):
    reference = 'SSNN, T = 16; minus'
    mean, half_width = cells.numbers(f'spike_train_length-digits: {reference}')
    farthest = abs(mean) + half_width
    for bound, word in (
      (farthest + 0.01, verdicts.HOLDS),
      (abs(mean), verdicts.UNTOLD),
      (abs(mean) - half_width - 0.01, verdicts.FAILS),
    ):
      claim = claims.Claim(
        *('', 'spike_train_length-digits', {'x': reference}, 'points'),
        verdicts.within(bound),
      )
      self.assertEqual(claim_table.judge(claim).word, word)
    self.assertEqual(
      claim_table.measured(claim),
      f'x: {mean:.2f} ± {half_width:.2f} points',
    )

  def test_a_deviation_is_no_interval(self):
    for claim in claim_table.CLAIMS:
      for reference in claim.measured.values():
        column, *words = reference.split('; ')[1:]
        if ' less ' not in reference and not words:
          self.assertFalse(column.startswith(_DEVIATIONS), claim.statement)


class CommandsTest(parameterized.TestCase):
  def test_all_records_have_one(self):
    folders = {path.name for path in tables.FOLDER.iterdir()}
    self.assertEqual(set(commands.COMMANDS), folders)

  @parameterized.parameters(*_SWEEPS.items())
  def test_a_sweep_has_made_what_its_flags_say(self, record, given):
    flags = dict(given)
    seeds = range(int(flags.pop('num_seeds', 5)))
    asked = [grids.parse(text) for name, text in given if name == 'grid']
    if not flags.pop('grid', None):
      asked = grids.SWEEPS[flags.pop('sweep', 'spike_train_length')]
    fields = {
      name: value
      for flag, text in flags.items()
      for name, (value,) in grids.parse(
        f'{flag}={text.replace(",", "-")}'
      ).items()
    }
    base = defaults.CONFIGS[flags['dataset']]
    listed = grids.settings(dataclasses.replace(base, **fields), *asked)
    expected = {
      f'{setting.name}/seed={seed}': config_records.as_record(
        dataclasses.replace(setting.config, seed=seed)
      )
      for setting in listed
      for seed in seeds
    }
    folder = tables.folder(record)
    found = {
      str(run.folder.relative_to(folder)): config_records.complete(run.config)
      for run in records.find(folder)
    }
    self.assertEqual(found, expected)


if __name__ == '__main__':
  absltest.main()
