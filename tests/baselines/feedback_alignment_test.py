"""Tests for the spiking network with fixed feedback weights."""

from unittest import mock

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from experiments import config as config_lib
import ssnn_jax
from ssnn_jax import network
from ssnn_jax import training
from ssnn_jax.baselines import feedback_alignment
from ssnn_jax.training import activity
from tests.testing import networks
from tests.testing.networks import batch

SIZES = (8, 7, 6, 3)
CONFIG = ssnn_jax.NetworkConfig(SIZES, num_steps=64, gain=2.0)
KEY = jax.random.key(2)
BATCH = batch(sizes=SIZES)
PARAMS = networks.make_params(CONFIG)
FEEDBACK = networks.make_params(CONFIG, 3)


@jax.jit
def learn(feedback):
  built = feedback_alignment.make_network(CONFIG, feedback, separate_signs=True)
  return built.learn(PARAMS, KEY, *BATCH)


def assert_equal(*trees):
  jax.tree.map(np.testing.assert_array_equal, *trees)


def layers_differ(ours, theirs):
  """Returns for each layer whether the counts of two updates differ."""
  differ = jax.tree.map(
    lambda *leaves: bool(np.any(leaves[0] != leaves[1])), ours, theirs
  )
  return [
    any(jax.tree.leaves(layer))
    for layer in zip(differ.positive, differ.negative)
  ]


class FeedbackAlignmentTest(absltest.TestCase):
  def test_with_the_parameters_equals_the_spiking_network(self):
    spiking = ssnn_jax.ssnn(CONFIG, separate_signs=True)
    assert_equal(learn(PARAMS), jax.jit(spiking.learn)(PARAMS, KEY, *BATCH))

  def test_feedback_changes_only_counts_of_hidden_layers(self):
    (ours, inference), (theirs, expected) = learn(FEEDBACK), learn(PARAMS)
    assert_equal(inference, expected)
    self.assertEqual(layers_differ(ours, theirs), [True, True, False])

  def test_only_weights_above_the_first_layer_are_used(self):
    unused = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), FEEDBACK)
    used = [
      layer._replace(biases=nan.biases)
      for layer, nan in zip(FEEDBACK[1:], unused[1:])
    ]
    assert_equal(learn((unused[0], *used)), learn(FEEDBACK))
    # Weights between hidden layers change errors of the first one only.
    changed = (FEEDBACK[0], PARAMS[1], FEEDBACK[2])
    self.assertEqual(
      layers_differ(learn(changed)[0], learn(FEEDBACK)[0]),
      [True, False, False],
    )

  def test_method_draws_feedback_from_the_seed(self):
    method = config_lib.METHODS['feedback_alignment']
    with (
      mock.patch.object(feedback_alignment, 'make_network') as make,
      mock.patch.object(activity, 'make_observe') as make_observe,
    ):
      drawn = []
      for seed in (7, 8):
        key = jax.random.key(seed)
        method.make(CONFIG, key, separate_signs=True, axis_name='x')
        method.make(CONFIG, key)
        method.make_observe(CONFIG, key)
        stream = training.stream_key(key, training.Stream.FEEDBACK)
        expected = CONFIG, feedback_alignment.draw_feedback(CONFIG, stream)
        calls = make.call_args_list[-2:] + make_observe.call_args_list[-1:]
        for call in calls:
          assert_equal(call.args, expected)
        drawn.append(expected[1])
    # Feedback differs between seeds, and from the initial weights of a seed.
    start = training.stream_key(jax.random.key(7), training.Stream.INIT)
    for other in (drawn[1], network.init(CONFIG, start)):
      for ours, theirs in zip(drawn[0], other):
        self.assertFalse(np.any(ours.weights == theirs.weights))

  def test_activity_counts_errors_of_the_feedback(self):
    @jax.jit
    def observe(feedback):
      run = activity.make_observe(CONFIG, feedback)
      return run(PARAMS, KEY, *BATCH)

    update, _ = learn(FEEDBACK)
    observed = observe(FEEDBACK)
    for layer, size in enumerate(SIZES[1:]):
      spikes = sum(int(np.sum(sign[layer].biases)) for sign in update[:2])
      self.assertGreater(spikes, 0)
      ticks = len(BATCH[1]) * size * CONFIG.num_steps
      found = float(observed.error_rates[layer]) * ticks
      self.assertAlmostEqual(found, spikes, delta=0.01)
