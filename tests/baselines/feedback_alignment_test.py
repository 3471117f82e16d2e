"""Tests of errors that come back through weights of their own."""

import functools
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments import methods
import ssnn_jax
from ssnn_jax import network
from ssnn_jax import training
from ssnn_jax import types
from ssnn_jax.baselines import feedback_alignment
from ssnn_jax.training import activity
from tests import network_test

SIZES = (8, 7, 6, 3)
CONFIG = ssnn_jax.NetworkConfig(SIZES, num_steps=40, window=5, gain=2.0)
KEY = jax.random.key(2)
IMAGES = jax.random.uniform(jax.random.key(1), (5, SIZES[0]))
LABELS = jnp.arange(5) % SIZES[-1]
PARAMS = network.init(CONFIG, jax.random.key(0))
jit = functools.partial(jax.jit, compiler_options=network_test.QUICKLY)


@jit
def align(params, feedback):
  """Counts both signs of what errors through feedback leave."""
  built = feedback_alignment.make_network(CONFIG, feedback, separate_signs=True)
  return built.learn(params, KEY, IMAGES, LABELS)


def other_params():
  return network.init(CONFIG, jax.random.key(3))


def assert_same(*trees):
  jax.tree.map(np.testing.assert_array_equal, *trees)


def layer_differs(ours, theirs):
  """Tells for each layer whether its counts of either sign differ."""
  pairs = zip(zip(*ours[:2]), zip(*theirs[:2]))
  return [
    any(
      np.any(mine != other)
      for mine, other in zip(*map(jax.tree.leaves, layers))
    )
    for layers in pairs
  ]


class FeedbackAlignmentTest(parameterized.TestCase):
  def test_with_the_parameters_it_is_the_spiking_network(self):
    spiking = ssnn_jax.ssnn(CONFIG, separate_signs=True)
    expected = jit(spiking.learn)(PARAMS, KEY, IMAGES, LABELS)
    assert_same(align(PARAMS, PARAMS), expected)

  def test_other_feedback_changes_the_hidden_layers_alone(self):
    (ours, inference), (theirs, expected) = (
      align(PARAMS, feedback) for feedback in (other_params(), PARAMS)
    )
    assert_same(inference, expected)
    self.assertEqual(layer_differs(ours, theirs), [True, True, False])
    built = feedback_alignment.make_network(CONFIG, other_params())
    assert_same(jit(built.infer)(PARAMS, KEY, IMAGES), expected)

  def test_only_weights_above_the_first_layer_send_errors_back(self):
    feedback = other_params()
    nowhere = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), feedback)
    needed = (
      nowhere[0],
      *(
        layer._replace(biases=none.biases)
        for layer, none in zip(feedback[1:], nowhere[1:])
      ),
    )
    assert_same(align(PARAMS, needed), align(PARAMS, feedback))
    # Weights between the hidden layers reach the first of them alone.
    changed = (*feedback[:1], PARAMS[1], *feedback[2:])
    self.assertEqual(
      layer_differs(align(PARAMS, changed)[0], align(PARAMS, feedback)[0]),
      [True, False, False],
    )

  def test_signs_of_errors_are_those_of_the_feedback(self):
    # One class wins for sure; hidden errors are larger than a spike a tick.
    config = ssnn_jax.NetworkConfig((1, 2, 2), num_steps=9, gain=3.0)
    params = (
      types.LayerParams(jnp.full((1, 2), 0.5), jnp.zeros(2)),
      types.LayerParams(jnp.zeros((2, 2)), jnp.array([200.0, 0.0])),
    )
    feedback = (
      params[0],
      types.LayerParams(jnp.array([[1.0, -1.0], [-2.0, 0.0]]), jnp.zeros(2)),
    )

    @jit
    def learn(feedback):
      built = feedback_alignment.make_network(config, feedback)
      return built.learn(params, KEY, jnp.ones((1, 1)), jnp.array([1]))[0]

    hidden, output = learn(feedback).positive
    np.testing.assert_array_equal(hidden.biases, [9, -9])
    np.testing.assert_array_equal(output.biases, [9, -9])
    # Through the parameters, which are 0, no error comes back.
    np.testing.assert_array_equal(learn(params).positive[0].biases, 0)

  def test_the_feedback_of_a_run_is_that_of_the_key_of_its_seed(self):
    method = methods.METHODS['feedback_alignment']
    built, drawn = [], []
    with (
      mock.patch.object(
        *(feedback_alignment, 'make_network'),
        lambda config, feedback, **_: built.append((config, feedback)),
      ),
      mock.patch.object(
        *(activity, 'make_observe'),
        lambda config, feedback: built.append((config, feedback)),
      ),
    ):
      for seed in (7, 8):
        method.make(
          CONFIG, jax.random.key(seed), separate_signs=True, axis_name='x'
        )
        method.make(CONFIG, jax.random.key(seed))
        method.make_observe(CONFIG, jax.random.key(seed))
        stream = training.stream_key(
          jax.random.key(seed), training.Stream.FEEDBACK
        )
        drawn.append(feedback_alignment.draw_feedback(CONFIG, stream))
    for found, feedback in zip(built, 3 * drawn[:1] + 3 * drawn[1:]):
      assert_same(found, (CONFIG, feedback))
    # Neither seeds share it, nor is it a seed's initial weights.
    start = training.stream_key(jax.random.key(7), training.Stream.INIT)
    for other in (drawn[1], network.init(CONFIG, start)):
      for ours, theirs in zip(drawn[0], other):
        self.assertFalse(np.any(ours.weights == theirs.weights))

  def test_errors_that_come_back_through_it_are_observed(self):

    @jit
    def observe(feedback):
      run = activity.make_observe(CONFIG, feedback)
      return run(PARAMS, KEY, IMAGES, LABELS)

    update, _ = align(PARAMS, other_params())
    seen, through_params = observe(other_params()), observe(PARAMS)
    for layer, size in enumerate(SIZES[1:]):
      spikes = sum(int(np.sum(sign[layer].biases)) for sign in update[:2])
      self.assertGreater(spikes, 0)
      ticks = len(LABELS) * size * CONFIG.num_steps
      found = float(seen.error_rates[layer]) * ticks
      self.assertAlmostEqual(found, spikes, delta=0.01)
    assert_same(seen.firing_rates, through_params.firing_rates)
    assert_same(seen.silent_fractions, through_params.silent_fractions)
    assert_same(seen.saturated_fractions, through_params.saturated_fractions)
    self.assertNotEqual(seen.error_rates[0], through_params.error_rates[0])


if __name__ == '__main__':
  absltest.main()
