"""Tests that the enumeration oracle agrees with analytic results."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import network
from ssnn_jax import types
from tests.testing import oracle
from tests.testing import statistics


class OracleTest(absltest.TestCase):
  def test_counts_of_a_1_1_2_network_match_hand_computation(self):
    # One input of rate 1/2 drives one hidden neuron to 0.2 or 0.6. The weights
    # to the two classes differ by 1, so that a class wins with a probability
    # that is logistic.
    config = ssnn_jax.NetworkConfig((1, 1, 2), num_steps=1)
    params = (
      types.LayerParams(jnp.array([[0.4]]), jnp.array([0.2])),
      types.LayerParams(jnp.array([[0.5, -0.5]]), jnp.zeros(2)),
    )
    counts = oracle.expected_counts(config, params, np.array([0.5]), label=0)
    fire = {0: 0.2, 1: 0.6}  # by the input's spike
    wrong = {0: 0.5, 1: 1 / (1 + np.exp(1.0))}  # by the hidden neuron's spike
    error = {x: fire[x] * wrong[1] + (1 - fire[x]) * wrong[0] for x in fire}
    # If class 1 wins, the hidden neuron receives the error w_1 - w_0 = -1: with
    # an open gate one negative spike, with certainty.
    mean_error = 0.5 * (error[0] + error[1])
    fired = 0.5 * (fire[0] + fire[1]) * wrong[1]
    np.testing.assert_allclose(counts[0].weights, [[-0.5 * error[1]]])
    np.testing.assert_allclose(counts[0].biases, [-mean_error])
    np.testing.assert_allclose(counts[1].weights, [[-fired, fired]])
    np.testing.assert_allclose(counts[1].biases, [-mean_error, mean_error])

  def test_memoryless_counts_are_proportional_to_ticks(self):
    image = np.array([0.2, 0.7])

    def counts(num_steps):
      config = ssnn_jax.NetworkConfig(
        (2, 2, 2), num_steps=num_steps, window=1, integration='memoryless'
      )
      params = network.init(config, jax.random.key(0))
      return statistics.flat(
        oracle.expected_counts(config, params, image, label=1)
      )

    np.testing.assert_allclose(counts(4), 4 * counts(1), rtol=1e-10)

  def test_counts_of_certain_spikes_equal_the_gradient(self):
    # Inputs have rate 1 and hidden neurons saturate, so that only winners are
    # random, with mean softmax.
    config = ssnn_jax.NetworkConfig((2, 2, 2), num_steps=3, window=1)
    params = (
      types.LayerParams(jnp.full((2, 2), 2.0), jnp.zeros(2)),
      types.LayerParams(jnp.array([[0.3, -0.2], [0.1, 0.4]]), jnp.zeros(2)),
    )
    counts = oracle.expected_counts(config, params, np.ones(2), label=1)
    update, _ = jax.jit(ssnn_jax.ann(config).learn)(
      params, jax.random.key(0), jnp.ones((1, 2)), jnp.array([1])
    )
    np.testing.assert_allclose(
      statistics.flat(counts) / 3,
      statistics.flat(ssnn_jax.as_gradient(update)),
      atol=1e-6,
    )
