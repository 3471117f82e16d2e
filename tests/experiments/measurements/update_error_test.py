"""Tests of the error of the update."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from experiments.measurements import update_error
from ssnn_jax import types


def make_network(offset):
  """Makes a network whose update is (3, 4) plus a function of the key."""

  def loss(params, key, inputs, labels):
    del inputs, labels
    slopes = jnp.array([[3.0, 4.0]]) + offset(key)
    (layer,) = params
    return jnp.sum(slopes * layer.weights) + 100.0 * layer.biases[0], None

  return types.Network(None, None, loss)


def alternate(key, first, second):
  """Returns offsets of two draws of a key, for `make_network`."""
  second_key = jax.random.key_data(jax.random.fold_in(key, 1))

  def offset(key):
    is_second = jnp.all(jax.random.key_data(key) == second_key)
    return jnp.where(is_second, jnp.array(second), jnp.array(first))[None]

  return offset


class UpdateErrorTest(absltest.TestCase):
  def test_is_that_of_known_offsets(self):
    # Two draws are off by (1, 0) and (0, 2); biases do not count.
    key = jax.random.key(0)
    error = update_error.measure(
      network=make_network(alternate(key, [1.0, 0.0], [0.0, 2.0])),
      reference=make_network(lambda key: 0.0),
      params=(types.LayerParams(jnp.zeros((1, 2)), jnp.zeros(1)),),
      key=key,
      inputs=None,
      labels=None,
      num_draws=2,
    )
    expected = np.sqrt((1.0 + 4.0) / 2 / 25.0)
    np.testing.assert_allclose(error, expected, rtol=1e-6)
