"""Tests of the views of runs, sweeps and records."""

import csv
import json
import pathlib

from absl.testing import absltest

from experiments import plot
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis import run_plot
from experiments.config import lines
import ssnn_jax
from ssnn_jax.runs import records
from tests.testing.experiments import record_epochs
from tests.testing.figures import assert_readable
from tests.testing.sweeps import accuracies
from tests.testing.sweeps import make_frame
from tests.testing.sweeps import make_runs
from tests.testing.sweeps import write_runs

GRID = 'num_steps=4,16;sampler=bernoulli,sobol'


def final(config):
  errors = {'update_error': 0.5, 'quantisation_error': 0.25}
  return accuracies(90 + config.seed + config.num_steps / 10) | errors


class RunTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def test_table_has_a_row_for_each_epoch(self):
    record_epochs(self.folder, num_epochs=3, num_hidden=1)
    table = run_plot.table(run_plot.read_epochs(records.read(self.folder)))
    self.assertEqual(list(table['loss']), ['1', '0.5', '0.3333'])
    self.assertEqual(list(table['test accuracy']), ['', '0.25', ''])
    self.assertEqual(list(table['firing rates'])[0], '0.1 0.2')
    self.assertEqual(list(table['coincidences'])[2], '300 400')
    self.assertLen(table.columns, 10)

  def test_figure_has_a_curve_for_each_layer(self):
    record_epochs(self.folder, num_epochs=4)
    view = plot.view_run(self.folder)
    assert_readable(view.figure)
    drawn = {
      axes.get_title(): {
        line.get_label(): list(line.get_xdata()) for line in axes.lines
      }
      for axes in view.figure.axes
      if axes.lines
    }
    self.assertLen(drawn, 7)  # update errors are not recorded
    self.assertEqual(
      drawn['accuracy'], {'during training': [1, 2, 3, 4], 'evaluation': [2, 4]}
    )
    layers = ['inputs', 'hidden layer 1', 'hidden layer 2']
    self.assertEqual(list(drawn['spikes']), layers)
    self.assertEqual(list(drawn['errors']), [*layers[1:], 'output'])

  def test_rejects_run_without_an_epoch(self):
    record_epochs(self.folder, num_epochs=0)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'no complete epoch yet'):
      plot.view_run(self.folder)


class SweepTest(absltest.TestCase):
  def test_sweep_of_no_study_has_the_generic_view(self):
    runs = make_frame(GRID, final, num_seeds=2)
    view = plot.view_runs(runs, None)
    self.assertEqual(view.name, 'grid')
    self.assertStartsWith(view.text, grid_table.lay_out(grid_table.make(runs)))
    self.assertIn('\nssnn, sampler=sobol: ', view.text)
    assert_readable(view.figure)

  def test_sweep_of_a_study_has_the_view_of_the_study(self):
    runs = make_frame('num_steps=1,4,16,64,256', final, num_seeds=2)
    view = plot.view_runs(runs, 'spike_train_length')
    self.assertEqual(view.name, 'spike_train_length')
    assert_readable(view.figure)

  def test_unfinished_sweep_of_a_study_has_a_view(self):
    runs = make_frame('num_steps=4,16', final, num_seeds=1)
    spiking = frames.split_baseline(runs)[1]
    view = plot.view_runs(spiking, 'spike_train_length')
    self.assertIn('generic view, as the study spike_train', view.text)

  def test_csv_has_a_row_for_each_run_unrounded(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    runs = make_runs(GRID, final, num_seeds=2, workdir=folder)
    write_runs(runs)
    frame = frames.from_runs(records.find(folder))
    with plot.write_csv(frame, folder).open() as stream:
      rows = list(csv.DictReader(stream))
    self.assertLen(rows, len(runs))
    found = sorted(float(row['test_accuracy']) for row in rows)
    self.assertEqual(found, sorted(run.final['test_accuracy'] for run in runs))
    self.assertIn('num_steps', rows[0])
    self.assertNotIn('learning_rate', rows[0])

  def test_folder_names_its_study(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    self.assertEqual(lines.read_sweep(folder), {})
    (folder / 'sweep.json').write_text(json.dumps({'study': 'noise'}))
    self.assertEqual(lines.read_sweep(folder), {'study': 'noise'})
