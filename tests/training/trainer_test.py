"""Tests of `training.fit` and `training.compare`."""

from absl.testing import parameterized
import jax
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import training
from tests.testing.networks import assert_same

CONFIG = ssnn_jax.NetworkConfig(
  (6, 5, 3), num_steps=8, sampler='bernoulli', dropout=0.1
)
ANN = ssnn_jax.ann(CONFIG)  # traced in less time than spikes
TRACES = []


def count_trace(*args):
  TRACES.append(args)
  return ANN.loss(*args)


NETWORK, OPTIMIZER = (
  ANN._replace(loss=count_trace),
  training.make_optimizer(0.5),
)
LABELS = np.arange(40) % 3
# The brightest input is the class.
INPUTS = np.random.default_rng(0).random((40, 6), np.float32) / 2
INPUTS[np.arange(40), LABELS] = 1.0
TRAIN = datasets.Split(INPUTS[:32], LABELS[:32])
TEST = datasets.Split(INPUTS[32:], LABELS[32:])
DATASET = datasets.Dataset('random', TRAIN, TEST, ('a', 'b', 'c'))


def fit(dataset=DATASET, optimizer=OPTIMIZER, network=NETWORK, **options):
  options = {'num_epochs': 2, 'batch_size': 8, 'progress': False} | options
  return training.fit(network, optimizer, dataset, **options)


class FitTest(parameterized.TestCase):
  def test_equals_loop_over_epochs(self):
    rows = []
    result = fit(seed=3, callback=rows.append)
    self.assertEqual([row.pop('epoch') for row in rows], [1, 2])
    for row, values in zip(rows, zip(*result.history)):
      self.assertEqual(row, dict(zip(result.history._fields, values)))
    state = training.init_state(NETWORK, OPTIMIZER, seed=3)
    train_epoch = jax.jit(training.make_train_epoch(NETWORK, OPTIMIZER, 8))
    evaluate = jax.jit(training.make_evaluate(NETWORK, None, batch_size=256))
    key = jax.random.fold_in(state.key, training.Stream.EVALUATE)
    for epoch in range(2):
      state, *means = train_epoch(state, *TRAIN)
      accuracy = evaluate(state.params, key, *TEST).default
      row = jax.tree.map(lambda values: values[epoch], result.history)  # noqa: B023
      assert_same(tuple(row), (*means, accuracy))
    assert_same(result.state.params, state.params)
    assert_same(result.state.opt_state, state.opt_state)
    self.assertEqual(int(result.state.epoch), 2)

  def test_continued_training_equals_one_call(self):
    first, whole = fit(num_epochs=1), fit()
    second = fit(state=first.state, num_epochs=1)
    assert_same(first.state.params, fit(num_epochs=1).state.params)  # kept
    assert_same(second.state.params, whole.state.params)
    assert_same(second.state.opt_state, whole.state.opt_state)
    halves = zip(first.history, second.history)
    assert_same(tuple(map(np.concatenate, halves)), tuple(whole.history))
    # Parameters alone: the number of the epoch chooses what is random.
    for epoch, is_same in ((1, True), (0, False)):
      state = training.init_state(
        NETWORK, OPTIMIZER, 0, params=first.state.params, epoch=epoch
      )
      weights = fit(state=state, num_epochs=1).state.params[0].weights
      same = np.array_equal(weights, whole.state.params[0].weights)
      self.assertEqual(same, is_same)

  def test_accepts_arrays(self):
    arrays = jax.device_put(INPUTS[:32]), LABELS[:32].tolist()
    assert_same(fit(arrays, evaluate=tuple(TEST)).history, fit().history)
    labels = INPUTS[:32, 5] > 0.25
    found, expected = (
      fit((INPUTS[:32], own)).history for own in (labels[:, None], labels * 1)
    )
    assert_same(found.loss, expected.loss)

  def test_evaluates_on_a_split_if_there_is_one(self):
    held_out = datasets.Split(INPUTS[32:], np.zeros(8, int))
    expected, on_test = fit(evaluate=held_out).history, fit().history
    self.assertFalse(
      np.array_equal(expected.eval_accuracy, on_test.eval_accuracy)
    )
    assert_same(fit(DATASET._replace(validation=held_out)).history, expected)
    for dataset, evaluate in ((DATASET, False), (tuple(TRAIN), True)):
      history = fit(dataset, evaluate=evaluate).history
      self.assertIsNone(history.eval_accuracy)
      assert_same(history.loss, on_test.loss)

  def test_calls_compile_once(self):
    fit()
    before = len(TRACES)
    fit(seed=1)
    self.assertLen(TRACES, before)
    self.assertNotEmpty(TRACES)

  def test_number_is_a_rate_that_falls_to_0(self):
    schedule = optax.linear_schedule(0.5, 0.0, 8)  # 2 epochs of 4 batches
    found, expected = (
      fit(optimizer=optimizer, evaluate=False).state.params
      for optimizer in (0.5, schedule)
    )
    assert_same(found, expected)


class ComparisonTest(parameterized.TestCase):
  def test_equals_trainings_of_both_networks(self):
    options = {'num_epochs': 2, 'batch_size': 8, 'progress': False}
    result = training.compare(
      CONFIG, DATASET, (7,), optimizer=OPTIMIZER, **options
    )
    for network, accuracies in (
      (ssnn_jax.ssnn(CONFIG), result.ssnn),
      (ANN, result.ann),
    ):
      history = fit(network=network, seed=7).history
      self.assertEqual(accuracies[0], history.eval_accuracy[-1])

  def test_nothing_is_compared_at_chance(self):
    accuracies = np.full(5, 0.1)
    found = training.Comparison(
      tuple(range(5)), accuracies, accuracies, 200, 2.0, 0.1
    )
    self.assertEndsWith(str(found), ': at chance, so that nothing is compared')
