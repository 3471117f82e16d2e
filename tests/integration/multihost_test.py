"""Tests that several processes train the same as one."""

import pathlib
import socket
from unittest import mock

from absl.testing import parameterized
import jax

from experiments import record
from experiments.training import multihost
from experiments.training import trainer
import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax.runs import files
from tests.testing import commands
from tests.testing.experiments import lines
from tests.testing.experiments import make_task
from tests.testing.experiments import small_digits

FIELDS = {
  'layer_sizes': (64, 10),
  'num_steps': 4,
  'sampler': 'bernoulli',  # compiled sooner
  'num_epochs': 1,
  'dropout': 0.0,
  'eval_every': 1,
  'diagnostics': True,
  'probe_draws': 1,
  'probe_size': 16,
}


DEFAULTS = {'batch_size': 32, 'weight_decay': 0.0}


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
    *_, result, place = output_of(first)
    self.assertStartsWith(result, 'digits, ssnn: test accuracy ')
    self.assertEqual(place, f'record: {together}')
    self.assertEqual(output_of(second), [])
    alone = make_task(self.workdir / 'alone', 3, **DEFAULTS, **FIELDS)
    trainer.train(alone, datasets.load('digits'))
    recorded = [lines(folder) for folder in (alone.folder, together)]
    for number, found in enumerate(recorded, 1):
      self.assertEqual(found[0].pop('num_devices'), number)
    self.assertEqual(*recorded)
    self.assertEqual(
      (together / record.CONFIG).read_text(),
      (alone.folder / record.CONFIG).read_text(),
    )
    self.assert_both_processes_stop(together)

  def assert_both_processes_stop(self, folder):
    """Asserts that no process waits for another one that ended early."""
    before = (folder / record.METRICS).read_bytes()
    with files.exclusive_lock(folder):
      (folder / record.METRICS).unlink()  # as of an unfinished run
      first, second = launch(folder)
    for process in (first, second):
      self.assertEqual(process.returncode, 1)
      self.assertEqual(output_of(process), [])
    self.assertIn(f'error: {folder} is in use by another', first.stderr)
    self.assertIn(
      'error: the first process has failed; see its error message.\n',
      second.stderr,
    )
    first, second = launch(folder)  # continues after the last epoch
    self.assertEqual((first.returncode, second.returncode), (0, 0), first)
    ends = [line['params_sha256'] for line in lines(folder)]
    self.assertIn(ends[0], before.decode())

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
    self.assertEqual(multihost.in_primary(lambda: 'a'), 'a')

  def test_rejects_number_of_devices_in_a_cluster(self):
    task = make_task(self.workdir / 'run')
    with mock.patch.object(jax, 'process_count', lambda: 2):
      with self.assertRaisesRegex(
        ssnn_jax.UserError, '^--num_devices and --multihost exclude .* out.$'
      ):
        trainer.train(task, small_digits(), trainer.Options(num_devices=1))
    self.assertFalse(task.folder.exists())
