"""Tests of commands: output, errors and interrupts."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from absl.testing import parameterized

from ssnn_jax.runs import records
from tests.testing import commands
from tests.testing.experiments import record_epochs

ROOT = pathlib.Path(__file__).parent.parent.parent


class CommandLineTest(parameterized.TestCase):
  def test_sweep_and_plot_print_progress_and_table(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    flags = (
      f'--workdir={workdir}',
      '--grid=method=bp;learning_rate=0.5,1.0;weight_decay=0,0.1',
      '--num_seeds=2',
      '--num_epochs=1',
      '--layer_sizes=64,8,10',
    )
    first, second = (
      ' + '.join(
        f'bp,learning_rate={rate},weight_decay={decay}' for rate in (0.5, 1.0)
      )
      for decay in (0.0, 0.1)
    )
    made = commands.run('sweep', *flags)
    self.assertEqual((made.returncode, made.stderr), (0, ''))
    last = f'records: {workdir}'
    started, done, *others, end = made.stdout.splitlines()
    self.assertEqual(started, f'[0/2] {first}: started')
    accuracy = r'\d+\.\d ± \d+\.\d % \(2 seeds\)'
    accuracies = f': test accuracy {accuracy}, {accuracy}'
    self.assertRegex(
      done, rf'^\[1/2\] {re.escape(first)}{accuracies}, \d+ s left$'
    )
    self.assertEqual(others[0], f'[1/2] {second}: started')
    self.assertRegex(others[1], rf'^\[2/2\] {re.escape(second)}{accuracies}$')
    self.assertEqual(end, last)
    again = commands.run('sweep', *flags)
    self.assertEqual((again.returncode, again.stderr), (0, ''))
    self.assertEqual(
      again.stdout.splitlines(),
      [f'{first}: recorded', f'{second}: recorded', last],
    )
    drawn = commands.run('plot', f'--workdir={workdir}')
    self.assertEqual((drawn.returncode, drawn.stderr), (0, ''))
    self.assertRegex(
      drawn.stdout,
      r'(?s)learning_rate  weight_decay .*\n1.0            0.1 .*\n'
      r'figure: .*grid.png, table: .*summary.csv\n$',
    )

  def test_run_prints_its_result_and_imports_no_unused_loader(self):
    workdir = pathlib.Path(self.create_tempdir().full_path) / 'new'
    unused = {'tensorflow', 'tensorflow_datasets', 'tonic', 'torch'}
    code = (
      'import atexit, runpy, sys; '
      f'atexit.register(lambda: print(sorted({unused} & sys.modules.keys()))); '
      'runpy.run_module("experiments.run", run_name="__main__", alter_sys=True)'
    )
    flags = (
      f'--workdir={workdir}',
      '--method=bp',
      '--num_epochs=1',
      '--layer_sizes=64,4,10',
      '--hold_out=0.5',
    )
    done = subprocess.run(
      [sys.executable, '-c', code, *flags],
      cwd=ROOT,
      capture_output=True,
      text=True,
    )
    # Without a terminal there is no progress bar.
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    final = records.read(workdir).final
    self.assertStartsWith(
      done.stdout,
      f'digits, bp: validation accuracy {final["test_accuracy"]:.2%} by spike',
    )
    self.assertEndsWith(
      done.stdout, f' s (without compiling).\nrecord: {workdir}\n[]\n'
    )

  def test_interrupted_run_prints_one_word(self):
    workdir = pathlib.Path(self.create_tempdir().full_path) / 'new'
    metrics = workdir / 'metrics.jsonl'

    def interrupt(pid):
      end = time.monotonic() + commands.TIMEOUT
      while time.monotonic() < end:
        if metrics.exists() and '"epoch"' in metrics.read_text():
          break
        time.sleep(0.01)
      os.kill(pid, signal.SIGINT)

    flags = '--method=bp', '--num_epochs=1000000', '--layer_sizes=64,4,10'
    done = commands.run(
      'run', f'--workdir={workdir}', *flags, while_running=interrupt
    )
    self.assertEqual((done.returncode, done.stdout), (130, ''))
    self.assertEqual(done.stderr.splitlines()[-1], 'interrupted')
    for event in records.read(workdir).events[1:]:
      self.assertEqual(event['event'], 'epoch')

  def test_closed_output_is_no_error(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    record_epochs(workdir, num_epochs=2)
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, 'w') as stdout:
      done = subprocess.run(
        [sys.executable, '-m', 'experiments.plot', f'--workdir={workdir}'],
        cwd=ROOT,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
      )
    self.assertEqual((done.returncode, done.stderr), (1, ''))
