"""Tests for the ANN; `identity_test` tests its gradient."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from ssnn_jax.baselines import ann
from ssnn_jax.neuron import firing
from tests.testing import networks


class AnnTest(absltest.TestCase):
  def test_activation_has_the_derivative_of_the_firing_function(self):
    function = firing.find('clip')
    points = jnp.array([0.0, 1.0, -9.0, 0.4, 9.0])
    activation = ann.gated(function)
    slopes = jax.vmap(jax.grad(activation))(points)
    np.testing.assert_array_equal(slopes, function.derivative(points))
    np.testing.assert_array_equal(slopes[:2], 0.0)
    np.testing.assert_array_equal(
      activation(points), function.probability(points)
    )

  def test_winner_counts_are_expected_ones(self):
    built = ssnn_jax.ann(ssnn_jax.NetworkConfig((5, 4, 3), num_steps=10))
    images, _ = networks.batch(sizes=(5, 4, 3))
    params, key = built.init(jax.random.key(0)), jax.random.key(2)
    inference = jax.jit(built.infer)(params, key, images)
    np.testing.assert_allclose(
      inference.winner_counts, 10 * jax.nn.softmax(inference.potential), 1e-6
    )

  def test_activation_replaces_the_firing_function(self):
    config = ssnn_jax.NetworkConfig((5, 4, 3))
    built = ssnn_jax.ann(config, activation=jax.nn.relu)
    images, labels = networks.batch(sizes=(5, 4, 3))
    key = jax.random.key(2)
    scale = lambda x: 4 * x  # potentials above 1, where clip has no gradient
    params = jax.tree.map(scale, built.init(jax.random.key(0)))

    def loss(params):
      first, second = params
      hidden = jax.nn.relu(images @ first.weights + first.biases[None])
      logits = hidden @ second.weights + second.biases[None]
      loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
      return jnp.mean(loss), logits

    expected, logits = jax.grad(loss, has_aux=True)(params)
    learn = jax.jit(jax.grad(built.loss, has_aux=True))
    gradient, inference = learn(params, key, images, labels)
    networks.assert_close(gradient, expected)
    np.testing.assert_allclose(inference.potential, logits, rtol=1e-5)
