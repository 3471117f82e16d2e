"""Tests for the summary of any sweep."""

import contextlib
import csv
import dataclasses
import io
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from experiments import config_records
from experiments import defaults
from experiments import figures
from experiments import grid_figures
from experiments import grid_summary
from experiments import grids
from experiments import plot
import ssnn_jax
from ssnn_jax.runs import records
from tests.experiments import summary_test

BASE = defaults.CONFIGS['digits']
HEADING = (
  'method  num_steps  learning_rate  accuracy      by potential  read as ANN   '
  'minus ANN (95 %)  update error   quantisation error  seeds'
)
# The ANN has no errors, and one way to be read.
BLANK = ' ' * 82
TABLE = f"""\
{HEADING}
{'-' * len(HEADING)}
bp                 0.1            81.00 ± 1.41{BLANK} 2
bp                 1.0            83.00 ± 1.41{BLANK} 2
ssnn    4          0.1            71.00 ± 1.41  76.00 ± 1.41  80.00 ± 1.41  \
-10.00 ± 0.00     1.000 ± 0.354  0.500 ± 0.177       2
ssnn    4          1.0            71.00 ± 1.41  76.00 ± 1.41  80.00 ± 1.41  \
-12.00 ± 0.00     1.000 ± 0.354  0.500 ± 0.177       2
ssnn    16         0.1            75.00 ± 1.41  80.00 ± 1.41  84.00 ± 1.41  \
-6.00 ± 0.00      0.250 ± 0.088  0.125 ± 0.044       2
ssnn    16         1.0            75.00 ± 1.41  80.00 ± 1.41  84.00 ± 1.41  \
-8.00 ± 0.00      0.250 ± 0.088  0.125 ± 0.044       2"""


def accuracy(config):
  """The accuracy of made runs of seed 0, in percent."""
  if config.method == 'bp':
    return 80 if config.learning_rate < 1 else 82
  return 70 if config.num_steps < 16 else 74


def make_runs(text, num_seeds=2, workdir='/sweep', base=BASE):
  """Makes the finished runs of a grid, in order of their paths."""
  runs = []
  for name, config in grids.settings(base, grids.parse(text)):
    for seed in range(num_seeds):
      percent = accuracy(config) + 2 * seed
      is_ann = config.method == 'bp'
      error = 0.0 if is_ann else (3 + 2 * seed) / config.num_steps
      final = {
        **{'event': 'final', 'method': config.method, 'seed': seed},
        'test_accuracy': percent / 100,
        'test_accuracy_potential': (percent + 5) / 100,
        'test_accuracy_rate': (percent + 9) / 100,
        **{'update_error': error, 'quantisation_error': error / 2},
        **{'train_seconds': 3.0, 'seeds_at_once': 2},
      }
      folder = pathlib.Path(workdir, name, f'seed={seed}')
      recorded = config_records.as_record(
        dataclasses.replace(config, seed=seed)
      )
      runs.append(records.Run(folder, recorded, [final]))
  return sorted(runs, key=lambda run: run.folder)


def write_runs(runs):
  """Writes made runs to their folders."""
  for run in runs:
    records.create(run.folder, run.config)
    records.append(run.folder, **run.final)


