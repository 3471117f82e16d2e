"""Tests of what networks of layers are used for, with convolutions."""

import dataclasses

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import layers
from ssnn_jax import training
from ssnn_jax.hardware import cost
from ssnn_jax.hardware import memory
from ssnn_jax.hardware import presets
from ssnn_jax.training import activity
from tests.testing import convolutions
from tests.testing import networks

KEY = jax.random.key(3)


class ActivityTest(parameterized.TestCase):
  @parameterized.parameters(dict(), dict(window=64), dict(update='rates'))
  def test_activity_agrees_with_learn_and_with_equal_dense_layers(
    self, **options
  ):
    config = convolutions.make_config(**options)
    params, batch = convolutions.make_params(config), convolutions.batch()
    learned = jax.jit(ssnn_jax.ssnn(config, separate_signs=True).learn)
    update, _ = learned(params, KEY, *batch)
    seen = jax.jit(activity.make_observe(config))(params, KEY, *batch)
    for layer, (positive, negative) in enumerate(zip(*update[:2])):
      counted = np.sum(positive.weights) + np.sum(negative.weights)
      found = float(seen.coincidences[layer]) * len(batch[1])
      # A rate meets errors of all rows; the padding is silent.
      np.testing.assert_allclose(found, counted, rtol=1e-5)
    dense = dataclasses.replace(config, layers=None, input_shape=None)
    expected = jax.jit(activity.make_observe(dense))(
      convolutions.expand(config, params), KEY, *batch
    )
    self.assertIsNone(expected.row_spikes)
    for name in ('firing_rates', 'error_rates', 'clipped_error_fractions'):
      found = getattr(seen, name), getattr(expected, name)
      np.testing.assert_array_equal(*found)

  def test_spikes_reach_the_rows_of_all_patches_that_see_them(self):
    config = convolutions.make_config(input_shape=(5, 5), num_steps=8)
    images = np.zeros((1, 5, 5), np.float32)
    images[0, 2, 2], images[0, 0, 1] = 1, 1  # seen by 1 and by 2 of 9 patches
    params = convolutions.make_params(config)
    observe = jax.jit(activity.make_observe(config))
    seen = observe(params, KEY, images, np.zeros(1, int))
    self.assertEqual(float(seen.row_spikes[0]), 8 * (1 + 2))


class CostTest(parameterized.TestCase):
  def test_costs_count_every_position(self):
    config = convolutions.make_config(num_steps=8)
    params, batch = convolutions.make_params(config), convolutions.batch()
    seen = jax.jit(activity.make_observe(config))(params, KEY, *batch)
    counted = cost.count_presentation(config, seen)
    # 4 x 3 positions of 18 x 3 weights, 3 x 1 of 18 x 4, and 12 x 3.
    products = 12 * 18 * 3, 3 * 18 * 4, 12 * 3
    self.assertEqual(counted.inference.crossbar_reads, 8 * (12 + 3 + 1))
    neurons = 36 + 12 + 3  # each with an always-on input
    self.assertEqual(
      counted.inference.device_reads, 8 * (sum(products) + neurons)
    )
    self.assertEqual(
      cost.count_backprop(config),
      (sum(products), sum(products[1:]), sum(products)),
    )
    arrivals = np.dot(seen.row_spikes, [3, 4, 3])
    self.assertAlmostEqual(counted.metrics.effective_acs, arrivals, places=3)
    weights = 18 * 3 + 18 * 4 + 12 * 3
    biases = 3 + 4 + 3
    self.assertEqual(
      counted.metrics.footprint, 4 * (weights + biases + neurons)
    )
    fed_back = memory.count_feedback_alignment(config).feedback_weights
    self.assertEqual(fed_back, 32 * (18 * 4 + 12 * 3))

  def test_dense_layers_cost_the_same_in_both_forms(self):
    sizes = 8, 5, 3
    dense = ssnn_jax.NetworkConfig(sizes, num_steps=8)
    config = ssnn_jax.NetworkConfig(
      layers=tuple(map(layers.Dense, sizes[1:])), input_shape=(8,), num_steps=8
    )
    params, batch = ssnn_jax.ssnn(dense).init(KEY), networks.batch(4, sizes)
    found, expected = (
      cost.count_presentation(
        own, jax.jit(activity.make_observe(own))(params, KEY, *batch)
      )
      for own in (config, dense)
    )
    np.testing.assert_allclose(
      *(jax.tree.leaves(tree) for tree in (found, expected)), rtol=1e-6
    )


