"""Tests of collecting sweeps and measurements into records."""

import json
import pathlib

from absl.testing import absltest

from experiments import collect
from experiments.analysis import frames
from experiments.analysis import records
import ssnn_jax
from ssnn_jax.runs import records as runs_lib
from tests.testing.sweeps import accuracies
from tests.testing.sweeps import make_runs
from tests.testing.sweeps import write_runs


class CollectTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def write_sweep(self):
    write_runs(
      make_runs(
        'num_steps=4,16',
        lambda config: accuracies(90 + config.num_steps / 7 + config.seed),
        workdir=self.folder / 'sweep',
      )
    )
    return self.folder / 'sweep'

  def test_collects_all_runs_of_a_sweep(self):
    workdir = self.write_sweep()
    sweep = {'study': 'winners', 'command': 'python -m experiments.sweep'}
    (workdir / 'sweep.json').write_text(json.dumps(sweep))
    header, lines = collect.collect_sweep(workdir, None, None)
    self.assertEqual(header, sweep | {'record': 'digits'})
    path = self.folder / 'record.jsonl'
    records.write(path, lines)
    found = records.read(path).runs
    expected = frames.from_runs(runs_lib.find(workdir))
    for name in ('num_steps', 'seed', 'test_accuracy', 'method'):
      self.assertEqual(list(found[name]), list(expected[name]))

  def test_unfinished_sweep_is_refused(self):
    workdir = self.write_sweep()
    (metrics, *_) = sorted(workdir.glob('*/*/metrics.jsonl'))
    metrics.write_text(metrics.read_text().splitlines(keepends=True)[0])
    with self.assertRaisesRegex(ssnn_jax.UserError, '1 unfinished runs'):
      collect.collect_sweep(workdir, None, None)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'no run'):
      collect.collect_sweep(self.folder / 'nothing', None, None)

  def test_collects_lines_and_their_headers(self):
    path = self.folder / 'lines.jsonl'
    lines = [{'event': 'header', 'device': 'cpu'}, {'x': 1}, {'x': 2}]
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    table = self.folder / 'table.csv'
    table.write_text('x,y\n3,4.5\n')
    header, collected = collect.collect_lines([path, table], 'benchmark', 'cpu')
    self.assertEqual(header['environments'], lines[:1])
    self.assertEqual(
      collected, [header, {'x': 1}, {'x': 2}, {'x': 3, 'y': 4.5}]
    )
    with self.assertRaisesRegex(ssnn_jax.UserError, '--lines='):
      collect.collect_lines([self.folder / 'none.jsonl'], 'benchmark', 'cpu')
