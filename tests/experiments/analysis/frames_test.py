"""Tests of data frames of runs."""

import json
import math
import pathlib

from absl.testing import absltest

from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.config import titles
import ssnn_jax
from ssnn_jax.runs import records
from tests.testing.sweeps import accuracies
from tests.testing.sweeps import make_frame
from tests.testing.sweeps import make_length_sweep
from tests.testing.sweeps import make_runs


class FramesTest(absltest.TestCase):
  def test_each_finished_run_is_a_row(self):
    runs = make_length_sweep()
    unfinished = records.Run('nowhere', {'method': 'ssnn'}, [])
    frame = frames.from_runs([*runs, unfinished])
    self.assertLen(frame, len(runs))
    for row, run in zip(frame.to_dict('records'), runs):
      self.assertEqual(row['num_steps'], run.config['num_steps'])
      self.assertEqual(row['seed'], run.config['seed'])
      self.assertEqual(row['test_accuracy'], run.final['test_accuracy'])
      self.assertEqual(row['gain'], tuple(run.config['gain']))
    self.assertEqual(frame['test_accuracy'].dtype, float)

  def test_final_layers_and_window_do_not_replace_the_configuration(self):
    final = {'layer_sizes': [64, 256, 10], 'window': 32, 'train_seconds': 6.0}
    runs = make_frame('window=8', lambda config: final | {'seeds_at_once': 3})
    self.assertEqual(set(runs['layer_sizes']), {None})
    self.assertEqual(set(runs['resolved_layer_sizes']), {(64, 256, 10)})
    self.assertEqual(set(runs['resolved_window']), {32})
    self.assertEqual(set(runs['run_seconds']), {2.0})

  def test_settings_are_ordered_with_the_ann_first(self):
    settings = frames.settings(frames.from_runs(make_length_sweep()))
    self.assertEqual(
      [
        (frames.field(s, 'method'), frames.field(s, 'num_steps'))
        for s in settings
      ],
      [('bp', 16), ('ssnn', 1), ('ssnn', 64)],
    )
    for setting in settings:
      self.assertEqual(list(setting['seed']), [0, 1, 2])

  def test_settings_with_an_own_value_or_the_default_differ(self):
    runs = make_frame('layer_sizes=none,64-32-10;gain=1.0,0.5')
    self.assertEqual(frames.varied(runs), ['method', 'layer_sizes', 'gain'])
    self.assertLen(frames.settings(runs), 6)  # the ANN has no gain

  def test_selects_by_values(self):
    runs = make_frame('window=8,32;gain=1.0,0.5', num_seeds=2)
    found = frames.select(runs, window=8, gain=(0.5,))
    self.assertLen(found, 2)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'window=9'):
      frames.select(runs, window=9)

  def test_parameters_in_the_file_of_a_device_do_not_vary(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    paths = [folder / name for name in ('a.json', 'b.json')]
    for number, path in enumerate(paths):
      parameters = {'dw_min': 0.01 + number, 'w_max': 4, 'w_min': -4}
      path.write_text(json.dumps({'parameters': parameters}))
    listed = ','.join(map(str, paths))
    runs = make_frame(f'method=ssnn;device={listed},reram')
    self.assertEqual(frames.varied(runs), ['device'])
    found = [
      frames.describe_value(setting, 'device')
      for setting in frames.settings(runs)
    ]
    self.assertEqual(found, ['a.json', 'b.json', 'reram'])
    runs = make_frame(f'method=ssnn;device={listed};dw_min=none,0.02')
    self.assertEqual(frames.varied(runs), ['device', 'dw_min'])
    self.assertLen(frames.settings(runs), 4)

  def test_baseline_shares_all_fields_that_matter_to_the_ann(self):
    runs = make_frame(
      ['layer_sizes=64-32-10;num_steps=4,16', 'layer_sizes=64-8-10']
    )
    for setting in frames.settings(frames.split_baseline(runs)[1]):
      ann = frames.find_baseline(setting, runs)
      for name in ('layer_sizes', 'learning_rate'):
        self.assertEqual(frames.field(ann, name), frames.field(setting, name))

  def test_baseline_has_a_seed_in_common(self):
    runs = make_frame('num_steps=4', num_seeds=2)
    ann, spiking = frames.split_baseline(runs)
    self.assertIsNotNone(frames.find_baseline(spiking, runs))
    apart = ann.assign(seed=ann['seed'] + 2)
    self.assertIsNone(frames.find_baseline(spiking, apart))

  def test_curves_have_the_values_of_epochs(self):
    lines = [
      {'event': 'epoch', 'epoch': 1, 'loss': 1.0},
      {'event': 'epoch', 'epoch': 2, 'loss': 0.5},
      {'event': 'eval', 'epoch': 2, 'test_accuracy': 0.9},
    ]
    (run, *_) = make_runs('window=8', lambda config: {}, epochs=lambda c: lines)
    (curves,) = set(map(str, frames.from_runs([run])['curves']))
    expected = {'loss': [1.0, 0.5], 'eval_epochs': [2], 'test_accuracy': [0.9]}
    self.assertEqual(curves, str(expected))


class GridTableTest(absltest.TestCase):
  def test_has_a_row_for_each_setting(self):
    table = grid_table.make(frames.from_runs(make_length_sweep()))
    self.assertEqual(list(table['method']), ['bp', 'ssnn', 'ssnn'])
    self.assertEqual(list(table['num_steps']), ['', '1', '64'])
    # The differences are -0.20, -0.17 and -0.20; Student's t is 4.303.
    self.assertEqual(
      list(table['minus ANN (95 %)']), ['', '-19.00 ± 4.30', '+0.00 ± 2.48']
    )
    self.assertEqual(
      list(table['accuracy'])[1:], ['72.00 ± 2.65', '91.00 ± 1.00']
    )
    self.assertEqual(list(table['update error'])[1], '0.720 ± 0.026')
    self.assertEqual(list(table['final potential'])[0], '')

  def test_table_has_the_readouts_of_the_records(self):
    runs = frames.from_runs(make_length_sweep())
    whole = list(grid_table.make(runs))
    older = runs.drop(columns='test_accuracy_largest')
    self.assertIn('largest potential', whole)
    whole.remove('largest potential')
    self.assertEqual(list(grid_table.make(older)), whole)

  def test_missing_numbers_are_blank(self):
    missing = dict.fromkeys(titles.READOUTS)
    runs = make_frame(
      'window=8',
      lambda config: accuracies(90) if config.method == 'bp' else missing,
    )
    row = grid_table.make(runs).to_dict('records')[1]
    self.assertEqual((row['accuracy'], row['update error']), ('', ''))

  def test_layout_aligns_columns(self):
    table = grid_table.make(frames.from_runs(make_length_sweep()))
    lines = grid_table.lay_out(table).splitlines()
    self.assertLen(lines, 5)
    for name in ('accuracy', 'seeds'):
      place = lines[0].index(name)
      self.assertEqual({line[place - 2 : place] for line in lines[2:]}, {'  '})
    self.assertTrue(math.isclose(len(lines[0]), len(lines[1])))
