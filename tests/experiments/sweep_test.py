"""Tests of sweeps: planned runs, recorded runs, results and errors."""

import contextlib
import dataclasses
import io
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
from experiments.config import serialization
from experiments.launch import launcher
from experiments.launch import plans
from experiments.training import data
from experiments.training import recorder
from experiments.training import trainer
import ssnn_jax
from ssnn_jax.runs import files
from ssnn_jax.runs import records
from tests.testing.experiments import CONFIG
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import call_main
from tests.testing.experiments import share_programs
from tests.testing.experiments import small_digits

GRID = {'num_steps': (4,), 'learning_rate': (0.3, 1.0)}
_DIGITS = (
  grids.Sweep({'num_steps': (4, 16)}, 1, {'num_epochs': 2}),
  grids.Sweep({'num_steps': (4,)}, 2, {'num_epochs': 2, 'gain': (2.0,)}),
)
STUDY = Study('Does noise matter?', {'digits': _DIGITS})


class SweepTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    share_programs(cls)

  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def plan(self, grid=GRID, seeds=(0,), **changes):
    config = dataclasses.replace(CONFIG, **changes)
    config = dataclasses.replace(config, seed=seeds[0])
    own = grids.Sweep(grid, num_seeds=len(seeds))
    return plans.make(config, [own], self.workdir)

  def record(self, run, *events):
    records.create(run.folder, serialization.as_record(run.config))
    for event in events:
      records.append(run.folder, event)

  def make_tasks(self, planned):
    """Returns the tasks of a sweep and the output."""
    load, output = lambda config: small_digits(), io.StringIO()
    with contextlib.redirect_stdout(output):
      tasks = plans.make_tasks(planned, load, trainer.Options())
    return tasks, output.getvalue()

  def test_groups_learning_rates_and_seeds(self):
    planned = self.plan(seeds=(0, 1))
    folders = {
      name: [str(run.folder.relative_to(self.workdir)) for run in runs]
      for name, runs in planned.items()
    }

    def folders_of(setting):
      return [
        f'{setting},learning_rate={rate}/seed={seed}'
        for rate in (0.3, 1.0)
        for seed in (0, 1)
      ]

    expected = {
      f'{setting},learning_rate=0.3 + {setting},learning_rate=1.0': folders_of(
        setting
      )
      for setting in ('bp', 'num_steps=4')
    }
    self.assertEqual(folders, expected)
    for runs in planned.values():
      for run in runs:
        ending = f'learning_rate={run.config.learning_rate}/seed'
        self.assertIn(ending, str(run.folder))
        self.assertEqual(run.folder.name, f'seed={run.config.seed}')

  def test_skips_finished_runs_and_resumes_others(self):
    planned = self.plan({'num_steps': (4,)}, seeds=(2, 3, 4))
    finished, stopped, new = planned['num_steps=4']
    self.record(finished, 'final')
    self.record(stopped)
    self.assertEqual(plans.pending(planned['num_steps=4']), [stopped, new])
    for run in planned['bp']:
      self.record(run, 'final')
    (task,), output = self.make_tasks(planned)
    self.assertEqual(output, 'bp: recorded\n')
    self.assertEqual(task.name, 'num_steps=4')
    self.assertEqual(task.run.args[0], [stopped, new])

  def test_rejects_impossible_setting_before_any_run(self):
    planned = self.plan({'num_steps': (16, 1)}, window=4)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, '^--window is 4; expected 1 tick up to num_steps = 1'
    ):
      self.make_tasks(planned)
    self.assertEmpty(list(self.workdir.iterdir()))

  @parameterized.parameters('', 'notes.txt')
  def test_rejects_folders_with_other_files(self, name):
    planned = self.plan({'num_steps': (4,)})
    folder = planned['bp'][0].folder
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('mine')
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{folder}'):
      plans.pending(planned['bp'])
    self.assertEqual(path.read_text(), 'mine')

  def test_rejects_run_of_another_configuration(self):
    (run,) = self.plan({'num_steps': (4,)})['num_steps=4']
    self.record(run)
    (other,) = self.plan({'num_steps': (4,)}, num_epochs=4)['num_steps=4']
    with self.assertRaisesRegex(ssnn_jax.UserError, 'num_epochs is 3, not 4'):
      plans.pending([other])
    self.assertIs(recorder.status(run), recorder.Status.UNFINISHED)

  def test_trains_each_run_once(self):
    grid = {'method': ('bp',), 'learning_rate': (0.3, 1.0)}
    planned = self.plan(grid, seeds=(0, 1))
    events = []
    tasks, _ = self.make_tasks(planned)
    launcher.launch(tasks, launcher.this_process(), events.append)
    self.assertEqual(
      [event.status for event in events],
      [launcher.Status.STARTED, launcher.Status.DONE],
    )
    runs = list(records.find(self.workdir))
    finals = [run.final for run in runs]
    self.assertEqual([final['seeds_at_once'] for final in finals], [4] * 4)
    self.assertEqual(self.make_tasks(planned)[0], [])

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
      self.record(run, 'final')

  def test_prints_the_best_learning_rate_of_each_method(self):
    accuracies = {'bp': {0.3: 0.8, 1.0: 0.9}, 'ssnn': {0.3: 0.85, 1.0: 0.7}}

    def finish(tasks, *_):
      for run in (run for task in tasks for run in task.run.args[0]):
        config = run.config
        accuracy = accuracies[config.method][config.learning_rate]
        self.record(run)
        records.append(run.folder, 'final', test_accuracy=accuracy)

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

  def test_rejects_a_study_without_sweeps(self):
    study = Study('How fast?', commands={'cpu': ('python -m a', 'make b')})
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      '^--study=noise has no sweeps; its records are made by python -m a; make',
    ):
      self.call_study(study)

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

  def test_reports_accuracies_and_time_left(self):
    planned = self.plan(seeds=(0, 1))
    report = plans.make_report(planned)
    first, second = planned
    for run, accuracy in zip(planned[first], (0.9, 0.92, 0.8, 0.8)):
      self.record(run)
      records.append(run.folder, 'final', test_accuracy=accuracy)
    done, output = launcher.Status.DONE, io.StringIO()
    with contextlib.redirect_stdout(output):
      report(launcher.Event(first, launcher.Status.STARTED, 0, 2, ''))
      report(launcher.Event(first, done, 1, 2, ''))
      report(launcher.Event(second, done, 2, 2, ''))
    lines = output.getvalue().splitlines()
    self.assertEqual(lines[0], f'[0/2] {first}: started')
    self.assertEqual(
      lines[1],
      f'[1/2] {first}: test accuracy 91.0 ± 1.4 % (2 seeds), 80.0 ± 0.0 % '
      '(2 seeds), 0 s left',
    )
    self.assertEqual(lines[2], f'[2/2] {second}: done')  # without a record

  def test_two_sweeps_cannot_use_the_same_folder(self):
    with (
      files.exclusive_lock(self.workdir / '.lock'),
      self.assertRaisesRegex(
        ssnn_jax.UserError, f'^{self.workdir} is in use by another process; '
      ),
    ):
      self.call(grid=['method=bp'])
    self.assertLen(list(self.workdir.iterdir()), 1)
