"""Tests of measurements, and their JSON lines."""

import json

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from experiments.runs import train
import ssnn_jax
from tests.testing import commands

FEW = '--layers=5,10'


def measure(name, *arguments):
  done = commands.run(f'measurements.{name}', FEW, *arguments)
  assert done.returncode == 0, done.stderr
  header, *lines = map(json.loads, done.stdout.splitlines())
  words = ['python', '-m', f'experiments.measurements.{name}', FEW]
  assert header['command'].split()[:4] == words
  return lines


def make_network(noise):
  """Makes a network whose update is (3, 4), plus normal noise of the key."""

  def loss(params, key, inputs, labels):
    del inputs, labels
    slopes = jnp.array([[3.0, 4.0]])
    if noise:
      slopes += noise * jax.random.normal(key, (1, 2))
    (layer,) = params
    return jnp.sum(slopes * layer.weights) + 100.0 * layer.biases[0], None

  return ssnn_jax.Network(None, None, loss)


class MeasurementsTest(absltest.TestCase):
  def test_update_error_is_the_root_mean_square_of_the_noise_of_weights(self):
    key = jax.random.key(0)
    networks = make_network(2.0), make_network(0.0)
    params = (ssnn_jax.LayerParams(jnp.zeros((1, 2)), jnp.zeros(1)),)

    @jax.jit
    def measure(key):
      keys = [jax.random.fold_in(key, draw) for draw in range(3)]
      noise = [2.0 * jax.random.normal(own, (1, 2)) for own in keys]
      key = jax.random.clone(key)
      return noise, train.update_error(*networks, params, key, None, None, 3)

    noise, error = measure(key)
    expected = np.sqrt(np.sum(np.square(noise)) / 3) / 5.0
    np.testing.assert_allclose(error, expected, rtol=1e-6)

  def test_fidelity_has_a_line_for_each_network(self):
    few = '--train_steps=3', '--draws=2', '--neuron=stochastic'
    (line,) = measure('fidelity', *few, '--num_steps=8')
    columns = 'layers', 'neuron', 'sampler', 'digits', 'num_steps'
    setting = '5,10', 'stochastic', 'sobol', None, 8
    self.assertEqual(tuple(line[name] for name in columns), setting)
    self.assertGreater(line['update_error'], line['quantisation_error'])
