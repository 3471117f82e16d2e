"""Tests for accuracy, loss and the distance from the gradient."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.training import metrics


class MetricsTest(absltest.TestCase):
  def test_most_wins_and_the_potential_breaks_ties(self):
    counts = jnp.array([[3, 1, 0], [2, 2, 0], [0, 2, 2], [1, 1, 1]])
    potential = jnp.array(
      [[0.0, 9.0, 0.0], [0.1, 0.2, 9.0], [9.0, 0.5, 0.4], [0.0, 0.0, 0.1]]
    )
    for kind in (jnp.int32, jnp.float32):
      predicted = metrics.predict(
        types.Inference(counts.astype(kind), potential)
      )
      np.testing.assert_array_equal(predicted, [0, 1, 1, 2])

  def test_cross_entropy(self):
    potential = jnp.log(jnp.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    inference = types.Inference(potential, potential)
    losses = metrics.cross_entropy(inference, jnp.array([1, 2]))
    np.testing.assert_allclose(losses, -np.log([0.25, 0.8]), rtol=1e-6)

  def test_the_reference_has_no_error(self):
    config = ssnn_jax.NetworkConfig((5, 4, 3))
    ann = ssnn_jax.ann(config)
    images = jax.random.uniform(jax.random.key(1), (6, 5))
    error = metrics.update_error(
      ann,
      ann,
      ann.init(jax.random.key(0)),
      jax.random.key(2),
      images,
      jnp.arange(6) % 3,
      num_draws=3,
    )
    self.assertEqual(float(error), 0.0)

  def test_a_known_offset(self):
    # The gradient is (3, 4); updates are off by (1, 0) and (0, 2) in turn, and
    # biases do not count.
    def learn(offset):
      def rule(params, key, images, labels):
        del params, images, labels
        layer = types.LayerParams(
          jnp.array([[3.0, 4.0]]) + offset(key), jnp.array([100.0])
        )
        unit = types.LayerParams(jnp.float32(1), jnp.float32(1))
        return types.Update((layer,), None, (unit,)), None

      return types.Network(None, None, rule)

    offsets = jnp.array([[[1.0, 0.0]], [[0.0, 2.0]]])
    keys = [jax.random.fold_in(jax.random.key(0), draw) for draw in range(2)]

    def offset(key):
      data = jax.random.key_data(key)
      is_second = jnp.all(data == jax.random.key_data(keys[1]))
      return offsets[is_second.astype(jnp.int32)]

    error = metrics.update_error(
      learn(offset),
      learn(lambda key: jnp.zeros((1, 2))),
      None,
      jax.random.key(0),
      None,
      None,
      num_draws=2,
    )
    expected = np.sqrt((1.0 + 4.0) / 2 / 25.0)
    np.testing.assert_allclose(error, expected, rtol=1e-6)


if __name__ == '__main__':
  absltest.main()
