"""Tests of the training loop: epochs, evaluations, and several seeds."""

import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import training
from ssnn_jax import types
from ssnn_jax.training import loop
from ssnn_jax.training import metrics
from tests.testing.networks import assert_same

NETWORK = ssnn_jax.ann(  # traced in less time than spikes
  ssnn_jax.NetworkConfig((6, 5, 3), dropout=0.1)
)
INPUTS = np.random.default_rng(0).random((40, 6), np.float32)
LABELS = np.arange(40) % 3
TRAIN, TEST = (INPUTS[:32], LABELS[:32]), (INPUTS[32:], LABELS[32:])
PROGRAMS = loop.make_programs(NETWORK, training.make_optimizer(0.5), 8)


def start(seeds, learning_rates):
  """Returns the state of seeds with learning rates of their own."""

  def start_one(seed, learning_rate):
    optimizer = training.make_optimizer(learning_rate)
    return training.init_state(NETWORK, optimizer, seed)

  start_all = jax.jit(jax.vmap(start_one))
  return start_all(np.array(seeds), np.float32(learning_rates))


def run(state, num_epochs, eval_set=TEST, **options):
  """Returns all epochs, with states as NumPy arrays."""
  epochs = loop.run(PROGRAMS, state, TRAIN, eval_set, num_epochs, **options)
  unwrap = lambda state: state._replace(key=jax.random.key_data(state.key))
  return [
    jax.device_get(epoch._replace(state=unwrap(epoch.state)))
    for epoch in epochs
  ]


class LoopTest(parameterized.TestCase):
  def test_seeds_side_by_side_learn_the_same_as_alone(self):
    seeds, rates = (3, 0, 3), (0.5, 0.5, 0.1)
    *_, together = run(start(seeds, rates), 2)
    for index, (seed, rate) in enumerate(zip(seeds, rates)):
      *_, alone = run(start([seed], [rate]), 2)
      of_seed = jax.tree.map(lambda leaf: leaf[[index]], together.state)  # noqa: B023
      assert_same(of_seed, alone.state)
      accuracy = together.accuracy.default[index]
      self.assertEqual(accuracy, alone.accuracy.default)
    weights = together.state.params[0].weights
    for one, other in ((0, 1), (0, 2), (1, 2)):
      self.assertFalse(np.array_equal(weights[one], weights[other]))

  def test_images_are_shifted_and_mirrored(self):
    image = np.arange(1, 1 + 16 * 8 * 3).reshape(16, 8, 3)
    padded = np.pad(image, [(2, 2), (1, 1), (0, 0)])
    candidates = np.array([
      padded[top : top + 16, left : left + 8][:, ::step]
      for top in range(5)
      for left in range(3)
      for step in (1, -1)
    ])  # fmt: skip
    batch = np.tile(np.float32(image), (400, 1, 1, 1))
    augment = jax.jit(functools.partial(loop.augment, jax.random.key(0)))
    changed = np.asarray(augment(np.arange(400), batch))
    is_same = np.all(changed[:, None] == candidates, axis=(2, 3, 4))
    np.testing.assert_array_equal(is_same.sum(1), 1)
    # All 30 are drawn, but for a chance of 30 (29 / 30)^400 = 4e-5.
    self.assertTrue(np.all(is_same.any(0)))
    # Changes depend on the position in the batch alone, as a shard needs.
    again = augment(np.arange(400)[::-1], batch)
    np.testing.assert_array_equal(again, changed[::-1])

  def test_evaluates_when_due_and_after_the_last_epoch(self):
    for every, expected in ((0, [3]), (2, [2, 3])):
      epochs = run(start([0], [0.5]), 3, eval_every=every)
      self.assertEqual([epoch.number for epoch in epochs], [1, 2, 3])
      evaluated = [e.number for e in epochs if e.accuracy is not None]
      self.assertEqual(evaluated, expected)

  def test_deletes_the_state_of_the_epoch_before(self):
    state = start([0], [0.5])
    weights = state.params[0].weights
    (epoch,) = loop.run(PROGRAMS, state, TRAIN, None, num_epochs=1)
    self.assertTrue(weights.is_deleted())
    self.assertIsNone(epoch.accuracy)
    again = loop.run(PROGRAMS, epoch.state, TRAIN, TEST, num_epochs=1)
    self.assertEmpty(list(again))  # trained already


class TrainEpochTest(parameterized.TestCase):
  def test_visits_samples_at_most_once_in_random_order(self):
    images = jnp.arange(10, dtype=jnp.uint8)[:, None]
    visited = []

    def loss(params, key, images, labels):
      del params, key
      jax.debug.callback(lambda x: visited.append(np.asarray(x)), images)
      # Counts are right, the potential is wrong.
      answers = jax.nn.one_hot(labels, 2), jax.nn.one_hot(1 - labels, 2)
      return 0.0, types.Inference(*answers)

    layer = types.LayerParams(jnp.zeros((1, 1)), jnp.zeros(1))
    init = lambda key: (layer,)
    network = types.Network(init, None, loss, readout='winner')
    optimizer = training.make_optimizer(0.5)
    state = training.init_state(network, optimizer, 0)
    epoch = jax.jit(training.make_train_epoch(network, optimizer, 3))
    orders = []
    for _ in range(4):
      visited.clear()
      state, _, found = epoch(state, images, jnp.zeros(10, jnp.int32))
      self.assertEqual(found, 1.0)
      jax.effects_barrier()
      orders.append(np.concatenate(visited).ravel())
      self.assertLen(set(orders[-1]), 9)
    self.assertLen(set(map(tuple, orders)), 4)
    self.assertLen(set(np.concatenate(orders)), 10)


class EvaluationTest(parameterized.TestCase):
  def test_counts_each_sample_once(self):
    # Of 10 images, in batches of 4, each readout classifies another number.
    images = jnp.arange(10, dtype=jnp.uint8)[:, None, None]

    def infer(params, key, images):
      del params, key
      classes = [images[:, 0, 0] >= number for number in (7, 5)]
      return types.Inference(
        *(jax.nn.one_hot(jnp.int32(x), 2) for x in classes)
      )

    network = types.Network(None, infer, None, readout='winner')
    evaluate = training.make_evaluate(network, network, batch_size=4)
    labels = np.zeros(10, np.int32)
    accuracy = jax.jit(evaluate)((), jax.random.key(0), images, labels)
    loss = np.log1p(np.e) - 0.5  # of potentials 0 and 1
    expected = metrics.Accuracy(0.7, 0.7, 0.5, loss, rate=0.5)
    np.testing.assert_allclose(accuracy, expected, rtol=1e-6)

  def test_readouts_predict_most_counts_and_break_ties_by_potential(self):
    counts = jnp.array([[3, 1, 0], [2, 2, 0], [0, 2, 2], [1, 1, 1]])
    potential = jnp.array(
      [[0.0, 9.0, 0.0], [0.1, 0.2, 9.0], [9.0, 0.5, 0.4], [0.0, 0.0, 0.1]]
    )
    inference = types.Inference(counts, potential)
    for readout, expected in (
      ('winner', [0, 1, 1, 2]),
      ('potential', [1, 2, 0, 2]),
    ):
      predicted = metrics.predict(inference, readout)
      np.testing.assert_array_equal(predicted, expected)
