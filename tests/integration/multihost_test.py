"""Tests that processes train together what one would have trained alone."""

import os
import pathlib
import socket
import subprocess
import sys
from unittest import mock

from absl.testing import parameterized
import jax

from experiments import multihost
from experiments import trainer
import ssnn_jax
from ssnn_jax import datasets
from tests.testing.experiments import lines
from tests.testing.experiments import make_runs
from tests.testing.experiments import share_programs
from tests.testing.experiments import small_digits

ROOT = pathlib.Path(__file__).parent.parent.parent
TIMEOUT = 240  # seconds; what hangs is killed
FLAGS = (
  *('--layer_sizes=64,6,10', '--num_steps=4', '--num_epochs=2', '--seed=3'),
  *('--dropout=0.1', '--eval_every=1', '--probe_draws=1', '--probe_size=16'),
)
LEFT_OUT = dict.fromkeys(('multihost', *multihost._CLUSTER))


def free_port():
  with socket.socket() as server:
    server.bind(('localhost', 0))
    return server.getsockname()[1]


class MultihostTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    share_programs(cls)  # which are compiled as those of the commands are

  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def launch(self, workdir, *flags):
    """Runs a command in two processes; returns what each of them told."""
    cluster = (
      *('--multihost', '--num_processes=2'),
      f'--coordinator_address=localhost:{free_port()}',
    )
    processes = [
      subprocess.Popen(
        [
          *(sys.executable, '-m', 'experiments.run', f'--workdir={workdir}'),
          *(*flags, *cluster, f'--process_id={number}'),
        ],
        cwd=ROOT,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
      )
      for number in range(2)
    ]
    for process in processes:
      self.addCleanup(process.communicate)
      self.addCleanup(process.kill)  # called first
    return [self.told(process) for process in processes]

  def told(self, process):
    """Waits for a process; returns its output, errors and exit code."""
    out, err = process.communicate(timeout=TIMEOUT)
    own = [line for line in out.splitlines() if not line.startswith('[Gloo]')]
    return '\n'.join(own), err, process.returncode

  def test_two_processes_learn_what_one_learns(self):
    together = self.workdir / 'together'
    (first, second) = self.launch(together, *FLAGS)
    self.assertEqual((first[2], second[2]), (0, 0), (first, second))
    self.assertRegex(
      first[0], rf'\Adigits, ssnn: test accuracy .*\nrecord: {together}\Z'
    )
    self.assertEqual(second[0], '')
    (alone,) = make_runs(
      self.workdir / 'alone',
      3,
      layer_sizes=(64, 6, 10),
      num_steps=4,
      batch_size=32,
      num_epochs=2,
      dropout=0.1,
      weight_decay=0.0,
      eval_every=1,
      probe_draws=1,
      probe_size=16,
    )
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
    self.assert_both_stop(together)

  def assert_both_stop(self, folder):
    """Asserts that no process waits for one that cannot go on."""
    before = (folder / 'metrics.jsonl').read_bytes()
    first, second = self.launch(folder, *FLAGS)
    for out, _, code in (first, second):
      self.assertEqual((out, code), ('', 1), (first, second))
    self.assertIn(
      f'error: {folder} already holds a finished run; choose another folder '
      '(--workdir).\n',
      first[1],
    )
    self.assertIn(
      'error: the first process cannot go on; see what it says.\n', second[1]
    )
    self.assertEqual((folder / 'metrics.jsonl').read_bytes(), before)

  @parameterized.parameters(
    {'process_id': 0},
    {'num_processes': 2},
    {'coordinator_address': 'localhost:1'},
  )
  def test_flags_that_would_do_nothing_are_refused(self, **given):
    (name,) = given
    with self.assertRaises(ssnn_jax.UserError) as caught:
      multihost.join(LEFT_OUT | {'multihost': False} | given)
    self.assertEqual(
      str(caught.exception),
      f'--{name} is for --multihost; give both, or neither.',
    )

  @parameterized.parameters('localhost', 'localhost:port', ':1', 'a b:1')
  def test_an_address_without_its_port_is_refused(self, address):
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      f'^--coordinator_address={address} is not of the form host:port; give',
    ):
      multihost.join(
        LEFT_OUT | {'multihost': True, 'coordinator_address': address}
      )

  def test_a_process_alone_joins_nobody(self):
    multihost.join(LEFT_OUT | {'multihost': False})
    self.assertTrue(multihost.is_first())
    told = multihost.told_by_first(lambda: {'a': 'of any type'}, None)
    self.assertEqual(told, {'a': 'of any type'})
    with self.assertRaisesRegex(ssnn_jax.UserError, '^a mistake.$'):
      multihost.told_by_first(self.blunder, None)

  def blunder(self):
    raise ssnn_jax.UserError('a mistake.')

  def test_processes_have_all_devices(self):
    runs = make_runs(self.workdir, 0)
    with mock.patch.object(jax, 'process_count', lambda: 2):
      with self.assertRaisesRegex(
        ssnn_jax.UserError, '^--num_devices is for one process, .* out.$'
      ):
        trainer.train(
          runs, small_digits(), trainer.Options(num_devices=1), resume=False
        )
    self.assertFalse(runs[0].folder.exists())

  def test_processes_that_cannot_be_found_are_told(self):
    # Nothing here says where they are.
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      r'^--multihost cannot find the other processes \(.*\); start them by',
    ):
      multihost.join(LEFT_OUT | {'multihost': True})