class TableTest(parameterized.TestCase):
  def test_a_table_tells_each_setting(self):
    runs = make_runs('num_steps=4,16;learning_rate=0.1,1')
    table = grid_summary.table(grid_summary.group(runs))
    self.assertEqual(table, TABLE)

  @parameterized.parameters(
    ('num_steps=4,16', ['method', 'num_steps']),
    ('method=ssnn;tau=1,2', ['tau']),
    (
      'tau=1,2;gain=1,2;layer_sizes=64-9-10,none',
      ['method', 'layer_sizes', 'tau', 'gain'],
    ),
    ('method=ssnn', []),
  )
  def test_varied_fields_are_in_order_of_the_configuration(self, text, fields):
    settings = grid_summary.group(make_runs(text))
    self.assertEqual(grid_summary.varied(settings), fields)

  def test_settings_are_in_order_of_values_not_of_paths(self):
    runs = make_runs('window=16,none,8;learning_rate=3,1e-5')
    settings = grid_summary.group(runs)
    values = [(s.config['window'], s.config['learning_rate']) for s in settings]
    expected = [(w, r) for w in (None, 8, 16) for r in (1e-5, 3.0)]
    self.assertEqual(values, [(None, 1e-5), (None, 3.0), *expected])

  def test_shallow_networks_are_first(self):
    runs = make_runs('method=bp;layer_sizes=64-9-9-10,64-32-10,none,64-8-10')
    sizes = [s.config['layer_sizes'] for s in grid_summary.group(runs)]
    expected = [None, [64, 8, 10], [64, 32, 10], [64, 9, 9, 10]]
    self.assertEqual(sizes, expected)

  def test_a_setting_is_compared_with_the_ann_that_shares_the_rest(self):
    runs = make_runs('num_steps=4;learning_rate=0.1,1')
    settings = grid_summary.group(runs)
    slow, fast, *spiking = settings
    found = [grid_summary.baseline(s, settings) for s in spiking]
    self.assertIs(found[0], slow)
    self.assertIs(found[1], fast)
    self.assertIsNone(grid_summary.baseline(spiking[0], [fast, *spiking]))
    # Of two the one with as many ticks, and only one with common seeds.
    near = slow._replace(config={**slow.config, 'num_steps': 4})
    for settings in ([slow, near], [near, slow]):
      self.assertIs(grid_summary.baseline(spiking[0], settings), near)
    other = near._replace(seeds=[7, 8])
    self.assertIs(grid_summary.baseline(spiking[0], [other, slow]), slow)

  def test_rivals_are_compared_with_the_ann_too(self):
    runs = make_runs('method=bp,surrogate_gradient,bp_stdp;weight_decay=0,1e-3')
    settings = grid_summary.group(runs)
    anns = {ann.config['weight_decay']: ann for ann in settings[:2]}
    self.assertLen(settings, 6)
    for setting in settings[2:]:
      ann = anns[setting.config['weight_decay']]
      self.assertIs(grid_summary.baseline(setting, settings), ann)

  def test_runs_without_seconds_have_a_table_too(self):
    lines = grid_summary.table(grid_summary.group(summary_test.make_runs()))
    self.assertRegex(lines.splitlines()[2], r'^bp +91.00 ± 1.00 +3$')


class CsvTest(parameterized.TestCase):
  def test_a_row_holds_a_run(self):
    runs = make_runs('num_steps=4,16;layer_sizes=64-9-10,64-8-10')
    unfinished = records.Run('/sweep/none', runs[0].config, [])
    text = grid_summary.csv_text([*runs, unfinished], '/sweep')
    rows = list(csv.DictReader(io.StringIO(text)))
    self.assertLen(rows, len(runs))
    self.assertEqual(
      list(rows[0]),
      [
        *('method', 'layer_sizes', 'num_steps', 'seed', 'test_accuracy'),
        *('test_accuracy_potential', 'test_accuracy_rate', 'update_error'),
        *('quantisation_error', 'train_seconds', 'seeds_at_once', 'folder'),
      ],
    )
    by_folder = {f'/sweep/{row["folder"]}': row for row in rows}
    for run in runs:
      row, config = by_folder[str(run.folder)], run.config
      for name, value in run.final.items():
        if name != 'event':
          self.assertEqual(type(value)(row[name]), value)
      sizes = list(map(int, row['layer_sizes'].split('-')))
      self.assertEqual(sizes, config['layer_sizes'])
      steps = '' if config['method'] == 'bp' else str(config['num_steps'])
      self.assertEqual(row['num_steps'], steps)

  def test_rows_are_in_the_same_order_whatever_that_of_the_runs(self):
    runs = make_runs('num_steps=4,16,128;learning_rate=0.1,1')
    text = grid_summary.csv_text(runs, '/sweep')
    self.assertEqual(grid_summary.csv_text(runs[::-1], '/sweep'), text)
    steps = [row['num_steps'] for row in csv.DictReader(io.StringIO(text))]
    self.assertEqual(steps, [*[''] * 4, *['4'] * 4, *['16'] * 4, *['128'] * 4])

  def test_a_file_is_written_whole(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    (workdir / 'summary.csv').write_text('older')
    runs = make_runs('method=ssnn', workdir=workdir)
    path = grid_summary.write_csv(runs, workdir)
    self.assertEqual(list(workdir.iterdir()), [path])
    self.assertEqual(path.read_text(), grid_summary.csv_text(runs, workdir))
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      f'^{workdir}/none/summary.csv cannot be used .No such file',
    ):
      grid_summary.write_csv(runs, workdir / 'none')


