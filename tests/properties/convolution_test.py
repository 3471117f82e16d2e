"""Tests that the update of shared weights is unbiased and local."""

import dataclasses

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.layers import Conv
from ssnn_jax.layers import Dense
from ssnn_jax.simulation import updates
from tests.testing import coincidences
from tests.testing import convolutions
from tests.testing import networks
from tests.testing import oracle
from tests.testing import statistics

NUM_GROUPS, GROUP_SIZE = 64, 4096


class UnbiasedTest(absltest.TestCase):
  def test_counts_of_a_tiny_convolution_have_the_enumerated_mean(self):
    # Three pixels, of which two neurons see two each, by the same two weights.
    config = networks.stochastic(
      layers=(Conv(1, kernel=(1, 2)), Dense(2)),
      input_shape=(1, 3, 1),
      num_steps=2,
      window=2,
      sampler='bernoulli',
    )
    params = (
      types.LayerParams(jnp.array([[0.5], [0.75]]), jnp.array([0.125])),
      types.LayerParams(jnp.array([[0.5, -0.25], [0.25, -0.5]]), jnp.zeros(2)),
    )
    image, label = np.float32([0.25, 0.75, 0.5]), 1
    dense = dataclasses.replace(config, layers=None, input_shape=None)
    exact = oracle.expected_counts(
      dense, convolutions.expand(config, params), image, label
    )
    exact = convolutions.fold(config, exact)
    images = jnp.tile(image, (GROUP_SIZE, 1))
    labels = jnp.full(GROUP_SIZE, label)
    learn = jax.jit(ssnn_jax.ssnn(config).learn)
    groups = [
      learn(params, jax.random.key(group), images, labels)[0].positive
      for group in range(NUM_GROUPS)
    ]
    samples = jax.tree.map(lambda *x: np.stack(x) / GROUP_SIZE, *groups)
    jax.tree.map(statistics.assert_mean_within, samples, exact)
    errors = [np.std(x, axis=0) for x in jax.tree.leaves(samples)]
    visible = statistics.NUM_SIGMAS * np.linalg.norm(statistics.flat(errors))
    bound = 0.02 * np.linalg.norm(statistics.flat(exact))
    self.assertLess(visible / np.sqrt(NUM_GROUPS), bound)


class LocalTest(parameterized.TestCase):
  @parameterized.parameters(0, 1, 2)
  def test_spike_changes_only_the_weights_that_it_reaches(self, seed):
    # One spike more, in one tick, of one pixel: at each position that sees it,
    # it meets the errors of this position in this tick, at its own row.
    config = convolutions.make_config()
    wiring, rng = config.wirings[0], np.random.default_rng(seed)
    num_steps, size = 40, 3
    train = rng.integers(0, 2, (size, num_steps, wiring.num_inputs), np.int8)
    errors = rng.integers(-1, 2, (size, num_steps, wiring.num_neurons), np.int8)
    sample, tick, source = (rng.integers(n) for n in train.shape)
    train[sample, tick, source] = 0
    before = count(config, train, errors)
    train[sample, tick, source] = 1
    after = count(config, train, errors)
    expected = np.zeros(wiring.weights_shape, int)
    features = errors[sample, tick].reshape(wiring.num_positions, -1)
    conv, shape = config.layers[0], wiring.input_shape
    for own, position, row in convolutions.synapses(conv, shape):
      if own == source:
        expected[row] += features[position]
    np.testing.assert_array_equal(after.weights - before.weights, expected)
    np.testing.assert_array_equal(after.biases, before.biases)


def count(config, train, errors):
  """Counts the coincidences of the first layer, of spikes `[B, T, N]`."""
  ends = jax.tree.map(lambda x: x[None], [coincidences.packed(train, errors)])
  return jax.jit(lambda: updates.count(config, ends, False))()[0][0]
