"""Tests of records that are read back."""

import json
import pathlib

from absl.testing import parameterized

from experiments.config import experiment
from experiments.config import lines
from experiments.config import serialization
import ssnn_jax
from ssnn_jax.runs import records
from tests.testing.experiments import FINAL
from tests.testing.experiments import record_epochs


class LinesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path, 'run')
    record_epochs(self.folder, 2)
    records.append(self.folder, 'final', **FINAL)

  def edit(self, number, **changes):
    """Changes a line of the metrics, as by hand."""
    path = self.folder / records.METRICS
    text = path.read_text().splitlines()
    line = json.loads(text[number - 1]) | changes
    text[number - 1] = json.dumps(line)
    path.write_text('\n'.join(text) + '\n')

  def assert_refused(self, message):
    with self.assertRaisesRegex(
      ssnn_jax.UserError, rf'^{self.folder} is damaged, in {message}; restore'
    ):
      lines.read(self.folder)

  def test_reads_runs_and_finds_them(self):
    run = lines.read(self.folder)
    self.assertEqual(run, records.read(self.folder))
    self.assertEqual(list(lines.find(self.folder.parent)), [run])

  @parameterized.parameters(
    (2, {'loss': 'a'}, 'loss is "a"'),
    (2, {'event': []}, r'event is \[\]'),
    (2, {'event': 'header', 'config': {}}, "event is 'header'"),
    (3, {'error_rates': [0.1]}, 'error_rates has another length than before'),
    (5, {'test_accuracy': None}, 'test_accuracy is null'),
  )
  def test_names_the_line_and_the_field(self, number, changes, message):
    self.edit(number, **changes)
    self.assert_refused(f'line {number} of metrics.jsonl: {message}.*')

  @parameterized.parameters(
    ({'gain': 3}, 'gain is 3; expected a list, each item a 32-bit number'),
    ({'num_epochs': 3.5}, 'num_epochs is 3.5; expected a 32-bit whole number'),
    ({'dataset': None}, 'dataset is null; expected text'),
    ({'delay': 1}, 'delay is 1; expected 0'),
  )
  def test_names_the_field_of_a_configuration(self, changes, message):
    config = serialization.as_record(experiment.ExperimentConfig()) | changes
    (self.folder / records.CONFIG).write_text(json.dumps(config))
    self.edit(1, config=config)
    self.assert_refused(f'config.json: {message}')

  @parameterized.parameters('[]', '{"study": 3}', '{', '[' * 100_000, '\udcff')
  def test_damaged_descriptions_of_sweeps_are_refused(self, text):
    path = self.folder / lines.SWEEP
    path.write_text(text, errors='surrogateescape')
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{path} is damaged'):
      lines.read_sweep(self.folder)
