"""Tests of the training loop of several seeds."""

from absl.testing import parameterized
import jax
import numpy as np

import ssnn_jax
from ssnn_jax import training
from ssnn_jax.training import loop

NETWORK = ssnn_jax.ann(  # traced in less time than spikes
  ssnn_jax.NetworkConfig((6, 5, 3), dropout=0.1)
)
INPUTS = np.random.default_rng(0).random((40, 6), np.float32)
LABELS = np.arange(40) % 3
TRAIN, TEST = (INPUTS[:32], LABELS[:32]), (INPUTS[32:], LABELS[32:])
PROGRAMS = loop.make_programs(
  lambda key: NETWORK, training.make_optimizer(0.0), batch_size=8
)


def start(seeds, learning_rates):
  """Returns the state of seeds with learning rates of their own."""

  def start_one(seed, learning_rate):
    optimizer = training.make_optimizer(learning_rate)
    return training.init_state(NETWORK, optimizer, seed)

  return jax.vmap(start_one)(np.array(seeds), np.float32(learning_rates))


def run(state, num_epochs, eval_set=TEST, **options):
  """Returns all epochs, with states as NumPy arrays."""
  epochs = loop.run(PROGRAMS, state, TRAIN, eval_set, num_epochs, **options)
  unwrap = lambda state: state.replace(key=jax.random.key_data(state.key))
  return [
    jax.device_get(epoch._replace(state=unwrap(epoch.state)))
    for epoch in epochs
  ]


def assert_same(one, other):
  jax.tree.map(np.testing.assert_array_equal, one, other)


class LoopTest(parameterized.TestCase):
  def test_seeds_side_by_side_learn_the_same_as_alone(self):
    seeds, rates = (3, 0, 3), (0.5, 0.5, 0.1)
    *_, together = run(start(seeds, rates), 2)
    for index, (seed, rate) in enumerate(zip(seeds, rates)):
      *_, alone = run(start([seed], [rate]), 2)
      own = jax.tree.map(lambda leaf: leaf[[index]], together.state)  # noqa: B023
      assert_same(own, alone.state)
      self.assertEqual(together.accuracy.winner[index], alone.accuracy.winner)
    weights = together.state.params[0].weights
    for one, other in ((0, 1), (0, 2), (1, 2)):
      self.assertFalse(np.array_equal(weights[one], weights[other]))

  def test_continued_training_equals_one_call(self):
    whole = run(start([0, 1], [0.5, 0.5]), 3)
    state = start([0, 1], [0.5, 0.5])
    for epoch in loop.run(PROGRAMS, state, TRAIN, TEST, num_epochs=2):
      state = epoch.state
    self.assertEmpty(run(state, 2))  # both epochs are trained
    (last,) = run(state, 3)
    self.assertEqual(last.number, 3)
    assert_same(tuple(last), tuple(whole[-1]))

  @parameterized.parameters((0, [5]), (1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]))
  def test_evaluates_when_due_and_after_the_last_epoch(self, every, expected):
    epochs = run(start([0], [0.5]), 5, eval_every=every)
    self.assertEqual([epoch.number for epoch in epochs], [1, 2, 3, 4, 5])
    evaluated = [e.number for e in epochs if e.accuracy is not None]
    self.assertEqual(evaluated, expected)

  def test_evaluates_nothing_without_a_split(self):
    epochs = run(start([0], [0.5]), 2, eval_set=None)
    self.assertEqual([epoch.accuracy for epoch in epochs], [None, None])

  def test_deletes_the_state_of_the_epoch_before(self):
    state = start([0], [0.5])
    weights = state.params[0].weights
    next(loop.run(PROGRAMS, state, TRAIN, None, num_epochs=1))
    self.assertTrue(weights.is_deleted())
