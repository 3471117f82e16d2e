"""Tests of training: records of runs, resumption, and runs side by side."""

import dataclasses
import json
import pathlib
import tempfile
from unittest import mock

from absl.testing import parameterized
import numpy as np

from experiments.analysis import frames
from experiments.config import experiment
from experiments.config import serialization
from experiments.config import titles
from experiments.training import programs
from experiments.training import recorder
from experiments.training import trainer
import ssnn_jax
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import records
from ssnn_jax.training import epochs
from tests.testing.experiments import lines
from tests.testing.experiments import make_runs
from tests.testing.experiments import share_programs
from tests.testing.experiments import small_digits
from tests.testing.experiments import stop_at_call

FINAL = {
  'event',
  'method',
  'dataset',
  'num_steps',
  'window',
  'sampler',
  'seed',
  'layer_sizes',
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
DEFAULT = trainer.Options()
OFTEN = trainer.Options(checkpoint_every=0.0)
# Runs whose results the tests share: one SSNN, with a short last block, and the
# ANN with two seeds.
SSNN = {'num_steps': 40, 'learning_rate': 0.3, 'eval_every': 2}
ANN = {'method': 'bp', 'eval_every': 2}
# The devices of a network without hidden layers, which is compiled sooner.
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


def train(runs, options=DEFAULT, **arguments):
  trainer.train(runs, small_digits(), options, **arguments)
  return [records.read(run.folder) for run in runs]


class TrainerTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    share_programs(cls)
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    (cls.ssnn,) = make_runs(f'{folder}/ssnn', 1, probe_every=3, **SSNN)
    cls.anns = make_runs(f'{folder}/bp', 0, 1, probe_every=3, **ANN)
    for run in (cls.ssnn, *cls.anns):
      train([run], resume=False)

  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def make_anns(self, *seeds, **changes):
    """Returns new runs with the configuration of `anns`."""
    return make_runs(self.workdir, *seeds, probe_every=3, **ANN | changes)

  def assert_same_lines(self, runs, expected):
    for run, whole in zip(runs, expected, strict=True):
      self.assertEqual(lines(run.folder), lines(whole.folder))

  def stop(self, runs, *call):
    with stop_at_call(self, *call):
      train(runs, OFTEN)

  @parameterized.parameters('ssnn', 'bp')
  def test_records_a_run(self, method):
    run = self.ssnn if method == 'ssnn' else self.anns[1]
    recorded = records.read(run.folder)
    kinds = [event['event'] for event in recorded.events]
    self.assertEqual(
      kinds, ['header', 'epoch', 'epoch', 'eval', 'epoch', 'eval', 'final']
    )
    numbers = [e['epoch'] for e in recorded.events if 'epoch' in e]
    self.assertEqual(numbers, [1, 2, 2, 3, 3])
    self.assertEqual(set(recorded.final), FINAL)
    num_steps = run.config.num_steps
    expected = {
      'method': method,
      'dataset': 'digits',
      'num_steps': num_steps,
      'window': min(num_steps, 32),
      'sampler': 'bernoulli',
      'seed': 1,
      'num_devices': 1,
      'num_train_samples': len(small_digits().train.labels),
      'num_eval_samples': len(small_digits().test.labels),
      # Layers of 64, 12 and 10 neurons: membranes and error currents, trains
      # and gates that wait for errors, and a mask; or the activations.
      'stored_bits': (
        32 * (12 + 10 + 12) + 32 * (3 * 64 + 12) + 2 * 12 + 12
        if method == 'ssnn'
        else 32 * (64 + 12)
      ),
      'seeds_at_once': 1,
    }
    self.assertEqual(recorded.final, recorded.final | expected)
    config = serialization.as_record(run.config)
    self.assertEqual(recorded.config, config)
    self.assertEqual(recorded.events[0]['config'], config)
    trained = [e for e in recorded.events if e['event'] == 'epoch']
    self.assertLess(trained[-1]['loss'], trained[0]['loss'])
    self.assertEqual(
      ['update_error' in line for line in trained], [False, False, True]
    )
    for line in trained:
      # Two layers send spikes, two have errors, and one splits them by sign.
      for name in ('firing_rates', 'error_rates', 'coincidences'):
        self.assertLen(line[name], 2)
      self.assertLen(line['clipped_error_fractions'], 1)
    self.assertEqual(
      recorded.final['test_accuracy'], recorded.events[-2]['test_accuracy']
    )
    for name in titles.READOUTS:
      hits = 40 * recorded.final[name]
      self.assertAlmostEqual(hits, round(hits), places=4)
    for name in frames.ERRORS:
      self.assertEqual(recorded.final[name] == 0, method == 'bp')

  def test_runs_side_by_side_learn_the_same_as_alone_in_one_trace(self):
    runs = [
      recorder.Run(
        dataclasses.replace(config, learning_rate=rate * config.learning_rate),
        self.workdir / name,
      )
      for name, config, rate in (
        ('a', self.anns[1].config, 0.3),
        ('b', self.anns[0].config, 1.0),
        ('c', self.anns[1].config, 1.0),
      )
    ]
    traces, make = [], epochs.make_train_epoch

    def make_counted(*args):
      train_epoch = make(*args)

      def counted(*args):
        traces.append(args)
        return train_epoch(*args)

      return counted

    with (
      mock.patch.object(epochs, 'make_train_epoch', make_counted),
      mock.patch.object(programs, 'make', programs.make.__wrapped__),
    ):
      recorded = train(runs)
    self.assertLen(traces, 1)
    digests = [run.final['params_sha256'] for run in recorded]
    self.assertLen(set(digests), 3)
    for run, alone in zip(runs[1:], self.anns):
      # Sums of floats, whose order depends on the compiler.
      for found, expected in zip(
        lines(run.folder), lines(alone.folder), strict=True
      ):
        self.assertEqual(set(found), set(expected))
        for name, value in expected.items():
          if name == 'loss' or name.endswith('_rates'):
            np.testing.assert_allclose(found[name], value, rtol=1e-4)
          elif name.endswith('accuracy'):
            self.assertAlmostEqual(found[name], value, delta=0.03)

  def test_runs_that_exceed_memory_are_trained_one_by_one(self):
    runs = self.make_anns(0, 1)
    needed = mock.Mock(side_effect=[2**60, 2**20, 2**20])  # of two, of one
    with mock.patch.object(programs, 'count_bytes', needed):
      recorded = train(runs)
    self.assertEqual([run.final['seeds_at_once'] for run in recorded], [1, 1])
    self.assert_same_lines(runs, self.anns)

  @parameterized.parameters(
    (1, records, 'append'),  # before the line of the first epoch
    (2, records, 'append'),  # before the line of a trained epoch
    (2, checkpoints, 'save'),  # before the checkpoint of a recorded epoch
    (3, records, 'append'),  # before the line of an evaluation
    (4, checkpoints, 'wait'),  # before the final line
  )
  def test_stopped_run_ends_like_an_uninterrupted_run(self, *call):
    (run,) = self.make_anns(0)
    self.stop([run], *call)
    self.assertIs(recorder.status(run), recorder.Status.UNFINISHED)
    train([run], OFTEN)
    self.assertIs(recorder.status(run), recorder.Status.FINISHED)
    self.assert_same_lines([run], self.anns[:1])

  def test_resumes_spikes_and_dropout_masks(self):
    (run,) = make_runs(self.workdir, 1, probe_every=3, **SSNN)
    self.stop([run], 3, checkpoints, 'save')
    train([run], OFTEN)
    self.assert_same_lines([run], [self.ssnn])

  def test_resumes_devices(self):
    (whole,), (run,) = (
      make_runs(self.workdir / name, 0, **DEVICES)
      for name in ('whole', 'stopped')
    )
    (recorded,) = train([whole])
    self.stop([run], 3, checkpoints, 'save')
    train([run], OFTEN)
    self.assert_same_lines([run], [whole])
    # The pulse counts matter, as some devices are worn out.
    self.assertGreaterEqual(recorded.final['max_pulses'], 50)
    (pulses,) = recorded.final['layer_pulses']
    self.assertBetween(pulses, 1, recorded.final['max_pulses'])

  def test_resumes_runs_from_different_epochs(self):
    runs = self.make_anns(0, 1)
    self.stop(runs[1:], 3, checkpoints, 'save')
    recorded = train(runs, OFTEN)
    self.assertEqual(recorded[0].final['seeds_at_once'], 1)
    self.assert_same_lines(runs, self.anns)

  def test_resumes_with_the_same_data_alone(self):
    (run,) = self.make_anns(0)
    self.stop([run], 2, records, 'append')
    metrics = run.folder / 'metrics.jsonl'
    before, digits = metrics.read_text(), small_digits()
    for part in ('train', 'test'):
      inputs, labels = getattr(digits, part)
      flipped = ssnn_jax.datasets.Split(inputs, labels[::-1])
      other = digits._replace(**{part: flipped})
      with self.assertRaisesRegex(
        ssnn_jax.UserError,
        f'^--dataset=digits holds other samples .*{run.folder}',
      ):
        trainer.train([run], other)
      self.assertEqual(metrics.read_text(), before)
    header, *others = before.splitlines(keepends=True)
    digest = json.loads(header)['data_sha256']
    # Runs of other versions lack the digest.
    unknown = header.replace(f'"data_sha256": "{digest}", ', '')
    self.assertNotEqual(unknown, header)
    metrics.write_text(unknown + ''.join(others))
    trainer.train([run], other)
    self.assertIsNotNone(records.read(run.folder).final)

  def test_overwrites_no_run(self):
    (run, _) = self.anns
    before = run.folder.joinpath('metrics.jsonl').read_bytes()
    with self.assertRaisesRegex(ssnn_jax.UserError, 'holds a finished run'):
      train([run], resume=False)
    config = dataclasses.replace(run.config, num_epochs=4)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, 'another run .num_epochs is 3, not 4'
    ):
      train([recorder.Run(config, run.folder)])
    after = run.folder.joinpath('metrics.jsonl').read_bytes()
    self.assertEqual(before, after)

  def test_rejects_impossible_numbers_of_devices(self):
    runs = self.make_anns(0)
    for number in (0, 2):
      with self.assertRaisesRegex(
        ssnn_jax.UserError, f'--num_devices={number} is out of range'
      ):
        train(runs, trainer.Options(num_devices=number))
    self.assertFalse(runs[0].folder.exists())

  def test_loads_the_last_and_the_best_parameters(self):
    run = self.anns[0]
    accuracies = [
      event['test_accuracy']
      for event in records.read(run.folder).events
      if event['event'] == 'eval'
    ]
    network = ssnn_jax.ann(
      experiment.network_config(run.config, small_digits())
    )
    images, labels = small_digits().test
    for best, expected in ((False, accuracies[-1]), (True, max(accuracies))):
      params = checkpoints.load_params(run.folder, best=best)
      inference = network.infer(params, None, images)
      found = np.mean(ssnn_jax.training.metrics.predict(inference) == labels)
      self.assertAlmostEqual(found, expected, places=6)
