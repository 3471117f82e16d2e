"""Tests of plans of sweeps: runs, tasks and progress reports."""

import contextlib
import dataclasses
import io
import pathlib
from unittest import mock

from absl.testing import parameterized

from experiments.config import experiment
from experiments.config import grids
from experiments.launch import launcher
from experiments.launch import plans
from experiments.training import recorder
from experiments.training import trainer
import ssnn_jax
from ssnn_jax.runs import records
from tests.testing.experiments import CONFIG
from tests.testing.experiments import FINAL
from tests.testing.experiments import record_run
from tests.testing.experiments import share_programs
from tests.testing.experiments import small_digits

GRID = {'num_steps': (4,), 'learning_rate': (0.3, 1.0)}


class PlansTest(parameterized.TestCase):
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

  def test_trains_each_seed_on_the_data_of_its_fold(self):
    planned = self.plan({'method': ('bp',)}, seeds=(0, 1, 2, 3), folds=3)
    trained = {}

    def train(runs, dataset, options):
      del options
      trained[dataset] = [run.config.seed for run in runs]

    load = lambda config: config.seed % 3  # stands for the data of a fold
    with mock.patch.object(trainer, 'train', train):
      with mock.patch.object(experiment, 'network_config'):
        (task,) = plans.make_tasks(planned, load, trainer.Options())
        task.run()
    self.assertEqual(trained, {0: [0, 3], 1: [1], 2: [2]})

  def test_skips_finished_runs_and_resumes_others(self):
    planned = self.plan({'num_steps': (4,)}, seeds=(2, 3, 4))
    finished, stopped, new = planned['num_steps=4']
    record_run(finished, 'final')
    record_run(stopped)
    self.assertEqual(plans.pending(planned['num_steps=4']), [stopped, new])
    for run in planned['bp']:
      record_run(run, 'final')
    (task,), output = self.make_tasks(planned)
    self.assertEqual(output, 'bp: recorded\n')
    self.assertEqual(task.name, 'num_steps=4')
    self.assertEqual(task.run.args[0], [stopped, new])

  def test_rejects_impossible_setting_before_any_run(self):
    planned = self.plan({'num_steps': (16, 1)}, window=4)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, '^--window is 4; expected .* num_steps = 1'
    ):
      self.make_tasks(planned)
    self.assertEmpty(list(self.workdir.iterdir()))

  def test_rejects_run_of_another_configuration(self):
    (run,) = self.plan({'num_steps': (4,)})['num_steps=4']
    record_run(run)
    (other,) = self.plan({'num_steps': (4,)}, num_epochs=4)['num_steps=4']
    with self.assertRaisesRegex(ssnn_jax.UserError, 'num_epochs is 3, not 4'):
      plans.pending([other])
    self.assertIs(recorder.status(run), recorder.Status.UNFINISHED)

  def test_reports_accuracies_and_time_left(self):
    planned = self.plan(seeds=(0, 1))
    report = plans.make_report(planned)
    first, second = planned
    for run, accuracy in zip(planned[first], (0.9, 0.92, 0.8, 0.8)):
      record_run(run)
      records.append(run.folder, 'final', **FINAL | {'test_accuracy': accuracy})
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
