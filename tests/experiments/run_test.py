"""Tests of planned and recorded settings, and of what a sweep leaves."""

import contextlib
import dataclasses
import pathlib
from unittest import mock

from absl.testing import parameterized
import numpy as np

from experiments import launch
from experiments import record
from experiments import run
from experiments import studies
from experiments.analysis.study import Study
from experiments.config import experiment
from experiments.config import grids
from experiments.training import data
from experiments.training import trainer
import ssnn_jax
from tests.testing.experiments import CONFIG
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import call_main
from tests.testing.experiments import make_task
from tests.testing.experiments import record_run
from tests.testing.experiments import small_digits
from tests.testing.sweeps import accuracies

DIGITS = (
  grids.Sweep({'num_steps': (4, 16)}, 1, {'num_epochs': 2}),
  grids.Sweep({'num_steps': (4,)}, 2, {'num_epochs': 2, 'gain': (2.0,)}),
)
OWN = (grids.Sweep({'method': ('bp',)}, 1),)
STUDY = Study('Does noise matter?', {'digits': DIGITS, 'own': OWN})


class PlanTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def plan(self, num_seeds, seeds_at_once=None, **changes):
    """Returns the seeds of the planned tasks, by their folders."""
    base = dataclasses.replace(CONFIG, **changes)
    sweep = grids.Sweep({'method': ('ssnn',), 'num_steps': (4,)}, num_seeds)
    tasks = run.plan(base, [sweep], self.workdir, seeds_at_once)
    for name, task in tasks.items():
      self.assertEqual(name.replace(', ', '/'), self.path(task))
      self.assertEqual(task.config.num_steps, 4)
    return {self.path(task): [*task.seeds] for task in tasks.values()}

  def path(self, task):
    return str(task.folder.relative_to(self.workdir))

  def test_seeds_of_a_setting_are_one_task(self):
    self.assertEqual(self.plan(3), {'num_steps=4/seed=0-2': [0, 1, 2]})
    found = self.plan(3, seeds_at_once=2, seed=5)
    expected = {'num_steps=4/seed=5-6': [5, 6], 'num_steps=4/seed=7': [7]}
    self.assertEqual(found, expected)

  def test_more_seeds_are_another_task(self):
    record_run(make_task(self.workdir / 'num_steps=4/seed=1-2', 1, 2))
    found = self.plan(5)
    self.assertEqual(
      found,
      {
        'num_steps=4/seed=0': [0],
        'num_steps=4/seed=1-2': [1, 2],
        'num_steps=4/seed=3-4': [3, 4],
      },
    )

  def test_folds_have_different_data_and_so_different_tasks(self):
    self.assertLen(self.plan(3, folds=3), 3)


class SweepTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)
    self.tasks = []

  def launch(self, tasks, workdir, report, options):
    """Records the tasks of a launcher with made-up results."""
    del options
    self.assertTrue((workdir / record.SWEEP).exists())
    for number, task in enumerate(tasks, 1):
      self.tasks.append(task.run.args[0])
      percent = lambda c: accuracies(90 + c.seed + c.num_steps / 16)
      record_run(self.tasks[-1], numbers=percent)
      report(task.name, 'done', number)

  def call(self, *arguments, study=STUDY):
    """Calls the command; returns its output."""
    load = lambda config, *_: blank_dataset(config.dataset)
    with (
      mock.patch.object(studies, 'load', lambda name: study),
      mock.patch.object(launch, 'launch', self.launch),
      mock.patch.object(data, 'load', load),
    ):
      return call_main(run, f'--workdir={self.workdir}', *arguments)

  def test_sweep_ends_with_table_figure_and_runs(self):
    arguments = '--grid=num_steps=4,16', '--num_seeds=2'
    output = self.call(*arguments)
    first, *_, last = output.splitlines()
    accuracy = r'test accuracy 94\.5 ± 0\.7 % \(2 seeds\), \d+ s left'
    self.assertRegex(first, rf'^\[1/3\] bp, seed=0-1: {accuracy}$')
    self.assertRegex(output, r'\nssnn +16 +91\.50 ± 0\.71 ')
    for name in ('grid.png', 'summary.csv', 'record.jsonl', 'section.md'):
      self.assertIn(f'{self.workdir / name}', last)
      self.assertTrue((self.workdir / name).exists())
    again = self.call(*arguments)
    self.assertLen(self.tasks, 3)
    self.assertStartsWith(again, 'bp, seed=0-1: recorded\n')
    self.assertEndsWith(again, last + '\n')

  def test_runs_all_sweeps_of_a_study(self):
    self.call('--study=noise')
    self.assertEqual(
      {str(task.folder.relative_to(self.workdir)) for task in self.tasks},
      {
        'bp/seed=0-1',
        'num_steps=4/seed=0',
        'num_steps=16/seed=0',
        'gain=2.0,num_steps=4/seed=0-1',
      },
    )
    self.assertEqual({task.config.num_epochs for task in self.tasks}, {2})
    self.assertTrue(all(task.config.diagnostics for task in self.tasks))
    self.assertEqual(
      record.read_sweep(self.workdir),
      {
        'study': 'noise',
        'dataset': 'digits',
        'command': 'python -m experiments.run --study=noise',
      },
    )

  def test_flags_override_the_sweeps_of_a_study(self):
    flags = '--dataset=mnist --num_seeds=1 --num_epochs=7 --nodiagnostics'
    self.call('--study=noise', *flags.split())
    for task in self.tasks:
      self.assertEqual(task.num_seeds, 1)
      self.assertEqual(task.config.dataset, 'mnist')
      self.assertEqual(task.config.num_epochs, 7)
      self.assertFalse(task.config.diagnostics)
    words = record.read_sweep(self.workdir)['command'].split()
    self.assertContainsSubset(flags.split(), words)

  def test_sweeps_of_a_study_are_those_of_the_data_set(self):
    with mock.patch.object(studies, 'load', lambda name: STUDY):
      for dataset, sweeps in (
        ('digits', DIGITS),
        ('mnist', DIGITS),  # has none of its own
        ('/some/own.npz', OWN),
      ):
        self.assertEqual(run.sweeps_of_study('noise', dataset), sweeps)

  @parameterized.parameters(
    ('--study=noise --grid=num_steps=4', '--grid and --study exclude'),
    ('--grid=num_steps=4 --num_steps=3', '--num_steps is varied by the sweep'),
    ('--study=noise --method=bp', '--method is varied by the sweep; leave'),
    ('--grid=tau=4 --method=bp', "--method is .* --grid='method=bp;...'"),
    ('--grid=num_steps=4 --resume', '--resume is for one setting'),
    ('--grid=num_steps=4 --num_seeds=0', '--num_seeds is 0; expected 1'),
    ('--grid=num_steps=4 --num_workers=0', '--num_workers is 0; expected 1'),
    ('--grid=num_steps=4,-1', 'num_steps is -1; expected'),
    ('--grid=layer_sizes=64-10,64-9', '--layer_sizes=64,9 does not fit'),
  )
  def test_invalid_sweeps_are_refused_before_any_run(self, line, message):
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      self.call(*line.split())
    self.assertEmpty([*self.workdir.iterdir()])

  def test_study_without_sweeps_names_its_commands(self):
    study = Study('?', commands={'cpu': ('python -m some.measurement',)})
    with self.assertRaisesRegex(ssnn_jax.UserError, 'python -m some.measure'):
      self.call('--study=benchmark', study=study)

  def test_workers_get_absolute_paths_and_a_shared_folder(self):
    arrays = dict(zip(('x_train', 'y_train'), small_digits().train))
    arrays |= dict(zip(('x_test', 'y_test'), small_digits().test))
    launched = []
    with (
      contextlib.chdir(self.workdir),
      mock.patch.object(launch, 'launch', lambda *args: launched.append(args)),
      self.assertRaisesRegex(ssnn_jax.UserError, 'holds no run'),
    ):
      np.savez('own.npz', **arrays)
      flags = '--workdir=new --dataset=own.npz --data_dir=data --probe_size=10'
      call_main(run, '--grid=method=bp', '--num_seeds=1', *flags.split())
    (((launched_task,), workdir, *_),) = launched
    task, data_options, options, folder = launched_task.run.args
    self.assertEqual(workdir, self.workdir / 'new')
    self.assertEqual(folder, workdir)
    self.assertEqual(task.folder, workdir / 'bp' / 'seed=0')
    self.assertEqual(task.config.dataset, str(self.workdir / 'own.npz'))
    self.assertEqual(data_options.data_dir, str(self.workdir / 'data'))
    elsewhere = self.workdir / 'elsewhere'
    with self.assertRaisesRegex(ssnn_jax.UserError, 'cannot access'):
      run.run_task(task, data_options, options, elsewhere)


class RunTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path, 'run')

  def make_task(self, given=None, num_seeds=None, workdir=None, resume=True):
    values = {'num_seeds': num_seeds, 'resume': resume, 'workdir': workdir}
    return run.make_task(values, given or {})

  def test_resumed_run_has_the_recorded_configuration(self):
    task = make_task(self.folder, seed=3, num_seeds=2)
    record_run(task, 'unfinished')
    self.assertEqual(self.make_task(workdir=self.folder), task)
    changed = self.make_task({'num_epochs': 9}, workdir=self.folder)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'num_epochs is 3, not 9'):
      trainer.is_finished(changed)
    with self.assertRaisesRegex(ssnn_jax.UserError, 'also give --workdir'):
      self.make_task()

  def test_folder_is_chosen_unless_given(self):
    chosen = self.make_task({'dataset': 'emnist/letters'}, resume=False)
    self.assertStartsWith(str(chosen.folder), 'runs/emnist-letters-ssnn-')
    new = self.make_task({'seed': 4}, 2, self.folder)  # nothing to resume
    config = dataclasses.replace(experiment.CONFIGS['digits'], seed=4)
    self.assertEqual(new, trainer.Task(config, 2, self.folder))

  def test_finished_run_is_described_and_not_trained(self):
    record_run(make_task(self.folder), curves={'loss': [1.0, None]})
    with mock.patch.object(trainer, 'train') as train:
      output = call_main(run, f'--workdir={self.folder}', '--resume')
    train.assert_not_called()
    self.assertStartsWith(output, 'this run is already finished.\n')
    self.assertIn('test accuracy 50.00% by spike-count readout', output)
    self.assertIn('the loss was not finite', output)

  def test_accuracy_of_the_ann_is_one_number(self):
    record_run(make_task(self.folder, method='bp'), curves={'loss': [1.0]})
    output = call_main(run, f'--workdir={self.folder}', '--resume')
    self.assertRegex(output, r'bp: test accuracy 50\.00%; trained')

  def test_studies_are_listed_with_their_questions(self):
    lines = call_main(run, '--list_studies').splitlines()
    self.assertLen(lines, len(studies.NAMES))
    for name, line in zip(studies.NAMES, lines):
      self.assertRegex(line, rf'^{name}: .*\?$')
