"""Tests for data parallelism, on one device and on four simulated devices."""

import os
import pathlib
import subprocess
import sys

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
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

  def test_shard_of_single_device_is_batch(self):
    mesh = sharding.make_mesh(3, jax.devices()[:1])
    batches = jnp.arange(6).reshape(2, 3)

    def shard_and_gather(batches):
      shard = sharding.local_shard(batches, sharding.AXIS, padding=-1)
      return shard, sharding.gather_shards(shard, sharding.AXIS)

    run = sharding.run_on(mesh, shard_and_gather)
    for result in run(sharding.replicate(mesh, batches)):
      np.testing.assert_array_equal(result, batches)

  def test_mesh_has_all_devices_in_order(self):
    mesh = sharding.make_mesh(8 * jax.device_count())
    self.assertEqual(mesh.axis_names, (sharding.AXIS,))
    self.assertEqual(list(mesh.devices), jax.devices())

  @parameterized.parameters(1, 5, 31)
  def test_rejects_batch_that_devices_cannot_share(self, batch_size):
    with self.assertRaises(ssnn_jax.UserError) as caught:
      sharding.make_mesh(batch_size, jax.devices()[:1] * 2)
    self.assertEqual(
      str(caught.exception),
      f'batch_size={batch_size} cannot be shared evenly by 2 devices; make it '
      'a multiple of their number, or use fewer devices.',
    )

  def test_run_on_passes_options_to_jit(self):
    mesh = sharding.make_mesh(1, jax.devices()[:1])
    scale = sharding.run_on(mesh, lambda x: 2 * x, donate_argnums=0)
    ones = sharding.replicate(mesh, jnp.ones(3))
    np.testing.assert_array_equal(scale(ones), np.full(3, 2.0))
    self.assertTrue(ones.is_deleted())
