"""Tests of training: records of tasks, resumption, and seeds side by side."""

import contextlib
import dataclasses
import functools
import io
import json
import pathlib
import shutil
import struct
import tempfile
from unittest import mock

from absl.testing import parameterized
import jax
import numpy as np

from experiments import export
from experiments import record
from experiments.analysis import energy
from experiments.analysis import frames
from experiments.config import experiment
from experiments.config import titles
from experiments.training import programs
from experiments.training import trainer
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.runs import checkpoints
from ssnn_jax.training import loop
from tests.testing.experiments import lines
from tests.testing.experiments import make_task
from tests.testing.experiments import small_digits
from tests.testing.experiments import stop_at_call

NUMBERS = {
  'event',
  'method',
  'dataset',
  'num_steps',
  'window',
  'sampler',
  'seed',
  'layer_sizes',
  'input_shape',
  'num_train_samples',
  'num_eval_samples',
  *titles.READOUTS,
  *frames.ERRORS,
  'stored_bits',
  'params_sha256',
  'num_devices',
  'train_seconds',
  'wall_seconds',
  'seeds_at_once',
}
OFTEN = trainer.Options(checkpoint_every=0.0)
# A convolution and a dense layer, with a short last block of ticks.
SSNN = {
  'layers': ('conv4k3s2', '10'),
  'layer_sizes': None,
  'num_steps': 40,
  'learning_rate': 0.3,
  'eval_every': 2,
  'probe_every': 3,
  'diagnostics': True,
}
ANN = {'method': 'bp', 'eval_every': 2, 'probe_every': 3, 'diagnostics': True}
# A network without hidden layers is compiled sooner.
DEVICES = {
  'layer_sizes': (64, 10),
  'device': 'custom',
  'dw_min': 0.01,
  'dw_min_dtod': 0.3,
  'update_rule': 'tiki_taka',
  'endurance': 50.0,
  'lifetime': 100.0,
  'out_noise': 0.1,
  'learning_rate': 3.0,
  'weight_decay': 0.0,
  'eval_every': 1,
}


def train(task, options=OFTEN):
  """Trains a task; returns its lines, and what it has printed."""
  with contextlib.redirect_stdout(io.StringIO()) as output:
    trainer.train(task, small_digits(), options)
  return lines(task.folder), output.getvalue()


class TrainerTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    # Each configuration is traced once, in whichever order the tests run.
    make = functools.cache(programs._make.__wrapped__)
    cls.enterClassContext(mock.patch.object(programs, '_make', make))
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.anns = make_task(f'{folder}/bp', num_seeds=2, **ANN)
    cls.ann_lines, cls.output = train(cls.anns)
    cls.ssnns = make_task(f'{folder}/ssnn', num_seeds=2, **SSNN)
    train(cls.ssnns)

  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def make_anns(self, name='run', **changes):
    """Returns a new task with the configuration of `anns`."""
    return make_task(self.workdir / name, num_seeds=2, **ANN | changes)

  def test_records_a_task(self):
    task = self.ssnns
    _, line = lines(task.folder)
    _, whole = record.read(task.folder / record.METRICS).lines
    parts = {'config', 'curves', 'environment'}
    self.assertEqual(set(whole), NUMBERS | parts)
    expected = {
      'event': 'final',
      'method': 'ssnn',
      'dataset': 'digits',
      'num_steps': 40,
      'window': 40,
      'sampler': 'bernoulli',
      'seed': 1,
      'layer_sizes': [64, 36, 10],
      'input_shape': [8, 8],
      'num_devices': 1,
      'num_train_samples': len(small_digits().train.labels),
      'num_eval_samples': len(small_digits().test.labels),
      # Layers of 64, 36 and 10 neurons: membranes and error currents, trains
      # and gates that wait for errors, a mask, and counters of the coincidences
      # of 9 positions and of one.
      'stored_bits': (
        32 * (36 + 10 + 36) + 40 * 36 + 2 * 36 + 36 + 10 * 40 + 7 * 37 * 10
      ),
    }
    self.assertEqual(line, line | expected)
    self.assertEqual(whole['seeds_at_once'], 2)
    config = dataclasses.replace(task.config, seed=1)
    self.assertEqual(experiment.from_json(line['config']), config)
    curves = line['curves']
    self.assertLen(curves['loss'], 3)
    self.assertLess(curves['loss'][-1], curves['loss'][0])
    self.assertLen(curves['update_error'], 1)
    self.assertEqual(curves['eval_epochs'], [2, 3])
    # Two layers send spikes, two have errors, and one splits them by sign.
    for name in ('firing_rates', 'error_rates', 'coincidences'):
      self.assertEqual([len(own) for own in curves[name]], [2, 2, 2])
    self.assertLen(curves['clipped_error_fractions'][0], 1)
    self.assertEqual(line['test_accuracy'], curves['test_accuracy'][-1])
    for name in titles.READOUTS:
      hits = 40 * line[name]
      self.assertAlmostEqual(hits, round(hits), places=4)
    for name in frames.ERRORS:
      self.assertGreater(line[name], 0)

  def test_seeds_side_by_side_learn_the_same_as_alone(self):
    self.assertEqual([line['seed'] for line in self.ann_lines], [0, 1])
    digests = {line['params_sha256'] for line in self.ann_lines}
    self.assertLen(digests, 2)
    alone, _ = train(make_task(self.workdir, 1, **ANN))
    self.assertEqual(alone[0]['update_error'], 0)
    # Sums of floats, whose order depends on the compiler.
    for name in ('loss', 'firing_rates'):
      np.testing.assert_allclose(
        self.ann_lines[1]['curves'][name], alone[0]['curves'][name], rtol=1e-4
      )
    np.testing.assert_allclose(
      self.ann_lines[1]['test_accuracy'], alone[0]['test_accuracy'], atol=0.03
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
    (1, record, 'write'),  # after it
    (2, checkpoints, 'save'),
    (3, record, 'write'),
    (1, trainer, '_results'),  # after the last epoch
    (4, record, 'write'),  # before the final record
  )
  def test_stopped_task_ends_like_an_uninterrupted_one(self, *call):
    task = self.make_anns()
    with stop_at_call(self, *call):
      train(task)
    self.assertFalse(trainer.is_finished(task))
    found, _ = train(task)
    self.assertTrue(trainer.is_finished(task))
    self.assertEqual(found, self.ann_lines)
    is_resumed = call != (1, checkpoints, 'save')
    (shared, _) = record.read(task.folder / record.METRICS).lines
    restored = shared['environment'].get('restored', [])
    self.assertLen(restored, int(is_resumed))
    if is_resumed:
      self.assertRegex(restored[0]['sha256'], '^[0-9a-f]{64}$')

  def assert_resumes(self, whole):
    """Asserts that a stopped task ends like a whole one."""
    stopped = whole._replace(folder=self.workdir / 'stopped')
    with stop_at_call(self, 2, checkpoints, 'save'):
      train(stopped)
    unfinished, _ = ssnn_jax.load(stopped.folder)
    self.assertEqual(unfinished, ssnn_jax.load(whole.folder).config)
    self.assertEqual(train(stopped)[0], lines(whole.folder))

  def test_resumes_spikes_and_masks(self):
    self.assert_resumes(self.ssnns)

  def test_resumes_devices(self):
    whole = make_task(self.workdir / 'whole', num_seeds=2, **DEVICES)
    found, _ = train(whole)
    self.assert_resumes(whole)
    self.assertNotIn('firing_rates', found[0]['curves'])
    self.assertNotIn('update_error', found[0])
    # Some devices are worn out.
    self.assertGreaterEqual(found[0]['max_pulses'], 50)
    self.assertBetween(*found[0]['layer_pulses'], 1, found[0]['max_pulses'])

  def test_convolution_is_exported_and_has_energies(self):
    task, line = self.ssnns, lines(self.ssnns.folder)[0]
    config, params = export.load(task.folder)
    self.assertEqual(config.input_shape, (8, 8))
    self.assertEqual(config.layer_sizes, (64, 36, 10))
    self.assertEqual(params[0].weights.shape, (9, 4))
    row = energy.add_energies(frames.from_lines([line]), 'crossbar').iloc[0]
    self.assertEqual(row['bp_macs'], 9 * 9 * 4 + 36 * 10)
    # Spikes that reach rows, of 4 and 10 columns, and always-on inputs.
    rows = line['curves']['row_spikes'][-1]
    arrivals = np.dot(rows, [4, 10]) + (36 + 10) * task.config.num_steps
    self.assertAlmostEqual(row['synaptic_events'] / arrivals, 1, places=5)

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
    self.assertIn('epoch 2/2', output)
    for ours, theirs in zip(found, lines(whole.folder)):
      self.assertEqual(ours['params_sha256'], theirs['params_sha256'])
      self.assertEqual(ours['curves']['eval_epochs'], [1, 2])
      for name in ('loss', 'test_accuracy'):
        self.assertEqual(ours['curves'][name], theirs['curves'][name][2:])
      self.assertEqual(ours['config']['init_from'], 'half')
    source = record.read(longer.folder / record.METRICS).lines[0]
    self.assertEqual(source['environment']['init_from']['epochs'], 2)
    third = make('third', seed=1, num_epochs=1, init_from=str(moved.folder))
    with self.assertRaisesRegex(ssnn_jax.UserError, 'init_from: .* no seed 2'):
      train(third)
    self.assertFalse(third.folder.exists())

  def test_init_from_starts_all_seeds_from_one_network(self):
    saved, other = self.workdir / 'saved', self.workdir / 'other'
    config = chip.ChipConfig((64, 12, 10))
    weights = chip.init_weights(config, jax.random.key(3))
    ssnn_jax.save(saved, config, weights)
    task = make_task(self.workdir / 'run', num_seeds=2, init_from=str(saved))
    network = ssnn_jax.NetworkConfig((64, 12, 10))
    initial = trainer.read_initial(task, network)
    self.assertEqual(initial.epochs, 0)
    for seed in range(2):
      own = jax.tree.map(lambda leaf: leaf[seed], initial.params)  # noqa: B023
      quantized = chip.network.quantize(config, own)
      jax.tree.map(np.testing.assert_array_equal, quantized, weights)
    network = ssnn_jax.NetworkConfig((64, 13, 10))
    params = ssnn_jax.ssnn(network).init(jax.random.key(0))
    ssnn_jax.save(other, network, params)
    message = '^--init_from: .* 64-13-10 neurons, not 64-12-10 neurons; '
    with self.assertRaisesRegex(ssnn_jax.UserError, message):
      train(make_task(self.workdir / 'run', init_from=str(other)))

  def test_finished_task_is_skipped(self):
    metrics = self.anns.folder / record.METRICS
    before = metrics.read_bytes()
    with mock.patch.object(loop, 'run') as run:
      train(self.anns)
    run.assert_not_called()
    self.assertEqual(metrics.read_bytes(), before)

  def test_refuses_the_folder_of_another_task(self):
    before = (self.anns.folder / record.METRICS).read_bytes()
    config = dataclasses.replace(self.anns.config, num_epochs=4, dropout=0.2)
    for other, message in (
      (self.anns._replace(config=config), 'num_epochs is 3, not 4; dropout is'),
      (self.anns._replace(num_seeds=3), 'num_seeds is 2, not 3'),
    ):
      with self.assertRaisesRegex(
        ssnn_jax.UserError, f'{self.anns.folder} holds another run .{message}'
      ):
        train(other)
    self.assertEqual((self.anns.folder / record.METRICS).read_bytes(), before)
    (self.workdir / 'mine').write_text('')
    with self.assertRaisesRegex(ssnn_jax.UserError, 'holds no run that can'):
      train(make_task(self.workdir))

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
    flipped = ssnn_jax.datasets.Split(inputs, labels[::-1])
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      f'^--dataset=digits holds other samples .*{task.folder}',
    ):
      trainer.train(task, digits._replace(**{part: flipped}))

  def test_refuses_a_configuration_of_another_version(self):
    task = self.stop_after_first_checkpoint()
    path = task.folder / record.CONFIG
    config = json.loads(path.read_text())
    for changed in (config | {'speed': 3}, config | {'num_steps': -3}, {}):
      path.write_text(json.dumps(changed))
      with self.assertRaisesRegex(ssnn_jax.UserError, f'^{task.folder} holds'):
        train(task)

  @parameterized.parameters(0, 2)
  def test_refuses_impossible_numbers_of_devices(self, number):
    task = self.make_anns()
    with self.assertRaisesRegex(
      ssnn_jax.UserError, f'--num_devices={number} is out of range'
    ):
      train(task, trainer.Options(num_devices=number))
    self.assertFalse(task.folder.exists())

  def test_loads_the_last_and_the_best_parameters(self):
    network = ssnn_jax.ann(
      experiment.network_config(self.anns.config, small_digits())
    )
    images, labels = small_digits().test
    curves = [line['curves']['test_accuracy'] for line in self.ann_lines]
    best = int(np.argmax(np.mean(curves, 0)))  # of the mean over seeds
    for is_best, index in ((False, -1), (True, best)):
      params = checkpoints.load_params(self.anns.folder, seed=1, best=is_best)
      inference = network.infer(params, None, images)
      found = np.mean(ssnn_jax.training.metrics.predict(inference) == labels)
      self.assertAlmostEqual(found, curves[1][index], places=6)

  def shown(self, folder):
    """Returns the numbers that TensorBoard shows, by tag and epoch."""
    from tensorboardX.proto import event_pb2

    numbers = {}
    for path in sorted(folder.joinpath('tensorboard').iterdir()):
      content = path.read_bytes()
      while content:  # each event follows its length and a digest
        (size,) = struct.unpack('<Q', content[:8])
        event = event_pb2.Event.FromString(content[12 : 12 + size])
        content = content[16 + size :]
        if event.session_log.status == event.session_log.START:
          numbers = {k: v for k, v in numbers.items() if k[1] < event.step}
        for value in event.summary.value:
          self.assertNotIn((value.tag, event.step), numbers)
          numbers[value.tag, event.step] = value.simple_value
    return numbers

  # With a checkpoint of epoch 1, and without any checkpoint.
  @parameterized.parameters(0.0, 1e9)
  def test_tensorboard_shows_each_epoch_of_a_resumed_run_once(self, every):
    task, options = self.make_anns(), trainer.Options(every, tensorboard=True)
    with stop_at_call(self, 1 if every else 2, checkpoints, 'save'):
      train(task, options)
    first, second = train(task, options)[0]
    shown = self.shown(task.folder)
    expected = first['curves']['loss'] + second['curves']['loss']
    tags = [(f'loss/seed_{seed}', e) for seed in (0, 1) for e in (1, 2, 3)]
    self.assertEqual(
      [np.float32(shown[tag]) for tag in tags], np.float32(expected).tolist()
    )
    self.assertIn(('firing_rates/1/seed_0', 3), shown)
    epochs = [e for tag, e in shown if tag == 'test_accuracy/seed_0']
    self.assertEqual(sorted(epochs), [2, 3])
