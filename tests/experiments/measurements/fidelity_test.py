"""Tests of the distance of spiking updates from the gradient."""

import json

from absl.testing import absltest
import jax
import jax.numpy as jnp

from experiments.measurements import fidelity
import ssnn_jax
from tests.testing import commands

RATES = {'rates': ('forward', 'backward', 'update')}


class FidelityTest(absltest.TestCase):
  def test_rates_have_no_error(self):
    config = ssnn_jax.NetworkConfig((6, 5, 3), num_steps=4, **RATES)
    params = ssnn_jax.ssnn(config).init(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (8, 6))
    batch = params, images, jnp.arange(8) % 3
    squares = fidelity.squared_errors(config, *batch, num_draws=2)
    self.assertEqual(squares.shape, (2,))
    self.assertLess(squares.max(), 1e-9)

  def test_command_prints_a_line_for_each_setting(self):
    arguments = (
      '--draws=2',
      '--hidden_sizes=5',
      '--num_steps=40',
      '--timings=buffered,realtime',
      '--samplers=sobol',
      '--train_steps=3',
    )
    done = commands.run('measurements.fidelity', *arguments)
    self.assertEqual(done.returncode, 0, done.stderr)
    header, *lines = map(json.loads, done.stdout.splitlines())
    self.assertEqual(
      header['command'].split(),
      ['python', '-m', 'experiments.measurements.fidelity', *arguments],
    )
    settings = [(x['timing'], x['num_steps'], x['window']) for x in lines]
    self.assertEqual(
      settings,
      [('buffered', 40, 32), ('buffered', 40, 40), ('realtime', 40, 1)],
    )
    first, second, _ = lines
    # Windows do not change the error of spikes in the update only.
    name = 'quantisation_error'
    self.assertEqual(first[name], second[name])
    self.assertNotEqual(first['update_error'], second['update_error'])
    for line in lines:
      self.assertGreater(line['update_error'], line[name])
