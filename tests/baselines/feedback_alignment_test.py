"""Tests for the spiking network with fixed feedback weights."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments import config as config_lib
import ssnn_jax
from ssnn_jax import network
from ssnn_jax import training
from ssnn_jax.baselines import feedback_alignment
from tests.testing import networks
from tests.testing.networks import assert_same
from tests.testing.networks import batch

SIZES = (8, 7, 6, 3)
CONFIG = networks.stochastic(SIZES, num_steps=64, gain=2.0)
BIPOLAR = ssnn_jax.NetworkConfig(SIZES, num_steps=64)
KEY = jax.random.key(2)
BATCH = batch(sizes=SIZES)
PARAMS = networks.make_params(CONFIG)
FEEDBACK = networks.make_params(CONFIG, 3)


def present(built):
  """Returns what each layer of a network learns, and its response."""
  if built.learn is None:
    learned = jax.grad(built.loss, has_aux=True)(PARAMS, KEY, *BATCH)
    return list(learned[0]), learned[1]
  update, inference = built.learn(PARAMS, KEY, *BATCH)
  return list(zip(update.positive, update.negative)), inference


@functools.partial(jax.jit, static_argnums=0)
def learn(config, feedback):
  options = {'separate_signs': True}
  return present(feedback_alignment.make_network(config, feedback, **options))


def layers_differ(ours, theirs):
  """Returns for each layer whether two updates differ."""
  differ = jax.tree.map(
    lambda *leaves: bool(np.any(leaves[0] != leaves[1])), ours, theirs
  )
  return [any(jax.tree.leaves(layer)) for layer in differ]


class FeedbackAlignmentTest(parameterized.TestCase):
  @parameterized.parameters(CONFIG, BIPOLAR)
  def test_with_the_parameters_equals_the_spiking_network(self, config):
    spiking = ssnn_jax.ssnn(config, separate_signs=True)
    expected = jax.jit(lambda: present(spiking))()
    assert_same(learn(config, PARAMS), expected)

  @parameterized.parameters(CONFIG, BIPOLAR)
  def test_feedback_changes_only_updates_of_hidden_layers(self, config):
    ours, inference = learn(config, FEEDBACK)
    theirs, expected = learn(config, PARAMS)
    assert_same(inference, expected)
    self.assertEqual(layers_differ(ours, theirs), [True, True, False])

  @parameterized.parameters(CONFIG, BIPOLAR)
  def test_only_weights_above_the_first_layer_are_used(self, config):
    unused = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), FEEDBACK)
    used = [
      layer._replace(biases=nan.biases)
      for layer, nan in zip(FEEDBACK[1:], unused[1:])
    ]
    assert_same(learn(config, (unused[0], *used)), learn(config, FEEDBACK))
    # Weights between hidden layers change errors of the first one only.
    changed = (FEEDBACK[0], PARAMS[1], FEEDBACK[2])
    self.assertEqual(
      layers_differ(learn(config, changed)[0], learn(config, FEEDBACK)[0]),
      [True, False, False],
    )

  def test_method_draws_feedback_from_the_seed(self):
    method, key = config_lib.METHODS['feedback_alignment'], jax.random.key(7)
    stream = training.stream_key(key, training.Stream.FEEDBACK)
    drawn = feedback_alignment.draw_feedback(CONFIG, stream)
    update, _ = expected = learn(CONFIG, drawn)
    built = method.make(CONFIG, key, separate_signs=True)
    assert_same(jax.jit(lambda: present(built))(), expected)
    start = training.stream_key(key, training.Stream.INIT)
    for ours, theirs in zip(drawn, network.init(CONFIG, start)):
      self.assertFalse(np.any(ours.weights == theirs.weights))
    # Its activity has the errors of the feedback.
    observe = jax.jit(method.make_observe(CONFIG, key))
    observed = observe(PARAMS, KEY, *BATCH)
    for layer, size in enumerate(SIZES[1:]):
      spikes = sum(int(np.sum(sign.biases)) for sign in update[layer])
      self.assertGreater(spikes, 0)
      ticks = len(BATCH[1]) * size * CONFIG.num_steps
      found = float(observed.error_rates[layer]) * ticks
      self.assertAlmostEqual(found, spikes, delta=0.01)
