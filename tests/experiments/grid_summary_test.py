"""Tests of tables, files and figures of any sweep."""

import csv
import io
import pathlib

from absl.testing import parameterized
import numpy as np

from experiments import grid_figures
from experiments import grid_summary
from experiments import plot
from experiments.config import serialization as config_records
import ssnn_jax
from ssnn_jax.runs import records
from tests.testing import sweeps
from tests.testing.experiments import call_main

HEADING = (
  'method  num_steps  learning_rate  accuracy      by potential  read as ANN   '
  'minus ANN (95 %)  update error   quantisation error  seeds'
)
# The ANN has no errors and is not read in several ways.
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
COLUMNS = [
  'method',
  'layer_sizes',
  'num_steps',
  'seed',
  'test_accuracy',
  'test_accuracy_potential',
  'test_accuracy_rate',
  'update_error',
  'quantisation_error',
  'train_seconds',
  'seeds_at_once',
  'folder',
]
NUM_STEPS = 'spike-train length T (ticks)'
BATCH_SIZES = 'batch size (samples),\nand with it the learning rate'
T_LEGEND = ['ANN', *(f'num_steps = {t}' for t in (4, 16, 64, 128))]


def final(config):
  """Returns a final line whose accuracy depends on method, rate, T and seed."""
  error = (3 + 2 * config.seed) / config.num_steps
  percent = 70 if config.num_steps < 16 else 74
  if config.method == 'bp':
    error, percent = 0.0, 80 if config.learning_rate < 1 else 82
  percent += 2 * config.seed
  return {
    **sweeps.accuracies(percent, percent + 5, percent + 9),
    'update_error': error,
    'quantisation_error': error / 2,
    'train_seconds': 3.0,
    'seeds_at_once': 2,
  }


def make_runs(text, workdir='/sweep', num_seeds=2):
  """Returns the runs of a grid in order of their folders."""
  runs = sweeps.make_runs(text, final, num_seeds, workdir)
  return sorted(runs, key=lambda run: run.folder)


def make_settings(*texts):
  return grid_summary.group([run for text in texts for run in make_runs(text)])


def legend(sheet):
  (legend,) = sheet.legends
  return [text.get_text() for text in legend.get_texts()]


class TableTest(parameterized.TestCase):
  def test_table_has_a_row_for_each_setting(self):
    settings = make_settings('num_steps=4,16;learning_rate=0.1,1')
    self.assertEqual(grid_summary.table(settings), TABLE)

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
    self.assertEqual(grid_summary.varied(make_settings(text)), fields)

  def test_settings_are_in_order_of_values(self):
    settings = make_settings('window=16,none,8;learning_rate=3,1e-5')
    values = [(s.config['window'], s.config['learning_rate']) for s in settings]
    expected = [(w, r) for w in (None, 8, 16) for r in (1e-5, 3.0)]
    self.assertEqual(values, [(None, 1e-5), (None, 3.0), *expected])

  def test_shallow_networks_are_first(self):
    settings = make_settings(
      'method=bp;layer_sizes=64-9-9-10,64-32-10,none,64-8-10'
    )
    sizes = [setting.config['layer_sizes'] for setting in settings]
    expected = [None, [64, 8, 10], [64, 32, 10], [64, 9, 9, 10]]
    self.assertEqual(sizes, expected)

  def test_baseline_is_the_ann_that_shares_all_other_fields(self):
    settings = make_settings('num_steps=4;learning_rate=0.1,1')
    slow, fast, *spiking = settings
    found = [grid_summary.baseline(s, settings) for s in spiking]
    self.assertIs(found[0], slow)
    self.assertIs(found[1], fast)
    self.assertIsNone(grid_summary.baseline(spiking[0], [fast, *spiking]))
    # Of two ANNs the one with the same T, and only one with common seeds.
    near = slow._replace(config={**slow.config, 'num_steps': 4})
    for settings in ([slow, near], [near, slow]):
      self.assertIs(grid_summary.baseline(spiking[0], settings), near)
    other = near._replace(seeds=[7, 8])
    self.assertIs(grid_summary.baseline(spiking[0], [other, slow]), slow)

  def test_other_methods_have_the_ann_as_baseline(self):
    settings = make_settings(
      'method=bp,surrogate_gradient,bp_stdp;weight_decay=0,1e-3'
    )
    anns = {ann.config['weight_decay']: ann for ann in settings[:2]}
    self.assertLen(settings, 6)
    for setting in settings[2:]:
      ann = anns[setting.config['weight_decay']]
      self.assertIs(grid_summary.baseline(setting, settings), ann)

  def test_runs_without_training_times_have_a_table(self):
    settings = grid_summary.group(sweeps.make_length_sweep())
    lines = grid_summary.table(settings).splitlines()
    self.assertRegex(lines[2], r'^bp +91.00 ± 1.00 +3$')


