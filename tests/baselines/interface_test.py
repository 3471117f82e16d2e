"""Tests of the interface that all baselines share."""

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import baselines
from ssnn_jax import network

CONFIG = ssnn_jax.NetworkConfig((4, 5, 3), num_steps=8)
BASELINES = {
  'ann': ssnn_jax.ann(CONFIG),
  'bp_stdp': baselines.bp_stdp.make_network(CONFIG),
  'feedback_alignment': baselines.feedback_alignment.make_network(
    CONFIG, network.init(CONFIG, jax.random.key(3))
  ),
  'rpu': baselines.rpu.make_network(CONFIG),
  'surrogate_gradient': baselines.surrogate_gradient.make_network(CONFIG),
}


class InterfaceTest(parameterized.TestCase):
  @parameterized.parameters(*BASELINES)
  def test_initial_parameters_equal_those_of_the_spiking_network(self, name):
    key = jax.random.key(0)
    expected = network.init(CONFIG, key)
    params = BASELINES[name].init(jax.random.clone(key))
    jax.tree.map(np.testing.assert_array_equal, params, expected)