class FigureTest(parameterized.TestCase):
  @parameterized.parameters(
    (
      'num_steps=4,16,64;learning_rate=0.1,1',
      'spike-train length T (ticks)',
      'log',
      [
        *('ANN, learning_rate = 0.1', 'ANN, learning_rate = 1.0'),
        *('learning_rate = 0.1', 'learning_rate = 1.0'),
      ],
    ),
    (
      'num_steps=4,16;dropout=0,0.2,0.4',
      'dropout (probability)',
      'linear',
      ['ANN', 'num_steps = 4', 'num_steps = 16'],
    ),
    (
      'weight_decay=0,1e-4,1e-2;method=bp',
      'weight decay (a step, times the learning rate)',
      'symlog',
      ['ANN'],
    ),
    (
      'sampler=bernoulli,sobol,threefry;update=spikes,rates',
      'sampler',
      'linear',
      ['ANN', 'update = rates', 'update = spikes'],
    ),
    ('method=ssnn', 'method', 'linear', ['SSNN']),
    (
      'layer_sizes=64-9-10,64-8-8-10,64-7-7-7-10;num_steps=4,16,64,256',
      'hidden layers (number × neurons)',
      'linear',
      ['ANN', *(f'num_steps = {t}' for t in (4, 16, 64, 256))],
    ),
    (
      'layer_sizes=64-9-10,64-8-8-10;num_steps=4,16,64',
      'spike-train length T (ticks)',
      'log',
      [
        *('ANN, layer_sizes = 64-9-10', 'ANN, layer_sizes = 64-8-8-10'),
        *('layer_sizes = 64-9-10', 'layer_sizes = 64-8-8-10'),
      ],
    ),
  )
  def test_a_figure_tells_what_varies(self, text, label, scale, legend):
    sheet = grid_figures.draw_grid(grid_summary.group(make_runs(text)))
    for axes in sheet.axes:
      self.assertEqual(axes.get_xlabel(), label)
      self.assertEqual(axes.get_xscale(), scale)
    titles = [axes.get_title() for axes in sheet.axes]
    both = ['accuracy, by winner counts', 'update error']
    self.assertEqual(titles, both[:1] if 'method=bp' in text else both)
    (found,) = sheet.legends
    self.assertEqual([text.get_text() for text in found.get_texts()], legend)

  @parameterized.parameters(
    (
      'layer_sizes=64-9-10,64-8-8-10,64-7-6-5-10',
      [1, 2, 3],
      ['9', '2 × 8', '7-6-5'],
    ),
    # Of one depth they are categories.
    ('layer_sizes=64-8-10,64-9-10', [0, 1], ['8', '9']),
    ('layer_sizes=none,64-9-10', [0, 1], ['none', '9']),
  )
  def test_depths_are_told_by_hidden_layers(self, text, places, labels):
    sheet = grid_figures.draw_grid(grid_summary.group(make_runs(text)))
    for axes in sheet.axes:
      np.testing.assert_array_equal(axes.get_xticks(), places)
      found = [label.get_text() for label in axes.get_xticklabels()]
      self.assertEqual(found, labels)

  @parameterized.parameters(
    # The batch size decides on the learning rate, and not the reverse.
    (
      ('batch_size=1;learning_rate=0.1', 'batch_size=8,64;learning_rate=1'),
      'batch size (samples),\nand with it the learning rate',
      ['ANN', *(f'num_steps = {t}' for t in (4, 16, 64, 128))],
    ),
    # Each decides on the other.
    (
      ('batch_size=1;learning_rate=0.1', 'batch_size=8;learning_rate=1'),
      'batch size (samples),\nand with it the learning rate',
      ['ANN', *(f'num_steps = {t}' for t in (4, 16, 64, 128))],
    ),
    # Neither does.
    (
      (
        *('batch_size=1;learning_rate=0.1', 'batch_size=8;learning_rate=1'),
        'batch_size=1;learning_rate=1',
        'batch_size=8;learning_rate=0.1',
      ),
      'spike-train length T (ticks)',
      [
        f'{ann}batch_size = {size}, learning_rate = {rate}'
        for ann in ('ANN, ', '')
        for size in (1, 8)
        for rate in (0.1, 1.0)
      ],
    ),
  )
  def test_a_field_that_follows_another_parts_no_curves(
    self, texts, label, legend
  ):
    runs = [
      run
      for text in texts
      for run in make_runs(f'{text};num_steps=4,16,64,128')
    ]
    sheet = grid_figures.draw_grid(grid_summary.group(runs))
    for axes in sheet.axes:
      self.assertEqual(axes.get_xlabel(), label)
    (found,) = sheet.legends
    self.assertEqual([text.get_text() for text in found.get_texts()], legend)

  def test_curves_go_through_means(self):
    runs = make_runs('learning_rate=1,0.1;num_steps=16')
    sheet = grid_figures.draw_grid(grid_summary.group(runs))
    expected = [
      [[[0.1, 81], [1, 83]], [[0.1, 75], [1, 75]]],  # the ANN's first
      [[[0.1, 0.25], [1, 0.25]]],
    ]
    for axes, curves in zip(sheet.axes, expected):
      drawn = [bars.lines[0].get_xydata() for bars in axes.containers]
      np.testing.assert_allclose(drawn, curves)

  def test_a_figure_is_saved(self):
    runs = make_runs('num_steps=4,16;sampler=bernoulli,sobol', num_seeds=1)
    sheet = grid_figures.draw_grid(grid_summary.group(runs))
    stem = pathlib.Path(self.create_tempdir().full_path) / 'grid'
    png, svg = figures.save(sheet, stem)
    self.assertEqual(png.read_bytes()[:4], b'\x89PNG')
    self.assertIn('<svg', svg.read_text()[:1000])


