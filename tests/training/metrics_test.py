"""Tests for predictions, loss and the error of the update."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.training import metrics


def make_network(offset):
  """Makes a network whose update is (3, 4) plus a function of the key."""

  def learn(params, key, inputs, labels):
    del params, inputs, labels
    weights = jnp.array([[3.0, 4.0]]) + offset(key)
    update = types.LayerParams(weights, jnp.array([100.0]))
    return types.exact_update((update,)), None

  return types.Network(None, None, learn)


class MetricsTest(absltest.TestCase):
  def test_predicts_most_wins_and_breaks_ties_by_potential(self):
    counts = jnp.array([[3, 1, 0], [2, 2, 0], [0, 2, 2], [1, 1, 1]])
    potential = jnp.array(
      [[0.0, 9.0, 0.0], [0.1, 0.2, 9.0], [9.0, 0.5, 0.4], [0.0, 0.0, 0.1]]
    )
    for dtype in (jnp.int32, jnp.float32):
      inference = types.Inference(counts.astype(dtype), potential)
      predicted = metrics.predict(inference)
      np.testing.assert_array_equal(predicted, [0, 1, 1, 2])

  def test_cross_entropy(self):
    potential = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    inference = types.Inference(potential, potential)
    losses = metrics.cross_entropy(inference, jnp.array([1, 2]))
    np.testing.assert_allclose(losses, -np.log([0.25, 0.8]), rtol=1e-6)

  def test_update_error_of_reference_is_zero(self):
    ann = ssnn_jax.ann(ssnn_jax.NetworkConfig((5, 4, 3)))
    params = ann.init(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(1), (6, 5))
    key, labels = jax.random.key(2), jnp.arange(6) % 3
    error = metrics.update_error(
      ann, ann, params, key, images, labels, num_draws=3
    )
    self.assertEqual(float(error), 0.0)

  def test_update_error_of_known_offsets(self):
    # Two draws are off by (1, 0) and (0, 2); biases do not count.
    key = jax.random.key(0)
    second = jax.random.key_data(jax.random.fold_in(key, 1))

    def offset(key):
      is_second = jnp.all(jax.random.key_data(key) == second)
      return jnp.where(is_second, jnp.array([0.0, 2.0]), jnp.array([1.0, 0.0]))

    error = metrics.update_error(
      network=make_network(lambda key: offset(key)[None]),
      reference=make_network(lambda key: 0.0),
      params=None,
      key=key,
      inputs=None,
      labels=None,
      num_draws=2,
    )
    expected = np.sqrt((1.0 + 4.0) / 2 / 25.0)
    np.testing.assert_allclose(error, expected, rtol=1e-6)
