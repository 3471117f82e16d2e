"""Tests that BP-STDP is what its authors' equations 15 to 20 say.

Weights, spikes and errors are small multiples of powers of two, so that all
that is compared is exact but for the last division.
"""

import dataclasses

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import types
from ssnn_jax.baselines import bp_stdp
from ssnn_jax.simulation import inputs as input_lib
from tests.baselines import integrate_and_fire_test
from tests.baselines.integrate_and_fire_test import as_float32
from tests.baselines.integrate_and_fire_test import fire_by_hand
from tests.baselines.integrate_and_fire_test import pack
from tests.baselines.integrate_and_fire_test import quarter_params
from tests.testing import statistics

SIZES, BATCH_SIZE = (4, 6, 6, 3), 3
LABELS = np.arange(BATCH_SIZE)
KEY = jax.random.key(2)


def make_case(num_steps):
  """Draws parameters, in doubles, and trains `[B, T, I]`."""
  rng = np.random.default_rng(0)
  params = quarter_params(rng, SIZES)
  params[-1] = params[-1]._replace(biases=np.zeros(SIZES[-1]))
  return params, rng.integers(0, 2, (BATCH_SIZE, num_steps, SIZES[0]))


def learn(config, params, trains, labels):
  return jax.jit(bp_stdp.make_network(config).learn)(
    as_float32(params), KEY, pack(trains), np.asarray(labels)
  )


def present(config, params, train, kept):
  """Presents one sample; returns the trains of all layers and last drives."""
  trains = [train]
  for layer, (weights, biases) in enumerate(params):
    drives = config.read_gains[layer] * trains[layer] @ weights + biases
    if layer < len(kept):
      fired, _ = fire_by_hand(drives, 1.0, 0.9, 'to_rest')
      trains.append(kept[layer] * fired)
    else:
      threshold = 0.025 * config.layer_sizes[-2]
      trains.append(fire_by_hand(drives, 1.0, threshold, 'to_rest')[0])
  return trains, drives


def change_by_hand(config, params, trains, label):
  """Changes the parameters by one sample; with a learning rate of 1.

  The signs are the published ones: errors `xi` ask for more spikes.
  """
  changes = [(np.zeros_like(w), np.zeros_like(b)) for w, b in params]
  for start in range(0, config.num_steps, 4):
    spikes = [train[start : start + 4] for train in trains]
    num_ticks = len(spikes[0])
    xi = []
    for neuron, train in enumerate(spikes[-1].T):  # equation 18
      if neuron == label:
        xi.append(0 if 1 in train else 1)
      else:
        xi.append(-1 if 1 in train else 0)
    for layer in reversed(range(len(params))):
      weights, gain = params[layer].weights, config.read_gains[layer]
      for i, j in np.ndindex(weights.shape):
        changes[layer][0][i, j] += gain * xi[j] * spikes[layer][:, i].sum()
      for j, error in enumerate(xi):  # a bias is an input that always fires
        changes[layer][1][j] += error * num_ticks
      xi = [
        gain * sum(w * error for w, error in zip(row, xi))
        if 1 in spikes[layer][:, neuron]
        else 0
        for neuron, row in enumerate(weights)
      ]
  return statistics.flat(changes)


