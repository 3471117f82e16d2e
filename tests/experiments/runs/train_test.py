"""Tests of training: data, records, seeds together, runs that are stopped."""

import contextlib
import dataclasses
import functools
import io
import json
import math
import os
import random
import shlex
import signal
import tempfile
import time
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np

from experiments.runs import config as config_lib
from experiments.runs import records
from experiments.runs import train as train_lib
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files
from ssnn_jax.training import loop
from tests.testing import commands
from tests.testing.experiments import FolderTestCase
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import lines
from tests.testing.experiments import make_task
from tests.testing.experiments import small_digits
from tests.testing.experiments import stopped_at_save
from tests.testing.networks import make_params

OFTEN = config_lib.Options(checkpoint_every=0.0)
# A convolution and a dense layer, with a short last block of ticks.
SSNN = {'layers': 'conv4k3s2,10', 'num_steps': 40}
SSNN |= {'learning_rate': 0.3, 'eval_every': 2, 'diagnostics': True}
ANN = {'method': 'bp', 'eval_every': 2, 'diagnostics': True}
# A network without hidden layers is compiled sooner.
DEVICES = {'neuron': 'stochastic', 'layers': '10', 'device': 'custom'}
DEVICES |= {'device_params': 'dw_min=0.01,dw_min_dtod=0.3', 'read_noise': 0.1}
DEVICES |= {'learning_rate': 3.0, 'weight_decay': 0.0, 'eval_every': 1}
CHIP = {'method': 'chip', 'layers': '16,10', 'num_steps': 8}
CHIP |= {'weight_bits': 10, 'fraction_bits': (9, 8), 'sampler': None}
CHIP |= {'batch_size': 8, 'learning_rate': 0.25, 'dropout': 0.0}
CHIP |= {'weight_decay': 0.0, 'diagnostics': True, 'eval_every': 2}
# Flags of a sweep that is killed: two tasks, whose programs are the same.
GRID = (
  '--grid=method=bp;learning_rate=0.3,1 --layers=6,10 --num_seeds=2 '
  '--num_epochs=16 --eval_every=1 --dropout=0.1'
).split()


def train(task, options=OFTEN, dataset=None):
  """Trains a task; returns the lines of its ends, and what it has printed."""
  with contextlib.redirect_stdout(io.StringIO()) as output:
    train_lib.train(task, dataset or small_digits(), options)
  return lines(task.folder), output.getvalue()


def when(is_true):
  """Waits until a function returns something true; returns that."""
  end = time.monotonic() + 240
  while time.monotonic() < end:
    result = is_true()
    if result:
      return result
    time.sleep(0.002)
  raise TimeoutError


class DataTest(parameterized.TestCase):
  def test_configuration_sets_the_binning_of_recordings(self):
    config = dataclasses.replace(
      config_lib.default('n_mnist'), num_steps=9, event_window=12.5
    )
    blank = blank_dataset('n_mnist')
    with mock.patch.object(datasets, 'load', return_value=blank) as load:
      train_lib.load(config, 'somewhere')
    binning = datasets.Binning(num_steps=9, event_window=12.5)
    load.assert_called_once_with(
      'n_mnist', 'somewhere', download=False, binning=binning
    )

  def test_each_seed_is_tested_on_its_own_fold(self):
    config = config_lib.ExperimentConfig(folds=3, hold_out=0.5)
    tests = []
    for seed in range(3):
      fold = train_lib.load(dataclasses.replace(config, seed=seed))
      again = train_lib.load(dataclasses.replace(config, seed=seed + 3))
      np.testing.assert_array_equal(fold.test.inputs, again.test.inputs)
      self.assertLen(fold.train.labels, 599)
      self.assertLen(train_lib.eval_split(fold).labels, 599)
      tests.append(fold.test.inputs)
    self.assertLen(np.concatenate(tests), 1797)
    self.assertFalse(np.array_equal(tests[0], tests[1]))

  @parameterized.parameters(
    ('cosine', 0.5, (1 + math.cos(math.pi * 11 / 12)) / 2, 0.0),
    ('linear', 0.5, 1 / 12, 0.0),
    ('constant', 1.0, 1.0, 1.0),
  )
  def test_schedules_have_the_expected_factors(self, name, *expected):
    config = config_lib.ExperimentConfig(
      schedule=name, num_epochs=3, batch_size=10
    )
    factor = train_lib.make_schedule(config, num_samples=45)  # 12 steps
    factors = [float(factor(step)) for step in (6, 11, 12)]
    np.testing.assert_allclose(factors, expected, rtol=0, atol=1e-6)


