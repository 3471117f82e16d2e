"""Tests of updates in each window of a presentation."""

import dataclasses
import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np
import optax

import ssnn_jax
from ssnn_jax import datasets
from ssnn_jax import training
from ssnn_jax.simulation import updates
from tests.testing import networks
from tests.testing import realtime as windows

KEY, SIZES, RATE = jax.random.key(2), (8, 7, 3), 0.5
CONFIG = ssnn_jax.NetworkConfig(
  SIZES,
  num_steps=39,
  window=4,
  settle=0,
  timing='realtime',
  update_every='window',
)
PARAMS = tuple(
  layer._replace(biases=layer.biases + 0.3)
  for layer in networks.make_params(CONFIG)
)
BATCH = networks.batch(4, SIZES)


def assert_same(found, expected):
  jax.tree.map(np.testing.assert_array_equal, found, expected)


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, 0), axis_name='shards')
def learn_shards(rate, batch):
  """Trains by gradient descent; returns the result and the windows' counts.

  The axis of `vmap` stands for the devices of a mesh that share the batch.
  """
  optimizer = optax.sgd(rate)
  num_windows = CONFIG.schedule.num_windows
  counted = jax.tree.map(
    lambda x: jnp.zeros((num_windows, *x.shape), jnp.int32), PARAMS
  )

  def update(index, update, state, params):
    opt_state, counted = state
    gradient = ssnn_jax.as_gradient(update)
    changes, opt_state = optimizer.update(gradient, opt_state, params)
    counted = jax.tree.map(
      lambda all, now: all.at[index].set(now), counted, update.positive
    )
    return optax.apply_updates(params, changes), (opt_state, counted)

  start = optimizer.init(PARAMS), counted
  built = ssnn_jax.ssnn(CONFIG, axis_name='shards')
  (params, (_, counted)), inference = built.learn_online(
    PARAMS, KEY, *batch, update, start
  )
  return params, counted, inference


def learn_online(rate):
  """Trains on two shards of the batch; all shards have the same result."""
  shards = jax.tree.map(lambda x: x.reshape(2, 2, *x.shape[1:]), BATCH)
  params, counted, inference = learn_shards(rate, shards)
  params, counted, inference = jax.device_get((params, counted, inference))
  first, second = (
    jax.tree.map(lambda x, shard=shard: x[shard], (params, counted))
    for shard in range(2)
  )
  assert_same(first, second)
  inference = jax.tree.map(lambda x: x.reshape(4, *x.shape[2:]), inference)
  return *first, inference


class OnlineTest(parameterized.TestCase):
  def test_without_changes_counts_sum_to_those_of_the_presentation(self):
    params, counted, inference = learn_online(0.0)
    config = dataclasses.replace(CONFIG, update_every='presentation')
    built = ssnn_jax.ssnn(config)
    self.assertIsNone(built.learn_online)
    update, expected = jax.jit(built.learn)(PARAMS, KEY, *BATCH)
    total = jax.tree.map(lambda counts: counts.sum(axis=0), counted)
    assert_same(total, update.positive)
    # Reads of one window, or of several, sum 7 weights in another order.
    bound = 7 * np.finfo(np.float32).eps * np.abs(expected.potential).max()
    np.testing.assert_allclose(
      inference.potential, expected.potential, rtol=0, atol=bound
    )
    assert_same(inference._replace(potential=0), expected._replace(potential=0))
    assert_same(params, PARAMS)
    # Errors start with the output layer.
    for layer, start in zip(counted, CONFIG.error_starts):
      is_changed = np.asarray(layer.biases).any(axis=1)
      np.testing.assert_array_equal(np.argmax(is_changed), start)

  def test_equals_a_loop_over_windows(self):
    params, counted, inference = learn_online(RATE)
    unit = jax.device_get(updates.plan_pulses(CONFIG, 4, None).unit)
    state, wins, expected = windows.init_state(CONFIG, 4), 0, PARAMS
    for index in range(CONFIG.schedule.num_windows):
      state, signals = windows.run_window(
        CONFIG, expected, KEY, BATCH, state, index
      )
      positive, negative = windows.count_coincidences(signals)
      counts = jax.tree.map(np.subtract, positive, negative)
      now = jax.tree.map(lambda x, index=index: x[index], counted)
      assert_same(now, counts)
      expected = jax.tree.map(
        lambda x, count, gradient: x - RATE * np.float32(gradient * count),
        expected,
        counts,
        unit,
      )
      wins += np.asarray(signals.response.winner_counts)
    networks.assert_close(params, expected)
    np.testing.assert_array_equal(inference.winner_counts, wins)
    # The changed weights have changed later counts.
    _, unchanged, _ = learn_online(0.0)
    self.assertFalse(np.array_equal(counted[0].weights, unchanged[0].weights))

  def test_devices_reduce_the_loss_of_digits(self):
    config = ssnn_jax.NetworkConfig(
      (64, 10), num_steps=8, settle=0, timing='realtime', update_every='window'
    )
    device = ssnn_jax.DeviceConfig(dw_min=1e-3)
    optimizer = ssnn_jax.hardware.make_resistive(device, 0.5)
    built = ssnn_jax.ssnn(config, separate_signs=True)
    train = jax.jit(training.make_train_epoch(built, optimizer, batch_size=32))
    state = training.init_state(built, optimizer, 0)
    inputs, labels = datasets.load('digits').train
    losses = []
    for _ in range(2):
      state, means = train(state, inputs[:960], labels[:960])
      losses.append(float(means.loss))
    self.assertLess(losses[-1], 0.6 * losses[0])
    self.assertGreater(float(means.accuracy), 0.8)
