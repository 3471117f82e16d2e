"""Tests of the distance of spiking updates from the gradient."""

import dataclasses
import json

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments.measurements import fidelity
import ssnn_jax
from tests.testing import commands

RATES = {'forward': 'rates', 'backward': 'rates', 'update': 'rates'}


def make_batch(config, batch_size):
  """Returns parameters of a network, random images and labels."""
  num_inputs, *_, num_classes = config.layer_sizes
  params = ssnn_jax.ssnn(config).init(jax.random.key(0))
  shape = batch_size, num_inputs
  images = jax.random.uniform(jax.random.key(1), shape)
  return params, images, jnp.arange(batch_size) % num_classes


class FidelityTest(parameterized.TestCase):
  def test_rates_have_no_error(self):
    config = ssnn_jax.NetworkConfig((6, 5, 3), num_steps=4, **RATES)
    batch = make_batch(config, 8)
    squares = fidelity.relative_errors(config, *batch, num_draws=2)
    self.assertEqual(squares.shape, (2, 3))
    self.assertLess(squares.max(), 1e-9)

  def test_windows_do_not_change_the_quantisation_error(self):
    config = ssnn_jax.NetworkConfig(
      (6, 5, 3), num_steps=8, window=2, sampler='sobol'
    )
    batch = make_batch(config, 8)
    measured = fidelity.measure(config, *batch, num_draws=2)
    # The error with the windows of the network, and spikes in its update only.
    rates = dataclasses.replace(config, forward='rates', backward='rates')
    squares = fidelity.relative_errors(rates, *batch, num_draws=2)
    *layers, error = np.sqrt(squares.mean(axis=0))
    self.assertAlmostEqual(measured['quantisation_error'], error, places=4)
    self.assertSequenceAlmostEqual(
      measured['quantisation_layer_errors'], layers, places=4
    )
    self.assertEqual(measured['window'], 2)

  def test_command_prints_a_line_for_each_setting(self):
    arguments = (
      '--draws=2',
      '--hidden_sizes=5',
      '--num_steps=40',
      '--windows=32,0',
      '--samplers=sobol',
      '--train_steps=3',
    )
    done = commands.run('measurements.fidelity', *arguments)
    self.assertEqual(done.returncode, 0, done.stderr)
    header, *lines = map(json.loads, done.stdout.splitlines())
    self.assertEqual(header['event'], 'header')
    self.assertEqual(
      header['command'].split(),
      ['python', '-m', 'experiments.measurements.fidelity', *arguments],
    )
    self.assertContainsSubset(
      {'versions', 'python', 'commit', 'dirty', 'device'}, header
    )
    settings = [(x['num_steps'], x['window']) for x in lines]
    self.assertEqual(settings, [(40, 32), (40, 40)])
    self.assertLen(lines[0]['layer_errors'], 2)
    self.assertLen(lines[0]['quantisation_layer_errors'], 2)
