"""Tests that a synapse counts what happens at its own two ends, and no more.

A rule is local if a spike changes nothing but the counts of the synapses that
it reaches, and those by nothing but what is at their other end at that tick.
"""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from tests.neuron import coincidence_test

B, T, I, J = 3, 70, 6, 5  # noqa: E741


class LocalTest(parameterized.TestCase):
  def count(self, pre, errors, representation):
    counts = coincidence_test.count(
      *coincidence_test.packed(pre, errors), representation
    )
    return jax.tree.map(np.asarray, counts)

  @parameterized.product(
    representation=coincidence_test.REPRESENTATIONS, seed=(0, 1, 2)
  )
  def test_a_presynaptic_spike_reaches_its_own_row(self, representation, seed):
    pre, errors = coincidence_test.random_trains(seed, B, T, I, J)
    before = self.count(pre, errors, representation)
    rng = np.random.default_rng(seed)
    b, t, i = rng.integers(B), rng.integers(T), rng.integers(I)
    pre[b, t, i] ^= 1
    after = self.count(pre, errors, representation)
    expected = np.zeros((I, J), int)
    expected[i] = errors[b, t] * (1 if pre[b, t, i] else -1)
    np.testing.assert_array_equal(after.weights - before.weights, expected)
    np.testing.assert_array_equal(after.biases, before.biases)

  @parameterized.product(
    representation=coincidence_test.REPRESENTATIONS, seed=(0, 1, 2)
  )
  def test_an_error_spike_reaches_its_own_column(self, representation, seed):
    pre, errors = coincidence_test.random_trains(seed, B, T, I, J)
    rng = np.random.default_rng(seed)
    b, t, j = rng.integers(B), rng.integers(T), rng.integers(J)
    errors[b, t, j] = 1
    before = self.count(pre, errors, representation)
    errors[b, t, j] = -1
    after = self.count(pre, errors, representation)
    expected = np.zeros((I, J), int)
    expected[:, j] = -2 * pre[b, t]
    np.testing.assert_array_equal(after.weights - before.weights, expected)
    np.testing.assert_array_equal(
      after.biases - before.biases, -2 * (np.arange(J) == j)
    )


if __name__ == '__main__':
  absltest.main()
