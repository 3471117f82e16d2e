"""Tests of interrupts, at every moment of a command."""

import pathlib
import signal
import subprocess
import sys

from absl.testing import parameterized

ROOT = pathlib.Path(__file__).parents[3]
INTERRUPT = (
  'import os, signal, time\n'
  'from experiments.config import interrupts\n'
  'interrupt = lambda: os.kill(os.getpid(), signal.SIGINT)\n'
)


def run(code):
  """Runs code; returns its exit status, output and errors."""
  done = subprocess.run(
    [sys.executable, '-c', INTERRUPT + code],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=50,
  )
  return done.returncode, done.stdout, done.stderr


class InterruptsTest(parameterized.TestCase):
  @parameterized.product(
    module=('run', 'measurements.fidelity'),
    imported=('experiments.config.interrupts', 'jaxlib.xla_client'),
  )
  def test_command_can_be_interrupted_while_it_imports(self, module, imported):
    with subprocess.Popen(
      [sys.executable, '-X', 'importtime', '-m', f'experiments.{module}'],
      cwd=ROOT,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    ) as process:
      for line in process.stderr:
        if line.split()[-1] == imported:
          break
      # The handler is installed after the import of its module is reported.
      process.stderr.readline()
      process.send_signal(signal.SIGINT)
      output, errors = process.communicate(timeout=50)
    others = [x for x in errors.splitlines() if not x.startswith('import time')]
    self.assertEqual(
      (process.returncode, output, others), (130, '', ['interrupted'])
    )

  def test_interrupt_raises_in_the_context(self):
    code = (
      'interrupts.continue_by("again")\n'
      'with interrupts.raised():\n'
      '  try:\n'
      '    interrupt()\n'
      '    time.sleep(60)\n'
      '  finally:\n'
      '    print("closed")\n'
    )
    errors = 'interrupted; continue by: again\n'
    self.assertEqual(run(code), (130, 'closed\n', errors))

  @parameterized.parameters('pass', 'raise ValueError', 'time.sleep(60)')
  def test_swallowed_interrupt_ends_the_process(self, then):
    code = (
      'interrupts._SECONDS_TO_END = 0.1\n'
      'with interrupts.raised():\n'
      '  try:\n'
      '    interrupt()\n'
      '    time.sleep(60)\n'
      '  except KeyboardInterrupt:\n'
      f'    {then}\n'
    )
    self.assertEqual(run(code), (130, '', 'interrupted\n'))

  def test_interrupt_after_the_context_ends_the_process(self):
    code = (
      'with interrupts.raised():\n'
      '  pass\n'
      'import atexit; atexit.register(interrupt)'
    )
    self.assertEqual(run(code), (130, '', 'interrupted\n'))

  def test_ignored_interrupts_stay_ignored(self):
    code = (
      'signal.signal(signal.SIGINT, signal.SIG_IGN)\n'
      'interrupts.install()\n'
      'interrupt()\n'
      'with interrupts.raised():\n'
      '  interrupt()\n'
      'interrupt(); print("done")'
    )
    self.assertEqual(run(code), (0, 'done\n', ''))
