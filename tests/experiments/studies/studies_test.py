"""Tests of the studies, their CSV files and their pages."""

import functools
import re
from unittest import mock

from absl.testing import parameterized

from experiments.runs import config as config_lib
from experiments.studies import frames
from experiments.studies import pages
from experiments.studies import repeat
from experiments.studies import studies
from experiments.studies import sweeps
from ssnn_jax import datasets
from tests.testing.experiments import blank_dataset

SWEPT = [
  (name, dataset)
  for name in studies.STUDIES
  for dataset in studies.load(name).sweeps
]
# Sets of the same sweeps as another one, or planned, without runs here.
WITHOUT_RUNS = {studies.ANY, 'emnist/balanced'}


def find_settings(name, dataset):
  """Returns the cells of each setting in the CSV file, and its seeds."""
  study, known = studies.load(name), dataset.replace(studies.ANY, 'mnist')
  data = blank_dataset(known.replace('emnist47', 'emnist/balanced'))
  source = 'shakespeare.txt' if dataset == 'shakespeare' else data.name
  base = config_lib.default(source, **study.base)
  if dataset == 'emnist47':  # a file, whose rate its sweeps have
    base = config_lib.ExperimentConfig('emnist47.npz', **study.base)
  settings = sweeps.list_settings(base, study.find_sweeps(dataset))
  configs, numbers = zip(*settings.values())
  cells = repeat.list_cells(study, configs, data)
  return dict(zip(cells, map(list, map(range, numbers)), strict=True))


class StudyTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    read = functools.cache(frames.read_csv)
    copy = lambda name: read(name).copy()
    cls.enterClassContext(mock.patch.object(frames, 'read_csv', copy))

  @parameterized.parameters(*SWEPT)
  def test_runs_are_those_of_the_sweeps(self, name, dataset):
    expected = find_settings(name, dataset)  # which are valid
    self.assertNotEmpty(expected)
    if dataset in WITHOUT_RUNS:
      return
    others = {'cifar10', 'emnist47', 'n_mnist/10ms', 'shakespeare'}
    self.assertIn(dataset, others.union(datasets.NAMES))
    study, runs = studies.load(name), frames.read_csv(name)
    own = runs[runs['dataset'] == dataset]
    groups = own.groupby(frames.setting_fields(study))
    found = {cells: list(group['seed'].dropna()) for cells, group in groups}
    self.assertEqual(found, expected)

  @parameterized.parameters(*studies.STUDIES)
  def test_csv_and_page_are_as_they_would_be_exported(self, name):
    study, text = studies.load(name), frames.path(name).read_text()
    runs = frames.read_csv(name)
    self.assertEqual(frames.to_csv(runs, study), text)
    head = text.partition('\n')[0].split(',')
    names = {'dataset', 'method', *study.columns, *study.metrics}
    self.assertContainsSubset(names, head)
    page, made = frames.path(name, 'md').read_text(), pages.page_table(name)
    begin, end = pages.MARKS
    self.assertIn(f'{begin}\n{made}\n{end}', page)
    self.assertNotIn(' / ', made)  # two settings in one cell
    self.assertIn(f'**{study.question}**', re.sub(r'\s+', ' ', page))
    self.assertIn(f'({name}.png)', page)
    self.assertTrue(frames.path(name, 'png').exists())
    for command in study.commands:
      self.assertIn(command, page)

  def test_time_and_memory_are_those_of_the_csv_files(self):
    page = frames.path(pages.EFFORTS, 'md').read_text()
    begin, end = pages.MARKS
    self.assertIn(f'{begin}\n{pages.efforts_table()}\n{end}', page)
