"""Tests for runs, sweeps and figures, in this process."""

import dataclasses
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from experiments import configs
from experiments import figures
from experiments import run
from experiments import summary
from experiments import sweep
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import records
from ssnn_jax import training
from tests import summary_test

CONFIG = configs.ExperimentConfig(
  layer_sizes=(64, 12, 10),
  num_steps=10,
  batch_size=24,
  num_epochs=3,
  probe_draws=2,
  dropout=0.1,
  weight_decay=1e-4,
)
FINAL = {
  *('event', 'method', 'dataset', 'num_steps', 'window', 'sampler', 'seed'),
  *('test_accuracy', 'test_accuracy_potential', 'test_accuracy_rate'),
  *('update_error', 'quantisation_error', 'params_sha256', 'num_devices'),
  *('train_seconds', 'seeds_at_once'),
}


def small_digits():
  """Returns 100 digits to train on, which no batch divides, and 40 to test."""
  digits = datasets.load('digits')
  return digits._replace(
    train=datasets.Split(*(part[:100] for part in digits.train)),
    test=datasets.Split(*(part[:40] for part in digits.test)),
  )


def load_small(config):
  """Loads `small_digits` for any configuration."""
  del config
  return small_digits()


class RunTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def train(self, config, *seeds):
    """Trains seeds together and reads their records."""
    name = '-'.join(map(str, seeds))
    folders = {seed: self.workdir / f'{name}/{seed}' for seed in seeds}
    run.train(config, small_digits(), folders)
    return [records.read(folder) for folder in folders.values()]

  @parameterized.parameters(('ssnn', 10), ('ssnn', 100), ('bp', 10))
  def test_a_run_is_recorded(self, method, num_steps):
    config = dataclasses.replace(
      CONFIG, method=method, num_steps=num_steps, eval_every=2
    )
    (recorded,) = self.train(config, 3)
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
      'seeds_at_once': 1,
    }
    self.assertEqual(recorded.final, recorded.final | expected)
    wanted = configs.as_record(dataclasses.replace(config, seed=3))
    self.assertEqual(recorded.config, wanted)
    self.assertEqual(recorded.events[0]['config'], wanted)
    losses = [e['loss'] for e in recorded.events if e['event'] == 'epoch']
    self.assertLess(losses[-1], losses[0])
    self.assertEqual(
      recorded.final['test_accuracy'], recorded.events[-2]['test_accuracy']
    )
    for name in summary.ACCURACIES:
      hits = 40 * recorded.final[name]
      self.assertAlmostEqual(hits, round(hits), places=4)
    for name in summary.ERRORS:
      self.assertEqual(recorded.final[name] == 0, method == 'bp')

  def test_a_seed_learns_alone_what_it_learns_among_others(self):
    # Counts are integers, so that spikes leave the weights no room for
    # rounding; errors are sums of floats, in an order of the compiler's.
    (alone,) = self.train(CONFIG, 1)
    _, among = self.train(CONFIG, 0, 1)
    differing = {'train_seconds', 'seeds_at_once'}
    for ours, theirs in zip(alone.events[1:], among.events[1:]):
      for name in set(ours) - differing:
        if name.endswith('_error') or name == 'loss':
          self.assertAlmostEqual(ours[name] / theirs[name], 1.0, places=5)
        else:
          self.assertEqual(ours[name], theirs[name], name)

  def test_epochs_are_traced_once(self):
    traces = []
    make = training.make_train_epoch

    def make_counted(*args):
      train_epoch = make(*args)

      def counted(*args):
        traces.append(args)
        return train_epoch(*args)

      return counted

    with mock.patch.object(training, 'make_train_epoch', make_counted):
      self.train(dataclasses.replace(CONFIG, method='bp'), 0, 1)
    self.assertLen(traces, 1)


class SweepTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'seed=0'

  def test_the_ann_comes_first(self):
    listed = list(sweep.settings(CONFIG, {'num_steps': (1, 4)}))
    self.assertEqual(
      [n for n, _ in listed], ['bp', 'num_steps=1', 'num_steps=4']
    )
    self.assertEqual([c.method for _, c in listed], ['bp', 'ssnn', 'ssnn'])
    self.assertEqual([c.num_steps for _, c in listed], [10, 1, 4])

  def test_what_is_recorded_is_skipped(self):
    folders = {0: self.folder}
    self.assertEqual(sweep.pending(CONFIG, folders), folders)
    records.create(self.folder, configs.as_record(CONFIG))
    for _ in range(2):  # a sweep may be stopped before it starts a run anew
      self.assertEqual(sweep.pending(CONFIG, folders), folders)
      self.assertEmpty(list(self.folder.iterdir()))
    records.create(self.folder, configs.as_record(CONFIG))
    records.append(self.folder, 'final')
    self.assertEmpty(sweep.pending(CONFIG, folders))

  def test_only_missing_seeds_are_pending(self):
    folders = {seed: self.folder.parent / f'{seed}' for seed in (2, 3, 4)}
    seeded = dataclasses.replace(CONFIG, seed=3)
    records.create(folders[3], configs.as_record(seeded))
    records.append(folders[3], 'final')
    self.assertEqual(list(sweep.pending(CONFIG, folders)), [2, 4])

  def test_an_impossible_setting_is_refused_before_any_has_run(self):
    grid, workdir = {'num_steps': (16, 1)}, self.folder.parent
    config = dataclasses.replace(CONFIG, window=4)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, '^--window is 4; expected 1 tick up to num_steps = 1'
    ):
      sweep.run_grid(config, grid, workdir, [0], load_small)
    self.assertEmpty(list(workdir.iterdir()))

  @parameterized.parameters('', 'notes.txt')
  def test_what_is_no_run_is_refused(self, name):
    path = self.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('mine')
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{self.folder}/config'):
      sweep.pending(CONFIG, {0: self.folder})
    self.assertEqual(path.read_text(), 'mine')

  def test_another_run_is_refused(self):
    records.create(self.folder, configs.as_record(CONFIG))
    other = dataclasses.replace(CONFIG, num_epochs=4)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, 'num_epochs is 3 there and 4 here'
    ):
      sweep.pending(other, {0: self.folder})
    self.assertTrue((self.folder / 'config.json').exists())


class PlotTest(absltest.TestCase):
  def test_figures_come_from_records(self):
    comparison = summary.compare(
      summary.group(summary_test.make_runs()), 'here'
    )
    stem = pathlib.Path(self.create_tempdir().full_path) / 'figure'
    png, svg = figures.save(figures.draw_spike_train_length(comparison), stem)
    self.assertEqual(png.read_bytes()[:4], b'\x89PNG')
    self.assertIn('<svg', svg.read_text()[:1000])


if __name__ == '__main__':
  absltest.main()
