"""Tests of networks with a membrane of the user."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import network as network_lib
from ssnn_jax.neuron import membrane
from ssnn_jax.training import activity
from tests.testing.networks import SIZES
from tests.testing.networks import batch
from tests.testing.networks import learn


def adaptive(tau, tau_threshold, strength):
  """Builds a leaky membrane whose threshold follows the firing rate."""
  leaky = membrane.leaky(tau)

  def init(num_neurons):
    return leaky.init(num_neurons), jnp.zeros(num_neurons)

  def integrate(state, drive, window):
    potential, threshold = state
    rate = jnp.clip(read(state, window), 0.0, 1.0)
    decay = jnp.exp(-window.length.astype(drive.dtype) / tau_threshold)
    threshold = decay * threshold + (1.0 - decay) * strength * rate
    return leaky.integrate(potential, drive, window), threshold

  def read(state, window):
    potential, threshold = state
    return leaky.read(potential, window) - threshold

  return membrane.Membrane(init, integrate, read)


class OwnMembraneTest(parameterized.TestCase):
  @parameterized.parameters('buffered', 'realtime')
  def test_membrane_object_equals_its_name(self, timing):
    options = dict(num_steps=40, window=4, timing=timing)
    config = ssnn_jax.NetworkConfig(
      SIZES, integration='leaky', tau=9.0, **options
    )
    own = ssnn_jax.NetworkConfig(
      SIZES, integration=membrane.leaky(9.0), **options
    )
    params = network_lib.init(config, jax.random.key(0))
    jax.tree.map(
      np.testing.assert_array_equal, learn(own, params), learn(config, params)
    )

  def test_adaptive_threshold_lowers_firing_rates(self):
    params = None
    rates = []
    for strength in (0.0, 1.0):
      own = adaptive(tau=9.0, tau_threshold=20.0, strength=strength)
      config = ssnn_jax.NetworkConfig(
        SIZES, num_steps=64, window=4, integration=own
      )
      params = network_lib.init(config, jax.random.key(0))
      observe = jax.jit(activity.make_observe(config))
      rates.append(observe(params, jax.random.key(0), *batch()).firing_rates)
    self.assertEqual(rates[0][0], rates[1][0])  # inputs
    self.assertLess(rates[1][1], 0.95 * rates[0][1])
