"""Tests for the commands, and for what their users may get wrong."""

import gzip
import os
import pathlib
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


def run(module, *arguments):
  """Runs a command as users do."""
  return subprocess.run(
    [sys.executable, '-m', f'experiments.{module}', *arguments],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )


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
    ('--num_steps=0', '--num_steps is 0; expected 1 tick or more.'),
    ('--dataset=nope', '--dataset=nope is not there; choose one of digits, '),
    ('--layer_sizes=784,abc', '--layer_sizes=784,abc: expected whole numbers'),
    ('--layer_sizes=784,10', '--layer_sizes=784,10 does not fit digits'),
    ('--config=nope', '--config=nope is not there; choose one of digits, '),
    ('--num_step=3', "flag 'num_step'. Did you mean: num_steps; see --help."),
    ('num_steps=3', 'num_steps=3 is not a flag'),
  )
  def test_a_wrong_flag_gets_a_sentence(self, argument, message):
    self.assert_refused(message, argument)

  def test_a_truncated_file_gets_a_sentence(self):
    data_dir = pathlib.Path(self.create_tempdir().full_path)
    folder = data_dir / 'fashion_mnist'
    folder.mkdir()
    for name, array in data_util.fake_originals().items():
      content = gzip.compress(data_util.idx_bytes(array))
      (folder / f'{name}.gz').write_bytes(content)
    broken = folder / 't10k-images-idx3-ubyte.gz'
    broken.write_bytes(broken.read_bytes()[:-200])
    self.assert_refused(
      f'{broken} is truncated: its header announces ',
      '--dataset=fashion_mnist',
      f'--data_dir={data_dir}',
    )

  def test_an_existing_workdir_is_kept(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    records.create(workdir / 'run', {})
    before = (workdir / 'run' / 'metrics.jsonl').read_text()
    done = commands.run('run', f'--workdir={workdir / "run"}')
    self.assertNotEqual(done.returncode, 0)
    self.assertEqual(
      done.stderr,
      f'error: {workdir}/run already holds an unfinished run; resume the run, '
      'or choose another folder (--resume, --workdir).\n',
    )
    after = (workdir / 'run' / 'metrics.jsonl').read_text()
    self.assertEqual(after, before)

  def test_a_sweep_and_its_figure(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    arguments = (
      f'--workdir={workdir}',
      '--grid=num_steps=4;learning_rate=0.5,1.0',
      *('--num_seeds=2', '--num_epochs=1', '--layer_sizes=64,8,10'),
      *('--probe_draws=1', '--probe_size=32'),
    )
    rates = ('learning_rate=0.5', 'learning_rate=1.0')
    bp = ' + '.join(f'bp,{rate}' for rate in rates)
    ssnn = ' + '.join(f'num_steps=4,{rate}' for rate in rates)
    made = run('sweep', *arguments)
    self.assertEqual((made.returncode, made.stderr), (0, ''))
    last = f'records: {workdir}, and summary.csv there'
    self.assertEqual(
      made.stdout.splitlines(),
      [
        f'[0/2] {bp} (4 of 4 runs): started',
        f'[1/2] {bp} (4 of 4 runs): done',
        f'[1/2] {ssnn} (4 of 4 runs): started',
        f'[2/2] {ssnn} (4 of 4 runs): done',
        last,
      ],
    )
    again = commands.run('sweep', *arguments)
    self.assertEqual((again.returncode, again.stderr), (0, ''))
    self.assertEqual(
      again.stdout.splitlines(), [f'{bp}: recorded', f'{ssnn}: recorded', last]
    )
    drawn = run('plot', f'--workdir={workdir}')
    self.assertEqual((drawn.returncode, drawn.stderr), (0, ''))
    self.assertRegex(
      drawn.stdout,
      r'(?s)method  num_steps  learning_rate .*\nssnn    4          1.0 .*\n'
      r'figure: .*grid.png, .*grid.svg, table: .*summary.csv\n$',
    )

  def test_a_run_tells_its_result_and_nothing_else(self):
    workdir = pathlib.Path(self.create_tempdir().full_path) / 'new'
    done = run(
      *('run', f'--workdir={workdir}', '--method=bp'),
      *('--num_epochs=1', '--layer_sizes=64,4,10', '--hold_out=0.5'),
    )
    # No bar of progress either, as nobody watches a terminal.
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    final = records.read(workdir).final
    self.assertStartsWith(
      done.stdout,
      f'digits, bp: held-out accuracy {final["test_accuracy"]:.2%} by winner',
    )
    self.assertEndsWith(
      done.stdout, f' s (without compiling).\nrecord: {workdir}\n'
    )

  def test_an_interrupted_run_says_so_and_nothing_else(self):
    workdir = pathlib.Path(self.create_tempdir().full_path) / 'new'
    running = subprocess.Popen(
      [
        *(sys.executable, '-m', 'experiments.run', f'--workdir={workdir}'),
        *('--num_epochs=1000000', '--layer_sizes=64,4,10', '--num_steps=4'),
      ],
      cwd=ROOT,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    self.addCleanup(running.kill)
    metrics = workdir / 'metrics.jsonl'
    while running.poll() is None:
      if metrics.exists() and '"epoch"' in metrics.read_text():
        running.send_signal(signal.SIGINT)
        break
      time.sleep(0.05)
    out, err = running.communicate(timeout=60)
    self.assertEqual((running.returncode, out), (130, ''))
    self.assertEqual(err.splitlines()[-1], 'interrupted')
    for event in records.read(workdir).events[1:]:
      self.assertEqual(event['event'], 'epoch')

  def test_an_interrupt_that_a_library_keeps_to_itself_ends_the_command(self):
    code = (
      'import os, signal, time\n'
      'from experiments import cli\n'
      'cli._SECONDS_TO_END = 0.2\n'
      'def main():\n'
      '  try:\n'
      '    os.kill(os.getpid(), signal.SIGINT)\n'
      '    time.sleep(60)\n'
      '  except KeyboardInterrupt:\n'
      '    time.sleep(60)\n'
      'cli.launch(main)\n'
    )
    done = subprocess.run(
      [sys.executable, '-c', code],
      cwd=ROOT,
      capture_output=True,
      text=True,
      timeout=50,
    )
    self.assertEqual(
      (done.returncode, done.stdout, done.stderr), (130, '', 'interrupted\n')
    )

  def test_a_run_on_digits_imports_no_loader_of_other_sets(self):
    workdir = pathlib.Path(self.create_tempdir().full_path) / 'new'
    heavy = {'tensorflow', 'tensorflow_datasets', 'tonic', 'torch'}
    code = (
      'import atexit, runpy, sys; '
      f'atexit.register(lambda: print(sorted({heavy} & sys.modules.keys()))); '
      'runpy.run_module("experiments.run", run_name="__main__", alter_sys=True)'
    )
    arguments = f'--workdir={workdir}', '--method=bp', '--num_epochs=1'
    done = subprocess.run(
      [sys.executable, '-c', code, *arguments, '--layer_sizes=64,4,10'],
      cwd=ROOT,
      capture_output=True,
      text=True,
      check=True,
    )
    self.assertEqual(done.stdout.splitlines()[-1], '[]')
    self.assertIsNotNone(records.read(workdir).final)

  @parameterized.parameters(
    (('--num_steps=3',), '--num_steps is what the sweep varies; leave it out.'),
    (
      ('--grid=num_steps=3', '--method=ssnn'),
      '--method is what the sweep varies; write '
      "--grid='method=ssnn;...' in its place.",
    ),
    (
      ('--grid=num_steps=3', '--sweep=event_time'),
      '--grid and --sweep both say what to vary; leave one of them out.',
    ),
    (
      ('--ray_address=localhost:1',),
      '--ray_address is for --launcher=ray; give both, or neither.',
    ),
    (
      ('--grid=num_step=3',),
      "--grid: there is no field 'num_step', but there is num_steps; write it "
      "as in --grid='num_steps=16,64;learning_rate=0.1,0.3'.",
    ),
  )
  def test_a_sweep_refuses(self, arguments, sentence):
    done = commands.run('sweep', *arguments)
    self.assertEqual(
      (done.returncode, done.stdout, done.stderr),
      (1, '', f'error: {sentence}\n'),
    )

  def test_a_reader_may_leave_early(self):
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

  def test_a_figure_needs_records(self):
    for workdir in (self.create_tempdir().full_path, 'nowhere', ''):
      done = commands.run('plot', f'--workdir={workdir}')
      self.assertEqual(done.returncode, 1)
      self.assertRegex(done.stderr, f'^error: --workdir={workdir}.*\n$')
