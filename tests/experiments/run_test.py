"""Tests of the command: flags, grids, planned tasks, and sweeps."""

import contextlib
import dataclasses
import json
import re
from unittest import mock

from absl import flags
from absl.testing import parameterized
import numpy as np

from experiments import run
from experiments.measurements import lines
from experiments.runs import config as config_lib
from experiments.runs import launch
from experiments.runs import records
from experiments.runs import train
from experiments.runs.config import ExperimentConfig
from experiments.studies import pages
from experiments.studies import studies
from experiments.studies import sweeps
from experiments.studies.studies import Sweep
import ssnn_jax
from tests.testing import commands
from tests.testing.experiments import CONFIG
from tests.testing.experiments import FolderTestCase
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import call_run
from tests.testing.experiments import flags_of_run
from tests.testing.experiments import make_task
from tests.testing.experiments import record_run
from tests.testing.experiments import small_digits

BASE = config_lib.default()
STUDY = studies.Study(
  'Does noise matter?',
  {
    'digits': (
      Sweep({'num_steps': (4, 16)}, 1, {'num_epochs': 2}),
      Sweep({'num_steps': (4,)}, 2, {'num_epochs': 2, 'digits': 1}),
    ),
    'own': (Sweep({'method': ('bp',)}, 1),),
  },
)


class FlagsTest(parameterized.TestCase):
  def test_each_field_has_a_flag_of_its_default(self):
    with flags_of_run():
      names = config_lib.FIELDS.keys() & {*config_lib.OF_RUN}
      values = {name: flags.FLAGS[name].value for name in names}
    # Of those without a default the data set decides.
    known = {name: x for name, x in values.items() if x is not None}
    self.assertEqual(ExperimentConfig(**known), ExperimentConfig())

  @parameterized.parameters('digits', 'fashion_mnist', 'n_mnist')
  def test_flags_override_the_defaults_of_the_data_set(self, dataset):
    default = config_lib.default(dataset)
    for arguments, changes in (
      ((), {}),
      (('--num_epochs=20',), {'num_epochs': 20}),  # also by that of digits
      (
        ('--neuron=stochastic', '--timing=leaky'),
        {'neuron': 'stochastic', 'timing': 'leaky', 'num_steps': 64},
      ),
      (('--optimizer=adam',), {'optimizer': 'adam', 'learning_rate': 0.001}),
    ):
      with flags_of_run(f'--dataset={dataset}', *arguments):
        config = run.make_task(config_lib.given_fields()).config
        *_, measured = lines.list_settings()
      expected = dataclasses.replace(default, **changes)
      self.assertEqual((config, measured), (expected, expected))

  def test_help_fits_three_screens(self):
    done = commands.run('run', '--help')
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    listed = done.stdout.splitlines()
    self.assertLess(len(listed), 3 * 42)
    self.assertLessEqual(sum(line.startswith('  --') for line in listed), 32)
    self.assertLessEqual(max(map(len, listed)), 80)
    self.assertContainsSubset(config_lib.HEADINGS.values(), listed)
    (grid,) = re.findall(r'(?s)\n  --grid: (.*?)\n  --', done.stdout)
    for name in config_lib.FIELDS.keys() - {'model_args', 'model_sha256'}:
      has_flag = re.search(rf'(?m)^  --(\[no\])?{name}[=:]', done.stdout)
      self.assertNotEqual(
        bool(has_flag), bool(re.search(rf'\b{name}[,;]', grid))
      )
    self.assertNotIn('verbosity', done.stdout)  # of absl


