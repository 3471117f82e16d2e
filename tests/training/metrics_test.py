"""Tests for predictions, loss and the error of the update."""

import functools

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.training import metrics
from tests.testing import networks

CONFIG = ssnn_jax.NetworkConfig((5, 4, 3))


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


class MetricsTest(absltest.TestCase):
  def test_readouts_predict_most_counts_and_break_ties_by_potential(self):
    counts = jnp.array([[3, 1, 0], [2, 2, 0], [0, 2, 2], [1, 1, 1]])
    potential = jnp.array(
      [[0.0, 9.0, 0.0], [0.1, 0.2, 9.0], [9.0, 0.5, 0.4], [0.0, 0.0, 0.1]]
    )
    for dtype in (jnp.int32, jnp.float32):
      inference = types.Inference(
        winner_counts=counts.astype(dtype),
        potential=potential,
        largest_counts=counts[::-1].astype(dtype),
      )
      for readout, expected in (
        ('winner', [0, 1, 1, 2]),
        ('largest', [1, 2, 0, 0]),
        ('potential', [1, 2, 0, 2]),
      ):
        predicted = metrics.predict(inference, readout)
        np.testing.assert_array_equal(predicted, expected)

  def test_cross_entropy(self):
    potential = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    inference = types.Inference(potential, potential, potential)
    losses = metrics.cross_entropy(inference, jnp.array([1, 2]))
    np.testing.assert_allclose(losses, -np.log([0.25, 0.8]), rtol=1e-6)

  def test_update_error_of_reference_is_zero(self):
    ann, params = ssnn_jax.ann(CONFIG), networks.make_params(CONFIG)
    key, (images, labels) = jax.random.key(2), networks.batch(6, (5, 4, 3))
    compute = functools.partial(metrics.update_error, ann, ann, num_draws=3)
    error = jax.jit(compute)(params, key, images, labels)
    self.assertEqual(float(error), 0.0)

  def test_update_error_of_known_offsets(self):
    # Two draws are off by (1, 0) and (0, 2); biases do not count.
    key = jax.random.key(0)
    error = metrics.update_error(
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
