"""Tests for the ANN; `identity_test` tests its gradient."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from tests.testing import networks


class AnnTest(absltest.TestCase):
  def test_errors_pass_strictly_between_0_and_the_ceiling(self):
    config = ssnn_jax.NetworkConfig((5, 5, 3), ceiling=0.5)
    params = networks.make_params(config)
    potentials = np.float32([0.0, 0.5, -9.0, 0.4, 9.0])
    first = ssnn_jax.LayerParams(np.zeros((5, 5), np.float32), potentials)
    learn = jax.jit(jax.grad(ssnn_jax.ann(config).loss, has_aux=True))
    batch = networks.batch(sizes=(5, 5, 3))
    gradient, inference = learn((first, params[1]), jax.random.key(2), *batch)
    np.testing.assert_array_equal(
      gradient[0].biases != 0, [False, False, False, True, False]
    )
    logits = np.float32([0.0, 0.5, 0.0, 0.4, 0.5]) @ params[1].weights
    expected = np.tile(logits, (5, 1))
    np.testing.assert_allclose(inference.potential, expected, rtol=1e-5)

  def test_winner_counts_are_expected_ones(self):
    built = ssnn_jax.ann(ssnn_jax.NetworkConfig((5, 4, 3), num_steps=10))
    images, _ = networks.batch(sizes=(5, 4, 3))
    params, key = built.init(jax.random.key(0)), jax.random.key(2)
    inference = jax.jit(built.infer)(params, key, images)
    np.testing.assert_allclose(
      inference.winner_counts, 10 * jax.nn.softmax(inference.potential), 1e-6
    )

  def test_activation_of_ones_own(self):
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
