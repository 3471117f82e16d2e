"""Tests of `--resume`: a killed run ends like an uninterrupted one."""

import dataclasses
import json
import os
import pathlib
import random
import signal
import time

from absl.testing import parameterized

from experiments import run
from experiments.config import experiment
from experiments.config import serialization
from experiments.config import titles
from experiments.training import recorder
import ssnn_jax
from ssnn_jax import runs
from ssnn_jax.runs import provenance
from ssnn_jax.runs import records
from tests.testing import commands
from tests.testing.experiments import CONFIG
from tests.testing.experiments import lines

TIMEOUT = 240  # seconds
NUM_KILLS = 2
FLAGS = (
  '--method=bp',
  '--layer_sizes=64,6,10',
  '--num_epochs=100',
  '--eval_every=7',
  '--dropout=0.1',
  '--checkpoint_every=0',
  '--probe_size=32',
)


def count_lines(path):
  return path.read_bytes().count(b'\n') if path.exists() else 0


def contents(folder):
  paths = [path for path in folder.rglob('*') if path.is_file()]
  return {path: path.read_bytes() for path in paths}


class KillTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path, 'killed')

  def run_to_end(self, folder, *flags):
    done = commands.run('run', f'--workdir={folder}', *flags)
    self.assertEqual((done.stderr, done.returncode), ('', 0))
    return done.stdout

  def run_and_kill(self, seconds):
    """Runs and kills a process some seconds after its first epoch."""
    metrics = self.folder / 'metrics.jsonl'
    resumed = self.folder / 'resumed.jsonl'

    def kill(pid):
      num_resumed, num_lines = count_lines(resumed), count_lines(metrics)
      end = time.monotonic() + TIMEOUT
      while time.monotonic() < end:
        os.kill(pid, 0)  # raises an error if the process has ended
        count = count_lines(metrics)
        if count_lines(resumed) > num_resumed:  # the record is truncated
          num_resumed, num_lines = num_resumed + 1, count
        elif count > max(num_lines, 1):
          break
        time.sleep(0.002)
      time.sleep(seconds)
      os.kill(pid, signal.SIGKILL)

    done = commands.run(
      'run',
      f'--workdir={self.folder}',
      '--resume',
      *FLAGS,
      while_running=kill,
    )
    self.assertEqual(done.returncode, -signal.SIGKILL, done)

  def test_killed_run_ends_like_uninterrupted_run(self):
    whole = self.folder.with_name('whole')
    self.run_to_end(whole, *FLAGS)
    delays, epochs = [random.uniform(0, 0.1) for _ in range(NUM_KILLS)], []
    for delay in delays:
      self.run_and_kill(delay)
      text = (self.folder / 'metrics.jsonl').read_text()
      epochs.append(text.count('"event": "epoch"'))
    message = f'killed {delays} s after an epoch, after {epochs} epochs'
    self.assert_incomplete_line_is_rejected()
    # Flags of the configuration come from the record.
    output = self.run_to_end(self.folder, '--resume', '--checkpoint_every=0')
    self.assertEqual(output.splitlines()[-1], f'record: {self.folder}', message)
    self.assertEqual(lines(self.folder), lines(whole), message)
    for folder in (self.folder, whole):
      digest = provenance.sha256(runs.load_params(folder))
      self.assertEqual(digest, lines(whole)[-1]['params_sha256'], message)
    resumed = (self.folder / 'resumed.jsonl').read_text().splitlines()
    starts = [json.loads(line)['epoch'] for line in resumed]
    self.assertLen(starts, NUM_KILLS, message)
    for start, epoch in zip(starts, epochs):
      self.assertLessEqual(start, epoch, message)
    self.assert_finished_run_is_unchanged()

  def assert_incomplete_line_is_rejected(self):
    """Asserts that an incomplete line, which is added, can only be resumed."""
    metrics = self.folder / 'metrics.jsonl'
    with metrics.open('a') as file:
      file.write('{"event": "fin')
    before = contents(self.folder)
    with self.assertRaisesRegex(
      runs.RecordError, f'^{metrics} ends in an incomplete line; resume the run'
    ):
      records.read(self.folder)
    self.assertEqual(contents(self.folder), before)

  def assert_finished_run_is_unchanged(self):
    before = contents(self.folder)
    output = self.run_to_end(self.folder, '--resume')
    self.assertStartsWith(
      output, 'this run is already finished.\ndigits, bp: test accuracy '
    )
    for readout in titles.READOUTS.values():
      self.assertIn(f'% by {readout}', output)
    self.assertEqual(contents(self.folder), before)


class MakeRunTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def values(self, **given):
    """Returns the values of all flags of a run; flags not given are None."""
    fields = dataclasses.fields(experiment.ExperimentConfig)
    names = [field.name for field in fields]
    others = {'config': None, 'workdir': str(self.folder), 'resume': True}
    return dict.fromkeys(names) | others | given

  @parameterized.parameters(None, '')
  def test_resume_needs_workdir(self, workdir):
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      '^--resume needs the folder of a run; also give --workdir',
    ):
      run.make_run(self.values(workdir=workdir))

  def test_resume_takes_omitted_flags_from_record(self):
    config = dataclasses.replace(CONFIG, seed=7, gain=(2.0,))
    records.create(self.folder, serialization.as_record(config))
    resumed = run.make_run(self.values(seed=7))
    self.assertEqual(resumed, recorder.Run(config, self.folder))
    self.assertIs(recorder.status(resumed), recorder.Status.UNFINISHED)
    with self.assertRaisesRegex(
      ssnn_jax.UserError, 'another run .seed is 7, not 8.; use the recorded'
    ):
      recorder.status(run.make_run(self.values(seed=8)))

  def test_resume_without_record_starts_new_run(self):
    expected = dataclasses.replace(experiment.CONFIGS['digits'], num_steps=7)
    self.assertEqual(
      run.make_run(self.values(num_steps=7)),
      recorder.Run(expected, self.folder),
    )
