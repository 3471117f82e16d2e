"""Tests of training epochs and evaluations."""

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import training
from ssnn_jax import types

CONFIG = ssnn_jax.NetworkConfig((64, 32, 10), num_steps=16)


def start(network, optimizer=None, batch_size=32):
  """Returns the initial state and the jitted function that trains an epoch."""
  optimizer = optimizer or training.make_optimizer(0.5)
  state = training.init_state(network, optimizer, 0)
  train_epoch = training.make_train_epoch(network, optimizer, batch_size)
  return state, jax.jit(train_epoch)


class TrainEpochTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    digits = datasets.load('digits')
    cls.train, cls.test = jax.device_put((digits.train, digits.test))

  def test_learns_digits(self):
    network = ssnn_jax.ssnn(CONFIG)
    first, train_epoch = start(network)
    states = [first]
    for _ in range(6):
      state, means = train_epoch(states[-1], *self.train)
      states.append(state)
    again, _ = train_epoch(first, *self.train)
    jax.tree.map(np.testing.assert_array_equal, again.params, states[1].params)
    self.assertEqual(train_epoch._cache_size(), 1)
    evaluate = training.make_evaluate(network, ssnn_jax.ann(CONFIG), 100)
    key = jax.random.key(0)
    accuracy = jax.jit(evaluate)(state.params, key, *self.test)
    # Chance is 0.1 with a standard error of 0.016 on 360 images.
    for fraction in accuracy:
      self.assertGreater(float(fraction), 0.85)
    self.assertGreater(float(means.accuracy), 0.8)

  def test_network_on_rates_follows_ann(self):
    # With rates the spiking network is the ANN, so both have the same weights
    # as long as both see the same images and dropout masks.
    rates = 'forward', 'backward', 'update'
    config = ssnn_jax.NetworkConfig(
      (64, 32, 10), num_steps=1, dropout=0.3, rates=rates
    )
    params = []
    for build in (ssnn_jax.ssnn, ssnn_jax.ann):
      optimizer = training.make_optimizer(0.1, weight_decay=0.01)
      state, train_epoch = start(build(config), optimizer)
      params.append(train_epoch(state, *self.train)[0].params)
    for ours, theirs in zip(*map(jax.tree.leaves, params)):
      np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)

  def test_visits_samples_at_most_once_in_random_order(self):
    images = jnp.arange(10, dtype=jnp.uint8)[:, None]
    visited = []

    def learn(params, key, images, labels):
      del key
      jax.debug.callback(lambda x: visited.append(np.asarray(x)), images)
      update = types.exact_update(jax.tree.map(jnp.zeros_like, params))
      zeros = jnp.zeros((len(labels), 1))
      return update, types.Inference(zeros, zeros, zeros)

    layer = types.LayerParams(jnp.zeros((1, 1)), jnp.zeros(1))
    network = types.Network(lambda key: (layer,), None, learn)
    state, train_epoch = start(network, batch_size=3)
    orders = []
    for _ in range(4):
      visited.clear()
      state, _ = train_epoch(state, images, jnp.zeros(10, jnp.int32))
      jax.effects_barrier()
      orders.append(np.concatenate(visited).ravel())
      self.assertLen(set(orders[-1]), 9)
    self.assertLen(set(map(tuple, orders)), 4)
    self.assertLen(set(np.concatenate(orders)), 10)


class EvaluationTest(absltest.TestCase):
  def test_counts_each_sample_once(self):
    # Of 10 images, in batches of 4, each readout classifies another number.
    images = jnp.arange(10, dtype=jnp.uint8)[:, None, None]

    def infer(params, key, images):
      del params, key
      classes = [images[:, 0, 0] >= number for number in (7, 5, 3)]
      ones = [jax.nn.one_hot(jnp.int32(found), 2) for found in classes]
      return types.Inference(
        winner_counts=ones[0], largest_counts=ones[1], potential=ones[2]
      )

    network = types.Network(None, infer, None)
    labels = jnp.zeros(10, jnp.int32)
    for ann in (network, None):
      evaluate = training.make_evaluate(network, ann, batch_size=4)
      accuracy = evaluate((), jax.random.key(0), images, labels)
      rate = [] if ann is None else [0.3]
      self.assertEqual(accuracy.rate is None, ann is None)
      found = np.array(jax.tree.leaves(accuracy))
      np.testing.assert_allclose(found, [0.7, 0.5, 0.3, *rate], rtol=1e-6)
