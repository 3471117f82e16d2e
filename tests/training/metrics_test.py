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

  def learn(params, key, inputs, labels):
    del params, inputs, labels
    weights = jnp.array([[3.0, 4.0]]) + offset(key)
    update = types.LayerParams(weights, jnp.array([100.0]))
    return types.exact_update((update,)), None

  return types.Network(None, None, learn)


def alternate(key, first, second):
  """Returns offsets of two draws of a key, for `make_network`."""
  second_key = jax.random.key_data(jax.random.fold_in(key, 1))

  def offset(key):
    is_second = jnp.all(jax.random.key_data(key) == second_key)
    return jnp.where(is_second, jnp.array(second), jnp.array(first))[None]

  return offset


def update_statistics(network, reference, *batch, num_draws):
  """Computes the statistics of updates in one program."""
  compute = functools.partial(
    metrics.update_statistics, network, reference, num_draws=num_draws
  )
  return jax.jit(compute)(*batch)


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
      params=None,
      key=key,
      inputs=None,
      labels=None,
      num_draws=2,
    )
    expected = np.sqrt((1.0 + 4.0) / 2 / 25.0)
    np.testing.assert_allclose(error, expected, rtol=1e-6)

  def test_statistics_of_known_offsets(self):
    # Draws are (3, 4) + (1, 2) and (3, 4) + (1, 0): their mean is off by (1, 1)
    # and their variance is 2, half of which is in the square of the mean.
    key = jax.random.key(0)
    statistics = metrics.update_statistics(
      network=make_network(alternate(key, [1.0, 2.0], [1.0, 0.0])),
      reference=make_network(lambda key: 0.0),
      params=None,
      key=key,
      inputs=jnp.zeros((2, 1)),
      labels=jnp.zeros(2),
      num_draws=2,
    )
    cosines = [36 / 5 / np.hypot(4, 6), 28 / 5 / np.hypot(4, 4)]
    np.testing.assert_allclose(statistics.bias, [1 / 5], rtol=1e-6)
    np.testing.assert_allclose(statistics.deviation, [2**0.5 / 5], rtol=1e-6)
    np.testing.assert_allclose(statistics.cosine, [np.mean(cosines)], rtol=1e-6)

  def test_statistics_of_equal_draws_are_all_bias(self):
    ann, params = ssnn_jax.ann(CONFIG), networks.make_params(CONFIG)
    key, batch = jax.random.key(2), networks.batch(6, (5, 4, 3))

    def learn_twice(*args):
      update, inference = ann.learn(*args)
      gradient = jax.tree.map(lambda leaf: 2 * leaf, update.positive)
      return types.exact_update(gradient), inference

    statistics = update_statistics(
      ann._replace(learn=learn_twice),
      *(ann, params, key, *batch),
      num_draws=3,
    )
    np.testing.assert_allclose(statistics.bias, [1, 1], rtol=1e-5)
    np.testing.assert_allclose(statistics.deviation, [0, 0], atol=1e-3)
    np.testing.assert_allclose(statistics.cosine, [1, 1], rtol=1e-5)

  def test_noise_ratio_of_drawn_minibatches_is_one(self):
    # A "network" whose update is the gradient of a minibatch drawn from
    # the samples, with replacement, has just the noise of minibatches.
    ann, params = ssnn_jax.ann(CONFIG), networks.make_params(CONFIG)
    batch, num_draws = networks.batch(16, (5, 4, 3)), 2000

    def learn_resampled(params, key, inputs, labels):
      chosen = jax.random.randint(key, labels.shape, 0, len(labels))
      return ann.learn(params, key, inputs[chosen], labels[chosen])

    statistics = update_statistics(
      ann._replace(learn=learn_resampled),
      *(ann, params, jax.random.key(2), *batch),
      num_draws=num_draws,
    )
    # Resampling has (B - 1) / B of the variance that is estimated; the relative
    # sd of a mean of squared norms is below sqrt(2 / draws).
    expected = 15 / 16
    bound = 4 * np.sqrt(2 / num_draws)
    self.assertLess(abs(statistics.noise_ratio / expected - 1), bound)
