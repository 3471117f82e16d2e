"""Tests for the activity of neurons and synapses."""

import dataclasses

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import realtime
from ssnn_jax import types
from ssnn_jax.training import activity
from tests.testing import convolutions
from tests.testing import networks
from tests.testing.coincidences import pack

SIZES = (12, 9, 3)
BATCH_SIZE = 5
LABELS = np.arange(BATCH_SIZE) % 3
RATES = 'forward', 'backward', 'update'


def make_images():
  return np.random.RandomState(0).rand(BATCH_SIZE, SIZES[0]).astype(np.float32)


def observe(config, params, inputs, labels):
  run = jax.jit(activity.make_observe(config))
  return run(params, jax.random.key(2), inputs, labels)


class ActivityTest(parameterized.TestCase):
  @parameterized.parameters(
    networks.stochastic(SIZES, num_steps=70, window=32, gain=2.0),
    convolutions.make_config(num_steps=40),
  )
  def test_activity_agrees_with_the_counts_of_learn(self, config):
    params, ticks = networks.make_params(config), config.num_steps
    inputs, labels = make_images(), LABELS
    if config.layers is not None:
      inputs, labels = convolutions.batch()
    learn = jax.jit(ssnn_jax.ssnn(config, separate_signs=True).learn)
    update, _ = learn(params, jax.random.key(2), inputs, labels)
    update = jax.tree.map(np.asarray, update)
    # Activity is measured without dropout.
    config = dataclasses.replace(config, dropout=0.5)
    seen = observe(config, params, inputs, labels)
    self.assertLen(seen.firing_rates, len(params))
    self.assertLen(seen.clipped_error_fractions, len(params) - 1)
    layers = zip(update.positive, update.negative)
    for layer, (positive, negative) in enumerate(layers):
      weights, biases = (
        int(np.sum(one) + np.sum(other))
        for one, other in zip(positive, negative)
      )
      self.assertGreater(weights, 0)
      # Means are rounded; the counts are whole numbers.
      found = float(seen.coincidences[layer]) * len(labels)
      np.testing.assert_allclose(found, weights, rtol=1e-5)
      # A bias has a coincidence with every error spike.
      size = len(labels) * config.layer_sizes[layer + 1] * ticks
      found = float(seen.error_rates[layer]) * size
      np.testing.assert_allclose(found, biases, rtol=1e-5)
      alone = int(np.sum(positive.biases))
      self.assertBetween(alone, 1, biases - 1)
      found = float(seen.positive_error_rates[layer]) * size
      np.testing.assert_allclose(found, alone, rtol=1e-5)

  @parameterized.parameters(
    ssnn_jax.NetworkConfig(SIZES, 16, weight_bits=10, ceiling=0.45),
    convolutions.make_config(neuron='bipolar', num_steps=8),
  )
  def test_activity_of_bipolar_neurons_is_that_of_their_last_counts(
    self, config
  ):
    # T, the gain and the batch are powers of two, so that counts are exact.
    params, key = networks.make_params(config), jax.random.key(2)
    inputs, labels = make_images()[:4], LABELS[:4]
    if config.layers is not None:
      params = convolutions.make_params(config)
      inputs, labels = convolutions.batch(4)
    played = realtime.play(config, params, key, inputs, labels)
    config = dataclasses.replace(config, dropout=0.5)  # is not measured
    seen = observe(config, params, inputs, labels)
    most = [config.num_steps] * len(params)
    if config.ceiling < 1:
      most[1:] = [7] * (len(params) - 1)  # of 7.2
    for layer, counts in enumerate(played.counts):
      for found, expected in (
        (seen.firing_rates, counts.mean() / config.num_steps),
        (seen.silent_fractions, np.mean(counts == 0)),
        (seen.saturated_fractions, np.mean(counts == most[layer])),
      ):
        np.testing.assert_allclose(found[layer], expected, rtol=1e-6)
        self.assertBetween(expected, 0.001, 0.999)
    for layer, counts in enumerate(played.error_counts):
      counts = counts / config.num_steps
      for found, expected in (
        (seen.error_rates, np.abs(counts).mean()),
        (seen.positive_error_rates, np.maximum(counts, 0).mean()),
      ):
        np.testing.assert_allclose(found[layer], expected, rtol=1e-6)
        self.assertGreater(expected, 0)
    self.assertEqual(seen.row_spikes is None, config.layers is None)
    for layer, reached in enumerate(seen.row_spikes or ()):
      counts, wiring = played.counts[layer], config.wirings[layer]
      if layer < len(params) - 1:
        conv = convolutions.synapses(config.layers[layer], wiring.input_shape)
        counts = counts[:, [source for source, _, _ in conv]]
      np.testing.assert_allclose(reached, counts.sum(axis=1).mean(), rtol=1e-6)

  def test_spikes_reach_the_rows_of_all_patches_that_see_them(self):
    layers = convolutions.LAYERS[::2]
    config = convolutions.make_config(
      layers=layers, input_shape=(5, 5), num_steps=8
    )
    images = np.zeros((1, 5, 5), np.float32)
    images[0, 2, 2], images[0, 0, 1] = 1, 1  # seen by 1 and by 2 of 9 patches
    params = convolutions.make_params(config)
    seen = observe(config, params, images, np.zeros(1, int))
    self.assertEqual(float(seen.row_spikes[0]), 8 * (1 + 2))

  def test_activity_of_a_deterministic_network(self):
    # Inputs that are always on or off, integer weights, and winners with large
    # margins, so that all spikes are deterministic.
    num_steps, num_inputs, num_hidden = 50, 6, 5
    config = networks.stochastic(
      (num_inputs, num_hidden, 3), num_steps=num_steps
    )
    random = np.random.RandomState(3)
    active = random.rand(BATCH_SIZE, 1, num_inputs) < 0.4
    active[:, :, 0] = 1
    trains = np.repeat(active, num_steps, axis=1)
    weights = random.randint(-1, 2, (num_inputs, num_hidden))
    weights[:, 0], weights[:, 1] = 1, -1
    output = 100 * random.randint(-1, 2, (num_hidden, 3))
    biases = np.array([0, 30, 60])
    params = jax.tree.map(
      lambda x: jnp.asarray(x, jnp.float32),
      (
        types.LayerParams(weights, np.zeros(num_hidden)),
        types.LayerParams(output, biases),
      ),
    )
    hidden = trains.astype(int) @ weights > 0
    winners = np.argmax(hidden.astype(int) @ output + biases, axis=-1)
    error_spikes = 2 * (winners != LABELS[:, None])  # [B, T]
    seen = observe(config, params, pack(trains), LABELS)
    for layer, train in enumerate((trains, hidden)):
      for found, expected in (
        (seen.firing_rates, train.mean()),
        (seen.silent_fractions, (~train).all(axis=1).mean()),
        (seen.saturated_fractions, train.all(axis=1).mean()),
      ):
        self.assertBetween(expected, 0.01, 0.99)
        self.assertAlmostEqual(found[layer], expected, places=6)
    # All hidden gates are 0.
    np.testing.assert_array_equal(seen.error_rates[0], 0)
    np.testing.assert_array_equal(seen.coincidences[0], 0)
    self.assertAlmostEqual(
      seen.error_rates[1], error_spikes.mean() / 3, places=6
    )
    self.assertAlmostEqual(
      seen.positive_error_rates[1], error_spikes.mean() / 6, places=6
    )
    expected = (hidden.sum(axis=2) * error_spikes).sum()
    self.assertGreater(expected, 0)
    found = float(seen.coincidences[1]) * BATCH_SIZE
    self.assertAlmostEqual(found, expected, delta=0.01)

  @parameterized.parameters((0.25, RATES), (2.0, ()))
  def test_clipped_errors_and_error_rates(self, gain, rates):
    config = networks.stochastic(
      (2, 6, 3), num_steps=40, window=32, gain=gain, rates=rates
    )
    # One of two inputs is always on; class 0 always wins.
    images = np.tile(np.float32([1, 0]), (BATCH_SIZE, 1))
    potentials = np.array([0.5, 0.5, 0.5, 0.5, 0.0, 2.0])
    output = np.array([0.5, 1.0, -0.75, 0.0, 4.0, 4.0])
    params = jax.tree.map(
      lambda x: jnp.asarray(x, jnp.float32),
      (
        types.LayerParams(np.stack([potentials, potentials]), np.zeros(6)),
        types.LayerParams(
          np.stack([output, 0 * output, 0 * output], axis=1),
          np.array([80, 0, 0]),
        ),
      ),
    )
    gate = np.array([1, 1, 1, 1, 0, 0])
    errors = gain * gate * np.abs(output) * (LABELS != 0)[:, None]
    is_positive = output > 0
    seen = observe(config, params, images, LABELS)
    np.testing.assert_allclose(
      seen.clipped_error_fractions[0], np.mean(errors > 1), rtol=1e-6
    )
    self.assertEqual(np.any(errors > 1), gain > 1)
    if not rates:
      errors = np.minimum(errors, 1)  # so that no error is random
    wrong = np.mean(LABELS != 0)
    if gain > 1:
      np.testing.assert_allclose(seen.error_rates[0], errors.mean(), rtol=1e-6)
      np.testing.assert_allclose(
        seen.positive_error_rates[0],
        np.mean(errors * is_positive),
        rtol=1e-6,
      )
    np.testing.assert_allclose(seen.error_rates[1], 2 * wrong / 3, rtol=1e-6)
    np.testing.assert_array_equal(seen.silent_fractions[0], 0.5)
    np.testing.assert_array_equal(seen.saturated_fractions[0], 0.5)
    np.testing.assert_allclose(seen.silent_fractions[1], 1 / 6, rtol=1e-6)
    np.testing.assert_allclose(seen.saturated_fractions[1], 1 / 6, rtol=1e-6)
    if rates:
      np.testing.assert_allclose(seen.firing_rates[1], 3 / 6, rtol=1e-6)
      np.testing.assert_allclose(
        seen.coincidences,
        (40 * errors.sum() / BATCH_SIZE, 40 * 2 * wrong * 3.0),
        rtol=1e-6,
      )
