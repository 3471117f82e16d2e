"""Tests of the interface that all baselines share."""

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import baselines
from ssnn_jax import network
from ssnn_jax.training import metrics
from tests.testing import networks

CONFIG = ssnn_jax.NetworkConfig((4, 5, 3), num_steps=8)
NETWORKS = {
  'bipolar': ssnn_jax.ssnn(CONFIG),
  'stochastic': ssnn_jax.ssnn(networks.stochastic((4, 5, 3), num_steps=8)),
  'ann': ssnn_jax.ann(CONFIG),
  'bp_stdp': baselines.bp_stdp.make_network(CONFIG),
  'feedback_alignment': baselines.feedback_alignment.make_network(
    CONFIG, network.init(CONFIG, jax.random.key(3))
  ),
  'rpu': baselines.rpu.make_network(CONFIG),
  'surrogate_gradient': baselines.surrogate_gradient.make_network(CONFIG),
}


class InterfaceTest(parameterized.TestCase):
  @parameterized.parameters(*NETWORKS)
  def test_initial_parameters_equal_those_of_the_spiking_network(self, name):
    key = jax.random.key(0)
    expected = network.init(CONFIG, key)
    params = NETWORKS[name].init(jax.random.clone(key))
    jax.tree.map(np.testing.assert_array_equal, params, expected)

  @parameterized.parameters(*NETWORKS)
  def test_loss_is_the_cross_entropy_of_its_response(self, name):
    images, labels = networks.batch(6, (4, 5, 3))
    params, key = networks.make_params(CONFIG), jax.random.key(2)
    loss, inference = jax.jit(NETWORKS[name].loss)(params, key, images, labels)
    expected = np.mean(metrics.cross_entropy(inference, labels))
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    # Without dropout the response is that of inference.
    inferred = jax.jit(NETWORKS[name].infer)(params, key, images)
    networks.assert_close(inference, inferred)
