"""Tests for the commands, and for what their users may get wrong."""

import contextlib
import dataclasses
import gzip
import io
import pathlib
import signal
import subprocess
import sys
import time

from absl.testing import absltest
from absl.testing import parameterized

from experiments import configs
from experiments import sweep
import ssnn_jax
from ssnn_jax import records
from tests import data_util
from tests import experiments_test

ROOT = pathlib.Path(__file__).parent.parent


class CommandLineTest(parameterized.TestCase):
  def command(self, module, *arguments):
    return subprocess.run(
      [sys.executable, '-m', f'experiments.{module}', *arguments],
      cwd=ROOT,
      capture_output=True,
      text=True,
    )

  def assert_refused(self, message, *arguments):
    workdir = pathlib.Path(self.create_tempdir().full_path) / 'new'
    done = self.command('run', f'--workdir={workdir}', *arguments)
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
    done = self.command('run', f'--workdir={workdir / "run"}')
    self.assertNotEqual(done.returncode, 0)
    self.assertRegex(
      done.stderr, '^error: --workdir=.* already holds .*another folder.\n$'
    )
    after = (workdir / 'run' / 'metrics.jsonl').read_text()
    self.assertEqual(after, before)

  def test_a_sweep_and_its_figure(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    arguments = (
      experiments_test.CONFIG,
      {'num_steps': (4,)},
      workdir,
      range(2),
      experiments_test.load_small,
    )
    told = [self.told(sweep.run_grid, *arguments) for _ in range(2)]
    for text, todo in zip(told, ('seeds 0, 1', 'recorded')):
      self.assertEqual(text, f'[1/2] bp: {todo}\n[2/2] num_steps=4: {todo}\n')
    drawn = self.command('plot', f'--workdir={workdir}')
    self.assertEqual((drawn.returncode, drawn.stderr), (0, ''))
    self.assertRegex(drawn.stdout, 'SSNN, T = 4 .* 2\nfigure: .*png, .*svg')

  def test_a_run_tells_its_result_and_nothing_else(self):
    workdir = pathlib.Path(self.create_tempdir().full_path) / 'new'
    done = self.command(
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
    self.assertEndsWith(done.stdout, f' s.\nrecord: {workdir}\n')

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

  def test_a_finished_sweep_has_nothing_to_do(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    base = dataclasses.replace(configs.CONFIGS['digits'], seed=7)
    names = []
    for name, config in sweep.settings(
      base, sweep.SWEEPS['spike_train_length']
    ):
      folder = workdir / name / 'seed=7'
      records.create(folder, configs.as_record(config))
      records.append(folder, 'final')
      names.append(name)
    done = self.command(
      'sweep', '--seed=7', '--num_seeds=1', f'--workdir={workdir}'
    )
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    *lines, last = done.stdout.splitlines()
    self.assertEqual(
      lines, [f'[{n}/6] {name}: recorded' for n, name in enumerate(names, 1)]
    )
    self.assertEqual(last, f'records: {workdir}')

  def test_two_sweeps_do_not_meet(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    with sweep.alone_in(workdir):
      with self.assertRaisesRegex(ssnn_jax.UserError, 'another sweep is at'):
        with sweep.alone_in(workdir):
          self.fail('two sweeps are at work')
    with sweep.alone_in(workdir):
      pass  # free again

  def test_a_sweep_refuses_what_it_varies(self):
    for argument in ('--num_steps=3', '--method=bp'):
      done = self.command('sweep', argument)
      self.assertEqual(done.returncode, 1)
      name = argument.partition('=')[0]
      self.assertRegex(done.stderr, f'^error: {name} is what .* leave it out')

  def told(self, function, *arguments):
    """Returns what a function prints; nothing else may be written."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
      function(*arguments)
    self.assertEqual(err.getvalue(), '')
    return out.getvalue()

  def test_a_figure_needs_records(self):
    for workdir in (self.create_tempdir().full_path, 'nowhere', ''):
      done = self.command('plot', f'--workdir={workdir}')
      self.assertEqual(done.returncode, 1)
      self.assertRegex(done.stderr, f'^error: --workdir={workdir}.*\n$')


if __name__ == '__main__':
  absltest.main()
