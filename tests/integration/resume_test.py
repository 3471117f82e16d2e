"""Tests that killed and interrupted commands end like undisturbed ones."""

import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import time

from absl.testing import parameterized

from experiments import train
from ssnn_jax import runs
from ssnn_jax.runs import provenance
from tests.testing import commands
from tests.testing.experiments import lines

TIMEOUT = 240  # seconds
FLAGS = (
  '--layer_sizes=64,6,10',
  '--num_steps=8',
  '--num_epochs=50',
  '--eval_every=25',
  '--dropout=0.1',
  '--checkpoint_every=0',
)
STOCHASTIC = '--neuron=stochastic', '--sampler=bernoulli'  # compiled sooner
# Two tasks, whose programs are the same.
GRID = ('--grid=method=ssnn;learning_rate=0.3,1', '--num_seeds=2', *FLAGS)


def contents(folder):
  paths = [path for path in folder.rglob('*') if path.is_file()]
  return {path: path.read_bytes() for path in paths}


def when(is_true):
  """Waits until a function returns something true; returns that."""
  end = time.monotonic() + TIMEOUT
  while time.monotonic() < end:
    found = is_true()
    if found:
      return found
    time.sleep(0.002)
  raise TimeoutError


def workers_of(pid):
  """Lists the workers of a launcher, by their process ids."""
  found = subprocess.run(
    ['pgrep', '-P', str(pid), '-f', 'spawn_main'],
    capture_output=True,
    text=True,
  )
  return [int(line) for line in found.stdout.split()]


class DisturbedTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def run_to_end(self, *flags):
    done = commands.run('run', *flags)
    self.assertEqual((done.stderr, done.returncode), ('', 0))
    return done.stdout

  def signal_run(self, folder, number, seconds, *flags):
    """Runs a command, and signals it some seconds after a new checkpoint."""
    epochs = folder / 'checkpoints'

    def last_epoch():
      paths = epochs.glob('[0-9]*') if epochs.exists() else ()
      return max((int(x.name) for x in paths if x.name.isdigit()), default=0)

    def send(pid):
      before = last_epoch()
      when(lambda: last_epoch() > before)
      time.sleep(seconds)
      os.kill(pid, number)

    return commands.run(
      'run', f'--workdir={folder}', '--resume', *flags, while_running=send
    )

  @parameterized.parameters(FLAGS, (*FLAGS, *STOCHASTIC))
  def test_killed_and_interrupted_run_ends_like_undisturbed_one(self, *flags):
    whole, killed = self.folder / 'whole', self.folder / 'a killed run'
    self.run_to_end(f'--workdir={whole}', *flags)
    delays = [random.uniform(0, 0.1) for _ in range(2)]
    done = self.signal_run(killed, signal.SIGKILL, delays[0], *flags)
    self.assertEqual(done.returncode, -signal.SIGKILL, done)
    # Flags of the configuration come from the folder.
    flag = '--checkpoint_every=0'
    done = self.signal_run(killed, signal.SIGINT, delays[1], flag)
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
    (final,) = lines(whole)
    digest = provenance.sha256(runs.load_params(killed))
    self.assertEqual(digest, final['params_sha256'])
    *_, final = train.read_lines(killed)
    starts = final['restored_epochs']
    self.assertLen(starts, len(delays), delays)
    self.assertEqual(starts, sorted(starts))
    before = contents(killed)
    output = self.run_to_end(f'--workdir={killed}', '--resume')
    self.assertStartsWith(
      output, 'this run is already finished.\ndigits, ssnn: test accuracy '
    )
    self.assertEqual(contents(killed), before)

  def test_killed_launcher_loses_no_run(self):
    # `launch_test` has killed workers.
    killed, workers = self.folder / 'killed', []

    def kill_launcher(pid):
      when(lambda: list(killed.rglob('checkpoints/[0-9]*')))
      workers.extend(workers_of(pid))
      os.kill(pid, signal.SIGKILL)

    flags = f'--workdir={killed}', *GRID
    done = commands.run(
      'run', *flags, '--num_workers=2', while_running=kill_launcher
    )
    self.assertEqual(done.returncode, -signal.SIGKILL)
    self.assertLen(workers, 2)
    is_gone = lambda pid: not os.path.exists(f'/proc/{pid}')
    when(lambda: all(map(is_gone, workers)))
    find_folders = lambda: [path.parent for path in killed.rglob(train.CONFIG)]
    # The workers have ended with their launcher, not with their tasks.
    self.assertLess(sum(bool(lines(folder)) for folder in find_folders()), 2)
    self.run_to_end(*flags)
    folders = find_folders()
    self.assertLen(folders, 2)
    for folder in folders:
      task = train.read_task(folder)._replace(folder=self.folder / 'whole')
      train.train(task, train.load(task.config))
      self.assertEqual(lines(folder), lines(task.folder))
      shutil.rmtree(task.folder)
