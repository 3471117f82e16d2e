"""Tests for the rules of the composite neuron."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.neuron import composite
from ssnn_jax.simulation import rules
from tests.testing import sources
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

  @parameterized.parameters(1.0, 0.5)
  def test_streams_have_the_clipped_error_as_mean(self, gain):
    means, number = np.array([-1.5, -1.0, -0.3, 0.0, 0.7, 1.0, 2.0]), 20_000
    errors = jnp.float32(np.repeat(means, number))
    source = sources.make(jnp.arange(1), errors.size, spikes.Role.ERROR)

    every = ~jnp.zeros((1, 1), jnp.uint32)
    streams, counts = jax.jit(rules.send_errors)(
      source, gain, errors[None], every
    )
    self.assertFalse((streams.positive & streams.negative).any())
    positive, negative = map(spikes.count, streams)
    np.testing.assert_array_equal(counts[0], positive - negative)
    signed = np.reshape(counts / 32, (len(means), number))
    statistics.assert_mean_within(signed.T, np.clip(gain * means, -1, 1))
