"""Tests of all studies with their committed records, and of the pages."""

import dataclasses
import functools
import re

from absl.testing import parameterized

from experiments import pages
from experiments import studies
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis import records
from experiments.config import experiment
from experiments.config import grids
from experiments.config import methods
import ssnn_jax
from tests.testing.figures import assert_readable


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
  base = dataclasses.replace(base, **study.base)
  merged = grids.merge(base, study.sweeps[dataset])
  return {
    (describe(setting.config), seed)
    for setting, num_seeds in merged.items()
    for seed in range(num_seeds)
  }


def find_drawn():
  """Lists studies and parts with own figures, and one with the generic one."""
  every = [part for name in studies.NAMES for part in pages.sections(name)]
  return ['depth', *(name for name in every if studies.load(name).figure)]


class StudiesTest(parameterized.TestCase):
  # One test for all records: each process of a test session reads them again.
  def test_records_pages_and_claims_agree(self):
    for name in studies.NAMES:
      with self.subTest(name):
        self.check_claims(name)
        for part in pages.sections(name):
          self.check_records(part)
    self.check_pages()

  def check_claims(self, name):
    study = studies.load(name)
    self.assertEndsWith(study.question, '?')
    self.assertEqual(studies.question(name), study.question)
    known = pages.numbers(name)
    for claim in study.claims:
      self.assertContainsSubset(claim.numbers, known)
      self.assertEndsWith(claim.statement, '.')
      low, high = claim.bounds()
      self.assertLess(low, high)

  def check_records(self, name):
    """Checks that records have exactly the runs of the sweeps."""
    study, found = pages.read(name)
    self.assertEqual(bool(study.sweeps), not study.commands)
    self.assertNotEmpty(found)
    names = {dataset.replace('/', '-'): dataset for dataset in study.sweeps}
    for record, (header, runs) in found.items():
      self.assertEqual((header['study'], header['record']), (name, record))
      if not study.sweeps:
        self.assertIn(record, study.commands)
        continue
      expected = expected_runs(study, names[record])
      self.assertLen(runs, len(expected))
      described = {(describe(run), run.seed) for run in runs.itertuples()}
      self.assertEqual(described, expected)

  def check_pages(self):
    """Checks that pages agree with records, and have all figures."""
    linked = set()
    for path, text, problems in pages.remake():
      self.assertEqual(path.read_text(), text, path.name)
      self.assertNotRegex(text, r'\| nan\b', path.name)
      self.assertEmpty(problems, path.name)
      found = re.findall(r'\]\(([^)]+\.png)\)', text)
      linked |= {path.parent / name for name in found}
      for table in re.findall(r'(?ms)^```text\n(.*?)^```', text):
        widest = max(table.splitlines(), key=len)
        self.assertLessEqual(len(widest), grid_table.WIDTH, path.name)
    for path in linked:
      self.assertTrue(path.exists(), path.name)
    self.assertContainsSubset(set(pages.RESULTS.glob('*.png')), linked)

  @parameterized.parameters(*find_drawn())
  def test_figure_of_the_largest_record_is_readable(self, name):
    paths = (records.FOLDER / name).glob('*.jsonl')
    largest = max(paths, key=lambda path: path.stat().st_size)
    runs = records.read(largest).runs
    assert_readable(figures.of_study(studies.load(name), runs))

  @parameterized.parameters('none', 'online/none', 'depth/none')
  def test_unknown_study_is_refused_by_name(self, name):
    with self.assertRaisesRegex(ssnn_jax.UserError, f'--study={name} does not'):
      studies.load(name)

  def test_claims_are_distinct(self):
    statements = [
      claim.statement
      for name in studies.NAMES
      for claim in studies.load(name).claims
    ]
    self.assertLen(set(statements), len(statements))

  @parameterized.parameters(
    ('datasets', 'fashion_mnist_sobol_minus_ann_t16_added', 20),
    ('convolution', 'fashion_mnist_small_sobol_minus_ann_t64_added', 3),
    ('chip_bits', 'digits_w10_f10_9_added', 10),
  )
  def test_added_seeds_alone_test_a_claim(self, name, key, num_seeds):
    self.assertEqual(pages.numbers(name)[key].num, num_seeds)
    claims = studies.load(name).claims
    self.assertTrue(any(key in claim.numbers for claim in claims))

  @parameterized.parameters('datasets.nothing', 'nothing.ann', 'nothing')
  def test_numbers_are_named_by_study(self, name):
    with self.assertRaises(ssnn_jax.UserError):
      pages.write_number(name)