class TrainTest(FolderTestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    # Each configuration is traced once, in whichever order the tests run.
    make = functools.cache(train_lib.make_programs.__wrapped__)
    cls.enterClassContext(mock.patch.object(train_lib, 'make_programs', make))
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.anns = make_task(folder, num_seeds=2, **ANN)
    cls.ann_lines, cls.output = train(cls.anns)

  def stop_at_save(self, number, task, dataset=None):
    """Trains a task that is stopped at a checkpoint."""
    with stopped_at_save(self, number):
      train(task, dataset=dataset)

  def assert_resumes(self, whole, dataset=None):
    """Asserts that a stopped task ends like a whole one."""
    stopped = whole._replace(folder=self.folder / 'stopped')
    dataset = dataset or small_digits()
    self.stop_at_save(2, stopped, dataset)
    results, _ = train(stopped, dataset=dataset)
    self.assertEqual(results, lines(whole.folder))
    epochs = [lines(task.folder, 'epoch') for task in (stopped, whole)]
    self.assertEqual(*epochs)

  @parameterized.parameters(('stochastic', 'bernoulli'), ('bipolar', None))
  def test_spiking_network_is_recorded_and_resumed(self, neuron, sampler):
    is_stochastic = neuron == 'stochastic'
    changes = {'neuron': neuron, 'sampler': sampler}
    task = make_task(self.folder / 'ssnn', num_seeds=2, **SSNN, **changes)
    (_, line), _ = train(task)
    readouts = {'test_accuracy_winner', 'test_accuracy_potential'}
    names = {'params_sha256', 'data_sha256', 'commit', 'ssnn_jax', 'jax'}
    names |= readouts | {'test_accuracy', 'test_accuracy_rate'}
    self.assertContainsSubset(names, line)
    *_, whole_line = records.read_lines(task.folder)
    self.assertBetween(whole_line['peak_mib'], 50, 50_000)
    expected = {'seed': 1, 'neuron': neuron, 'sampler': sampler}
    expected |= {'layers': 'conv4k3s2,10', 'accelerator': 'cpu'}
    expected |= {'num_train_samples': 100, 'num_eval_samples': 40}
    expected |= {'num_devices': 1}
    self.assertEqual(line, line | expected)
    # It names what the configuration does not, as results join both.
    config = config_lib.to_json(task.config)
    shared = config.keys() & line.keys() - {'seed'}
    self.assertEqual(line, line | {name: config[name] for name in shared})
    readout = 'winner' if is_stochastic else 'potential'
    self.assertEqual(line['test_accuracy'], line[f'test_accuracy_{readout}'])
    for name in readouts:
      hits = 40 * line[name]
      self.assertAlmostEqual(hits, round(hits), places=4)
    self.assertGreater(line['update_error'], 0)
    self.assertEqual('quantisation_error' in line, is_stochastic)
    if not is_stochastic:
      self.assertBetween(line['additions'], 0.1, 10)
      self.assertBetween(line['learning_additions'], 0.1, 10)
    epochs = [row for row in lines(task.folder, 'epoch') if row['seed'] == 1]
    self.assertEqual([row['epoch'] for row in epochs], [1, 2, 3])
    self.assertEqual(
      ['test_accuracy' in row for row in epochs], [False, True, True]
    )
    self.assertEqual(epochs[-1]['test_accuracy'], line['test_accuracy'])
    self.assertLess(epochs[-1]['loss'], epochs[0]['loss'])
    self.assertNotRegex(json.dumps(epochs[-1]), 'null|NaN|Infinity')
    for row in (line, *epochs):  # flat
      self.assertFalse(any(isinstance(value, dict) for value in row.values()))
    network = config_lib.network_config(task.config, small_digits())
    config, params, _ = ssnn_jax.load(task.folder, network, seed=1)
    self.assertEqual(config, network)
    self.assertEqual(params[0].weights.shape, (9, 4))
    # Feedback depends on the key of the seed, which the state holds.
    self.assert_resumes(task)

  def test_seeds_together_learn_what_they_learn_alone(self):
    self.assertEqual([line['seed'] for line in self.ann_lines], [0, 1])
    digests = {line['params_sha256'] for line in self.ann_lines}
    self.assertLen(digests, 2)
    # On a CPU bit for bit, as seeds are trained one after another.
    (alone,), _ = train(make_task(self.folder / 'alone', 1, **ANN))
    self.assertEqual(alone, self.ann_lines[1])

  @parameterized.parameters(1, 2, None)  # checkpoint; after the last
  def test_stopped_task_ends_like_an_uninterrupted_one(self, number):
    to_json = config_lib.to_json
    task = self.anns._replace(folder=self.folder)
    of_old = lambda config: {
      name: value for name, value in to_json(config).items() if name != 'folds'
    }
    # A field that is newer than the record has its default.
    with mock.patch.object(config_lib, 'to_json', of_old):
      if number:
        self.stop_at_save(number, task)
      else:
        train(task)
    # The record is written after its checkpoint.
    (task.folder / records.METRICS).unlink(missing_ok=True)
    self.assertFalse(records.is_finished(task))
    self.assertEqual(train(task)[0], self.ann_lines)
    *_, line = records.read_lines(task.folder)
    self.assertLen(line['restored_epochs'], int(number != 1))

  def test_devices_are_resumed(self):
    whole = make_task(self.folder / 'whole', num_seeds=2, **DEVICES)
    (line, _), _ = train(whole)
    self.assertNotIn('update_error', line)
    self.assert_resumes(whole)

  def test_chip_is_recorded_and_resumed(self):
    task = make_task(self.folder / 'whole', num_seeds=2, **CHIP)
    dataset = train_lib.load(task.config)
    for line in train(task, dataset=dataset)[0]:
      self.assertGreater(line['test_accuracy'], 0.85)
      self.assertGreater(line['test_accuracy_rate'], 0.85)
    for seed in task.seeds:
      params = ssnn_jax.load(task.folder, seed=seed).params
      for own, bits in zip(params, (9, 8)):  # on the grid of 10 bits
        units = np.concatenate([own.weights.ravel(), own.biases]) * 2**bits
        np.testing.assert_array_equal(units, np.rint(units))
        self.assertBetween(np.abs(units).max(), 2**7, 2**9)
    self.assert_resumes(task, dataset)

  def test_init_from_trains_the_seeds_of_a_run_longer(self):
    # With a constant learning rate a run has no memory but its parameters, so
    # that two runs equal a longer one: orders and dropout are not repeated.
    def make(name, **changes):
      base = {'num_seeds': 2, 'schedule': 'constant', 'method': 'bp'}
      return make_task(self.folder / name, **base, eval_every=1, **changes)

    whole, half = make('whole', num_epochs=4), make('half', num_epochs=2)
    train(whole)
    train(half)
    longer = make('longer', num_epochs=2, init_from=str(half.folder))
    self.stop_at_save(2, longer)
    moved = half._replace(folder=self.folder / 'moved')
    half.folder.rename(moved.folder)  # a checkpoint does not need it
    results, output = train(longer)
    self.assertIn('longer is continued after 1 of 2 epochs', output)
    self.assertEqual(results[0]['epochs_before'], 2)
    for ours, theirs in zip(results, lines(whole.folder)):
      self.assertEqual(ours['params_sha256'], theirs['params_sha256'])
    losses = [
      [line['loss'] for line in lines(task.folder, 'epoch')]
      for task in (longer, whole)
    ]
    self.assertEqual(losses[0], losses[1][4:])
    third = make('third', seed=1, num_epochs=1, init_from=str(moved.folder))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'init_from: .* no seed 2'):
      train(third)
    self.assertFalse(third.folder.exists())

  def test_init_from_starts_all_seeds_from_one_network(self):
    saved = self.folder / 'saved'
    network = ssnn_jax.NetworkConfig((64, 12, 10))
    own = make_params(network)
    ssnn_jax.save(saved, network, own)
    task = make_task(self.folder / 'run', num_seeds=2, init_from=str(saved))
    params, epochs = train_lib.read_initial(task, network)
    self.assertEqual(epochs, 0)
    for seed in range(2):
      of_seed = jax.tree.map(lambda leaf: leaf[seed], params)  # noqa: B023
      jax.tree.map(np.testing.assert_array_equal, of_seed, own)

  def test_finished_task_is_skipped(self):
    metrics = self.anns.folder / records.METRICS
    before = metrics.read_bytes()
    with mock.patch.object(loop, 'run') as run:
      train(self.anns)
    run.assert_not_called()
    self.assertEqual(metrics.read_bytes(), before)


