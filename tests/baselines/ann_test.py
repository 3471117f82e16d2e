"""Tests for the ANN and for the oracle."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.baselines import ann
from ssnn_jax.neuron import firing
from tests.testing import statistics


class ReferenceTest(parameterized.TestCase):
  @parameterized.parameters(*firing.FIRING_FUNCTIONS)
  def test_the_activation_has_the_gate_for_a_slope(self, name):
    function = firing.FIRING_FUNCTIONS[name]()
    kinks = {'clip': (0.0, 1.0), 'hard_sigmoid': (-3.0, 3.0)}[name]
    points = jnp.array([*kinks, -9.0, 0.4, 9.0])
    activation = ann.activation(function)
    slopes = jax.vmap(jax.grad(activation))(points)
    np.testing.assert_array_equal(slopes, function.gate(points))
    np.testing.assert_array_equal(slopes[:2], 0.0)
    np.testing.assert_array_equal(
      activation(points), function.probability(points)
    )

  def test_the_ann_expects_softmax_counts(self):
    config = ssnn_jax.NetworkConfig((5, 4, 3), num_steps=10)
    network = ssnn_jax.ann(config)
    images = jax.random.uniform(jax.random.key(1), (2, 5))
    inference = network.infer(
      network.init(jax.random.key(0)), jax.random.key(0), images
    )
    np.testing.assert_allclose(
      inference.winner_counts, 10 * jax.nn.softmax(inference.potential), 1e-6
    )


def scalar_params(weights, biases):
  """Makes a 1-1-2 network."""
  return (
    types.LayerParams(jnp.array([[weights[0]]]), jnp.array([biases[0]])),
    types.LayerParams(jnp.array([weights[1]]), jnp.array(biases[1])),
  )


class OracleTest(parameterized.TestCase):
  def test_by_hand(self):
    # One input of rate 1/2 drives one hidden neuron to 0.2 or 0.6; the classes
    # disagree by w, so each has a probability that is logistic in w.
    config = ssnn_jax.NetworkConfig((1, 1, 2), num_steps=1)
    params = scalar_params((0.4, (0.5, -0.5)), (0.2, (0.0, 0.0)))
    counts = ann.expected_counts(config, params, np.array([0.5]), label=0)
    logistic = lambda z: 1 / (1 + np.exp(-z))
    p_fire = {0: 0.2, 1: 0.6}
    wrong = {0: 0.5, 1: logistic(-1.0)}  # the second class wins
    error = {
      x: p_fire[x] * wrong[1] + (1 - p_fire[x]) * wrong[0] for x in (0, 1)
    }
    # A wrong winner sends w_2 - w_1 = -1 back, so the hidden neuron gets one
    # negative spike for sure, its gate being open.
    mean_error = 0.5 * (error[0] + error[1])
    fired = 0.5 * (p_fire[0] + p_fire[1]) * wrong[1]
    np.testing.assert_allclose(counts[0].weights, [[-0.5 * error[1]]])
    np.testing.assert_allclose(counts[0].biases, [-mean_error])
    np.testing.assert_allclose(counts[1].weights, [[-fired, fired]])
    np.testing.assert_allclose(counts[1].biases, [-mean_error, mean_error])

  def test_memoryless_ticks_are_alike(self):
    one, four = (
      ann.expected_counts(
        ssnn_jax.NetworkConfig(
          (2, 2, 2), num_steps=n, window=1, integration='memoryless'
        ),
        ssnn_jax.ssnn(ssnn_jax.NetworkConfig((2, 2, 2))).init(
          jax.random.key(0)
        ),
        np.array([0.2, 0.7]),
        label=1,
      )
      for n in (1, 4)
    )
    np.testing.assert_allclose(
      statistics.flat(four), 4 * statistics.flat(one), rtol=1e-10
    )

  def test_certain_spikes_leave_the_gradient(self):
    # Inputs of rate 1 and a hidden neuron driven to saturation are certain, so
    # all that is random is the winner, whose mean is softmax.
    config = ssnn_jax.NetworkConfig((2, 2, 2), num_steps=3, window=1)
    params = (
      types.LayerParams(jnp.full((2, 2), 2.0), jnp.zeros(2)),
      types.LayerParams(jnp.array([[0.3, -0.2], [0.1, 0.4]]), jnp.zeros(2)),
    )
    image = np.ones(2)
    counts = ann.expected_counts(config, params, image, label=1)
    update, _ = ssnn_jax.ann(config).learn(
      params, jax.random.key(0), jnp.ones((1, 2)), jnp.array([1])
    )
    np.testing.assert_allclose(
      statistics.flat(counts) / 3,
      statistics.flat(ssnn_jax.as_gradient(update)),
      atol=1e-6,
    )


if __name__ == '__main__':
  absltest.main()