class GridTest(parameterized.TestCase):
  @parameterized.parameters(
    (
      'num_steps = 16 , 64 ; learning_rate = 0.1,3',
      {'num_steps': (16, 64), 'learning_rate': (0.1, 3.0)},
    ),
    ('layers=128-10,none', {'layers': ('128,10', None)}),
    ('read_noise=1,1e-3', {'read_noise': (1.0, 0.001)}),
    ('layers=conv4k3s2-10', {'layers': ('conv4k3s2,10',)}),
    (
      'device_params=dw_min=0.1-up_down=-0.1',
      {'device_params': ('dw_min=0.1,up_down=-0.1',)},
    ),
    ('diagnostics=true,False', {'diagnostics': (True, False)}),
    ('folds=none,3,3', {'folds': (None, 3)}),
  )
  def test_values_have_the_type_of_their_flag(self, text, expected):
    self.assertEqual(repr(sweeps.parse_grid(text)), repr(expected))

  @parameterized.parameters(
    ('num_steps=1,4', ['bp', 'num_steps=1', 'num_steps=4']),
    (
      'num_steps=1;learning_rate=0.1,1',
      [
        'bp,learning_rate=0.1',
        'bp,learning_rate=1.0',
        'num_steps=1,learning_rate=0.1',
        'num_steps=1,learning_rate=1.0',
      ],
    ),
    ('digits=1,2;method=bp', ['bp']),
    (
      'method=chip,ssnn;weight_bits=9;fraction_bits=9-8',
      ['method=chip,weight_bits=9,fraction_bits=9-8', 'method=ssnn'],
    ),
    (
      'dataset=emnist/balanced',
      ['bp,dataset=emnist-balanced', 'dataset=emnist-balanced'],
    ),
    (
      'neuron=bipolar,stochastic',
      [
        *('bp,neuron=bipolar', 'bp,neuron=stochastic'),
        *('neuron=bipolar', 'neuron=stochastic'),
      ],
    ),
    (
      'neuron=stochastic;exact=none,forward',
      [
        'bp,neuron=stochastic',
        'neuron=stochastic,exact=none',
        'neuron=stochastic,exact=forward',
      ],
    ),
  )
  def test_settings_are_named_by_the_varied_fields(self, text, expected):
    found = sweeps.list_settings(BASE, [Sweep(sweeps.parse_grid(text))])
    self.assertEqual([*found], expected)
    for config, _ in found.values():  # 0 steps are of functions
      self.assertTrue(config.num_steps or config.is_function)

  def test_several_grids_have_each_setting_once_with_most_seeds(self):
    found = sweeps.list_settings(
      BASE,
      [
        Sweep({'num_steps': (1, 4)}, 2),
        Sweep({'num_steps': (4,), 'method': ('ssnn',)}, 3),
      ],
    )
    numbers = {name: number for name, (_, number) in found.items()}
    self.assertEqual(numbers, {'bp': 2, 'num_steps=1': 2, 'num_steps=4': 3})


class PlanTest(FolderTestCase):
  def plan(self, num_seeds, **changes):
    """Returns the seeds of the planned tasks, by their folders."""
    base = dataclasses.replace(CONFIG, **changes)
    sweep = Sweep({'method': ('ssnn',), 'num_steps': (4,)}, num_seeds)
    tasks = sweeps.plan(base, [sweep], self.folder)
    for name, task in tasks.items():
      self.assertEqual(self.folder / name.replace(', ', '/'), task.folder)
      self.assertEqual(task.config.num_steps, 4)
    return {task.folder.name: [*task.seeds] for task in tasks.values()}

  def test_seeds_of_a_setting_are_one_task(self):
    self.assertEqual(self.plan(3), {'seed=0-2': [0, 1, 2]})
    self.assertEqual(self.plan(2, seed=5), {'seed=5-6': [5, 6]})
    # Folds have different data.
    self.assertLen(self.plan(3, folds=3), 3)
    # More seeds are further tasks.
    record_run(make_task(self.folder / 'num_steps=4/seed=1-2', 1, 2))
    expected = {'seed=0': [0], 'seed=1-2': [1, 2], 'seed=3-4': [3, 4]}
    self.assertEqual(self.plan(5), expected)


