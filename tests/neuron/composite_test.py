"""Tests for the rules of the composite neuron."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.neuron import composite
from ssnn_jax.spikes import thresholds
from tests.testing import statistics


class CompositeTest(parameterized.TestCase):
  def test_transposed_drive_is_the_adjoint_of_drive(self):
    keys = [jax.random.key(i) for i in range(4)]
    params = types.LayerParams(
      jax.random.normal(keys[0], (5, 3)), jax.random.normal(keys[1], (3,))
    )
    rates = jax.random.uniform(keys[2], (5,))
    errors = jax.random.normal(keys[3], (3,))
    _, pull = jax.vjp(lambda rates: composite.drive(params, 1.7, rates), rates)
    found = composite.transposed_drive(params, 1.7, errors)
    # Each sum of three products rounds to a few units in the last place.
    largest = 1.7 * np.max(np.abs(errors) @ np.abs(params.weights).T)
    atol = 4 * np.finfo(np.float32).eps * largest
    np.testing.assert_allclose(found, pull(errors)[0], rtol=0, atol=atol)

  @parameterized.parameters(-1.5, -1.0, -0.3, 0.0, 0.7, 1.0, 2.0)
  def test_streams_have_the_clipped_error_as_mean(self, error):
    num_neurons = 20_000
    keys = thresholds.make_keys(jax.random.key(0), 1)
    address = thresholds.Address(thresholds.Role.ERROR, 0, jnp.arange(1), 0)
    source = thresholds.hashed(keys, address, num_neurons)
    window = spikes.Window(~jnp.zeros(1, jnp.uint32), 32, 32)
    positive, negative = composite.split_streams(
      source, jnp.full(num_neurons, error), window
    )
    np.testing.assert_array_equal(positive & negative, 0)
    counts = spikes.count(positive) - spikes.count(negative)
    statistics.assert_mean_within(counts / 32, np.clip(error, -1, 1))
