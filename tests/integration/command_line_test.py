"""Tests of commands: output, errors and interrupts."""

import gzip
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
from tests.testing import datasets as data_util
from tests.testing.experiments import record_epochs

ROOT = pathlib.Path(__file__).parent.parent.parent


class CommandLineTest(parameterized.TestCase):
  def assert_refused(self, message, *arguments):
    workdir = pathlib.Path(self.create_tempdir().full_path) / 'new'
    done = commands.run('run', f'--workdir={workdir}', *arguments)
    self.assertNotEqual(done.returncode, 0)
    self.assertEqual(done.stdout, '')
    self.assertRegex(done.stderr, r'\Aerror: [^\n]+\.\n\Z')
    self.assertIn(message, done.stderr)
    self.assertFalse(workdir.exists())

  @parameterized.parameters(
    ('--num_steps=0', '--num_steps is 0; expected 1 to 2147483647 ticks.'),
    ('--dataset=nope', '--dataset=nope does not exist; choose one of digits, '),
    ('--layer_sizes=784,abc', '--layer_sizes=784,abc: expected whole numbers'),
    ('--layer_sizes=784,10', '--layer_sizes=784,10 does not fit digits'),
    ('--config=nope', '--config=nope does not exist; choose one of digits, '),
    ('--num_step=3', "flag 'num_step'. Did you mean: num_steps; see --help."),
    ('num_steps=3', 'num_steps=3 is not a flag'),
  )
  def test_rejects_invalid_flags(self, argument, message):
    self.assert_refused(message, argument)

  def test_rejects_truncated_files(self):
    data_dir = pathlib.Path(self.create_tempdir().full_path)
    folder = data_dir / 'fashion_mnist'
    folder.mkdir()
    for name, array in data_util.fake_originals().items():
      content = gzip.compress(data_util.idx_bytes(array))
      (folder / f'{name}.gz').write_bytes(content)
    broken = folder / 't10k-images-idx3-ubyte.gz'
    broken.write_bytes(broken.read_bytes()[:-200])
    self.assert_refused(
      f'{broken} cannot be decompressed (',
      '--dataset=fashion_mnist',
      f'--data_dir={data_dir}',
    )

  def test_keeps_an_existing_workdir(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    records.create(workdir / 'run', {})
    before = (workdir / 'run' / 'metrics.jsonl').read_text()
    done = commands.run('run', f'--workdir={workdir / "run"}')
    self.assertNotEqual(done.returncode, 0)
    # Without compiled kernels there is a line before.
    self.assertEqual(
      done.stderr.splitlines()[-1],
      f'error: {workdir}/run already holds an unfinished run; resume the run, '
      'or choose another folder (--resume, --workdir).',
    )
    after = (workdir / 'run' / 'metrics.jsonl').read_text()
    self.assertEqual(after, before)

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

  @parameterized.parameters(
    (('--num_steps=3',), '--num_steps is varied by the sweep; leave it out.'),
    (
      ('--grid=num_steps=3', '--method=ssnn'),
      '--method is varied by the sweep; write '
      "--grid='method=ssnn;...' instead.",
    ),
    (
      ('--grid=num_steps=3', '--study=datasets'),
      '--grid and --study exclude each other, since both choose the varied '
      'fields; leave one of them out.',
    ),
    (
      ('--ray_address=localhost:1',),
      '--ray_address requires --launcher=ray; give both, or neither.',
    ),
    (
      ('--grid=num_step=3',),
      "--grid: field 'num_step' does not exist; the closest field is "
      'num_steps; use the form '
      "--grid='num_steps=16,64;learning_rate=0.1,0.3'.",
    ),
  )
  def test_sweep_rejects_inconsistent_flags(self, arguments, sentence):
    done = commands.run('sweep', *arguments)
    self.assertEqual(
      (done.returncode, done.stdout, done.stderr),
      (1, '', f'error: {sentence}\n'),
    )

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

  def test_plot_rejects_folders_without_records(self):
    for workdir in (self.create_tempdir().full_path, 'nowhere', ''):
      done = commands.run('plot', f'--workdir={workdir}')
      self.assertEqual(done.returncode, 1)
      self.assertRegex(done.stderr, f'^error: --workdir={workdir}.*\n$')
