"""Tests that the synaptic update is local in space and time.

A spike may change only the counts of its own synapses, and only by the spikes
at their other end in the same tick.
"""

from absl.testing import parameterized
import jax
import numpy as np

from tests.testing import coincidences

REPRESENTATIONS = tuple(coincidences.COUNTS)
B, T, I, J = 3, 70, 6, 5  # noqa: E741


def count(pre, errors, representation):
  counts = coincidences.count(*coincidences.packed(pre, errors), representation)
  return jax.tree.map(np.asarray, counts)


class LocalTest(parameterized.TestCase):
  @parameterized.product(representation=REPRESENTATIONS, seed=(0, 1, 2))
  def test_presynaptic_spike_changes_only_its_row(self, representation, seed):
    pre, errors = coincidences.random_trains(seed, B, T, I, J)
    before = count(pre, errors, representation)
    rng = np.random.default_rng(seed)
    b, t, i = rng.integers(B), rng.integers(T), rng.integers(I)
    pre[b, t, i] ^= 1
    after = count(pre, errors, representation)
    expected = np.zeros((I, J), int)
    expected[i] = errors[b, t] * (1 if pre[b, t, i] else -1)
    np.testing.assert_array_equal(after.weights - before.weights, expected)
    np.testing.assert_array_equal(after.biases, before.biases)

  @parameterized.product(representation=REPRESENTATIONS, seed=(0, 1, 2))
  def test_error_spike_changes_only_its_column(self, representation, seed):
    pre, errors = coincidences.random_trains(seed, B, T, I, J)
    rng = np.random.default_rng(seed)
    b, t, j = rng.integers(B), rng.integers(T), rng.integers(J)
    errors[b, t, j] = 1
    before = count(pre, errors, representation)
    errors[b, t, j] = -1
    after = count(pre, errors, representation)
    expected = np.zeros((I, J), int)
    expected[:, j] = -2 * pre[b, t]
    np.testing.assert_array_equal(after.weights - before.weights, expected)
    np.testing.assert_array_equal(
      after.biases - before.biases, -2 * (np.arange(J) == j)
    )
