"""Tests for resistive processing units."""

import dataclasses
import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import network
from ssnn_jax import types
from ssnn_jax.baselines import rpu
from tests import network_test
from tests.properties import identity_test
from tests.properties import unbiased_test

SIZES = (8, 6, 3)
KEY = jax.random.key(2)
BATCH = identity_test.batch(SIZES[0], SIZES[-1])
NUM_GROUPS, GROUP_SIZE = 64, 256
jit = functools.partial(jax.jit, compiler_options=network_test.QUICKLY)


def make_config(**options):
  return ssnn_jax.NetworkConfig(
    SIZES, **{'num_steps': 40, 'dropout': 0.2} | options
  )


def make_params(config):
  return network.init(config, jax.random.key(0))


@functools.cache
def learn(separate_signs):
  config = make_config()
  built = rpu.make_network(config, separate_signs=separate_signs)
  return jit(built.learn)(make_params(config), KEY, *BATCH)


def assert_close(ours, theirs):
  """Asserts that leaves agree to float rounding, relative to the largest."""
  for mine, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs)):
    bound = 1e-5 * float(jnp.max(jnp.abs(other)))
    np.testing.assert_allclose(mine, other, rtol=0, atol=bound)


class RpuTest(parameterized.TestCase):
  def test_activations_and_errors_are_those_of_backpropagation(self):
    # What is of spikes forward and backward makes no difference.
    config = make_config(
      gain=0.5, window=7, integration='leaky', delay=1, kernels=False
    )
    exact = dataclasses.replace(rpu.rpu_config(config), update='rates')
    params = make_params(config)
    update, _ = jit(ssnn_jax.ssnn(exact).learn)(params, KEY, *BATCH)
    gradient = jit(functools.partial(identity_test.bp_gradient, config))(
      params, KEY, *BATCH
    )
    assert_close(ssnn_jax.as_gradient(update), gradient)

  @parameterized.parameters(
    ('bernoulli', 1.0), ('sobol', 0.5), ('threefry', 2.0)
  )
  def test_the_mean_update_is_the_gradient(self, sampler, gain):
    config = ssnn_jax.NetworkConfig(
      unbiased_test.SIZES['one'],
      num_steps=32,
      gain=gain,
      sampler=sampler,
      input_gain=0.5,
    )
    params = unbiased_test.make_params(config.layer_sizes)
    images = jnp.tile(unbiased_test.IMAGE, (GROUP_SIZE, 1))
    labels = jnp.full(GROUP_SIZE, unbiased_test.LABEL)
    built = rpu.make_network(config)

    @jit
    def sample(key):
      update, _ = built.learn(params, key, images, labels)
      return jax.tree.leaves(ssnn_jax.as_gradient(update))

    samples = [
      sample(jax.random.fold_in(KEY, group)) for group in range(NUM_GROUPS)
    ]
    exact = jax.tree.leaves(
      jit(functools.partial(identity_test.bp_gradient, config))(
        params, KEY, images[:1], labels[:1]
      )
    )
    # No error asks for more than a spike a tick, at which it would be cut.
    self.assertLess(gain * np.max(np.abs(exact[1])), 1.0)
    unbiased_test.assert_unbiased(list(map(np.stack, zip(*samples))), exact)

  def test_it_infers_and_reports_what_the_ann_does(self):
    config = make_config()
    params = make_params(config)
    ann = ssnn_jax.ann(config)
    inference = jit(rpu.make_network(config).infer)(params, KEY, BATCH[0])
    expected = jit(ann.infer)(params, KEY, BATCH[0])
    assert_close(inference, expected)
    _, learned = learn(False)
    _, expected = jit(ann.learn)(params, KEY, *BATCH)
    assert_close(learned, expected)
    np.testing.assert_allclose(
      learned.winner_counts.sum(axis=-1), config.num_steps, rtol=1e-5
    )

  def test_both_signs_are_counted_apart(self):
    (signed, _), (apart, _) = map(learn, (False, True))
    self.assertIsNone(signed.negative)
    for positive, negative, difference in zip(
      *map(jax.tree.leaves, (*apart[:2], signed.positive))
    ):
      self.assertEqual(difference.dtype, jnp.int32)
      self.assertGreaterEqual(min(np.min(positive), np.min(negative)), 0)
      np.testing.assert_array_equal(positive - negative, difference)
      self.assertTrue(np.any(positive) and np.any(negative))
    # Each class errs by itself; those of a winner and the target would cancel.
    self.assertNotEqual(np.sum(signed.positive[-1].biases), 0)

  def test_a_pulse_counts_where_it_is_expected(self):
    # Inputs that are 0 or 1, and errors that are whole, leave nothing to
    # chance: class 0 always wins, and each tick counts.
    config = ssnn_jax.NetworkConfig((3, 2), num_steps=7)
    params = (types.LayerParams(jnp.zeros((3, 2)), jnp.array([200.0, 0.0])),)
    images = jnp.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    run = jit(rpu.make_network(config).learn)
    update, _ = run(params, KEY, images, jnp.array([1, 0]))
    (counts,) = update.positive
    expected = 7 * np.outer([1, 0, 1], [1, -1])  # the second sample is right
    np.testing.assert_array_equal(counts.weights, expected)
    np.testing.assert_array_equal(counts.biases, [7, -7])


if __name__ == '__main__':
  absltest.main()
