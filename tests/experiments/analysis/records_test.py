"""Tests of compact records."""

import json
import pathlib

from absl.testing import absltest

from experiments.analysis import frames
from experiments.analysis import records
import ssnn_jax
from tests.testing.sweeps import accuracies
from tests.testing.sweeps import make_runs


def epochs(config):
  """Returns a header and the epochs of a run; one is a number of its own."""
  config = {'dataset': 'digits', 'seed': config.seed}
  return [
    {'event': 'header', 'config': config, 'device': 'cpu', 'commit': 'abc'},
    {'event': 'epoch', 'epoch': 1, 'loss': 1.0, 'firing_rates': [0.1, 0.2]},
    {'event': 'epoch', 'epoch': 2, 'loss': 0.5, 'firing_rates': [0.3, 0.4]},
    {'event': 'eval', 'epoch': 2, 'test_accuracy': 0.1 * config['seed']},
  ]


def make_sweep():
  runs = make_runs(
    'num_steps=4,16;gain=1.0,0.5',
    lambda config: accuracies(90 + config.num_steps / 7 + config.seed),
    epochs=epochs,
  )
  for run in runs:
    run.events[0]['config'] = run.config
  return runs


class RecordsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path, 's', 'r.jsonl')

  def write_sweep(self, names=()):
    runs = make_sweep()
    header = {'study': 's', 'record': 'r', 'command': 'run it'}
    records.write(self.path, records.of_sweep(runs, header, names))
    return runs

  def test_record_has_all_numbers_of_the_runs(self):
    runs = self.write_sweep(['firing_rates'])
    header, frame = records.read(self.path)
    self.assertEqual(header['command'], 'run it')
    self.assertEqual(header['shared']['environment']['device'], 'cpu')
    expected = frames.from_runs(runs)
    self.assertCountEqual(frame.columns, expected.columns)
    for name in expected:
      self.assertEqual(
        list(map(repr, frame[name])), list(map(repr, expected[name]))
      )

  def test_other_curves_keep_their_last_value(self):
    self.write_sweep()
    curves = records.read(self.path).runs['curves'][0]
    self.assertEqual(curves['firing_rates'], [[0.3, 0.4]])
    self.assertEqual(curves['loss'], [1.0, 0.5])

  def test_lines_hold_only_fields_that_differ(self):
    self.write_sweep()
    _, *lines = map(json.loads, self.path.read_text().splitlines())
    fields = {name for line in lines for name in line['config']}
    self.assertEqual(fields, {'method', 'num_steps', 'gain', 'seed'})

  def test_reads_the_lines_of_a_measurement(self):
    lines = [{'study': 's', 'record': 'r'}, {'error': 0.5}, {'error': 0.25}]
    records.write(self.path, lines)
    header, frame = records.read(self.path)
    self.assertEqual(header, lines[0])
    self.assertEqual(list(frame['error']), [0.5, 0.25])

  def test_rejects_files_that_are_no_records(self):
    for text in ('', 'no JSON'):
      self.path.parent.mkdir(exist_ok=True)
      self.path.write_text(text)
      with self.assertRaisesRegex(ssnn_jax.UserError, 'is not a record'):
        records.read(self.path)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'is not a record'):
      records.read(self.path.parent / 'missing.jsonl')
