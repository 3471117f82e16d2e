"""Tests for training and evaluation."""

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import training
from ssnn_jax import types


def make(method, optimizer=None, batch_size=32, **options):
  """Makes a network for digits, its first state and its training step."""
  options = {'layer_sizes': (64, 32, 10), 'num_steps': 16} | options
  config = ssnn_jax.NetworkConfig(**options)
  network = getattr(ssnn_jax, method)(config)
  optimizer = optimizer or training.make_optimizer(0.5)
  state = training.init_state(network, optimizer, 0)
  train_epoch = training.make_train_epoch(network, optimizer, batch_size)
  return network, state, jax.jit(train_epoch, donate_argnums=0)


class TrainingTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    digits = datasets.load('digits')
    cls.train, cls.test = jax.device_put((digits.train, digits.test))

  @parameterized.parameters('ssnn', 'ann')
  def test_digits_are_learned(self, method):
    network, state, train_epoch = make(method)
    for _ in range(6):
      state, means = train_epoch(state, *self.train)
    self.assertEqual(train_epoch._cache_size(), 1)
    reference = ssnn_jax.ann(ssnn_jax.NetworkConfig((64, 32, 10), num_steps=16))
    evaluate = jax.jit(training.make_evaluate(network, reference, 100))
    accuracy = evaluate(state.params, jax.random.key(0), *self.test)
    # Chance is 0.1 with a standard error of 0.016 on 360 images.
    for read in accuracy:
      self.assertGreater(float(read), 0.85)
    self.assertGreater(float(means.accuracy), 0.8)

  def test_a_seed_repeats_itself(self):
    ends = []
    for _ in range(2):
      _, state, train_epoch = make('ssnn')
      ends.append(train_epoch(state, *self.train)[0].params)
    jax.tree.map(np.testing.assert_array_equal, *ends)

  def test_state_is_donated(self):
    _, state, train_epoch = make('ann')
    old = state.params[0].weights
    train_epoch(state, *self.train)
    self.assertTrue(old.is_deleted())

  def test_order_and_dropout_are_shared_by_the_methods(self):
    # With rates throughout the spiking network is the ANN, so that it follows
    # the same path as long as both see the same images and masks.
    rates = dict.fromkeys(('forward', 'backward', 'update'), 'rates')
    ends = []
    for method in ('ssnn', 'ann'):
      _, state, train_epoch = make(
        method,
        training.make_optimizer(0.1, weight_decay=0.01),
        dropout=0.3,
        num_steps=1,
        **rates,
      )
      state, _ = train_epoch(state, *self.train)
      ends.append(state.params)
    for ours, theirs in zip(*map(jax.tree.leaves, ends)):
      np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)

  def test_an_epoch_shows_every_image_at_most_once(self):
    images = jnp.arange(10, dtype=jnp.uint8)[:, None]
    seen = []

    def learn(params, key, images, labels):
      del key
      jax.debug.callback(lambda x: seen.append(np.asarray(x)), images)
      update = jax.tree.map(jnp.zeros_like, params)
      unit = jax.tree.map(lambda _: jnp.float32(1), params)
      inference = types.Inference(*(jnp.zeros((len(labels), 1)),) * 2)
      return types.Update(update, None, unit), inference

    layer = types.LayerParams(jnp.zeros((1, 1)), jnp.zeros(1))
    network = types.Network(lambda key: (layer,), None, learn)
    optimizer = training.make_optimizer(1.0)
    state = training.init_state(network, optimizer, 0)
    epoch = training.make_train_epoch(network, optimizer, batch_size=3)
    epochs = []
    for _ in range(4):
      seen.clear()
      state, _ = epoch(state, images, jnp.zeros(10, jnp.int32))
      jax.effects_barrier()
      epochs.append(np.concatenate(seen).ravel())
      self.assertLen(set(epochs[-1]), 9)
    self.assertLen({tuple(order) for order in epochs}, 4)
    self.assertLen(set(np.concatenate(epochs)), 10)

  def test_evaluation_counts_each_image_once(self):
    # A network that knows the first 7 of 10 images, in batches of 4.
    images = jnp.arange(10, dtype=jnp.uint8)[:, None, None]

    def infer(params, key, images):
      del params, key
      known = jax.nn.one_hot((images[:, 0, 0] >= 7).astype(jnp.int32), 2)
      return types.Inference(known, known)

    network = types.Network(None, infer, None)
    evaluate = training.make_evaluate(network, network, batch_size=4)
    accuracy = evaluate((), jax.random.key(0), images, jnp.zeros(10, jnp.int32))
    for read in accuracy:
      self.assertAlmostEqual(float(read), 0.7, places=6)

  def test_weight_decay_is_decoupled_and_spares_biases(self):
    params = (types.LayerParams(jnp.full((2, 2), 3.0), jnp.full(2, 3.0)),)
    gradient = jax.tree.map(jnp.ones_like, params)
    schedule = optax.linear_schedule(1.0, 0.5, 1)
    optimizer = training.make_optimizer(0.5, schedule, weight_decay=0.1)
    opt_state = optimizer.init(params)
    steps, opt_state = optimizer.update(gradient, opt_state, params)
    np.testing.assert_allclose(steps[0].weights, -0.5 * (1 + 0.1 * 3.0))
    np.testing.assert_allclose(steps[0].biases, -0.5)
    steps, _ = optimizer.update(gradient, opt_state, params)
    np.testing.assert_allclose(steps[0].weights, -0.25 * (1 + 0.1 * 3.0))


if __name__ == '__main__':
  absltest.main()
