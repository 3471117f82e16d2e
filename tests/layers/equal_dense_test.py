"""Tests that a convolution equals the dense layer with equal weights.

All integers are equal: winners, and coincidences added up over positions.
"""

import dataclasses

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import training
from ssnn_jax.baselines import bp_stdp
from ssnn_jax.baselines import feedback_alignment
from ssnn_jax.baselines import rpu
from ssnn_jax.baselines import surrogate_gradient
from tests.testing import convolutions
from tests.testing import networks
from tests.testing import sources

KEY = jax.random.key(3)
# Each value of a field once, several fields at a time.
SHORT = dict(layers=convolutions.LAYERS[::2])
OPTIONS = (
  SHORT | dict(num_steps=16, sampler=sources.THREEFRY, input_gain=0.5),
  dict(window=64, sampler='sobol', dropout=0.5, gain=(0.5, 2.0)),
  SHORT | dict(num_steps=16, rates=('forward', 'backward'), winner='exact'),
  SHORT | dict(num_steps=40, window=32, dropout=0.5),
)


def dense(config):
  """Returns the configuration of the dense network with equal weights."""
  return dataclasses.replace(
    config, layers=None, input_shape=None, layer_sizes=config.layer_sizes
  )


def learn(config, params, **options):
  """Returns what the convolutional and the equal dense network learn."""
  images, labels = convolutions.batch()
  expanded = convolutions.expand(config, params)

  @jax.jit
  def both(params, expanded):
    return [
      ssnn_jax.ssnn(own, separate_signs=True).learn(
        weights, KEY, images, labels, **options
      )
      for own, weights in ((config, params), (dense(config), expanded))
    ]

  return jax.device_get(both(params, expanded))


class EqualDenseTest(parameterized.TestCase):
  def assert_equal(self, config, **options):
    params = convolutions.make_params(config)
    (update, inference), (expected, wanted) = learn(config, params, **options)
    for ours, theirs in zip(update[:2], expected[:2]):
      theirs = convolutions.fold(config, theirs)
      jax.tree.map(np.testing.assert_array_equal, ours, theirs)
      for layer in ours:
        self.assertGreater(np.sum(np.abs(layer.weights)), 0)
    jax.tree.map(np.testing.assert_array_equal, inference, wanted)
    jax.tree.map(np.testing.assert_array_equal, update[2:], expected[2:])

  @parameterized.parameters(*OPTIONS)
  def test_spikes_and_coincidences_are_equal(self, **options):
    self.assert_equal(convolutions.make_config(**options))

  def test_bipolar_neurons_learn_the_same(self):
    config = convolutions.make_config(
      neuron='bipolar', num_steps=16, dropout=0.5, ceiling=0.5
    )
    params, key = convolutions.make_params(config), jax.random.key(3)
    images, labels = convolutions.batch(8)

    @jax.jit
    def both(params, expanded):
      return [
        jax.grad(ssnn_jax.ssnn(own).loss, has_aux=True)(
          weights, key, images, labels
        )
        for own, weights in ((config, params), (dense(config), expanded))
      ]

    found, expected = both(params, convolutions.expand(config, params))
    # No sum is rounded, as T, the gain and the batch are powers of two.
    folded = convolutions.fold(config, expected[0])
    jax.tree.map(np.testing.assert_array_equal, found[0], folded)
    jax.tree.map(np.testing.assert_array_equal, found[1], expected[1])
    for layer in found[0]:
      self.assertGreater(np.abs(layer.weights).max(), 0)

  def test_thinned_pulses_are_equal(self):
    config = convolutions.make_config(num_steps=16, winner='race', **SHORT)
    self.assert_equal(config, pulse_gradient=np.float32(0.003))

  def test_given_trains_are_equal(self):
    config = convolutions.make_config(num_steps=40, **SHORT)
    params = convolutions.make_params(config)
    shape = 6, 2, config.layer_sizes[0]
    trains = jax.random.bits(KEY, shape, np.uint32)
    expanded = convolutions.expand(config, params)

    @jax.jit
    def both(params, expanded):
      return [
        ssnn_jax.ssnn(own).infer(weights, KEY, trains)
        for own, weights in ((config, params), (dense(config), expanded))
      ]

    found, expected = both(params, expanded)
    jax.tree.map(np.testing.assert_array_equal, found, expected)

  def test_products_of_rates_are_equal(self):
    config = convolutions.make_config(num_steps=16, rates=('update',), **SHORT)
    params = convolutions.make_params(config)
    (found, _), (expected, _) = learn(config, params)
    for ours, theirs in zip(found[:2], expected[:2]):
      networks.assert_close(ours, convolutions.fold(config, theirs))


class BaselinesTest(parameterized.TestCase):
  @parameterized.parameters(
    bp_stdp, surrogate_gradient, rpu, feedback_alignment
  )
  def test_baselines_equal_those_of_equal_dense_layers(self, baseline):
    config = convolutions.make_config(num_steps=8, rates=('update',), **SHORT)
    params = convolutions.make_params(config)
    images, labels = convolutions.batch()

    def learn(config, params):
      options = {}
      if baseline is feedback_alignment:
        options = {'feedback': jax.tree.map(lambda x: 0.5 * x, params)}
      built = baseline.make_network(config, **options)
      learn = jax.grad(built.loss, has_aux=True)
      return learn(params, KEY, images, labels)[0]

    @jax.jit
    def both(params, expanded):
      return learn(config, params), learn(dense(config), expanded)

    expanded = convolutions.expand(config, params)
    found, expected = jax.device_get(both(params, expanded))
    networks.assert_close(found, convolutions.fold(config, expected))
    for layer in found:
      self.assertGreater(np.abs(layer.weights).max(), 0)


class ReadNoiseTest(parameterized.TestCase):
  def test_read_noise_of_each_position_is_its_own(self):
    config = convolutions.make_config(num_steps=32, read_noise=0.5)
    params = jax.tree.map(jnp.zeros_like, convolutions.make_params(config))
    images, labels = convolutions.batch(1)
    signals = training.raster.present(config, params, KEY, images[0], labels[0])
    first = signals.forward[1].rates[0, 0].reshape(12, 3)
    self.assertGreater(np.ptp(first, axis=0).min(), 0)
    # What comes back to the first layer is noise of three positions.
    errors = signals.errors[0].errors[0, 0]
    self.assertGreater(np.abs(errors).max(), 0)
