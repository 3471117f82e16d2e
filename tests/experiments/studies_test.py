"""Tests of the studies, their CSV files and their pages."""

import dataclasses
import re

from absl.testing import parameterized

from experiments import config as config_lib
from experiments import results
from experiments import run
from experiments import studies
from ssnn_jax import datasets
from ssnn_jax.datasets import catalog
from tests.testing.experiments import blank_dataset

SWEPT = [
  (name, dataset)
  for name in studies.NAMES
  for dataset in studies.load(name).sweeps
]
# Sets of the same sweeps as another one, without runs here.
WITHOUT_RUNS = {studies.ANY, 'emnist/balanced', ('depth', 'mnist')}
RECORDED = [case for case in SWEPT if not {*case, case} & WITHOUT_RUNS]
# Races of recorded runs differ in their latency, which is no field.
RECORDED_ONLY = {'inhibition_latency'}


def blank_dataset_of(dataset):
  """Returns blank samples for the sweeps of a data set."""
  known = 'mnist' if dataset == studies.ANY else dataset
  return blank_dataset(known.replace('emnist47', 'emnist/balanced'))


def find_settings(name, dataset):
  """Returns the cells of the columns of each setting, and its seeds."""
  study, data = studies.load(name), blank_dataset_of(dataset)
  path = f'{dataset}.npz' if dataset == 'emnist47' else dataset
  base = dataclasses.replace(config_lib.default(path), **study.base)
  found = []
  settings = run.list_settings(base, study.find_sweeps(dataset)).values()
  # ANNs of recordings have the T of their networks, if there are several.
  lengths = {x.num_steps for x, _ in settings if x.method == config_lib.ANN}
  has_lengths = catalog.is_recorded(dataset) and len(lengths) > 1
  for config, num_seeds in settings:
    network = config_lib.network_config(config, data)
    recorded = vars(config) | {  # as in the record of a run
      'window': network.schedule.window,
      'neuron': network.neuron,
      'sampler': network.input_sampler,
      'layer_sizes': network.layer_sizes,
    }
    cells = {'dataset': dataset, 'method': config.method}
    for column in study.columns:
      is_used = config_lib.concerns(config.method, column)
      is_used |= column == 'num_steps' and has_lengths
      value = recorded.get(column) if is_used else None
      cells[column] = results._write(column, value)
    found.append((cells, num_seeds))
  return found


class StudyTest(parameterized.TestCase):
  @parameterized.parameters(*SWEPT)
  def test_settings_are_valid(self, name, dataset):
    study, data = studies.load(name), blank_dataset_of(dataset)
    base = dataclasses.replace(config_lib.default(data.name), **study.base)
    sweeps = study.find_sweeps(dataset)
    settings = run.list_settings(base, sweeps).values()
    self.assertNotEmpty(settings)
    for config, _ in settings:
      config_lib.network_config(config, data)

  @parameterized.parameters(*RECORDED)
  def test_runs_are_those_of_the_sweeps(self, name, dataset):
    study, runs = studies.load(name), results.read_csv(name)
    known = set(datasets.IMAGES) | set(datasets.RECORDINGS) | {'emnist47'}
    self.assertIn(dataset, known)
    own = runs[runs['dataset'] == dataset]
    columns = [x for x in study.columns if x not in RECORDED_ONLY]
    found = {
      cells: list(group['seed'].dropna())
      for cells, group in own.groupby(['method', *columns])
    }
    expected = {
      tuple(cells[x] for x in ('method', *columns)): list(range(num_seeds))
      for cells, num_seeds in find_settings(name, dataset)
    }
    self.assertEqual(found, expected)

  @parameterized.parameters(*dict(RECORDED).items())  # one of each study
  def test_sweep_of_one_data_set_is_shown(self, name, dataset):
    study, runs = studies.load(name), results.read_csv(name)
    own = results.compare(runs[runs['dataset'] == dataset], study)
    self.assertGreater(results.table(own, study).count('\n'), 1)  # rows
    panels = results.draw(own, study).axes
    self.assertTrue(panels and all(axes.has_data() for axes in panels))

  @parameterized.parameters(*studies.NAMES)
  def test_csv_is_as_it_would_be_exported(self, name):
    study, text = studies.load(name), results.path(name).read_text()
    self.assertEqual(results.to_csv(results.read_csv(name), study), text)
    head = text.partition('\n')[0].split(',')
    self.assertEqual(
      head[: 2 + len(study.columns)], ['dataset', 'method', *study.columns]
    )
    self.assertContainsSubset(study.metrics, head)

  @parameterized.parameters(*studies.NAMES, results.README)
  def test_page_has_the_table_of_its_csv(self, name):
    page, made = results.path(name, 'md').read_text(), results.page_table(name)
    begin, end = results.MARKS
    self.assertIn(f'{begin}\n{made}\n{end}', page)
    self.assertNotIn(' / ', made)  # two settings in one cell
    if name != results.README:
      prose = re.sub(r'\s+', ' ', page)
      self.assertIn(f'**{studies.load(name).question}**', prose)
      self.assertIn(f'({name}.png)', page)
      self.assertTrue(results.path(name, 'png').exists())

  def test_other_data_sets_have_sweeps_of_their_own(self):
    study = studies.load('parity')
    self.assertEqual(study.find_sweeps('own'), study.sweeps[studies.ANY])
