"""Tests of the views of runs, sweeps and records."""

import csv
import pathlib

from absl.testing import absltest
import jax

from experiments import plot
from experiments import record
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis import records
from experiments.analysis import run_plot
from experiments.config import experiment
import ssnn_jax
from ssnn_jax import datasets
from tests.testing.experiments import call_main
from tests.testing.experiments import make_curves
from tests.testing.experiments import make_task
from tests.testing.experiments import record_run
from tests.testing.experiments import small_digits
from tests.testing.figures import assert_readable
from tests.testing.sweeps import accuracies
from tests.testing.sweeps import make_frame
from tests.testing.sweeps import write_sweep

GRID = 'num_steps=4,16;sampler=bernoulli,sobol'


def numbers(config):
  errors = {'update_error': 0.5, 'quantisation_error': 0.25}
  return accuracies(90 + config.seed + config.num_steps / 10) | errors


class RunTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def record(self, num_epochs, **changes):
    """Records a run that is compared with the gradient every second epoch."""
    task = make_task(self.folder, probe_every=2, **changes)
    errors = {'update_error': [0.5] * (num_epochs // 2)}
    curves = make_curves(num_epochs) | errors
    record_run(task, 'unfinished', curves=curves)

  def test_table_has_a_row_for_each_epoch(self):
    self.record(3)
    (line,) = record.find(self.folder)
    table = run_plot.table(run_plot.read_epochs(line))
    self.assertEqual(list(table['loss']), ['1', '0.5', '0.3333'])
    self.assertEqual(list(table['test accuracy']), ['', '0.25', ''])
    self.assertEqual(list(table['firing rates'])[0], '0.1 0.2 0.3')
    self.assertEqual(list(table['update error']), ['', '0.5', ''])
    self.assertLen(table.columns, 11)

  def test_figure_has_a_curve_for_each_layer(self):
    self.record(4)
    view = plot.view_folder(self.folder)
    self.assertEqual(view.name, 'run')
    assert_readable(view.figure)
    drawn = {
      axes.get_title(): {
        line.get_label(): list(line.get_xdata()) for line in axes.lines
      }
      for axes in view.figure.axes
      if axes.lines
    }
    self.assertLen(drawn, 8)
    self.assertEqual(
      drawn['accuracy'], {'during training': [1, 2, 3, 4], 'evaluation': [2, 4]}
    )
    layers = ['inputs', 'hidden layer 1', 'hidden layer 2']
    self.assertEqual(list(drawn['spikes']), layers)
    self.assertEqual(list(drawn['errors']), [*layers[1:], 'output'])

  def test_raster_has_a_figure_for_each_layer(self):
    task = make_task(self.folder, layer_sizes=(64, 10))
    network = experiment.network_config(task.config, small_digits())
    params = ssnn_jax.ssnn(network).init(jax.random.key(0))
    ssnn_jax.save(self.folder, network, params)
    record_run(task)
    output = call_main(
      plot, f'--workdir={self.folder}', '--raster', '--sample=3'
    )
    label = datasets.load('digits').test.labels[3]
    self.assertRegex(
      output,
      rf'^sample 3 of the test split, class {label}: class \d won \d+ of 10',
    )
    names = sorted(path.name for path in self.folder.glob('*.png'))
    self.assertEqual(names, ['raster-0.png', 'raster-1.png'])
    with self.assertRaisesRegex(ssnn_jax.UserError, '^--sample is 360;'):
      call_main(plot, f'--workdir={self.folder}', '--raster', '--sample=360')

  def test_folders_without_a_result_are_refused(self):
    with self.assertRaisesRegex(ssnn_jax.UserError, 'holds no run'):
      plot.view_folder(self.folder)

  def test_unfinished_seeds_have_the_curves_of_the_first(self):
    self.record(1, num_seeds=2)
    self.assertEqual(plot.view_folder(self.folder).name, 'run')


class SweepTest(absltest.TestCase):
  def test_sweep_of_no_study_has_the_generic_view(self):
    runs = make_frame(GRID, numbers, num_seeds=2)
    view = plot.view_runs(runs, None)
    self.assertEqual(view.name, 'grid')
    self.assertStartsWith(view.text, grid_table.lay_out(grid_table.make(runs)))
    self.assertIn('\nssnn, sampler=sobol: ', view.text)
    table, below = view.text.split('\nFast simulation, ')
    for heading in grid_table.EXPLANATIONS:
      self.assertEqual(
        heading.split()[0] in table, f'\n{heading}: ' in below, heading
      )
    assert_readable(view.figure)

  def test_sweep_of_a_study_has_the_view_of_the_study(self):
    runs = make_frame('num_steps=1,4,16,64,256', numbers, num_seeds=2)
    view = plot.view_runs(runs, 'spike_train_length')
    self.assertEqual(view.name, 'spike_train_length')
    assert_readable(view.figure)
    spiking = frames.split_baseline(runs)[1]
    view = plot.view_runs(spiking, 'spike_train_length')
    self.assertIn('generic view, as the study spike_train', view.text)

  def test_figure_of_a_part_of_a_study_is_in_the_folder_of_its_sweep(self):
    runs = make_frame('num_steps=16,64', numbers, num_seeds=2)
    self.assertEqual(
      plot.view_runs(runs, 'online/each_tick').name, 'online-each_tick'
    )

  def test_command_saves_figure_and_unrounded_runs(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    write_sweep(folder, GRID, numbers, num_seeds=2)
    output = call_main(plot, f'--workdir={folder}')
    self.assertIn(f'figure: {folder}/grid.png', output)
    self.assertTrue((folder / 'grid.png').exists())
    with (folder / 'summary.csv').open() as stream:
      rows = list(csv.DictReader(stream))
    runs = records.read_folder(folder)
    self.assertLen(rows, 10)
    found = sorted(float(row['test_accuracy']) for row in rows)
    self.assertEqual(found, sorted(runs['test_accuracy']))
    self.assertIn('num_steps', rows[0])
    self.assertNotIn('learning_rate', rows[0])
