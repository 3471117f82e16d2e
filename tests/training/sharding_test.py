"""Tests for data parallelism, on one device and on four simulated devices."""

import os
import pathlib
import subprocess
import sys

from absl.testing import parameterized
import jax.numpy as jnp
import numpy as np

from ssnn_jax.training import sharding

ROOT = pathlib.Path(__file__).parent.parent.parent
FOUR_CPUS = {
  'JAX_PLATFORMS': 'cpu',
  'XLA_FLAGS': '--xla_force_host_platform_device_count=4',
}


class ShardingTest(parameterized.TestCase):
  def test_on_four_devices(self):
    done = subprocess.run(
      [sys.executable, '-m', 'pytest', '-q', 'tests/training/four_devices.py'],
      cwd=ROOT,
      env=os.environ | FOUR_CPUS,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
      timeout=300,
    )
    self.assertEqual(done.returncode, 0, done.stdout)
    self.assertRegex(done.stdout, r'\d+ passed')

  def test_without_axis_shard_is_batch(self):
    batches = jnp.arange(6).reshape(2, 3)
    self.assertIs(sharding.local_shard(batches, None, padding=-1), batches)
    self.assertIs(sharding.gather_shards(batches, None), batches)

  def test_without_mesh_functions_run_on_one_device(self):
    scale = sharding.run_on(None, lambda x: 2 * x, donate_argnums=0)
    ones = jnp.ones(3)
    np.testing.assert_array_equal(scale(ones), np.full(3, 2.0))
    self.assertTrue(ones.is_deleted())
