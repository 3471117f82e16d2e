"""Tests for the counting of coincidences."""

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types
from ssnn_jax.neuron import coincidence
from tests.testing.coincidences import COUNTS
from tests.testing.coincidences import count
from tests.testing.coincidences import packed
from tests.testing.coincidences import random_trains

REPRESENTATIONS = tuple(COUNTS)


class CoincidenceTest(parameterized.TestCase):
  @parameterized.product(representation=REPRESENTATIONS, num_steps=(7, 32, 100))
  def test_counts_match_their_definition(self, representation, num_steps):
    pre, errors = random_trains(num_steps, 5, num_steps, 11, 6)
    counts = count(*packed(pre, errors), representation)
    np.testing.assert_array_equal(
      counts.weights, np.einsum('bti,btj->ij', pre, errors.astype(np.int32))
    )
    np.testing.assert_array_equal(counts.biases, errors.sum(axis=(0, 1)))
    self.assertEqual(counts.weights.dtype, jnp.int32)

  @parameterized.product(
    representation=REPRESENTATIONS, batch_size=(1023, 1024), sign=(1, -1)
  )
  def test_full_counts_do_not_overflow(self, representation, batch_size, sign):
    ones = np.ones((batch_size, 32, 2), np.int8)  # up to 2**15 coincidences
    counts = count(*packed(ones, sign * ones), representation)
    expected = np.full((2, 2), sign * 32 * batch_size)
    np.testing.assert_array_equal(counts.weights, expected)

  def test_counts_are_added_to_previous_counts(self):
    pre, streams = packed(*random_trains(1, 8, 40, 13, 5))
    once = count(pre, streams, 'auto')
    twice = coincidence.count_coincidences(once, pre, streams)
    doubled = jax.tree.map(lambda counts: 2 * counts, once)
    jax.tree.map(np.testing.assert_array_equal, twice, doubled)

  def test_rates_give_expected_counts(self):
    rng = np.random.default_rng(0)
    rates = rng.random((3, 4, 5))
    errors = rng.normal(size=(3, 4, 2))
    counts = coincidence.multiply_rates(
      types.LayerParams(jnp.ones((5, 2)), jnp.ones(2)),
      jnp.float32(rates),
      jnp.float32(errors),
    )
    np.testing.assert_allclose(
      counts.weights,
      1 + np.einsum('bwi,bwj->ij', rates, errors),
      rtol=1e-5,
      atol=1e-6,
    )
    np.testing.assert_allclose(
      counts.biases, 1 + np.einsum('bwj->j', errors), rtol=1e-5, atol=1e-6
    )

  def test_as_gradient_subtracts_and_scales(self):
    layer = types.LayerParams(jnp.array([[4, 6]]), jnp.array([5, 1]))
    other = types.LayerParams(jnp.array([[1, 8]]), jnp.array([2, 1]))
    unit = types.LayerParams(jnp.float32(0.5), jnp.float32(0.25))
    merged = types.Update((layer,), (other,), (unit,))
    (gradient,) = coincidence.as_gradient(merged)
    np.testing.assert_array_equal(gradient.weights, [[1.5, -1.0]])
    np.testing.assert_array_equal(gradient.biases, [0.75, 0.0])
    signed = jax.tree.map(jnp.subtract, layer, other)
    (same,) = coincidence.as_gradient(types.Update((signed,), None, (unit,)))
    jax.tree.map(np.testing.assert_array_equal, gradient, same)
