"""Tests of commands: output, errors and interrupts."""

import os
import pathlib
import re
import subprocess
import sys

from absl.testing import absltest

from experiments import record
from tests.testing import commands

ROOT = pathlib.Path(__file__).parent.parent.parent
TINY = '--method=bp', '--layer_sizes=64,4,10'


class CommandLineTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.workdir = pathlib.Path(self.create_tempdir().full_path, 'new')

  def test_sweep_prints_progress_and_table(self):
    flags = '--grid=method=bp;learning_rate=0.5,1.0', '--num_seeds=2'
    flags = f'--workdir={self.workdir}', *flags, '--num_epochs=1', TINY[1]
    made = commands.run('sweep', *flags)
    self.assertEqual((made.returncode, made.stderr), (0, ''))
    names = [f'bp,learning_rate={rate}, seed=0-1' for rate in (0.5, 1.0)]
    accuracy = r'test accuracy \d+\.\d ± \d+\.\d % \(2 seeds\)'
    progress = ''.join(
      rf'(epoch .*\n)*\[{number}/2\] {re.escape(name)}: {accuracy}.*\n'
      for number, name in enumerate(names, 1)
    )
    files = rf'record: {self.workdir}/record.jsonl, .*, table: .*csv\n$'
    results = rf'(.*\n)*0\.5 .*\n1\.0 .*\n(.*\n)*{files}'
    self.assertRegex(made.stdout, f'^{progress}{results}')
    again = commands.run('sweep', *flags)
    recorded = ''.join(f'{name}: recorded\n' for name in names)
    self.assertRegex(again.stdout, f'^{recorded}{results}')

  def test_run_prints_its_result_and_imports_no_unused_loader(self):
    unused = {'tensorflow', 'tensorflow_datasets', 'tonic', 'torch'}
    code = (
      'import atexit, runpy, sys; '
      f'atexit.register(lambda: print(sorted({unused} & sys.modules.keys()))); '
      'runpy.run_module("experiments.run", run_name="__main__", alter_sys=True)'
    )
    flags = f'--workdir={self.workdir}', '--num_epochs=2', '--hold_out=0.5'
    done = subprocess.run(
      [sys.executable, '-c', code, *TINY, *flags],
      cwd=ROOT,
      capture_output=True,
      text=True,
    )
    # Without a terminal there are lines instead of a progress bar.
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    (line,) = record.find(self.workdir)
    first, last, result, *_ = done.stdout.splitlines()
    shown = r': loss \d\.\d{4}, train accuracy \d+\.\d\d%'
    accuracy = f'{line["test_accuracy"]:.2%}'
    self.assertRegex(first, f'^epoch 1/2{shown}$')
    self.assertRegex(
      last, f'^epoch 2/2{shown}, validation accuracy {accuracy}$'
    )
    self.assertStartsWith(
      result, f'digits, bp: validation accuracy {accuracy}; trained in '
    )
    self.assertEndsWith(done.stdout, f'record: {self.workdir}\n[]\n')

  def test_closed_output_is_no_error(self):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, 'w') as stdout:
      for flag in ('--help', '--list_studies'):
        done = subprocess.run(
          [sys.executable, '-m', 'experiments.run', flag],
          cwd=ROOT,
          stdout=stdout,
          stderr=subprocess.PIPE,
          text=True,
        )
        self.assertEqual((done.returncode, done.stderr), (1, ''))
