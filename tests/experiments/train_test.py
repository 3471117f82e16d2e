"""Tests of training: data, records of tasks, resumption, seeds together."""

import contextlib
import dataclasses
import functools
import io
import json
import math
import pathlib
import shutil
import tempfile
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np

from experiments import config as config_lib
from experiments import train as train_lib
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax.runs import checkpoints
from ssnn_jax.training import loop
from tests.testing.experiments import blank_dataset
from tests.testing.experiments import lines
from tests.testing.experiments import make_task
from tests.testing.experiments import small_digits
from tests.testing.experiments import stop_at_call

ALWAYS = {
  'event',
  'seed',
  'method',
  'dataset',
  'num_steps',
  'window',
  'neuron',
  'sampler',
  'layer_sizes',
  'num_train_samples',
  'num_eval_samples',
  'params_sha256',
  'data_sha256',
  'commit',
  'ssnn_jax',
  'jax',
  'test_accuracy',
  'test_accuracy_winner',
  'test_accuracy_potential',
  'test_accuracy_rate',
  'update_error',
}
# What stochastic neurons alone have, of a run and of an epoch.
ENDS = {'test_accuracy_largest', 'quantisation_error'}
EPOCHS = {'coincidences_0', 'coincidences_1', 'clipped_error_fractions_0'}
OFTEN = train_lib.Options(checkpoint_every=0.0)
# A convolution and a dense layer, with a short last block of ticks.
SSNN = {
  'layers': 'conv4k3s2,10',
  'layer_sizes': None,
  'num_steps': 40,
  'learning_rate': 0.3,
  'eval_every': 2,
  'diagnostics': True,
}
ANN = {'method': 'bp', 'eval_every': 2, 'diagnostics': True}
# A network without hidden layers is compiled sooner.
DEVICES = {
  'neuron': 'stochastic',
  'layer_sizes': (64, 10),
  'device': 'custom',
  'device_params': 'dw_min=0.01,dw_min_dtod=0.3',
  'read_noise': 0.1,
  'learning_rate': 3.0,
  'weight_decay': 0.0,
  'eval_every': 1,
}
# `config_test` has the updates of all methods. Feedback depends on the key of
# the seed, which the state holds.
OTHERS = 'relu', 'surrogate_gradient', 'feedback_alignment'


def train(task, options=OFTEN, dataset=None):
  """Trains a task; returns the lines of its ends, and what it has printed."""
  with contextlib.redirect_stdout(io.StringIO()) as output:
    train_lib.train(task, dataset or small_digits(), options)
  return lines(task.folder), output.getvalue()


class DataTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    train_lib._load.cache_clear()
    self.addCleanup(train_lib._load.cache_clear)

  @parameterized.parameters('n_mnist', 'tonic:SHD')
  def test_configuration_sets_the_binning_of_recordings(self, name):
    config = dataclasses.replace(
      config_lib.default(name), num_steps=9, event_window=12.5
    )
    blank = blank_dataset('n_mnist')
    with mock.patch.object(datasets, 'load', return_value=blank) as load:
      train_lib.load(config, 'somewhere')
    binning = datasets.Binning(num_steps=9, event_window=12.5)
    load.assert_called_once_with(
      name, 'somewhere', download=False, binning=binning
    )

  def test_describes_incomplete_datasets(self):
    partial = blank_dataset('n_mnist')._replace(full_size=70_000)
    late = partial._replace(full_size=1000, late_fraction=0.25)
    self.assertEqual(
      train_lib.describe_missing(partial),
      'n_mnist: 1,000 of 70,000 samples found, 500 for training.\n',
    )
    self.assertRegex(train_lib.describe_missing(late), '^n_mnist: 25% of the e')
    whole = late._replace(late_fraction=0.0)
    self.assertEqual(train_lib.describe_missing(whole), '')

  def test_each_seed_is_tested_on_its_own_fold(self):
    config = config_lib.ExperimentConfig(folds=3, hold_out=0.5)
    tests = []
    for seed in range(3):
      own = train_lib.load(dataclasses.replace(config, seed=seed))
      again = train_lib.load(dataclasses.replace(config, seed=seed + 3))
      np.testing.assert_array_equal(own.test.inputs, again.test.inputs)
      self.assertLen(own.train.labels, 599)
      self.assertLen(train_lib.eval_split(own).labels, 599)
      tests.append(own.test.inputs)
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
    found = [float(factor(step)) for step in (6, 11, 12)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


class TrainTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    # Each configuration is traced once, in whichever order the tests run.
    make = functools.cache(train_lib._make_programs.__wrapped__)
    cls.enterClassContext(mock.patch.object(train_lib, '_make_programs', make))
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.anns = make_task(f'{folder}/bp', num_seeds=2, **ANN)
    cls.ann_lines, cls.output = train(cls.anns)

  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def make_anns(self, name='run', **changes):
    """Returns a new task with the configuration of `anns`."""
    return make_task(self.workdir / name, num_seeds=2, **ANN | changes)

  def assert_resumes(self, whole):
    """Asserts that a stopped task ends like a whole one."""
    stopped = whole._replace(folder=self.workdir / 'stopped')
    with stop_at_call(self, 2, checkpoints, 'save'):
      train(stopped)
    self.assertEqual(
      ssnn_jax.load(stopped.folder).config, ssnn_jax.load(whole.folder).config
    )
    self.assertEqual(train(stopped)[0], lines(whole.folder))
    epochs = [lines(task.folder, 'epoch') for task in (stopped, whole)]
    self.assertEqual(*epochs)

  @parameterized.parameters(
    ('bipolar', 'test_accuracy_potential'),
    ('stochastic', 'test_accuracy_winner'),
  )
  def test_spiking_network_is_recorded_and_resumed(self, neuron, readout):
    changes = SSNN | {'neuron': neuron}
    task = make_task(self.workdir / 'ssnn', num_seeds=2, **changes)
    (_, line), _ = train(task)
    self.assertContainsSubset(ALWAYS, line)
    is_stochastic = neuron == 'stochastic'
    self.assertEqual(ENDS & line.keys(), ENDS if is_stochastic else set())
    expected = {
      'seed': 1,
      'method': 'ssnn',
      'dataset': 'digits',
      'num_steps': 40,
      'window': 40,
      'neuron': neuron,
      'sampler': 'bernoulli',
      'layer_sizes': [64, 36, 10],
      'num_devices': 1,
      'num_train_samples': len(small_digits().train.labels),
      'num_eval_samples': len(small_digits().test.labels),
    }
    self.assertEqual(line, line | expected)
    self.assertEqual(line['test_accuracy'], line[readout])
    for name in train_lib.READOUTS.keys() & line.keys():
      hits = 40 * line[name]
      self.assertAlmostEqual(hits, round(hits), places=4)
    for name in ('update_error', 'quantisation_error'):
      self.assertGreater(line.get(name, 1), 0)
    epochs = [own for own in lines(task.folder, 'epoch') if own['seed'] == 1]
    self.assertEqual([own['epoch'] for own in epochs], [1, 2, 3])
    self.assertEqual(
      ['test_accuracy' in own for own in epochs], [False, True, True]
    )
    self.assertEqual(epochs[-1]['test_accuracy'], line['test_accuracy'])
    self.assertLess(epochs[-1]['loss'], epochs[0]['loss'])
    # Two layers send spikes, two have errors, and one splits them by sign.
    for name in ('firing_rates', 'error_rates'):
      self.assertGreater(epochs[0][f'{name}_1'], 0)
      self.assertNotIn(f'{name}_2', epochs[0])
    found = {x for x in epochs[0] if x.startswith(('coincidences', 'clipped'))}
    self.assertEqual(found, EPOCHS if is_stochastic else set())
    for own in (line, *epochs):  # flat
      for value in own.values():
        self.assertNotIsInstance(value, dict)
    config, params = ssnn_jax.load(task.folder, seed=1)
    self.assertEqual(config.neuron, neuron)
    self.assertEqual(config.input_shape, (8, 8))
    self.assertEqual(params[0].weights.shape, (9, 4))
    self.assert_resumes(task)

  def test_seeds_together_learn_what_they_learn_alone(self):
    self.assertEqual([line['seed'] for line in self.ann_lines], [0, 1])
    digests = {line['params_sha256'] for line in self.ann_lines}
    self.assertLen(digests, 2)
    alone, _ = train(make_task(self.workdir / 'alone', 1, **ANN))
    self.assertEqual(alone[0]['update_error'], 0)
    mine = [x for x in lines(self.anns.folder, 'epoch') if x['seed'] == 1]
    # Sums of floats, whose order depends on the compiler.
    for name in ('loss', 'firing_rates_0'):
      np.testing.assert_allclose(
        [own[name] for own in mine],
        [own[name] for own in lines(self.workdir / 'alone', 'epoch')],
        rtol=1e-4,
      )

  def test_logs_have_a_line_an_epoch(self):
    *_, last = epochs = self.output.splitlines()
    self.assertLen(epochs, 3)
    self.assertRegex(
      last,
      r'^epoch 3/3: loss \d\.\d{4}, train accuracy .*%, test accuracy .*%$',
    )

  @parameterized.parameters(
    (1, checkpoints, 'save'),  # before the first checkpoint
    (1, train_lib, '_write'),  # after it
    (2, checkpoints, 'save'),
    (3, train_lib, '_write'),
    (1, train_lib, '_measure'),  # after the last epoch
    (4, train_lib, '_write'),  # before the final record
  )
  def test_stopped_task_ends_like_an_uninterrupted_one(self, *call):
    task = self.make_anns()
    with stop_at_call(self, *call):
      train(task)
    self.assertFalse(train_lib.is_finished(task))
    found, _ = train(task)
    self.assertTrue(train_lib.is_finished(task))
    self.assertEqual(found, self.ann_lines)
    *_, line = train_lib.read_lines(task.folder)
    is_resumed = call != (1, checkpoints, 'save')
    self.assertLen(line['restored_epochs'], int(is_resumed))

  def test_devices_are_resumed(self):
    whole = make_task(self.workdir / 'whole', num_seeds=2, **DEVICES)
    found, _ = train(whole)
    self.assertNotIn('update_error', found[0])
    self.assertNotIn('firing_rates_0', lines(whole.folder, 'epoch')[0])
    self.assert_resumes(whole)

  @parameterized.parameters(*OTHERS)
  def test_baselines_are_recorded_and_resumed(self, name):
    sizes = (64, 12, 10) if name == 'feedback_alignment' else (64, 10)
    task = make_task(
      self.workdir / 'whole',
      method=name,
      layer_sizes=sizes,
      dropout=0.0,
      diagnostics=True,
      eval_every=1,
    )
    (line,), _ = train(task)
    method = config_lib.METHODS[name]
    self.assertEqual('update_error' in line, method.estimates_gradient)
    self.assertEqual('test_accuracy_rate' in line, name != 'relu')
    first, *_, last = lines(task.folder, 'epoch')
    self.assertLess(last['loss'], first['loss'])
    self.assertEqual('firing_rates_0' in last, method.make_observe is not None)
    self.assertNotRegex(json.dumps(last), 'null|NaN|Infinity')
    if name == 'feedback_alignment':
      self.assert_resumes(task)

  def test_init_from_trains_the_seeds_of_a_run_longer(self):
    # With a constant learning rate a run has no memory but its parameters, so
    # that two runs equal a longer one: orders and spikes are not repeated.
    def make(name, **changes):
      base = {'num_seeds': 2, 'schedule': 'constant', 'layer_sizes': (64, 10)}
      return make_task(self.workdir / name, **base, eval_every=1, **changes)

    whole, half = make('whole', num_epochs=4), make('half', num_epochs=2)
    train(whole)
    train(half)
    longer = make('longer', num_epochs=2, init_from=str(half.folder))
    with stop_at_call(self, 2, checkpoints, 'save'):
      train(longer)
    moved = half._replace(folder=self.workdir / 'moved')
    half.folder.rename(moved.folder)  # a checkpoint does not need it
    found, output = train(longer)
    self.assertIn('longer is continued after 1 of 2 epochs', output)
    self.assertIn('epoch 2/2', output)
    self.assertEqual(found[0]['epochs_before'], 2)
    for ours, theirs in zip(found, lines(whole.folder)):
      self.assertEqual(ours['params_sha256'], theirs['params_sha256'])
    losses = [
      [line['loss'] for line in lines(task.folder, 'epoch')]
      for task in (longer, whole)
    ]
    self.assertEqual(losses[0], losses[1][4:])
    other = make(
      'other', num_epochs=1, init_from=str(moved.folder), num_steps=8
    )
    _, output = train(other)
    self.assertIn('moved are used; num_steps ', output)
    third = make('third', seed=1, num_epochs=1, init_from=str(moved.folder))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'init_from: .* no seed 2'):
      train(third)
    self.assertFalse(third.folder.exists())

  def test_init_from_starts_all_seeds_from_one_network(self):
    saved = self.workdir / 'saved'
    config = chip.ChipConfig((64, 12, 10))
    weights = chip.init_weights(config, jax.random.key(3))
    ssnn_jax.save(saved, config, weights)
    task = make_task(self.workdir / 'run', num_seeds=2, init_from=str(saved))
    network = ssnn_jax.NetworkConfig((64, 12, 10))
    initial = train_lib.read_initial(task, network)
    self.assertEqual(initial.epochs, 0)
    for seed in range(2):
      own = jax.tree.map(lambda leaf: leaf[seed], initial.params)  # noqa: B023
      quantized = chip.network.quantize(config, own)
      jax.tree.map(np.testing.assert_array_equal, quantized, weights)
    other = dataclasses.replace(task.config, layer_sizes=(64, 13, 10))
    with self.assertRaisesRegex(
      ssnn_jax.UserError, r'^--init_from: .*\(64, 12\).*, not .\(64, 13\)'
    ):
      train(task._replace(config=other))

  def test_finished_task_is_skipped(self):
    metrics = self.anns.folder / train_lib.METRICS
    before = metrics.read_bytes()
    with mock.patch.object(loop, 'run') as run:
      train(self.anns)
    run.assert_not_called()
    self.assertEqual(metrics.read_bytes(), before)

  def test_refuses_the_folder_of_another_task(self):
    config = dataclasses.replace(self.anns.config, num_epochs=4, dropout=0.2)
    for other, message in (
      (
        self.anns._replace(config=config),
        'num_epochs is 3, not 4; dropout is .*--init_from=.* trains longer',
      ),
      (self.anns._replace(num_seeds=3), 'num_seeds is 2, not 3'),
    ):
      with self.assertRaisesRegex(
        ssnn_jax.UserError, f'{self.anns.folder} holds another run .{message}'
      ):
        train(other)
    self.assertEqual(lines(self.anns.folder), self.ann_lines)

  def stop_after_first_checkpoint(self, **changes):
    task = self.make_anns(**changes)
    with stop_at_call(self, 2, checkpoints, 'save'):
      train(task)
    return task

  def test_refuses_a_checkpoint_of_another_configuration(self):
    task = self.stop_after_first_checkpoint()
    other = self.stop_after_first_checkpoint(name='other', learning_rate=0.2)
    shutil.rmtree(task.folder / 'checkpoints')
    shutil.copytree(other.folder / 'checkpoints', task.folder / 'checkpoints')
    with self.assertRaisesRegex(
      ssnn_jax.UserError, 'checkpoint of another run .learning_rate is 0.2, not'
    ):
      train(task)

  @parameterized.parameters('train', 'test')
  def test_refuses_other_data(self, part):
    task, digits = self.stop_after_first_checkpoint(), small_digits()
    inputs, labels = getattr(digits, part)
    flipped = datasets.Split(inputs, labels[::-1])
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      f'^--dataset=digits holds other samples .*{task.folder}',
    ):
      train(task, dataset=digits._replace(**{part: flipped}))

  def test_loads_the_last_and_the_best_parameters(self):
    network = ssnn_jax.ann(
      config_lib.network_config(self.anns.config, small_digits())
    )
    images, labels = small_digits().test
    accuracies = np.reshape(
      [
        line['test_accuracy']
        for line in lines(self.anns.folder, 'epoch')
        if 'test_accuracy' in line
      ],
      (-1, 2),
    )
    best = int(np.argmax(np.mean(accuracies, 1)))  # of the mean over seeds
    for is_best, index in ((False, -1), (True, best)):
      params = checkpoints.load_params(self.anns.folder, seed=1, best=is_best)
      inference = network.infer(params, None, images)
      found = np.mean(ssnn_jax.training.metrics.predict(inference) == labels)
      self.assertAlmostEqual(found, accuracies[index, 1], places=6)
