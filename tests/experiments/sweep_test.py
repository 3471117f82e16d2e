"""Tests of sweeps: planned runs, recorded runs, results and errors."""

import contextlib
import csv
import dataclasses
import io
import pathlib

from absl.testing import parameterized

from experiments import grid_summary
from experiments import sweep
from experiments.config import experiment
from experiments.config import grids
from experiments.config import serialization
from experiments.launch import tasks as launchers
from experiments.training import recorder
from experiments.training import trainer
import ssnn_jax
from ssnn_jax.runs import files
from ssnn_jax.runs import records
from tests.testing import sweeps
from tests.testing.experiments import CONFIG
from tests.testing.experiments import call_main
from tests.testing.experiments import share_programs
from tests.testing.experiments import small_digits

GRID = {'num_steps': (4,), 'learning_rate': (0.3, 1.0)}
TUNING = 'method=bp;learning_rate={};hold_out=0.2'


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
    return sweep.plan(grids.settings(config, grid), self.workdir, seeds)

  def record(self, run, *events):
    records.create(run.folder, serialization.as_record(run.config))
    for event in events:
      records.append(run.folder, event)

  def make_tasks(self, planned):
    """Returns the tasks of a sweep and the output."""
    load, output = lambda config: small_digits(), io.StringIO()
    with contextlib.redirect_stdout(output):
      tasks = sweep.make_tasks(planned, load, trainer.Options())
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
    self.assertEqual(sweep.pending(planned['num_steps=4']), [stopped, new])
    for run in planned['bp']:
      self.record(run, 'final')
    (task,), output = self.make_tasks(planned)
    self.assertEqual(output, 'bp: recorded\n')
    self.assertEqual(task.name, 'num_steps=4 (2 of 3 runs)')
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
      sweep.pending(planned['bp'])
    self.assertEqual(path.read_text(), 'mine')

  def test_rejects_run_of_another_configuration(self):
    (run,) = self.plan({'num_steps': (4,)})['num_steps=4']
    self.record(run)
    (other,) = self.plan({'num_steps': (4,)}, num_epochs=4)['num_steps=4']
    with self.assertRaisesRegex(ssnn_jax.UserError, 'num_epochs is 3, not 4'):
      sweep.pending([other])
    self.assertIs(recorder.status(run), recorder.Status.UNFINISHED)

  def test_trains_each_run_once_and_writes_a_summary(self):
    grid = {'method': ('bp',), 'learning_rate': (0.3, 1.0)}
    planned = self.plan(grid, seeds=(0, 1))
    events = []
    tasks, _ = self.make_tasks(planned)
    launchers.launch_here(tasks, events.append)
    self.assertEqual(
      [event.status for event in events],
      [launchers.Status.STARTED, launchers.Status.DONE],
    )
    runs = list(records.find(self.workdir))
    finals = [run.final for run in runs]
    self.assertEqual([final['seeds_at_once'] for final in finals], [4] * 4)
    self.assertEqual(self.make_tasks(planned)[0], [])
    path = grid_summary.write_csv(runs, self.workdir)
    with open(path, newline='') as file:
      rows = list(csv.DictReader(file))
    self.assertEqual(
      [(row['learning_rate'], row['seed']) for row in rows],
      [('0.3', '0'), ('0.3', '1'), ('1.0', '0'), ('1.0', '1')],
    )
    digests = [final['params_sha256'] for final in finals]
    self.assertEqual([row['params_sha256'] for row in rows], digests)

  def call(self, grid):
    """Calls the command with a grid and two seeds; returns its output."""
    fields = [
      field.name for field in dataclasses.fields(experiment.ExperimentConfig)
    ]
    others = ('config', 'data_dir', 'sweep', 'ray_address', 'num_devices')
    values = dict.fromkeys((*fields, *others)) | {
      'launcher': 'local',
      'num_workers': 1,
      'num_seeds': 2,
      'download': False,
      'tensorboard': False,
      'checkpoint_every': 30.0,
      'workdir': str(self.workdir),
      'grid': grid,
    }
    return call_main(sweep, **values)

  @parameterized.parameters(
    ([TUNING.format('0.1,1')], True),
    ([TUNING.format('1'), TUNING.format('0.1')], True),
    (['method=bp;learning_rate=0.1,1'], False),
    (['method=bp;num_epochs=1,2;hold_out=0.2'], False),
  )
  def test_prints_the_best_learning_rates(self, grid, prints):
    runs = sweeps.make_runs(
      grid,
      lambda c: {
        **sweeps.accuracies(80 if c.learning_rate < 1 else 82),
        'train_seconds': 3.0,
        'seeds_at_once': 2,
      },
      workdir=self.workdir,
    )
    sweeps.write_runs(runs)
    output = self.call(grid)
    *_, before, last = output.splitlines()
    self.assertStartsWith(last, f'records: {self.workdir}')
    picked = 'bp: best on held-out samples with --learning_rate=1'
    self.assertEqual(before == picked, prints)
    self.assertEqual('best on' in output, prints)

  def test_two_sweeps_cannot_use_the_same_folder(self):
    with (
      files.exclusive_lock(self.workdir / '.lock'),
      self.assertRaisesRegex(
        ssnn_jax.UserError, f'^{self.workdir} is in use by another process; '
      ),
    ):
      self.call(['method=bp'])
    self.assertLen(list(self.workdir.iterdir()), 1)
