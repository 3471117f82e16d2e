"""Tests of data frames of runs."""

import json
import pathlib

from absl.testing import absltest

from experiments.analysis import frames
import ssnn_jax
from tests.testing.sweeps import make_frame
from tests.testing.sweeps import make_lines


class FramesTest(absltest.TestCase):
  def test_each_finished_run_is_a_row(self):
    lines = make_lines(
      'num_steps=4,16;gain=1.0,0.5',
      lambda config: {'test_accuracy': config.num_steps / 100},
      num_seeds=2,
      curves={'loss': [1.0, 0.5]},
    )
    frame = frames.from_lines([*lines, lines[0] | {'event': 'unfinished'}])
    self.assertLen(frame, len(lines))
    for row, line in zip(frame.to_dict('records'), lines):
      for name in ('num_steps', 'seed'):
        self.assertEqual(row[name], line['config'][name])
      self.assertEqual(row['test_accuracy'], line['test_accuracy'])
      self.assertEqual(row['gain'], tuple(line['config']['gain']))
      self.assertEqual(row['curves'], {'loss': [1.0, 0.5]})
    self.assertEqual(frame['test_accuracy'].dtype, float)

  def test_final_layers_and_window_do_not_replace_the_configuration(self):
    final = {'layer_sizes': [64, 256, 10], 'window': 32, 'train_seconds': 6.0}
    runs = make_frame('window=8', lambda config: final | {'seeds_at_once': 3})
    self.assertEqual(set(runs['layer_sizes']), {None})
    self.assertEqual(set(runs['resolved_layer_sizes']), {(64, 256, 10)})
    self.assertEqual(set(runs['resolved_window']), {32})
    self.assertEqual(set(runs['run_seconds']), {2.0})

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
