"""Tests of sweeps: planned runs, recorded runs, results and errors."""

import contextlib
import dataclasses
import json
import pathlib
from unittest import mock

from absl.testing import parameterized
import numpy as np

from experiments import studies
from experiments import sweep
from experiments.analysis.study import Study
from experiments.config import experiment
from experiments.config import grids
from experiments.training import data
from experiments.training import trainer
import ssnn_jax
from ssnn_jax.runs import files
from ssnn_jax.runs import records
from tests.testing.experiments import FINAL
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import call_main
from tests.testing.experiments import record_run
from tests.testing.experiments import small_digits

_DIGITS = (
  grids.Sweep({'num_steps': (4, 16)}, 1, {'num_epochs': 2}),
  grids.Sweep({'num_steps': (4,)}, 2, {'num_epochs': 2, 'gain': (2.0,)}),
)
STUDY = Study('Does noise matter?', {'digits': _DIGITS})


class SweepTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def call(self, **given):
    """Calls the command with values of flags; returns its output."""
    others = ('config', 'data_dir', 'study', 'grid', 'num_seeds')
    values = dict.fromkeys((*experiment.FIELDS, *others))
    values |= dataclasses.asdict(trainer.Options())
    values |= dataclasses.asdict(sweep.Launch())
    values |= {'download': False, 'workdir': str(self.workdir)}
    return call_main(sweep, **values | given)

  def call_study(self, study, **given):
    """Calls the command with a study; returns the names of finished runs."""
    finish = lambda tasks, *_: [self.finish(task.run.args[0]) for task in tasks]
    with (
      mock.patch.object(studies, 'load', lambda name: study),
      mock.patch.object(sweep, 'launch', finish),
      mock.patch.object(data, 'load', lambda c, **_: blank_dataset(c.dataset)),
    ):
      self.call(study='noise', **given)
    return {
      str(run.folder.relative_to(self.workdir))
      for run in records.find(self.workdir)
    }

  def finish(self, runs):
    for run in runs:
      record_run(run, 'final')

  def test_prints_the_best_learning_rate_of_each_method(self):
    accuracies = {'bp': {0.3: 0.8, 1.0: 0.9}, 'ssnn': {0.3: 0.85, 1.0: 0.7}}

    def finish(tasks, *_):
      for run in (run for task in tasks for run in task.run.args[0]):
        config = run.config
        accuracy = accuracies[config.method][config.learning_rate]
        record_run(run)
        records.append(
          run.folder, 'final', **FINAL | {'test_accuracy': accuracy}
        )

    with mock.patch.object(sweep, 'launch', finish):
      output = self.call(
        grid=['learning_rate=0.3,1'], num_seeds=1, hold_out=0.2
      )
    self.assertEqual(
      output.splitlines()[-3:-1],
      [
        'bp: best on held-out samples with --learning_rate=1',
        'ssnn: best on held-out samples with --learning_rate=0.3',
      ],
    )

  def test_runs_all_sweeps_of_a_study(self):
    made = self.call_study(STUDY, dataset='digits')
    expected = {'bp/seed=0', 'num_steps=4/seed=0', 'num_steps=16/seed=0'}
    self.assertEqual(
      made,
      expected
      | {f'gain=2.0,num_steps=4/seed={seed}' for seed in (0, 1)}
      | {'bp/seed=1'},
    )
    run = records.read(self.workdir / 'num_steps=16' / 'seed=0')
    self.assertEqual(run.config['num_epochs'], 2)  # of the base of all sweeps
    self.assertEqual(
      json.loads((self.workdir / 'sweep.json').read_text()),
      {
        'study': 'noise',
        'dataset': 'digits',
        'command': 'python -m experiments.sweep --study=noise --dataset=digits',
      },
    )

  def test_flags_override_the_sweeps_of_a_study(self):
    made = self.call_study(
      STUDY, dataset='mnist', num_seeds=1, num_epochs=7, layer_sizes=(784, 10)
    )
    self.assertEqual({name[-6:] for name in made}, {'seed=0'})
    for run in records.find(self.workdir):
      self.assertEqual(run.config['dataset'], 'mnist')
      self.assertEqual(run.config['num_epochs'], 7)
    self.assertEqual(
      json.loads((self.workdir / 'sweep.json').read_text())['command'],
      'python -m experiments.sweep --study=noise --dataset=mnist '
      '--num_seeds=1 --layer_sizes=784,10 --num_epochs=7',
    )

  def test_rejects_runs_without_a_finished_record(self):
    with (
      mock.patch.object(sweep, 'launch', lambda *_: None),
      self.assertRaisesRegex(
        ssnn_jax.UserError, f'^{self.workdir}/bp/seed=0 has no finished record'
      ),
    ):
      self.call(grid=['method=bp'], num_seeds=1)

  def test_relative_paths_are_absolute_in_tasks(self):
    task_lists = []

    def launch(tasks, workdir, *_):
      task_lists.append(tasks)
      self.assertTrue(workdir.is_absolute())
      raise ssnn_jax.UserError('stop')

    arrays = dict(zip(('x_train', 'y_train'), small_digits().train))
    arrays |= dict(zip(('x_test', 'y_test'), small_digits().test))
    with (
      contextlib.chdir(self.workdir),
      mock.patch.object(sweep, 'launch', launch),
    ):
      np.savez('own.npz', **arrays)
      with self.assertRaisesRegex(ssnn_jax.UserError, '^stop$'):
        self.call(
          workdir='new',
          dataset='own.npz',
          data_dir='data',
          grid=['method=bp'],
          probe_size=10,
        )
    ((task,),) = task_lists
    runs, load, _ = task.run.args
    self.assertEqual(runs[0].folder, self.workdir / 'new' / 'bp' / 'seed=0')
    self.assertEqual(runs[0].config.dataset, str(self.workdir / 'own.npz'))
    self.assertEqual(load.keywords['data_dir'], self.workdir / 'data')

  def test_two_sweeps_cannot_use_the_same_folder(self):
    with (
      files.exclusive_lock(self.workdir),
      self.assertRaisesRegex(
        ssnn_jax.UserError, f'^{self.workdir} is in use by another process; '
      ),
    ):
      self.call(grid=['method=bp'])
    self.assertLen(list(self.workdir.iterdir()), 1)
