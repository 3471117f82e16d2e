"""Tests of feedback alignment, and what all networks share."""

import functools

from absl.testing import parameterized
import jax
import numpy as np
import optax

from experiments.baselines import rpu
from experiments.baselines import surrogate_gradient
from experiments.runs import config as config_lib
import ssnn_jax
from ssnn_jax import training
from tests.testing import networks
from tests.testing.networks import assert_same

SIZES, KEY = (8, 7, 6, 3), jax.random.key(2)
STOCHASTIC = ssnn_jax.NetworkConfig(SIZES, num_steps=40, sampler='bernoulli')
BATCH = networks.batch(sizes=SIZES)
PARAMS, FEEDBACK = (networks.make_params(STOCHASTIC, seed) for seed in (0, 3))


@functools.partial(jax.jit, static_argnums=0)
def learn(config, feedback):
  network = ssnn_jax.ssnn(config, feedback=feedback)
  return jax.grad(network.loss, has_aux=True)(PARAMS, KEY, *BATCH)


def layers_differ(ours, theirs):
  """Returns for each layer whether two updates differ."""
  return [
    any(map(np.any, jax.tree.leaves(jax.tree.map(np.not_equal, *layers))))
    for layers in zip(ours, theirs)
  ]


class FeedbackTest(parameterized.TestCase):
  def test_feedback_sends_the_errors_of_hidden_layers(self):
    config = STOCHASTIC
    with_params = learn(config, PARAMS)
    plain = networks.learner(ssnn_jax.ssnn(config))
    assert_same(with_params, plain(PARAMS, KEY, *BATCH))
    changes, inference = learn(config, FEEDBACK)
    assert_same(inference, with_params[1])
    differ = layers_differ(changes, with_params[0])
    self.assertEqual(differ, [True, True, False])
    # Weights above a layer act on the layers below.
    between = learn(config, (FEEDBACK[0], PARAMS[1], FEEDBACK[2]))[0]
    self.assertEqual(layers_differ(between, changes), [True, False, False])

  def test_method_draws_feedback_from_the_seed(self):
    method, key = config_lib.METHODS['feedback_alignment'], jax.random.key(7)
    stream = jax.random.fold_in(key, training.Stream.FEEDBACK)
    drawn = ssnn_jax.ssnn(STOCHASTIC).init(stream)
    made = method.make(STOCHASTIC, key)
    self.assertFalse(made.has_spikes)  # a play sends errors by the weights
    found = networks.learner(made)(PARAMS, KEY, *BATCH)
    assert_same(found, learn(STOCHASTIC, drawn))


class NetworksTest(parameterized.TestCase):
  # `network_test` has those of the package.
  @parameterized.parameters(
    rpu.make_network,
    surrogate_gradient.make_network,
  )
  def test_start_loss_and_response_are_those_of_all_networks(self, make):
    network, ann = make(STOCHASTIC), ssnn_jax.ann(STOCHASTIC)
    # Without dropout the response is that of inference; RPUs answer as an ANN.
    answering = ann if make is rpu.make_network else network

    @jax.jit
    def present(key):
      starts = [own.init(jax.random.clone(key)) for own in (network, ann)]
      learned = network.loss(PARAMS, jax.random.clone(key), *BATCH)
      return starts, learned, answering.infer(PARAMS, key, BATCH[0])

    starts, (loss, inference), expected = present(KEY)
    assert_same(*starts)
    losses = optax.softmax_cross_entropy_with_integer_labels(
      inference.potential, BATCH[1]
    )
    np.testing.assert_allclose(loss, np.mean(losses), rtol=1e-6)
    networks.assert_close(inference.potential, expected.potential)
