"""Tests of measurements, and their JSON lines."""

import contextlib
import json
import pathlib

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from experiments.measurements import images as images_lib
from experiments.runs import train
from experiments.studies import frames
import ssnn_jax
from tests.testing import commands
from tests.testing.experiments import make_task
from tests.testing.experiments import small_digits

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
    self.assertLen(line['lengths'], 2)
    self.assertLen(line['cosines'], 2)
    self.assertBetween(min(line['cosines']), 0.5, 1)


class ImagesTest(absltest.TestCase):
  def test_intervals_are_those_of_means(self):
    draw = np.random.default_rng(0).normal
    of_images = draw(size=(1, 4000)) + np.zeros((6, 1))
    of_seeds = draw(size=(40, 1)) + np.zeros((1, 50))
    images, both = images_lib.find_widths(of_images)
    np.testing.assert_allclose([images, both], 1.96 / 4000**0.5, rtol=0.1)
    images, both = images_lib.find_widths(of_seeds)
    self.assertLess(images, 1e-9)
    expected = 1.96 * np.std(of_seeds[:, 0], ddof=1) / 40**0.5
    np.testing.assert_allclose(both, expected)

  def test_networks_are_compared_with_their_ann(self):
    workdir = pathlib.Path(self.create_tempdir().full_path)
    few = {'layers': '10', 'num_steps': 4, 'num_epochs': 1}
    tasks = [
      make_task(workdir / method, num_seeds=2, method=method, **few)
      for method in ('bp', 'ssnn')
    ]
    with contextlib.redirect_stdout(None):
      for task in tasks:
        train.train(task, small_digits())
    (line,) = images_lib.measure(tasks, small_digits())
    runs = frames.read(workdir).set_index(['method', 'seed'])['test_accuracy']
    points = 100 * (runs['ssnn'] - runs['bp']).mean()
    self.assertAlmostEqual(line['points'], points, delta=1e-3)
