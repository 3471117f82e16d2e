"""Tests that sampled updates have the mean that exact enumeration gives."""

from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.baselines import ann
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import wta
from ssnn_jax.spikes import thresholds
from tests.testing import statistics

NUM_GROUPS, GROUP_SIZE = 128, 4096
IMAGE, LABEL = np.float32([0.3, 0.8]), 1
SIZES = {'one': (2, 2, 2), 'three': (2, 1, 2, 1, 2)}


def make_params(sizes):
  """Draws weights that leave most gates open, and shut some now and then."""
  rng = np.random.default_rng(0)
  params = [
    types.LayerParams(
      weights=jnp.float32(rng.uniform(0.6, 1.0, shape) / np.sqrt(shape[0])),
      biases=jnp.float32(rng.uniform(0.0, 0.3, shape[1])),
    )
    for shape in zip(sizes[:-1], sizes[1:])
  ]
  # Classes must disagree for an error to pass back, yet not saturate it.
  signs = jnp.array([[0.3, -0.3]])
  params[-1] = params[-1]._replace(weights=params[-1].weights * signs)
  return tuple(params)


def enumerate_gradient(config, params):
  """Returns the exact mean of the update, as a gradient."""
  counts = ann.expected_counts(config, params, IMAGE, LABEL)
  return [
    count / (config.num_steps * gain)
    for layer, gain in zip(counts, config.gains)
    for count in layer
  ]


def sample_gradients(config, params, group_size=GROUP_SIZE):
  """Returns the sampled updates of groups of presentations, `[groups, ...]`."""
  images = jnp.tile(IMAGE, (group_size, 1))
  labels = jnp.full(group_size, LABEL)
  network = ssnn_jax.ssnn(config)

  @jax.jit
  def sample(key):
    update, _ = network.learn(params, key, images, labels)
    return jax.tree.leaves(ssnn_jax.as_gradient(update))

  groups = [
    sample(jax.random.fold_in(jax.random.key(0), group))
    for group in range(NUM_GROUPS)
  ]
  return [np.stack(leaves) for leaves in zip(*groups)]


def assert_means_within(samples, exact):
  """Asserts that the mean of each leaf over groups is the exact one."""
  for ours, theirs in zip(samples, exact):
    statistics.assert_mean_within(ours, theirs)


def assert_unbiased(samples, exact):
  """Asserts agreement, with a sample that would see a bias of 1 %."""
  assert_means_within(samples, exact)
  errors = [ours.std(axis=0, ddof=1) / np.sqrt(len(ours)) for ours in samples]
  visible = statistics.NUM_SIGMAS * np.linalg.norm(statistics.flat(errors))
  assert visible < 0.01 * np.linalg.norm(statistics.flat(exact))


class UnbiasedTest(parameterized.TestCase):
  @parameterized.parameters(
    # Half of the product, in which any three of the options meet.
    ('one', 'memoryless', 1, 0.5),
    ('one', 'memoryless', 2, 2.0),
    ('one', 'mean', 1, 2.0),
    ('one', 'mean', 2, 0.5),
    ('three', 'memoryless', 1, 2.0),
    ('three', 'memoryless', 2, 0.5),
    ('three', 'mean', 1, 0.5),
    ('three', 'mean', 2, 2.0),
  )
  def test_the_mean_update_is_the_enumerated_one(
    self, depth, integration, window, gain
  ):
    config = ssnn_jax.NetworkConfig(
      SIZES[depth],
      num_steps=2,
      window=window,
      integration=integration,
      gain=gain,
    )
    params = make_params(config.layer_sizes)
    assert_unbiased(
      sample_gradients(config, params), enumerate_gradient(config, params)
    )

  @parameterized.parameters(
    dict(integration='leaky', tau=2.0, window=1, num_steps=3),
    dict(firing_function='hard_sigmoid', window=2, num_steps=3),
    dict(sampler='threefry', window=3, num_steps=3),
    # With it ticks depend on each other, but not on what decides at a tick.
    dict(sampler='sobol', integration='memoryless', window=1, num_steps=3),
    dict(gain=4.0, window=1, num_steps=2),  # saturates
  )
  def test_so_it_is_for_the_other_options(self, **options):
    config = ssnn_jax.NetworkConfig(SIZES['one'], **options)
    params = make_params(config.layer_sizes)
    assert_unbiased(
      sample_gradients(config, params), enumerate_gradient(config, params)
    )


def open_gate():
  """The clip activation with a gate that is never shut."""
  return firing.clip()._replace(gate=jnp.ones_like)


def swap_streams(split):
  """Exchanges the two streams of the hidden errors."""
  return lambda *args: types.ErrorStreams(*reversed(split(*args)))


def ignore_gain(split):
  """Splits hidden errors as if their gain of 2 were 1."""
  return lambda source, errors, window: split(source, errors / 2.0, window)


def lose_negative(output_errors):
  """Loses the output's negative stream."""

  def wrong(*args):
    positive, negative = output_errors(*args)
    return types.ErrorStreams(positive, jnp.zeros_like(negative))

  return wrong


def share_keys(make_keys):
  """Gives the errors of a layer the thresholds of its inputs."""

  def wrong(key, num_layers):
    keys = make_keys(key, num_layers)
    inputs = keys[:, thresholds.Role.INPUT]
    return keys.at[:, thresholds.Role.ERROR].set(inputs)

  return wrong


MUTANTS = {
  'gate': lambda: mock.patch.dict(firing.FIRING_FUNCTIONS, clip=open_gate),
  'sign': lambda: mock.patch.object(
    composite, 'split_streams', swap_streams(composite.split_streams)
  ),
  'gain': lambda: mock.patch.object(
    composite, 'split_streams', ignore_gain(composite.split_streams)
  ),
  'stream': lambda: mock.patch.object(
    wta, 'output_errors', lose_negative(wta.output_errors)
  ),
  'shared': lambda: mock.patch.object(
    thresholds, 'make_keys', share_keys(thresholds.make_keys)
  ),
}


class TestOfTheTest(parameterized.TestCase):
  # Only where layers are of one size do neurons find a threshold to share.
  @parameterized.parameters(
    *((mutant, 'one') for mutant in MUTANTS),
    *((mutant, 'three') for mutant in MUTANTS if mutant != 'shared'),
  )
  def test_a_wrong_rule_is_found(self, mutant, depth):
    config = ssnn_jax.NetworkConfig(
      SIZES[depth], num_steps=2, window=1, gain=2.0
    )
    params = make_params(config.layer_sizes)
    exact = enumerate_gradient(config, params)
    # Groups of an eighth are large enough to see what is wrong.
    with MUTANTS[mutant]():
      samples = sample_gradients(config, params, GROUP_SIZE // 8)
    with self.assertRaises(AssertionError):
      assert_means_within(samples, exact)


if __name__ == '__main__':
  absltest.main()