class KilledTest(FolderTestCase):
  def run_to_end(self, *flags):
    done = commands.run('run', *flags)
    self.assertEqual((done.stderr, done.returncode), ('', 0))
    return done.stdout

  def test_killed_and_interrupted_runs_end_like_undisturbed_ones(self):
    sweep = self.folder / 'a killed sweep'
    delays = [random.uniform(0, 0.05) for _ in range(2)]

    def find_begun():
      found = sweep.glob(f'*/*/{records.CONFIG}')  # none that is renamed
      folders = [path.parent for path in found]
      return [own for own in folders if checkpoints.last_epoch(own)]

    def kill(pid):
      when(find_begun)
      time.sleep(delays[0])
      os.kill(pid, signal.SIGKILL)

    grid = f'--workdir={sweep}', *GRID
    done = commands.run('run', *grid, while_running=kill)
    self.assertEqual(done.returncode, -signal.SIGKILL, done)
    killed, *_ = [folder for folder in find_begun() if not lines(folder)]
    last = checkpoints.last_epoch(killed)

    def interrupt(pid):
      when(lambda: checkpoints.last_epoch(killed) > last)
      time.sleep(delays[1])
      os.kill(pid, signal.SIGINT)

    # Flags of the configuration come from the folder.
    resume = f'--workdir={killed}', '--resume'
    done = commands.run('run', *resume, while_running=interrupt)
    self.assertEqual(done.returncode, 130, done)
    word, _, remedy = done.stderr.partition('; continue by: ')
    self.assertEqual(word, 'interrupted')
    _, m, module, *given = shlex.split(remedy)
    self.assertEqual((m, module), ('-m', 'experiments.run'))
    self.assertEmpty(lines(killed))
    self.assertNotEmpty(lines(killed, 'epoch'))
    output = self.run_to_end(*given)
    self.assertEqual(output.splitlines()[-1], f'record: {killed}')
    *_, final = records.read_lines(killed)
    config = records.read_task(killed).config
    network = config_lib.network_config(config, small_digits())
    digest = files.sha256(ssnn_jax.load(killed, network, seed=1).params)
    self.assertEqual(digest, final['params_sha256'])
    starts = final['restored_epochs']
    self.assertLen(starts, len(delays), delays)
    self.assertEqual(starts, sorted(starts))
    self.run_to_end(*grid)  # the other run
    folders = [path.parent for path in sweep.rglob(records.CONFIG)]
    self.assertLen(folders, 2)
    for folder in folders:
      task = records.read_task(folder)
      whole = task._replace(folder=self.folder / folder.parent.name)
      train(whole, dataset=train_lib.load(task.config))
      for event in ('epoch', 'final'):
        found = lines(folder, event)
        self.assertEqual(found, lines(whole.folder, event), delays)
