"""Tests of all studies with their committed records, and of the pages."""

import functools
import re

from absl.testing import parameterized

from experiments import pages
from experiments import studies
from experiments.analysis import frames
from experiments.analysis import grid_plot
from experiments.analysis import records
from experiments.config import experiment
from experiments.config import grids
from experiments.config import methods
import ssnn_jax
from tests.testing.figures import assert_readable

RECORDS = [
  (path.parent.name, path.stem)
  for path in sorted(records.FOLDER.glob('*/*.jsonl'))
]


@functools.cache
def fields_of(method):
  """Returns the fields that affect a method."""
  return [f for f in frames.FIELDS if methods.concerns(method, f)]


def describe(run):
  """Returns the fields of a run that affect its method."""
  return run.method, *(getattr(run, name) for name in fields_of(run.method))


def expected_runs(study, dataset):
  """Returns all runs of a study on a data set, with their seeds."""
  is_built_in = dataset in experiment.CONFIGS
  base = experiment.default(dataset if is_built_in else f'{dataset}.npz')
  merged = grids.merge(base, study.sweeps[dataset])
  return {
    (describe(setting.config), seed)
    for setting, num_seeds in merged.items()
    for seed in range(num_seeds)
  }


class StudiesTest(parameterized.TestCase):
  @parameterized.parameters(*studies.NAMES)
  def test_study_is_complete(self, name):
    study, found = pages.read(name)
    self.assertEndsWith(study.question, '?')
    self.assertEqual(bool(study.sweeps), not study.commands)
    self.assertNotEmpty(found)
    known = pages.numbers(name)
    for claim in study.claims:
      self.assertContainsSubset(claim.numbers, known)
      self.assertEndsWith(claim.statement, '.')
      low, high = claim.bounds()
      self.assertLess(low, high)

  @parameterized.parameters(
    'depth', *(name for name in studies.NAMES if studies.load(name).figure)
  )
  def test_figure_of_the_largest_record_is_readable(self, name):
    study, found = pages.read(name)
    runs = max((record.runs for record in found.values()), key=len)
    drawn = grid_plot.of_study(study, runs)
    self.assertEqual(drawn is None, not (study.figure or study.sweeps))
    if drawn is not None:
      assert_readable(drawn)

  @parameterized.parameters(*RECORDS)
  def test_record_has_the_runs_of_its_sweeps(self, name, record):
    study, found = pages.read(name)
    if not study.sweeps:
      self.assertIn(record, study.commands)
      return
    names = {dataset.replace('/', '-'): dataset for dataset in study.sweeps}
    expected = expected_runs(study, names[record])
    runs = list(found[record].runs.itertuples())
    self.assertLen(runs, len(expected))
    self.assertEqual({(describe(run), run.seed) for run in runs}, expected)

  def test_unknown_study_is_refused_by_name(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, '--study=none does not'):
      studies.load('none')

  def test_claims_are_distinct(self):
    statements = [
      claim.statement
      for name in studies.NAMES
      for claim in studies.load(name).claims
    ]
    self.assertLen(set(statements), len(statements))


class PagesTest(parameterized.TestCase):
  def test_pages_agree_with_records_and_figures(self):
    linked = set()
    for path, text, problems in pages.remake():
      self.assertEqual(path.read_text(), text, path.name)
      self.assertNotRegex(text, r'\| nan\b', path.name)
      self.assertEmpty(problems, path.name)
      found = re.findall(r'\]\(([^)]+\.png)\)', text)
      linked |= {path.parent / name for name in found}
    for path in linked:
      self.assertTrue(path.exists(), path.name)
    committed = set(pages.RESULTS.glob('*.png'))
    self.assertContainsSubset(committed, linked)

  def test_numbers_are_named_by_study(self):
    for reference in ('datasets.nothing', 'nothing.ann', 'datasets'):
      with self.assertRaises(ssnn_jax.UserError):
        pages.write_number(reference)
