"""Tests for `training.fit`."""

import contextlib
import dataclasses
import io

from absl.testing import parameterized
import jax
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import datasets
from ssnn_jax import training
from tests.testing.networks import assert_same

CONFIG = ssnn_jax.NetworkConfig(
  (6, 5, 3), num_steps=8, sampler='bernoulli', dropout=0.1
)
NETWORK = ssnn_jax.ann(CONFIG)  # traced in less time than spikes
OPTIMIZER = training.make_optimizer(0.5)
INPUTS = np.random.default_rng(0).random((40, 6), np.float32)
LABELS = np.arange(40) % 3
TRAIN = datasets.Split(INPUTS[:32], LABELS[:32])
TEST = datasets.Split(INPUTS[32:], LABELS[32:])
DATASET = datasets.Dataset('random', TRAIN, TEST, ('a', 'b', 'c'))


def fit(dataset=DATASET, optimizer=OPTIMIZER, network=NETWORK, **options):
  options = {'num_epochs': 2, 'batch_size': 8, 'progress': False} | options
  return training.fit(network, optimizer, dataset, **options)


class FitTest(parameterized.TestCase):
  def test_equals_loop_over_epochs(self):
    result = fit(seed=3)
    state = training.init_state(NETWORK, OPTIMIZER, seed=3)
    train_epoch = training.make_train_epoch(NETWORK, OPTIMIZER, batch_size=8)
    evaluate = jax.jit(training.make_evaluate(NETWORK, None, batch_size=256))
    key = training.stream_key(state.key, training.Stream.EVALUATE)
    for epoch in range(2):
      state, means = jax.jit(train_epoch)(state, *TRAIN)
      accuracy = evaluate(state.params, key, *TEST).default
      row = jax.tree.map(lambda values: values[epoch], result.history)  # noqa: B023
      assert_same(tuple(row), (means.loss, means.accuracy, accuracy))
    assert_same(result.state.params, state.params)
    assert_same(result.state.opt_state, state.opt_state)
    self.assertEqual(int(result.state.epoch), 2)

  def test_continued_training_equals_one_call(self):
    first = fit()
    second = fit(state=first.state)
    assert_same(first.state.params, fit().state.params)  # was not deleted
    whole = fit(num_epochs=np.int64(4))
    assert_same(second.state.params, whole.state.params)
    assert_same(second.state.opt_state, whole.state.opt_state)
    halves = zip(first.history, second.history)
    assert_same(tuple(map(np.concatenate, halves)), tuple(whole.history))

  def test_parameters_are_trained_with_new_random_numbers(self):
    # Without dropout and noise, only the orders of samples differ.
    network = ssnn_jax.ann(dataclasses.replace(CONFIG, dropout=0.0))
    first = fit(network=network, num_epochs=1).state
    whole = fit(network=network, num_epochs=2).state.params
    for epoch, is_same in ((1, True), (0, False)):
      state = training.init_state(
        network, OPTIMIZER, 0, params=first.params, epoch=epoch
      )
      params = fit(network=network, state=state, num_epochs=1).state.params
      pairs = zip(jax.tree.leaves(params), jax.tree.leaves(whole))
      self.assertEqual(all(np.array_equal(*pair) for pair in pairs), is_same)

  def test_accepts_arrays(self):
    arrays = jax.device_put(INPUTS[:32]), LABELS[:32].tolist()
    result = fit(arrays, evaluate=tuple(TEST))
    assert_same(tuple(result.history), tuple(fit().history))
    assert_same(result.state.params, fit().state.params)
    binary, labels = INPUTS[:32] > 0.5, LABELS[:32] > 1
    expected = fit((binary.astype(np.float32), labels.astype(int)))
    found = fit((binary, labels[:, None]))
    assert_same(found.history.loss, expected.history.loss)

  def test_evaluates_on_validation_split(self):
    held_out = datasets.Split(INPUTS[32:], np.zeros(8, int))
    expected = fit(evaluate=held_out).history.eval_accuracy
    self.assertFalse(np.array_equal(expected, fit().history.eval_accuracy))
    result = fit(DATASET._replace(validation=held_out))
    assert_same(result.history.eval_accuracy, expected)

  @parameterized.parameters((DATASET, False), (tuple(TRAIN), True))
  def test_does_not_evaluate_without_split(self, dataset, evaluate):
    history = fit(dataset, evaluate=evaluate).history
    self.assertIsNone(history.eval_accuracy)
    assert_same(history.loss, fit().history.loss)

  def test_calls_compile_once(self):
    num_traces = 0

    def loss(*args):
      nonlocal num_traces
      num_traces += 1
      return NETWORK.loss(*args)

    network = NETWORK._replace(loss=loss)
    for seed in range(2):
      fit(network=network, evaluate=False, seed=seed)
      self.assertEqual(num_traces, 1)

  def test_trains_a_chip(self):
    config = chip.ChipConfig((6, 3), num_steps=8)
    network, device = chip.make_network(config), chip.make_device(config, 0.005)
    state = training.init_state(network, device, 0)
    result = fit(network=network, optimizer=device, state=state, num_epochs=1)
    (before,), (after,) = state.params, result.state.params
    self.assertEqual(after.dtype, before.dtype)
    self.assertFalse(np.array_equal(after, before))

  def test_warns_of_a_loss_that_is_not_finite(self):
    with self.assertWarnsRegex(UserWarning, 'the loss of epoch 1 is nan; try'):
      fit(optimizer=optax.sgd(np.inf), num_epochs=1)

  def test_shows_progress(self):
    for progress in (True, False):
      output = io.StringIO()
      with contextlib.redirect_stderr(output):
        fit(progress=progress)
      shown = ['2/2', 'loss=', 'train_accuracy=', 'eval_accuracy=']
      self.assertEqual([t in output.getvalue() for t in shown], [progress] * 4)