class ReadTest(parameterized.TestCase):
  @parameterized.parameters(
    ('num_steps=4,16', 'spike_train_length'),
    ('num_steps=4', 'spike_train_length'),
    ('num_steps=4,16;learning_rate=0.1,1', 'grid'),
    ('num_steps=4,16;window=2', 'grid'),
    ('num_steps=4,16;method=ssnn', 'grid'),
    ('method=bp', 'grid'),
    (
      'integration=leaky;window=1,8;shuffle_ticks=false,true',
      'event_time',
    ),
    ('window=1,8;shuffle_ticks=false,true', 'grid'),
    ('integration=leaky;tau=1,2;shuffle_ticks=false,true', 'grid'),
  )
  def test_what_varies_decides_on_the_table(self, text, expected):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    write_runs(make_runs(text, workdir=workdir))
    table, _, name = plot.read_record(workdir)
    self.assertEqual(name, expected)
    if name == 'grid':
      settings = grid_summary.group(records.find(workdir))
      self.assertEqual(table, grid_summary.table(settings))

  def test_a_command_draws_and_writes_both_tables(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    runs = make_runs('method=ssnn;tau=1,2', workdir=workdir)
    write_runs(runs)
    told = io.StringIO()
    with mock.patch.object(plot.flags, 'FLAGS') as given:
      given.flag_values_dict.return_value = {'workdir': str(workdir)}
      with contextlib.redirect_stdout(told):
        plot.main()
    last = told.getvalue().splitlines()[-1]
    png, svg = (workdir / f'grid.{suffix}' for suffix in ('png', 'svg'))
    table = workdir / 'summary.csv'
    self.assertEqual(last, f'figure: {png}, {svg}, table: {table}')
    self.assertTrue(png.exists() and svg.exists())
    self.assertEqual(table.read_text(), grid_summary.csv_text(runs, workdir))

  def test_a_folder_without_finished_runs_is_refused(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    records.create(workdir / 'run', config_records.as_record(BASE))
    with self.assertRaisesRegex(
      ssnn_jax.UserError, f'^--workdir={workdir} holds no finished run; give a'
    ):
      plot.read_record(workdir)


if __name__ == '__main__':
  absltest.main()
