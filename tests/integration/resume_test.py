"""Tests that killed and interrupted commands end like undisturbed ones."""

import os
import random
import shlex
import signal
import subprocess
import time

from experiments.runs import records
import ssnn_jax
from ssnn_jax.runs import files
from tests.testing import commands
from tests.testing.experiments import FolderTestCase
from tests.testing.experiments import lines

FLAGS = (
  '--layers=6,10 --num_steps=8 --num_epochs=24 --eval_every=1 '
  '--dropout=0.1 '
  '--neuron=stochastic --sampler=bernoulli'  # compiled sooner
).split()
# Two tasks, whose programs are the same.
GRID = ('--grid=method=ssnn;learning_rate=0.3,1', '--num_seeds=2', *FLAGS)


def when(is_true):
  """Waits until a function returns something true; returns that."""
  end = time.monotonic() + 240
  while time.monotonic() < end:
    result = is_true()
    if result:
      return result
    time.sleep(0.002)
  raise TimeoutError


class DisturbedTest(FolderTestCase):
  def run_to_end(self, *flags):
    done = commands.run('run', *flags)
    self.assertEqual((done.stderr, done.returncode), ('', 0))
    return done.stdout

  def signal_run(self, folder, number, seconds, *flags):
    """Runs a command, and signals it some seconds after a new checkpoint."""
    last_epoch = lambda: ssnn_jax.runs.checkpoints.last_epoch(folder) or 0

    def send(pid):
      before = last_epoch()
      when(lambda: last_epoch() > before)
      time.sleep(seconds)
      os.kill(pid, number)

    return commands.run(
      'run', f'--workdir={folder}', '--resume', *flags, while_running=send
    )

  def test_killed_and_interrupted_run_ends_like_undisturbed_one(self):
    whole, killed = self.folder / 'whole', self.folder / 'a killed run'
    self.run_to_end(f'--workdir={whole}', *FLAGS)
    delays = [random.uniform(0, 0.1) for _ in range(2)]
    done = self.signal_run(killed, signal.SIGKILL, delays[0], *FLAGS)
    self.assertEqual(done.returncode, -signal.SIGKILL, done)
    # Flags of the configuration come from the folder.
    done = self.signal_run(killed, signal.SIGINT, delays[1])
    self.assertEqual(done.returncode, 130, done)
    word, _, remedy = done.stderr.partition('; continue by: ')
    self.assertEqual(word, 'interrupted')
    _, m, module, *given = shlex.split(remedy)
    self.assertEqual((m, module), ('-m', 'experiments.run'))
    self.assertEmpty(lines(killed))
    self.assertNotEmpty(lines(killed, 'epoch'))
    output = self.run_to_end(*given)
    self.assertEqual(output.splitlines()[-1], f'record: {killed}')
    for event in ('epoch', 'final'):
      self.assertEqual(lines(killed, event), lines(whole, event), delays)
    *_, final = records.read_lines(killed)
    digest = files.sha256(ssnn_jax.load(killed).params)
    self.assertEqual(digest, final['params_sha256'])
    starts = final['restored_epochs']
    self.assertLen(starts, len(delays), delays)
    self.assertEqual(starts, sorted(starts))

  def test_killed_launcher_loses_no_run(self):
    # `launch_test` has killed workers.
    whole, killed = self.folder / 'whole', self.folder / 'killed'
    workers = []

    def kill_launcher(pid):
      when(lambda: list(killed.rglob('checkpoints/[0-9]*')))
      listing = ['pgrep', '-P', str(pid), '-f', 'spawn_main']
      workers.extend(map(int, subprocess.check_output(listing).split()))
      os.kill(pid, signal.SIGKILL)

    command = 'run', f'--workdir={killed}', '--num_workers=2', *GRID
    done = commands.run(*command, while_running=kill_launcher)
    self.assertEqual(done.returncode, -signal.SIGKILL)
    self.assertLen(workers, 2)
    is_gone = lambda pid: not os.path.exists(f'/proc/{pid}')
    when(lambda: all(map(is_gone, workers)))
    # The workers have ended with their launcher, not with their tasks.
    folders = [path.parent for path in killed.rglob(records.CONFIG)]
    self.assertLess(sum(bool(lines(folder)) for folder in folders), 2)
    for workdir in (killed, whole):
      self.run_to_end(f'--workdir={workdir}', *GRID)
    folders = [path.parent for path in killed.rglob(records.CONFIG)]
    self.assertLen(folders, 2)
    for folder in folders:
      undisturbed = whole / folder.relative_to(killed)
      self.assertEqual(lines(folder), lines(undisturbed))
