"""Tests that runs train, are recorded, and go on as if never stopped."""

import dataclasses
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from experiments import config_records
from experiments import configs
from experiments import programs
from experiments import recorder
from experiments import summary
from experiments import trainer
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import records
from tests.testing.experiments import CONFIG
from tests.testing.experiments import lines
from tests.testing.experiments import make_runs
from tests.testing.experiments import share_programs
from tests.testing.experiments import small_digits

FINAL = {
  *('event', 'method', 'dataset', 'num_steps', 'window', 'sampler', 'seed'),
  *('layer_sizes', 'num_train_samples'),
  *('test_accuracy', 'test_accuracy_potential', 'test_accuracy_rate'),
  *('update_error', 'quantisation_error', 'params_sha256', 'num_devices'),
  *('train_seconds', 'wall_seconds', 'seeds_at_once'),
}
DEFAULT = trainer.Options()
OFTEN = trainer.Options(checkpoint_every=0.0)


class Stopped(BaseException):
  """What stops a run in a test, as nothing that it does itself can."""


class TrainerTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    share_programs(cls)

  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def train(self, runs, options=DEFAULT, **arguments):
    trainer.train(runs, small_digits(), options, **arguments)
    return [records.read(run.folder) for run in runs]

  @parameterized.parameters(('ssnn', 100), ('bp', 10))
  def test_a_run_is_recorded(self, method, num_steps):
    runs = make_runs(
      self.workdir,
      3,
      method=method,
      num_steps=num_steps,
      eval_every=2,
      probe_every=3,
    )
    (recorded,) = self.train(runs, resume=False)
    kinds = [event['event'] for event in recorded.events]
    self.assertEqual(
      kinds, ['header', 'epoch', 'epoch', 'eval', 'epoch', 'eval', 'final']
    )
    epochs = [e['epoch'] for e in recorded.events if 'epoch' in e]
    self.assertEqual(epochs, [1, 2, 2, 3, 3])
    self.assertEqual(set(recorded.final), FINAL)
    expected = {
      'method': method,
      'dataset': 'digits',
      'num_steps': num_steps,
      'window': min(num_steps, 32),
      'sampler': 'bernoulli',
      'seed': 3,
      'num_devices': 1,
      'num_train_samples': len(small_digits().train.labels),
      'seeds_at_once': 1,
    }
    self.assertEqual(recorded.final, recorded.final | expected)
    wanted = config_records.as_record(runs[0].config)
    self.assertEqual(recorded.config, wanted)
    self.assertEqual(recorded.events[0]['config'], wanted)
    in_epochs = [e for e in recorded.events if e['event'] == 'epoch']
    self.assertLess(in_epochs[-1]['loss'], in_epochs[0]['loss'])
    self.assertEqual(
      ['update_error' in line for line in in_epochs], [False, False, True]
    )
    for line in in_epochs:
      # Two layers send spikes forward, two have errors, one splits them.
      for name in ('firing_rates', 'error_rates', 'coincidences'):
        self.assertLen(line[name], 2)
      self.assertLen(line['clipped_error_fractions'], 1)
    self.assertEqual(
      recorded.final['test_accuracy'], recorded.events[-2]['test_accuracy']
    )
    for name in summary.ACCURACIES:
      hits = 40 * recorded.final[name]
      self.assertAlmostEqual(hits, round(hits), places=4)
    for name in summary.ERRORS:
      self.assertEqual(recorded.final[name] == 0, method == 'bp')

  def assert_alike(self, one, other):
    """Asserts that runs are the same but for the rounding of sums of floats."""
    for ours, theirs in zip(lines(one.folder), lines(other.folder)):
      self.assertEqual(set(ours), set(theirs))
      for name in ours:
        if name.endswith(('_error', '_rates', '_fractions')) or name == 'loss':
          np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5)
        else:
          self.assertEqual(ours[name], theirs[name], name)

  def test_a_run_learns_alone_what_it_learns_among_others(self):
    # Counts are integers, so that spikes leave the weights no room for
    # rounding; errors are sums of floats, in an order of the compiler's.
    runs = [
      recorder.Run(
        dataclasses.replace(CONFIG, seed=seed, learning_rate=rate),
        self.workdir / name,
      )
      for name, seed, rate in (('a', 1, 1.0), ('b', 0, 0.3), ('c', 1, 0.3))
    ]
    self.train(runs)
    (alone,) = make_runs(self.workdir / 'alone', 1, learning_rate=0.3)
    self.train([alone])
    finals = [records.read(run.folder).final for run in runs]
    self.assertLen({final['params_sha256'] for final in finals}, 3)
    self.assert_alike(alone, runs[2])

  def test_epochs_are_traced_once(self):
    traces = []
    make = training.make_train_epoch

    def make_counted(*args):
      train_epoch = make(*args)

      def counted(*args):
        traces.append(args)
        return train_epoch(*args)

      return counted

    with (
      mock.patch.object(training, 'make_train_epoch', make_counted),
      mock.patch.object(programs, 'make', programs.make.__wrapped__),
    ):
      self.train(make_runs(self.workdir, 0, 1, method='bp'))
    self.assertLen(traces, 1)

  def test_runs_that_do_not_fit_in_memory_are_parted(self):
    alone, parted = (
      make_runs(self.workdir / name, 0, 1, method='bp')
      for name in ('alone', 'parted')
    )
    for run in alone:
      self.train([run])
    with mock.patch.object(programs, 'fit_in_memory', lambda compiled: False):
      recorded = self.train(parted)
    for run, (ours, theirs) in zip(recorded, zip(parted, alone)):
      self.assertEqual(run.final['seeds_at_once'], 1)
      self.assertEqual(lines(ours.folder), lines(theirs.folder))

  def test_memory_is_compared_with_what_there_is(self):
    compiled = mock.Mock()
    compiled.memory_analysis.return_value = mock.Mock(
      argument_size_in_bytes=2**60,
      output_size_in_bytes=2**60,
      alias_size_in_bytes=2**60,
      temp_size_in_bytes=0,
    )
    self.assertFalse(programs.fit_in_memory(compiled))
    compiled.memory_analysis.return_value.argument_size_in_bytes = 2**20
    self.assertTrue(programs.fit_in_memory(compiled))

  def stop(self, runs, target, name, call):
    """Trains until a function is called for the given time, and stops there."""
    calls = []

    def counted(*args, **fields):
      calls.append(args)
      if len(calls) == call:
        raise Stopped
      return original(*args, **fields)

    original = getattr(target, name)
    with mock.patch.object(target, name, counted):
      with self.assertRaises(Stopped):
        self.train(runs, OFTEN)

  def test_a_run_that_was_stopped_ends_as_if_it_never_had_been(self):
    whole = make_runs(self.workdir / 'whole', 0, method='bp', eval_every=2)
    self.train(whole)
    for place in (
      (records, 'append', 1),  # before its header
      (records, 'append', 3),  # an epoch is done and not told
      (checkpoints, 'save', 2),  # it is told, without a checkpoint
      (records, 'append', 5),  # before an evaluation is told
      (checkpoints, 'wait', 4),  # all is done but the last line
    ):
      folder = self.workdir / f'stopped-{place[1]}-{place[2]}'
      (run,) = make_runs(folder, 0, method='bp', eval_every=2)
      self.stop([run], *place)
      self.assertIs(recorder.status(run), recorder.Status.UNFINISHED)
      self.train([run], OFTEN)
      self.assertIs(recorder.status(run), recorder.Status.FINISHED)
      self.assertEqual(lines(run.folder), lines(whole[0].folder), place)

  @parameterized.parameters(
    {},
    {
      **{'device': 'ecram', 'update_rule': 'tiki_taka', 'endurance': 50.0},
      **{'lifetime': 100.0, 'out_noise': 0.1, 'learning_rate': 3.0},
      'weight_decay': 0.0,
    },
  )
  def test_spikes_masks_and_devices_go_on_where_they_were(self, **options):
    (whole,), (run,) = (
      make_runs(self.workdir / name, 0, eval_every=1, **options)
      for name in ('whole', 'stopped')
    )
    (recorded,) = self.train([whole])
    self.stop([run], checkpoints, 'save', 3)
    self.train([run], OFTEN)
    self.assertEqual(lines(run.folder), lines(whole.folder))
    # Some devices are worn out, so that their counts were of use.
    has_counts = recorded.final.get('max_pulses', 0) >= 50
    self.assertEqual(has_counts, bool(options))

  def test_runs_go_on_together_from_different_epochs(self):
    alone, runs = (
      make_runs(self.workdir / name, 0, 1, method='bp', eval_every=1)
      for name in ('alone', 'stopped')
    )
    for run in alone:
      self.train([run])
    self.stop(runs[1:], checkpoints, 'save', 3)
    recorded = self.train(runs, OFTEN)
    self.assertEqual(recorded[0].final['seeds_at_once'], 1)
    for ours, theirs in zip(runs, alone):
      self.assertEqual(lines(ours.folder), lines(theirs.folder))

  def test_what_is_there_is_not_overwritten(self):
    runs = make_runs(self.workdir, 0, method='bp')
    self.train(runs)
    before = runs[0].folder.joinpath('metrics.jsonl').read_bytes()
    with self.assertRaisesRegex(ssnn_jax.UserError, 'holds a finished run'):
      self.train(runs, resume=False)
    (other,) = make_runs(self.workdir, 0, method='bp', num_epochs=4)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, 'another run .num_epochs is 3, not 4'
    ):
      self.train([other])
    after = runs[0].folder.joinpath('metrics.jsonl').read_bytes()
    self.assertEqual(before, after)

  def test_devices_that_are_not_there_are_refused(self):
    runs = make_runs(self.workdir, 0)
    for number in (0, 2):
      with self.assertRaisesRegex(
        ssnn_jax.UserError, f'--num_devices={number} is not possible, as jax'
      ):
        self.train(runs, trainer.Options(num_devices=number))
    self.assertFalse(runs[0].folder.exists())

  def test_the_parameters_of_a_run_are_found(self):
    (run,) = make_runs(self.workdir, 0, method='bp', eval_every=1)
    (recorded,) = self.train([run])
    accuracies = [
      event['test_accuracy']
      for event in recorded.events
      if event['event'] == 'eval'
    ]
    network = ssnn_jax.ann(configs.network_config(run.config, small_digits()))
    images, labels = small_digits().test
    for best, expected in ((False, accuracies[-1]), (True, max(accuracies))):
      params = checkpoints.load_params(run.folder, best=best)
      inference = network.infer(params, None, images)
      found = np.mean(ssnn_jax.training.metrics.predict(inference) == labels)
      self.assertAlmostEqual(found, expected, places=6)


if __name__ == '__main__':
  absltest.main()
