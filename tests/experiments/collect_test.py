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
    self.assertEqual(header, sweep | {'record': 'digits', 'title': 'digits'})
    path = self.folder / 'record.jsonl'
    records.write(path, lines)
    found = records.read(path).runs
    expected = frames.from_runs(runs_lib.find(workdir))
    for name in ('num_steps', 'seed', 'test_accuracy', 'method'):
      self.assertEqual(list(found[name]), list(expected[name]))

  def test_adds_runs_and_replaces_equal_configurations(self):
    def collect_runs(grid, accuracy):
      runs = make_runs(
        grid, lambda config: accuracies(accuracy), workdir=self.folder / grid
      )
      write_runs(runs)
      return collect.collect_sweep(self.folder / grid, 'winners', 'added')[1]

    path = self.folder / 'added.jsonl'
    records.write(path, collect_runs('num_steps=4,16', 90))
    lines = records.add(path, collect_runs('num_steps=16,64', 95))
    records.write(path, lines)
    found = records.read(path).runs
    self.assertEqual(lines[0]['num_runs'], len(found))
    spiking = found[found['method'] == 'ssnn']
    by_steps = dict(zip(spiking['num_steps'], spiking['test_accuracy']))
    self.assertEqual(by_steps, {4: 0.9, 16: 0.95, 64: 0.95})
    num_seeds = len(set(found['seed']))
    self.assertLen(found, 4 * num_seeds)  # with the ANN
    records.write(path, [{'study': 'benchmark'}, {'x': 1}])
    with self.assertRaisesRegex(ssnn_jax.UserError, 'not the record of a sw'):
      records.add(path, lines)

  def test_keeps_the_name_of_a_file_without_its_folder(self):
    workdir = self.write_sweep()
    for path in workdir.glob('*/*/*.json*'):
      text = path.read_text().replace('"digits"', '"/home/me/own.npz"')
      other = '"test_dataset": "/home/me/other.npz"'
      text = text.replace('"device": "ideal"', '"device": "/home/me/own.json"')
      path.write_text(text.replace('"test_dataset": null', other))
    command = 'python -m experiments.sweep --grid=device=own.json,x --dataset='
    given = command.replace('own.json', '/home/me/own.json')
    sweep = {'study': None, 'command': f'{given}/home/me/own.npz --seed=1'}
    (workdir / 'sweep.json').write_text(json.dumps(sweep))
    header, lines = collect.collect_sweep(workdir, None, None)
    self.assertEqual((header['record'], header['title']), ('own', 'own'))
    self.assertEqual(header['command'], f'{command}own.npz --seed=1')
    self.assertNotIn('/home', json.dumps(lines))
    config = lines[0]['shared']['config']
    self.assertEqual(config['dataset'], 'own.npz')
    self.assertEqual(config['device'], 'own.json')
    self.assertEqual(config['test_dataset'], 'other.npz')

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
    given = 'python -m m --datasets=digits,/home/me/a.npz,b.npz --data_dir=/d'
    lines = [{'event': 'header', 'command': given}, {'x': 1}, {'x': 2}]
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    table = self.folder / 'table.csv'
    table.write_text('x,y\n3,4.5\n')
    header, collected = collect.collect_lines([path, table], 'benchmark', 'cpu')
    kept = given.replace('/home/me/', '')
    self.assertEqual(
      header['environments'], [{'event': 'header', 'command': kept}]
    )
    self.assertEqual(
      collected, [header, {'x': 1}, {'x': 2}, {'x': 3, 'y': 4.5}]
    )
    with self.assertRaisesRegex(ssnn_jax.UserError, '--lines: '):
      collect.collect_lines([self.folder / 'none.jsonl'], 'benchmark', 'cpu')