class SweepTest(FolderTestCase):
  def setUp(self):
    super().setUp()
    self.tasks = []

  def launch(self, tasks, report, options):
    """Records the tasks of a launcher with made-up results."""
    del options
    self.assertTrue((self.folder / records.SWEEP).exists())
    for number, (name, function) in enumerate(tasks.items(), 1):
      self.tasks.append(function.args[0])
      accuracy = lambda config: {'test_accuracy': 0.9 + 0.01 * config.seed}
      record_run(self.tasks[-1], numbers=accuracy)
      report(name, 'done', number)

  def call(self, *arguments):
    """Calls the command; returns its output."""
    load = lambda config, *_: blank_dataset(config.dataset)
    with (
      mock.patch.object(studies, 'load', lambda name: STUDY),
      mock.patch.object(launch, 'launch', self.launch),
      mock.patch.object(train, 'load', load),
      mock.patch.object(pages, 'show', lambda workdir: print(workdir)),
    ):
      return call_run(f'--workdir={self.folder}', *arguments)

  def test_repeated_sweep_trains_nothing_again(self):
    arguments = '--grid=num_steps=4,16', '--num_seeds=2'
    number, first, *_, last = self.call(*arguments).splitlines()
    self.assertEqual(number, 'settings to train: 3')
    accuracy = r'test accuracy 90\.5 % \(2 seeds\), 0\.0 min left'
    self.assertRegex(first, rf'^\[1/3\] bp, seed=0-1: {accuracy}$')
    self.assertEqual(last, str(self.folder))  # of the results
    again = self.call(*arguments)
    self.assertLen(self.tasks, 3)
    self.assertStartsWith(again, 'bp, seed=0-1: recorded\n')
    self.assertEndsWith(again, f'recorded\n{self.folder}\n')

  def test_runs_all_sweeps_of_a_study(self):
    self.call('--study=noise')
    self.assertEqual(
      {str(task.folder.relative_to(self.folder)) for task in self.tasks},
      {
        'bp/seed=0-1',
        'num_steps=4/seed=0',
        'num_steps=16/seed=0',
        'digits=1,num_steps=4/seed=0-1',
      },
    )
    self.assertEqual({task.config.num_epochs for task in self.tasks}, {2})
    self.assertTrue(all(task.config.diagnostics for task in self.tasks))
    text = (self.folder / records.SWEEP).read_text()
    line = f'python -m experiments.run --workdir={self.folder} --study=noise'
    self.assertEqual(
      json.loads(text), {'study': 'noise', 'dataset': 'digits', 'command': line}
    )

  def test_flags_override_the_sweeps_of_a_study(self):
    words = '--study=noise --num_seeds=1 --num_epochs=7'
    self.call(*words.split())
    for task in self.tasks:
      self.assertEqual(task.num_seeds, 1)
      self.assertEqual(task.config.num_epochs, 7)
      self.assertTrue(task.config.diagnostics)

  def test_workers_get_absolute_paths_and_a_shared_folder(self):
    arrays = dict(zip(('x_train', 'y_train'), small_digits().train))
    arrays |= dict(zip(('x_test', 'y_test'), small_digits().test))
    launched = []
    with (
      contextlib.chdir(self.folder),
      mock.patch.object(launch, 'launch', lambda *args: launched.append(args)),
      mock.patch.object(pages, 'show'),
    ):
      np.savez('own.npz', **arrays)
      words = '--workdir=new --dataset=own.npz --data_dir=data --num_seeds=1'
      call_run('--grid=method=bp', *words.split())
    ((tasks, *_),) = launched
    task, options, folder = tasks['bp, seed=0'].args
    self.assertEqual(folder, self.folder / 'new')
    self.assertEqual(task.folder, folder / 'bp' / 'seed=0')
    self.assertEqual(task.config.dataset, str(self.folder / 'own.npz'))
    self.assertEqual(options.data_dir, str(self.folder / 'data'))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'cannot access'):
      train.run_task(task, options, self.folder / 'elsewhere')


class OneTest(FolderTestCase):
  def test_resumed_run_has_the_recorded_configuration(self):
    task = make_task(self.folder, seed=3, num_seeds=2)
    record_run(task, 'epoch')
    with flags_of_run(f'--workdir={self.folder}', '--resume'):
      self.assertEqual(run.make_task(config_lib.given_fields()), task)

  def test_finished_run_is_described_and_not_trained(self):
    numbers = {'test_accuracy_rate': 0.4}
    record_run(make_task(self.folder), numbers=lambda config: numbers)
    with mock.patch.object(train, 'train') as trained:
      output = call_run(f'--workdir={self.folder}', '--resume')
    trained.assert_not_called()
    self.assertStartsWith(output, 'this run is already finished.\n')
    self.assertIn('test accuracy 50.00%, 40.00% by ANN readout', output)
