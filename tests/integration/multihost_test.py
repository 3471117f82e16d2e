"""Tests that several processes train the same as one."""

import pathlib
import socket
from unittest import mock

from absl.testing import parameterized
import jax

from experiments.training import multihost
from experiments.training import trainer
import ssnn_jax
from ssnn_jax import datasets
from tests.testing import commands
from tests.testing.experiments import lines
from tests.testing.experiments import make_runs
from tests.testing.experiments import small_digits

FIELDS = {
  'layer_sizes': (64, 10),
  'num_steps': 4,
  'num_epochs': 1,
  'dropout': 0.0,
  'eval_every': 1,
  'probe_draws': 1,
  'probe_size': 16,
}


def free_port():
  with socket.socket() as server:
    server.bind(('localhost', 0))
    return server.getsockname()[1]


def launch(workdir):
  """Runs a command in two processes; returns both when they have ended."""
  flags = [
    f'--{name}={str(value).strip("()").replace(" ", "")}'
    for name, value in FIELDS.items()
  ]
  flags += [
    f'--workdir={workdir}',
    '--seed=3',
    '--multihost',
    '--num_processes=2',
    f'--coordinator_address=localhost:{free_port()}',
  ]
  processes = [
    commands.Command('run', *flags, f'--process_id={number}')
    for number in range(2)
  ]
  return [process.wait() for process in processes]


def output_of(process):
  """Returns the output of a process without that of its libraries."""
  lines = process.stdout.splitlines()
  return [line for line in lines if not line.startswith('[Gloo]')]


class MultihostTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def test_two_processes_learn_the_same_as_one(self):
    together = self.workdir / 'together'
    first, second = launch(together)
    self.assertEqual((first.returncode, second.returncode), (0, 0), first)
    result, place = output_of(first)
    self.assertStartsWith(result, 'digits, ssnn: test accuracy ')
    self.assertEqual(place, f'record: {together}')
    self.assertEqual(output_of(second), [])
    defaults = {'batch_size': 32, 'weight_decay': 0.0}
    (alone,) = make_runs(self.workdir / 'alone', 3, **defaults, **FIELDS)
    trainer.train([alone], datasets.load('digits'))
    recorded = {}
    for number, folder in ((1, alone.folder), (2, together)):
      header, *others = lines(folder)
      self.assertEqual(header['num_processes'], number)
      self.assertEqual(others[-1]['num_devices'], number)
      recorded[number] = [
        line | {'num_devices': None, 'num_processes': None}
        for line in (header, *others)
      ]
    self.assertEqual(recorded[1], recorded[2])
    self.assertEqual(
      (together / 'config.json').read_text(),
      (alone.folder / 'config.json').read_text(),
    )
    self.assert_both_processes_stop(together)

  def assert_both_processes_stop(self, folder):
    """Asserts that no process waits for another one that ended early."""
    before = (folder / 'metrics.jsonl').read_bytes()
    first, second = launch(folder)
    for process in (first, second):
      self.assertEqual(process.returncode, 1)
      self.assertEqual(output_of(process), [])
    self.assertIn(
      f'error: {folder} already holds a finished run; choose another folder '
      '(--workdir).\n',
      first.stderr,
    )
    self.assertIn(
      'error: the first process has failed; see its error message.\n',
      second.stderr,
    )
    self.assertEqual((folder / 'metrics.jsonl').read_bytes(), before)

  def test_rejects_flags_without_each_other(self):
    for given, name in (
      ({'process_id': 0}, '--process_id requires --multihost'),
      ({'multihost': True, 'coordinator_address': 'a b:1'}, 'host:port'),
      ({'multihost': True}, '--multihost cannot find the other processes'),
    ):
      with self.assertRaisesRegex(ssnn_jax.UserError, name):
        multihost.join(multihost.Processes(**given))

  def test_single_process_joins_no_cluster(self):
    multihost.join(multihost.Processes())
    self.assertTrue(multihost.is_primary())
    value = {'a': 'of any type'}
    self.assertEqual(
      multihost.broadcast_from_primary(lambda: value, None), value
    )
    with self.assertRaisesRegex(ssnn_jax.UserError, '^a mistake.$'):
      multihost.broadcast_from_primary(self.fail_by_user_error, None)

  def fail_by_user_error(self):
    raise ssnn_jax.UserError('a mistake.')

  def test_rejects_number_of_devices_in_a_cluster(self):
    runs = make_runs(self.workdir, 0)
    with mock.patch.object(jax, 'process_count', lambda: 2):
      with self.assertRaisesRegex(
        ssnn_jax.UserError, '^--num_devices and --multihost exclude .* out.$'
      ):
        trainer.train(
          runs, small_digits(), trainer.Options(num_devices=1), resume=False
        )
    self.assertFalse(runs[0].folder.exists())