class CsvTest(parameterized.TestCase):
  def test_row_has_the_values_of_a_run(self):
    runs = make_runs('num_steps=4,16;layer_sizes=64-9-10,64-8-10')
    unfinished = records.Run('/sweep/none', runs[0].config, [])
    text = grid_summary.csv_text([*runs, unfinished], '/sweep')
    rows = list(csv.DictReader(io.StringIO(text)))
    self.assertLen(rows, len(runs))
    self.assertEqual(list(rows[0]), COLUMNS)
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

  def test_order_of_rows_does_not_depend_on_order_of_runs(self):
    runs = make_runs('num_steps=4,16,128;learning_rate=0.1,1')
    text = grid_summary.csv_text(runs, '/sweep')
    self.assertEqual(grid_summary.csv_text(runs[::-1], '/sweep'), text)
    steps = [row['num_steps'] for row in csv.DictReader(io.StringIO(text))]
    self.assertEqual(
      steps, [t for t in ('', '4', '16', '128') for _ in range(4)]
    )

  def test_file_is_replaced_atomically(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    (workdir / 'summary.csv').write_text('older')
    runs = make_runs('method=ssnn', workdir)
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
      NUM_STEPS,
      'log',
      [
        'ANN, learning_rate = 0.1',
        'ANN, learning_rate = 1.0',
        'learning_rate = 0.1',
        'learning_rate = 1.0',
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
      'layer_sizes=64-9-10,64-8-8-10,64-7-7-7-10;num_steps=4,16,64,128',
      'hidden layers (number × neurons)',
      'linear',
      T_LEGEND,
    ),
    (
      'layer_sizes=64-9-10,64-8-8-10;num_steps=4,16,64',
      NUM_STEPS,
      'log',
      [
        'ANN, layer_sizes = 64-9-10',
        'ANN, layer_sizes = 64-8-8-10',
        'layer_sizes = 64-9-10',
        'layer_sizes = 64-8-8-10',
      ],
    ),
  )
  def test_axis_and_legend_name_the_varied_fields(
    self, text, label, scale, expected
  ):
    sheet = grid_figures.draw_grid(make_settings(text))
    for axes in sheet.axes:
      self.assertEqual(axes.get_xlabel(), label)
      self.assertEqual(axes.get_xscale(), scale)
    titles = [axes.get_title() for axes in sheet.axes]
    both = ['accuracy, by winner counts', 'update error']
    self.assertEqual(titles, both[:1] if 'method=bp' in text else both)
    self.assertEqual(legend(sheet), expected)

  @parameterized.parameters(
    (
      'layer_sizes=64-9-10,64-8-8-10,64-7-6-5-10',
      [1, 2, 3],
      ['9', '2 × 8', '7-6-5'],
    ),
    # Networks of one depth are categories.
    ('layer_sizes=64-8-10,64-9-10', [0, 1], ['8', '9']),
    ('layer_sizes=none,64-9-10', [0, 1], ['none', '9']),
  )
  def test_layer_sizes_are_placed_by_depth(self, text, places, labels):
    for axes in grid_figures.draw_grid(make_settings(text)).axes:
      np.testing.assert_array_equal(axes.get_xticks(), places)
      found = [label.get_text() for label in axes.get_xticklabels()]
      self.assertEqual(found, labels)

  @parameterized.parameters(
    # The batch size determines the learning rate, and not the reverse.
    (
      ('batch_size=1;learning_rate=0.1', 'batch_size=8,64;learning_rate=1'),
      BATCH_SIZES,
      T_LEGEND,
    ),
    # Each determines the other.
    (
      ('batch_size=1;learning_rate=0.1', 'batch_size=8;learning_rate=1'),
      BATCH_SIZES,
      T_LEGEND,
    ),
    # Neither does.
    (
      (
        'batch_size=1;learning_rate=0.1',
        'batch_size=8;learning_rate=1',
        'batch_size=1;learning_rate=1',
        'batch_size=8;learning_rate=0.1',
      ),
      NUM_STEPS,
      [
        f'{ann}batch_size = {size}, learning_rate = {rate}'
        for ann in ('ANN, ', '')
        for size in (1, 8)
        for rate in (0.1, 1.0)
      ],
    ),
  )
  def test_dependent_fields_share_an_axis(self, texts, label, expected):
    settings = make_settings(*(f'{t};num_steps=4,16,64,128' for t in texts))
    sheet = grid_figures.draw_grid(settings)
    for axes in sheet.axes:
      self.assertEqual(axes.get_xlabel(), label)
    self.assertEqual(legend(sheet), expected)

  def test_curves_are_means(self):
    sheet = grid_figures.draw_grid(
      make_settings('learning_rate=1,0.1;num_steps=16')
    )
    expected = [
      [[[0.1, 81], [1, 83]], [[0.1, 75], [1, 75]]],  # the ANN first
      [[[0.1, 0.25], [1, 0.25]]],
    ]
    for axes, curves in zip(sheet.axes, expected):
      drawn = [bars.lines[0].get_xydata() for bars in axes.containers]
      np.testing.assert_allclose(drawn, curves)


class PlotTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  @parameterized.parameters(
    ('num_steps=4,16', 'spike_train_length'),
    ('num_steps=4', 'spike_train_length'),
    ('num_steps=4,16;learning_rate=0.1,1', 'grid'),
    ('num_steps=4,16;window=2', 'grid'),
    ('num_steps=4,16;method=ssnn', 'grid'),
    ('method=bp', 'grid'),
    ('integration=leaky;window=1,8;shuffle_ticks=false,true', 'event_time'),
    ('window=1,8;shuffle_ticks=false,true', 'grid'),
    ('integration=leaky;tau=1,2;shuffle_ticks=false,true', 'grid'),
  )
  def test_varied_fields_select_table_and_figure(self, text, expected):
    sweeps.write_runs(make_runs(text, self.workdir))
    table, _, name = plot.read_record(self.workdir)
    self.assertEqual(name, expected)
    if name == 'grid':
      settings = grid_summary.group(records.find(self.workdir))
      self.assertEqual(table, grid_summary.table(settings))

  def test_command_writes_figure_and_table(self):
    runs = make_runs('method=ssnn;tau=1,2', self.workdir)
    sweeps.write_runs(runs)
    output = call_main(plot, workdir=str(self.workdir))
    png, svg = (self.workdir / f'grid.{suffix}' for suffix in ('png', 'svg'))
    table = self.workdir / 'summary.csv'
    self.assertEqual(
      output.splitlines()[-1], f'figure: {png}, {svg}, table: {table}'
    )
    self.assertEqual(png.read_bytes()[:4], b'\x89PNG')
    self.assertIn('<svg', svg.read_text()[:1000])
    text = grid_summary.csv_text(runs, self.workdir)
    self.assertEqual(table.read_text(), text)

  def test_rejects_folder_without_finished_runs(self):
    recorded = config_records.as_record(sweeps.BASE)
    records.create(self.workdir / 'run', recorded)
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      f'^--workdir={self.workdir} holds no finished run; give a',
    ):
      plot.read_record(self.workdir)