class BpStdpTest(parameterized.TestCase):
  @parameterized.parameters((16, 0.0), (10, 0.5))
  def test_learn_is_the_published_rule(self, num_steps, dropout):
    config = ssnn_jax.NetworkConfig(
      SIZES, num_steps=num_steps, dropout=dropout, input_gain=2.0
    )
    params, trains = make_case(num_steps)
    kept = jax.tree.map(
      np.asarray,
      input_lib.draw_dropout_masks(config, KEY, jnp.arange(BATCH_SIZE)),
    )
    change, counts = 0, []
    for train, masks, label in zip(trains, zip(*kept), LABELS):
      layers, _ = present(config, params, train, masks)
      counts.append(layers[-1].sum(axis=0))
      change = change + change_by_hand(config, params, layers, label)
    expected = -change / (num_steps * BATCH_SIZE)
    update, inference = learn(config, params, trains, LABELS)
    for leaf in jax.tree.leaves(update.positive):
      self.assertTrue(np.any(leaf))
    np.testing.assert_allclose(
      statistics.flat(ssnn_jax.as_gradient(update)), expected, rtol=1e-6
    )
    np.testing.assert_array_equal(inference.winner_counts, counts)

  @parameterized.parameters(
    # A target that is silent is to fire more; another that fires, less.
    ('target_is_silent', (-1.0, -1.0), (-1, 0)),
    ('another_fires', (1.0, 1.0), (0, 1)),
    ('both_are_wrong', (-1.0, 1.0), (-1, 1)),
    ('all_is_right', (1.0, -1.0), (0, 0)),
  )
  def test_a_synapse_of_each_kind(self, _, weights, errors):
    config = ssnn_jax.NetworkConfig((1, 2), num_steps=4)
    params = [types.LayerParams(np.array([weights]), np.zeros(2))]
    train = np.array([1, 0, 1, 0])[None, :, None]
    (change,) = learn(config, params, train, [0])[0].positive
    # Two spikes in four ticks enter, and one a tick at the bias.
    np.testing.assert_array_equal(change.weights, 0.5 * np.array([errors]))
    np.testing.assert_array_equal(change.biases, errors)

  def test_an_error_meets_the_spikes_of_its_own_sub_interval(self):
    # In the first the input drives the wrong class, in the second nothing.
    config = ssnn_jax.NetworkConfig((2, 2), num_steps=6)
    train = np.zeros((1, 6, 2))
    train[0, :3, 0] = train[0, 4:, 1] = 1
    weights = np.array([[-1.0, 1.0], [0.0, 0.0]])
    params = [types.LayerParams(weights, np.zeros(2))]
    (change,) = learn(config, params, train, [0])[0].positive
    samples = 6.0
    np.testing.assert_allclose(
      samples * change.weights, [[-3, 3], [-2, 0]], rtol=1e-6
    )
    np.testing.assert_allclose(samples * change.biases, [-4 - 2, 4], rtol=1e-6)

  def test_nothing_is_learned_where_the_target_alone_fires(self):
    # It does at every tick, by its bias; in sub-intervals of any length.
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=10)
    params, trains = make_case(config.num_steps)
    params[-1] = params[-1]._replace(
      weights=np.zeros_like(params[-1].weights), biases=np.array([-1, 1, -1])
    )
    update, inference = learn(
      config, params, trains, np.ones(BATCH_SIZE, np.int32)
    )
    jax.tree.map(
      lambda leaf: np.testing.assert_array_equal(leaf, 0), update.positive
    )
    np.testing.assert_array_equal(
      inference.winner_counts, [[0, 10, 0]] * BATCH_SIZE
    )

  def test_spikes_forward_are_those_of_a_loop(self):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=16, dropout=0.5)
    params, trains = make_case(config.num_steps)
    trains[:, :, 0], trains[0, :, 1] = 1, 0
    whole = [np.ones(size) for size in SIZES[1:-1]]
    is_whole = dataclasses.replace(config, dropout=0.0)
    samples, drives = zip(
      *(present(is_whole, params, train, whole) for train in trains)
    )
    *below, outputs = (np.stack(layer) for layer in zip(*samples))
    inference = jax.jit(bp_stdp.make_network(config).infer)(
      as_float32(params), KEY, pack(trains)
    )
    np.testing.assert_array_equal(inference.winner_counts, outputs.sum(axis=1))
    np.testing.assert_array_equal(inference.potential, np.mean(drives, axis=1))
    observe = jax.jit(bp_stdp.make_observe(config))
    integrate_and_fire_test.assert_observes(
      observe(as_float32(params), KEY, pack(trains), LABELS), below
    )


if __name__ == '__main__':
  absltest.main()
