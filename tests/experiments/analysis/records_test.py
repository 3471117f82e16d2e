"""Tests of records, and of their frames."""

import json
import pathlib
import shutil
from unittest import mock

from absl.testing import absltest

from experiments import record
from experiments.analysis import frames
from experiments.analysis import records
import ssnn_jax
from tests.testing.sweeps import accuracies
from tests.testing.sweeps import make_lines
from tests.testing.sweeps import write_sweep


class RecordsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path, 's', 'r.jsonl')

  def write_sweep(self, *names):
    """Writes the record of a sweep with all epochs of some quantities."""
    curves = {'loss': [1.0, 0.5], 'firing_rates': [[0.1, 0.2], [0.3, 0.4]]}
    lines = make_lines(
      'num_steps=4,16;gain=1.0,0.5',
      lambda config: accuracies(90 + config.num_steps / 7 + config.seed),
      num_seeds=2,
      curves=curves,
    )
    kept = record.keep_curves(lines, names)
    record.write(self.path, {'study': 's', 'command': 'run it'}, kept)
    return lines

  def test_record_has_all_numbers_of_the_runs(self):
    lines = self.write_sweep('firing_rates')
    header, frame = records.read(self.path)
    self.assertEqual(header['command'], 'run it')
    expected = frames.from_lines(lines)
    self.assertCountEqual(frame.columns, expected.columns)
    for name in expected:
      self.assertEqual(
        list(map(repr, frame[name])), list(map(repr, expected[name]))
      )

  def test_lines_hold_only_fields_that_differ(self):
    self.write_sweep()
    _, *lines = map(json.loads, self.path.read_text().splitlines())
    fields = {name for line in lines for name in line['config']}
    self.assertEqual(fields, {'method', 'num_steps', 'gain', 'seed'})
    # Curves that are not kept have their last value.
    curves = records.read(self.path).runs['curves'][0]
    self.assertEqual(curves, {'loss': [1.0, 0.5], 'firing_rates': [[0.3, 0.4]]})

  def test_a_run_is_its_configuration_seed_and_weights_once(self):
    old, *_ = make_lines('method=ssnn', lambda config: {'params_sha256': 'a'})
    config = dict(old['config'])
    del config['probe_every']  # as of an earlier version
    unfinished = {k: v for k, v in old.items() if k != 'params_sha256'}
    lines = [unfinished, old, old | {'config': config}]
    self.assertEqual(record.distinct(lines), [old])
    other = old | {'params_sha256': 'b'}
    with self.assertRaisesRegex(ssnn_jax.UserError, 'but other weights'):
      record.distinct([old, other])

  def test_reads_the_lines_of_a_measurement(self):
    header, *lines = {'study': 's'}, {'error': 0.5}, {'error': 0.25}
    record.write_lines(self.path, [header, *lines])
    found = records.read(self.path)
    self.assertEqual(found.header, header)
    self.assertEqual(list(found.runs['error']), [0.5, 0.25])

  def test_rejects_files_that_are_no_records(self):
    for text in ('', 'no JSON', '[1]'):
      self.path.parent.mkdir(exist_ok=True)
      self.path.write_text(text)
      with self.assertRaisesRegex(ssnn_jax.UserError, 'is not a record'):
        records.read(self.path)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'is not a record'):
      records.read(self.path.parent / 'missing.jsonl')


class CollectTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def write_sweep(self, name='sweep', grid='num_steps=4,16', percent=90):
    write_sweep(
      self.folder / name,
      grid,
      lambda c: accuracies(percent + c.num_steps / 7 + c.seed),
      num_seeds=2,
    )
    return self.folder / name

  def test_record_has_all_runs_of_a_sweep_once(self):
    workdir = self.write_sweep()
    shutil.copytree(workdir / 'bp', workdir / 'copy of bp')
    sweep = {'study': 'winners', 'command': 'python -m experiments.run'}
    (workdir / record.SWEEP).write_text(json.dumps(sweep))
    header, found = records.read(records.collect(workdir))
    self.assertEqual(header | sweep, header)
    self.assertEqual((header['record'], header['title']), ('digits', 'digits'))
    self.assertLen(found, 6)
    expected = records.read_folder(workdir)
    for name in ('num_steps', 'seed', 'test_accuracy', 'method'):
      self.assertEqual(list(found[name]), list(expected[name]))

  def commit(self, workdir, **options):
    found = record.read(records.collect(workdir))
    found.header['study'] = 'winners'
    with mock.patch.object(records, 'FOLDER', self.folder):
      return records.commit(found, **options)

  def test_committed_runs_are_added_or_replaced_but_not_lost(self):
    file = self.commit(self.write_sweep('old'))
    before = file.read_bytes()
    new = self.write_sweep('new', 'num_steps=16,64', 80)
    for options, message in (
      ({}, 'exists; give --overwrite'),
      ({'add': True, 'overwrite': True}, '--add is for'),
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, message):
        self.commit(new, **options)
      self.assertEqual(file.read_bytes(), before)
    self.assertEqual(self.commit(new, add=True), file)
    header, found = records.read(file)
    self.assertEqual(header['num_runs'], len(found))
    spiking = found[(found['method'] == 'ssnn') & (found['seed'] == 0)]
    tens = (10 * spiking['test_accuracy']).astype(int)
    by_steps = dict(zip(spiking['num_steps'], tens))
    self.assertEqual(by_steps, {4: 9, 16: 8, 64: 8})
    self.assertLen(found, 2 * 4)  # with the ANN
    self.commit(new, overwrite=True)
    self.assertLen(records.read(file).runs, 2 * 3)

  def test_keeps_the_name_of_a_file_without_its_folder(self):
    workdir = self.write_sweep()
    for path in workdir.glob(f'*/*/{record.METRICS}'):
      path.write_text(path.read_text().replace('"digits"', '"own.npz"'))
    words = 'python -m experiments.run --grid=device=own.json,x --dataset='
    given = words.replace('own.json', '/home/me/own.json')
    sweep = {'study': None, 'command': f'{given}/home/me/own.npz --seed=1'}
    (workdir / record.SWEEP).write_text(json.dumps(sweep))
    header, _ = records.read(records.collect(workdir))
    self.assertEqual((header['record'], header['title']), ('own', 'own'))
    self.assertEqual(header['command'], f'{words}own.npz --seed=1')

  def test_unfinished_or_contradictory_runs_are_refused(self):
    workdir = self.write_sweep()
    shutil.copytree(workdir / 'bp', workdir / 'copy of bp')
    for digest, path in zip('ab', workdir.glob(f'*bp/*/{record.METRICS}')):
      old = '"event":"final"'
      new = f'{old},"params_sha256":"{digest}"'
      path.write_text(path.read_text().replace(old, new))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'but other weights'):
      records.collect(workdir)
    shutil.rmtree(workdir / 'copy of bp')
    (workdir / 'bp' / 'seed=0-1' / record.METRICS).unlink()
    with self.assertRaisesRegex(ssnn_jax.UserError, '1 unfinished runs'):
      records.collect(workdir)

  def test_collects_lines_and_their_headers(self):
    path, table = self.folder / 'lines.jsonl', self.folder / 'table.csv'
    given = 'python -m m --datasets=digits,/home/me/a.npz,b.npz --data_dir=/d'
    record.write_lines(path, [{'event': 'header', 'command': given}, {'x': 1}])
    table.write_text('x,y\n3,4.5\n')
    with mock.patch.object(records, 'FOLDER', self.folder):
      made = records.collect_lines([path, table], 'benchmark', 'cpu')
      file = records.commit(made)
      for options in ({}, {'add': True}):  # no measurement is overwritten
        with self.assertRaises(ssnn_jax.UserError):
          records.commit(made, **options)
      with self.assertRaisesRegex(ssnn_jax.UserError, 'is a path'):
        made.header['record'] = '../cpu'
        records.commit(made)
    header, lines = record.read(file)
    kept = given.replace('/home/me/', '')
    self.assertEqual(
      header['environments'], [{'event': 'header', 'command': kept}]
    )
    self.assertEqual(lines, [{'x': 1}, {'x': 3, 'y': 4.5}])
