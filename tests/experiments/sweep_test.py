"""Tests of sweeps: what they plan, skip, make and refuse."""

import contextlib
import csv
import dataclasses
import io
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from experiments import config_records
from experiments import configs
from experiments import grids
from experiments import launchers
from experiments import recorder
from experiments import sweep
from experiments import trainer
import ssnn_jax
from ssnn_jax.runs import files
from ssnn_jax.runs import records
from tests.experiments import grid_summary_test
from tests.testing.experiments import CONFIG
from tests.testing.experiments import load_small
from tests.testing.experiments import share_programs

GRID = {'num_steps': (4,), 'learning_rate': (0.3, 1.0)}


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
    records.create(run.folder, config_records.as_record(run.config))
    for event in events:
      records.append(run.folder, event)

  def make_tasks(self, planned):
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
      tasks = sweep.make_tasks(planned, load_small, trainer.Options())
    return tasks, told.getvalue()

  def test_learning_rates_and_seeds_are_trained_together(self):
    planned = self.plan(seeds=(0, 1))
    spiking = 'num_steps=4,learning_rate='
    self.assertEqual(
      {
        name: [str(run.folder.relative_to(self.workdir)) for run in runs]
        for name, runs in planned.items()
      },
      {
        'bp,learning_rate=0.3 + bp,learning_rate=1.0': [
          f'bp,learning_rate={rate}/seed={seed}'
          for rate in (0.3, 1.0)
          for seed in (0, 1)
        ],
        f'{spiking}0.3 + {spiking}1.0': [
          f'{spiking}{rate}/seed={seed}'
          for rate in (0.3, 1.0)
          for seed in (0, 1)
        ],
      },
    )
    for runs in planned.values():
      for run in runs:
        ends = f'learning_rate={run.config.learning_rate}/seed'
        self.assertIn(ends, str(run.folder))
        self.assertEqual(run.folder.name, f'seed={run.config.seed}')

  def test_what_is_recorded_is_skipped_and_what_was_stopped_goes_on(self):
    planned = self.plan({'num_steps': (4,)}, seeds=(2, 3, 4))
    finished, stopped, new = planned['num_steps=4']
    self.record(finished, 'final')
    self.record(stopped)
    self.assertEqual(sweep.pending(planned['num_steps=4']), [stopped, new])
    for run in planned['bp']:
      self.record(run, 'final')
    (task,), told = self.make_tasks(planned)
    self.assertEqual(told, 'bp: recorded\n')
    self.assertEqual(task.name, 'num_steps=4 (2 of 3 runs)')
    self.assertEqual(task.run.args[0], [stopped, new])

  def test_an_impossible_setting_is_refused_before_any_has_run(self):
    planned = self.plan({'num_steps': (16, 1)}, window=4)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, '^--window is 4; expected 1 tick up to num_steps = 1'
    ):
      self.make_tasks(planned)
    self.assertEmpty(list(self.workdir.iterdir()))

  @parameterized.parameters('', 'notes.txt')
  def test_what_is_no_run_is_refused(self, name):
    planned = self.plan({'num_steps': (4,)})
    folder = planned['bp'][0].folder
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('mine')
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{folder}'):
      sweep.pending(planned['bp'])
    self.assertEqual(path.read_text(), 'mine')

  def test_another_run_is_refused(self):
    (run,) = self.plan({'num_steps': (4,)})['num_steps=4']
    self.record(run)
    (other,) = self.plan({'num_steps': (4,)}, num_epochs=4)['num_steps=4']
    with self.assertRaisesRegex(ssnn_jax.UserError, 'num_epochs is 3, not 4'):
      sweep.pending([other])
    self.assertIs(recorder.status(run), recorder.Status.UNFINISHED)

  def test_a_sweep_is_made_once_and_summarised(self):
    planned = self.plan(
      {'method': ('bp',), 'learning_rate': (0.3, 1.0)}, (0, 1)
    )
    events = []
    tasks, _ = self.make_tasks(planned)
    launchers.launch_here(tasks, events.append)
    self.assertEqual(
      [event.status for event in events],
      [launchers.Status.STARTED, launchers.Status.DONE],
    )
    finals = [run.final for run in records.find(self.workdir)]
    self.assertEqual([final['seeds_at_once'] for final in finals], [4] * 4)
    self.assertEqual(self.make_tasks(planned)[0], [])
    path = sweep.grid_summary.write_csv(
      records.find(self.workdir), self.workdir
    )
    with open(path, newline='') as file:
      rows = list(csv.DictReader(file))
    self.assertEqual(
      [(row['learning_rate'], row['seed']) for row in rows],
      [('0.3', '0'), ('0.3', '1'), ('1.0', '0'), ('1.0', '1')],
    )
    digests = [final['params_sha256'] for final in finals]
    self.assertEqual([row['params_sha256'] for row in rows], digests)

  def values(self, **given):
    """Returns the values of all flags of a sweep."""
    fields = dataclasses.fields(configs.ExperimentConfig)
    names = (*(field.name for field in fields), 'config', 'data_dir', 'sweep')
    return {
      **dict.fromkeys((*names, 'ray_address', 'num_devices')),
      'launcher': 'local',
      'num_workers': 1,
      'num_seeds': 2,
      'download': False,
      'tensorboard': False,
      'checkpoint_every': 30.0,
      'workdir': str(self.workdir),
      **given,
    }

  @parameterized.parameters(
    (['method=bp;learning_rate=0.1,1;hold_out=0.2'], True),
    (
      [
        'method=bp;learning_rate=1;hold_out=0.2',
        'method=bp;learning_rate=0.1;hold_out=0.2',
      ],
      True,
    ),
    (['method=bp;learning_rate=0.1,1'], False),
    (['method=bp;num_epochs=1,2;hold_out=0.2'], False),
  )
  def test_a_sweep_tells_the_rates_that_are_best(self, grid, is_told):
    for part in grid:
      grid_summary_test.write_runs(
        grid_summary_test.make_runs(part, workdir=self.workdir)
      )
    told = io.StringIO()
    with mock.patch.object(sweep.flags, 'FLAGS') as given:
      given.flag_values_dict.return_value = self.values(grid=grid)
      with contextlib.redirect_stdout(told):
        sweep.main()
    *_, before, last = told.getvalue().splitlines()
    self.assertStartsWith(last, f'records: {self.workdir}')
    picked = 'bp: best on held-out samples with --learning_rate=1'
    self.assertEqual(before == picked, is_told)
    self.assertEqual('best on' in told.getvalue(), is_told)

  def test_two_sweeps_cannot_use_the_same_folder(self):
    values = self.values(grid=['method=bp'])
    with (
      files.exclusive_lock(self.workdir / '.lock'),
      mock.patch.object(sweep.flags, 'FLAGS') as given,
      contextlib.redirect_stdout(io.StringIO()),
      self.assertRaisesRegex(
        ssnn_jax.UserError, f'^{self.workdir} is in use by another process; '
      ),
    ):
      given.flag_values_dict.return_value = values
      sweep.main()
    self.assertLen(list(self.workdir.iterdir()), 1)


if __name__ == '__main__':
  absltest.main()
