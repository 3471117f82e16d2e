"""Tests of the distance of spiking updates from the gradient."""

import json

from absl.testing import parameterized
import jax
import jax.numpy as jnp

from experiments.measurements import fidelity
import ssnn_jax
from tests.testing import commands

COUNTS = (
  'forward_spikes',
  'forward_events',
  'error_spikes',
  'error_events',
  'coincidences',
)
EXACT = {
  'bipolar': {'rates': ('inputs', 'forward', 'backward'), 'winner': 'exact'},
  'stochastic': {'rates': ('forward', 'backward', 'update')},
}


class FidelityTest(parameterized.TestCase):
  @parameterized.parameters(*EXACT)
  def test_rates_have_no_error(self, neuron):
    config = ssnn_jax.NetworkConfig(
      (6, 5, 3), num_steps=4, neuron=neuron, **EXACT[neuron]
    )
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
      '--neurons=bipolar,stochastic',
      '--samplers=default',
      '--train_steps=3',
    )
    done = commands.run('measurements.fidelity', *arguments)
    self.assertEqual(done.returncode, 0, done.stderr)
    header, *lines = map(json.loads, done.stdout.splitlines())
    self.assertEqual(
      header['command'].split(),
      ['python', '-m', 'experiments.measurements.fidelity', *arguments],
    )
    columns = 'neuron', 'sampler', 'gain', 'num_steps', 'window'
    self.assertEqual(
      [tuple(line[name] for name in columns) for line in lines],
      [
        ('bipolar', 'regular', 4, 40, None),
        ('stochastic', 'sobol', 1, 40, 32),
        ('stochastic', 'sobol', 1, 40, 40),
      ],
    )
    for line in lines:
      self.assertEqual(line['layer_sizes'], [64, 5, 10])
      for name in COUNTS:
        self.assertGreater(line[name], 0)
    name = 'quantisation_error'
    bipolar, *others = lines
    self.assertNotIn(name, bipolar)
    # Windows do not change the error of spikes in the update only.
    first, second = others
    self.assertEqual(first[name], second[name])
    self.assertNotEqual(first['update_error'], second['update_error'])
    for line in others:
      self.assertGreater(line['update_error'], line[name])
      self.assertGreater(line['update_error'], bipolar['update_error'])
