"""Tests that a run killed at any moment goes on as if it never had been."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import random
import subprocess
import sys
import time

from absl.testing import absltest
from absl.testing import parameterized

from experiments import config_records
from experiments import configs
from experiments import defaults
from experiments import plot
from experiments import recorder
from experiments import run
import ssnn_jax
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import provenance
from ssnn_jax.runs import records
from tests.testing import commands
from tests.testing.experiments import COMPILE_QUICKLY
from tests.testing.experiments import CONFIG
from tests.testing.experiments import lines

ROOT = pathlib.Path(__file__).parent.parent.parent
TIMEOUT = 240  # seconds; what hangs is killed
FLAGS = (
  *(
    '--method=bp',
    '--layer_sizes=64,6,10',
    '--num_epochs=100',
    '--eval_every=7',
  ),
  *('--dropout=0.1', '--checkpoint_every=0', '--probe_size=32'),
)


class ResumeTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path)

  def start(self, folder, *flags):
    process = subprocess.Popen(
      [
        *(sys.executable, '-m', 'experiments.run'),
        *(f'--workdir={folder}', *flags),
      ],
      cwd=ROOT,
      env=os.environ | COMPILE_QUICKLY,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    self.addCleanup(process.communicate)
    self.addCleanup(process.kill)  # called first
    return process

  def run_to_its_end(self, folder, *flags):
    """Runs it; returns its output."""
    done = commands.run('run', f'--workdir={folder}', *flags)
    self.assertEqual((done.stderr, done.returncode), ('', 0))
    return done.stdout

  def kill_at_random(self, process, folder, seconds):
    """Kills a process, some time after the first line of an epoch of its own.

    Args:
      process: the run.
      folder: where it is recorded.
      seconds: how long after.
    """
    metrics, resumed = folder / 'metrics.jsonl', folder / 'resumed.jsonl'
    count = lambda path: path.read_bytes().count(b'\n') if path.exists() else 0
    until = time.monotonic() + TIMEOUT
    num_resumed, start = count(resumed), count(metrics)
    while process.poll() is None and time.monotonic() < until:
      now = count(metrics)
      if count(resumed) > num_resumed:  # the record has been taken back
        num_resumed, start = num_resumed + 1, now
      elif now > max(start, 1):
        break
      time.sleep(0.002)
    time.sleep(seconds)
    process.kill()
    process.wait(timeout=TIMEOUT)

  def test_a_run_that_is_killed_ends_as_if_it_never_had_been(self):
    whole, killed = self.workdir / 'whole', self.workdir / 'killed'
    self.run_to_its_end(whole, *FLAGS)
    killed.mkdir()
    moments, epochs = [random.uniform(0, 0.3) for _ in range(3)], []
    for moment in moments:
      self.kill_at_random(
        self.start(killed, '--resume', *FLAGS), killed, moment
      )
      text = (killed / 'metrics.jsonl').read_text()
      epochs.append(text.count('"event": "epoch"'))
    how = f'killed {moments} s after a first epoch, after {epochs} epochs'
    # What it was started with need not be said again.
    done = commands.run(
      'run', f'--workdir={killed}', '--resume', '--checkpoint_every=0'
    )
    self.assertEqual((done.stderr, done.returncode), ('', 0), how)
    self.assertEqual(done.stdout.splitlines()[-1], f'record: {killed}', how)
    self.assertEqual(lines(killed), lines(whole), how)
    ours, theirs = (
      provenance.sha256(checkpoints.load_params(folder))
      for folder in (killed, whole)
    )
    self.assertEqual(ours, theirs, how)
    self.assertEqual(ours, lines(whole)[-1]['params_sha256'])
    resumed = (killed / 'resumed.jsonl').read_text().splitlines()
    starts = [json.loads(line)['epoch'] for line in resumed]
    self.assertLen(starts, 3, how)
    for start, epoch in zip(starts, epochs):
      self.assertLessEqual(start, epoch, how)
    self.assert_finished(killed)
    self.assert_mended(killed)

  def assert_finished(self, folder):
    """Asserts that nothing is left to do for a run, nor is done."""

    def contents():
      return {
        path: path.read_bytes() for path in folder.rglob('*') if path.is_file()
      }

    before = contents()
    out = self.run_to_its_end(folder, '--resume')
    self.assertStartsWith(
      out, 'this run has finished already.\ndigits, bp: test accuracy '
    )
    self.assertEqual(contents(), before)

  def assert_mended(self, folder):
    """Asserts that half a line at the end of a run is written anew."""
    metrics, expected = folder / 'metrics.jsonl', lines(folder)
    content = metrics.read_bytes()
    metrics.write_bytes(content[:-100])
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      f'^{metrics} ends in half a line; go on with the run by --resume, which '
      'writes it anew.$',
    ):
      plot.read_record(folder)
    self.assertEqual(metrics.read_bytes(), content[:-100])
    self.run_to_its_end(folder, '--resume')
    self.assertEqual(lines(folder), expected)

  def values(self, **given):
    """Returns the values of all flags that a run is made of."""
    fields = dataclasses.fields(configs.ExperimentConfig)
    names = (*(field.name for field in fields), 'config', 'workdir')
    return dict.fromkeys(names) | {'resume': True} | given

  @parameterized.parameters(None, '')
  def test_to_go_on_takes_a_folder(self, workdir):
    with self.assertRaisesRegex(
      ssnn_jax.UserError, '^--resume needs the folder of a run; give it by --w'
    ):
      run.make_run(self.values(workdir=workdir))

  def test_what_is_left_out_is_as_it_was(self):
    config = dataclasses.replace(CONFIG, seed=7, gain=(2.0,))
    records.create(self.workdir, config_records.as_record(config))
    values = self.values(workdir=str(self.workdir), seed=7)
    found = run.make_run(values)
    self.assertEqual(found, recorder.Run(config, self.workdir))
    self.assertIs(recorder.status(found), recorder.Status.UNFINISHED)
    other = run.make_run(values | {'seed': 8})
    with self.assertRaisesRegex(
      ssnn_jax.UserError, 'another run .seed is 7 there and 8 here.; leave'
    ):
      recorder.status(other)

  @parameterized.parameters(
    ({'method': 'ssnn', 'window': 8, 'probe_every': 1}, ''),
    ({'method': 'rpu', 'gain': (2.0,), 'delay': 1}, 'rpu does not use --delay'),
    (
      {'method': 'bp_stdp', 'update': 'rates', 'tau': 3.0, 'dropout': 0.1},
      'bp_stdp does not use --tau, --update',
    ),
  )
  def test_flags_without_use_are_told(self, given, expected):
    values = self.values(workdir=str(self.workdir), **given)
    with contextlib.redirect_stdout(io.StringIO()) as told:
      run._tell_unused(run.make_run(values), values)
    self.assertEqual(told.getvalue(), expected and f'--method={expected}\n')

  def test_where_there_is_nothing_a_run_is_new(self):
    values = self.values(workdir=str(self.workdir), num_steps=7)
    found = run.make_run(values)
    expected = dataclasses.replace(defaults.CONFIGS['digits'], num_steps=7)
    self.assertEqual(found, recorder.Run(expected, self.workdir))

  def test_a_run_of_another_version_is_told(self):
    record = config_records.as_record(CONFIG) | {'spikiness': 3}
    records.create(self.workdir, record)
    with self.assertRaises(ssnn_jax.UserError) as caught:
      run.make_run(self.values(workdir=str(self.workdir)))
    self.assertEqual(
      str(caught.exception),
      f'{self.workdir} holds a run with spikiness, which this version does not '
      'know; go on with the version that started it.',
    )


if __name__ == '__main__':
  absltest.main()
