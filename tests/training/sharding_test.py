"""Runs the tests of data parallelism on four simulated devices."""

import os
import pathlib
import subprocess
import sys

from absl.testing import parameterized

ROOT = pathlib.Path(__file__).parent.parent.parent
FOUR_CPUS = {
  'JAX_PLATFORMS': 'cpu',
  'XLA_FLAGS': os.environ.get('XLA_FLAGS', '')
  + ' --xla_force_host_platform_device_count=4',
}


class ShardingTest(parameterized.TestCase):
  def test_on_four_devices(self):
    done = subprocess.run(
      [sys.executable, '-m', 'tests.training.four_devices'],
      cwd=ROOT,
      env=os.environ | FOUR_CPUS,
      capture_output=True,
      text=True,
      timeout=300,
    )
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertRegex(done.stderr, r'Ran \d+ tests')
