"""Tests that the mean of sampled updates is the exact one."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.baselines import rpu
from tests.testing import networks
from tests.testing import oracle
from tests.testing import sources
from tests.testing import statistics

NUM_GROUPS, GROUP_SIZE = 128, 4096
IMAGE, LABEL = np.float32([0.3, 0.8]), 1
ONE, TWO = (2, 2, 2), (1, 2, 1, 2)


def make_params(sizes):
  """Draws weights with which most gates are open and some are shut at times."""
  rng = np.random.default_rng(0)
  params = [
    types.LayerParams(
      weights=jnp.float32(rng.uniform(0.6, 1.0, shape) / np.sqrt(shape[0])),
      biases=jnp.float32(rng.uniform(0.0, 0.3, shape[1])),
    )
    for shape in zip(sizes[:-1], sizes[1:])
  ]
  # Classes differ, so that hidden errors are not 0, but do not saturate.
  signs = jnp.array([[0.3, -0.3]])
  params[-1] = params[-1]._replace(weights=params[-1].weights * signs)
  return tuple(params)


def enumerate_gradient(config, params):
  """Returns the exact mean of the update as leaves of a gradient."""
  image = IMAGE[: config.layer_sizes[0]]
  counts = oracle.expected_counts(config, params, image, LABEL)
  return [
    count / (config.num_steps * gain)
    for layer, gain in zip(counts, config.gains)
    for count in layer
  ]


def sample_gradients(built, params, num_groups, group_size):
  """Returns leaves `[groups, ...]` of updates, averaged over each group."""
  num_inputs = len(params[0].weights)
  images = jnp.tile(IMAGE[:num_inputs], (group_size, 1))
  labels = jnp.full(group_size, LABEL)

  def sample(group):
    key = jax.random.fold_in(jax.random.key(0), group)
    update, _ = built.learn(params, key, images, labels)
    return jax.tree.leaves(ssnn_jax.as_gradient(update))

  sample_all = jax.jit(lambda groups: jax.lax.map(sample, groups))
  return list(map(np.asarray, sample_all(jnp.arange(num_groups))))


def assert_means_within(samples, exact):
  """Asserts that the mean of each leaf over groups is the exact one."""
  for ours, theirs in zip(samples, exact):
    statistics.assert_mean_within(ours, theirs)


def assert_unbiased(samples, exact, visible_bias=0.01):
  """Asserts that means agree, with enough samples to detect the bias."""
  assert_means_within(samples, exact)
  errors = [ours.std(axis=0, ddof=1) / np.sqrt(len(ours)) for ours in samples]
  visible = statistics.NUM_SIGMAS * np.linalg.norm(statistics.flat(errors))
  assert visible < visible_bias * np.linalg.norm(statistics.flat(exact))


class UnbiasedTest(parameterized.TestCase):
  @parameterized.parameters(
    (ONE, dict(gain=4.0)),  # error streams saturate
    # Sobol thresholds depend on each other between ticks, not within a tick.
    (ONE, dict(sampler='sobol', num_steps=1)),
    (TWO, dict(gain=2.0)),
  )
  def test_mean_update_matches_enumeration(self, sizes, options):
    options = {'num_steps': 2, 'sampler': 'bernoulli'} | options
    config = networks.stochastic(sizes, **options)
    params = make_params(sizes)
    samples = sample_gradients(
      ssnn_jax.ssnn(config), params, NUM_GROUPS, GROUP_SIZE
    )
    assert_unbiased(samples, enumerate_gradient(config, params))

  def test_mean_update_does_not_depend_on_the_hash(self):
    config = networks.stochastic(ONE, num_steps=2, sampler=sources.THREEFRY)
    params = make_params(ONE)
    samples = sample_gradients(ssnn_jax.ssnn(config), params, 32, 2048)
    exact = enumerate_gradient(config, params)
    assert_unbiased(samples, exact, visible_bias=0.04)

  @parameterized.parameters(('bernoulli', 2.0), ('sobol', 0.5))
  def test_mean_update_of_rpus_is_the_gradient(self, sampler, gain):
    config = networks.stochastic(
      ONE, num_steps=32, gain=gain, sampler=sampler, input_gain=0.5
    )
    params = make_params(ONE)
    samples = sample_gradients(
      rpu.make_network(config), params, num_groups=64, group_size=256
    )
    exact = jax.tree.leaves(
      jax.jit(functools.partial(oracle.bp_gradient, config))(
        params, jax.random.key(0), IMAGE[None], jnp.array([LABEL])
      )
    )
    # No hidden error saturates.
    self.assertLess(gain * np.max(np.abs(exact[1])), 1.0)
    assert_unbiased(samples, exact)