class TrainingTest(parameterized.TestCase):
  def test_shared_weight_is_one_device_of_all_positions(self):
    config = convolutions.make_config()
    device = ssnn_jax.hardware.make_resistive(
      dataclasses.replace(presets.PRESETS['gokmen_vlasov'], endurance=2.0**30),
      learning_rate=0.5,
    )
    network = ssnn_jax.ssnn(config, separate_signs=True)
    images, labels = convolutions.batch()
    keys = jax.random.split(jax.random.key(4), 2)
    params, state = device.init(keys[0], network.init(jax.random.key(0)))
    update, _ = jax.jit(
      lambda: network.learn(
        params,
        KEY,
        images,
        labels,
        pulse_gradient=device.pulse_gradient(state),
      )
    )()
    after, state = jax.jit(device.update)(keys[1], update, state, params)
    for layer, (positive, negative, pulses, count) in enumerate(
      zip(update.positive, update.negative, update.pulses, state.pulse_counts)
    ):
      self.assertEqual(after[layer].weights.shape, positive.weights.shape)
      # All coincidences of all positions are pulses of the one device.
      expected = pulses.weights * (positive.weights + negative.weights)
      np.testing.assert_array_equal(count.weights, expected)

  @parameterized.parameters(dict(), dict(timing='realtime', num_steps=24))
  def test_vmapped_seeds_equal_single_seeds(self, **options):
    config = convolutions.make_config(**options)
    network, optimizer = ssnn_jax.ssnn(config), training.make_optimizer(0.25)
    images, labels = convolutions.batch(12)
    train = training.make_train_epoch(network, optimizer, 6)

    def run(seed):
      state = training.init_state(network, optimizer, seed)
      return train(state, images, labels)[0].params

    together = jax.jit(jax.vmap(run))(jnp.arange(2))
    for seed in (0, 1):
      alone = jax.jit(run)(seed)
      own = jax.tree.map(lambda x, seed=seed: x[seed], together)
      networks.assert_close(own, alone)


class RasterTest(parameterized.TestCase):
  @parameterized.parameters(
    dict(num_steps=70, window=48),
    dict(num_steps=64, window=64, sampler='sobol'),
    dict(num_steps=24, timing='realtime'),
  )
  def test_coincidences_of_a_raster_are_those_of_learn(self, **options):
    config = convolutions.make_config(**options)
    params, (images, labels) = (
      convolutions.make_params(config),
      convolutions.batch(1),
    )
    raster = training.raster.record(config, params, KEY, images[0], labels[0])
    shapes = [train.shape[1:] for train in raster.spikes]
    self.assertEqual(shapes, [(7, 6, 2), (4, 3, 3)] + [(3, 1, 4)])
    learn = jax.jit(ssnn_jax.ssnn(config).learn)
    update, _ = learn(params, KEY, images, labels)
    first, shape = config.layers[0], (7, 6, 2)
    train = raster.spikes[0].reshape(-1, 84).astype(int)
    errors = raster.errors[0].reshape(-1, 12, 3).astype(int)
    counts = np.zeros((18, 3), int)
    for source, position, row in convolutions.synapses(first, shape):
      counts[row] += train[:, source] @ errors[:, position]
    np.testing.assert_array_equal(update.positive[0].weights, counts)
    np.testing.assert_array_equal(
      update.positive[0].biases, errors.sum(axis=(0, 1))
    )
