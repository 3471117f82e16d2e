"""Tests of the error of the update."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from experiments.measurements import update_error
from ssnn_jax import types


def make_network(noise):
  """Makes a network whose update is (3, 4), plus normal noise of the key."""

  def loss(params, key, inputs, labels):
    del inputs, labels
    slopes = jnp.array([[3.0, 4.0]])
    if noise:
      slopes += noise * jax.random.normal(key, (1, 2))
    (layer,) = params
    return jnp.sum(slopes * layer.weights) + 100.0 * layer.biases[0], None

  return types.Network(None, None, loss)


class UpdateErrorTest(absltest.TestCase):
  def test_is_the_root_mean_square_of_the_noise_of_weights(self):
    key = jax.random.key(0)
    networks = make_network(2.0), make_network(0.0)
    params = (types.LayerParams(jnp.zeros((1, 2)), jnp.zeros(1)),)
    error = update_error.measure(*networks, params, key, None, None, 3)
    keys = [jax.random.fold_in(key, draw) for draw in range(3)]
    noise = [2.0 * jax.random.normal(key, (1, 2)) for key in keys]
    expected = np.sqrt(np.sum(np.square(noise)) / 3) / 5.0
    np.testing.assert_allclose(error, expected, rtol=1e-6)
