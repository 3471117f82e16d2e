"""Tests for the spiking network as a whole."""

import dataclasses
import functools
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import network as network_lib
from ssnn_jax.neuron import membrane
from ssnn_jax.simulation import presentation
from ssnn_jax.simulation import samples
from tests.testing import statistics
from tests.testing.networks import SIZES
from tests.testing.networks import batch
from tests.testing.networks import learn
from tests.testing.networks import make_params

# A pulse is the gradient of four coincidences, in 100 ticks of 5 samples.
THINNED = dict(pulse_gradient=np.float32(4 / 500), separate_signs=True)


@functools.partial(jax.jit, static_argnums=(0, 2))
def draw_masks(config, key, size):
  return samples.draw_dropout_masks(config, key, jnp.arange(size))


class NetworkTest(parameterized.TestCase):
  def test_init_is_scaled_by_fan_in(self):
    config = ssnn_jax.NetworkConfig((400, 300, 10))
    params = jax.jit(functools.partial(network_lib.init, config))(
      jax.random.key(0)
    )
    for layer, fan_in in zip(params, (400, 300)):
      size = layer.weights.size
      # A normal sample's variance has a relative error of sqrt(2 / n).
      variance = np.var(layer.weights) * fan_in
      self.assertLess(abs(variance - 1), 5 * np.sqrt(2 / size) + 0.02)
      np.testing.assert_array_equal(layer.biases, 0)

  @parameterized.parameters(
    (1, 'mean'),
    (33, 'leaky'),
  )
  def test_learn_and_infer_agree_for_any_length(self, num_steps, integration):
    config = ssnn_jax.NetworkConfig(
      SIZES,
      num_steps=num_steps,
      window=min(4, num_steps),
      integration=integration,
    )
    params = make_params(config)
    update, seen = learn(config, params)
    inference = jax.jit(ssnn_jax.ssnn(config).infer)(
      params, jax.random.key(2), batch()[0]
    )
    # With the same key, infer and learn simulate the same spikes.
    jax.tree.map(np.testing.assert_array_equal, inference, seen)
    for counts in (inference.winner_counts, inference.largest_counts):
      np.testing.assert_array_equal(counts.sum(-1), num_steps)
    # Each sample has at most one error spike a tick in each stream.
    biases = np.asarray(update.positive[-1].biases)
    self.assertLessEqual(np.abs(biases).max(), 5 * num_steps)
    self.assertEqual(biases.sum(), 0)

  @parameterized.parameters(
    # Windows within a word, of a word and of several words.
    (33, 4, 'memoryless', 'bernoulli', False, {}),
    (100, 32, 'leaky', 'sobol', True, {}),
    (100, 64, 'mean', 'bernoulli', True, THINNED),
  )
  def test_representations_and_kernels_agree(
    self, num_steps, window, integration, sampler, packed_by_kernels, options
  ):
    config = ssnn_jax.NetworkConfig(
      SIZES,
      num_steps=num_steps,
      window=window,
      sampler=sampler,
      integration=integration,
      dropout=0.2,
    )
    params = make_params(config)
    made = [
      learn(
        dataclasses.replace(config, representation=name, kernels=use),
        params,
        **options,
      )
      for name, use in (
        ('packed', packed_by_kernels),
        ('dense', not packed_by_kernels),
      )
    ]
    jax.tree.map(np.testing.assert_array_equal, *made)

  @parameterized.parameters('buffered', 'realtime')
  def test_membrane_object_equals_its_name(self, timing):
    named = ssnn_jax.NetworkConfig(
      SIZES,
      num_steps=40,
      window=4,
      timing=timing,
      integration='leaky',
      tau=9.0,
    )
    own = dataclasses.replace(named, integration=membrane.leaky(9.0), tau=1.0)
    batches = make_params(named), jax.random.key(2), *batch()
    found, expected = (
      str(jax.make_jaxpr(ssnn_jax.ssnn(config).learn)(*batches))
      for config in (own, named)
    )
    self.assertEqual(found, expected)

  def test_grouping_of_blocks_does_not_change_counts(self):
    # A small batch accumulates several blocks at once.
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=200)
    params = make_params(config)
    together, _ = learn(config, params)
    with mock.patch.object(presentation, '_SAMPLES_PER_COUNT', 1):
      apart, _ = learn(config, params)
    jax.tree.map(np.testing.assert_array_equal, together, apart)

  @parameterized.parameters(('bernoulli', 32), ('sobol', 1024))
  def test_memory_does_not_grow_with_the_number_of_steps(self, sampler, window):
    def peak(num_steps):
      config = ssnn_jax.NetworkConfig(
        (784, 256, 10),
        num_steps=num_steps,
        window=min(window, num_steps),
        sampler=sampler,
      )
      params = jax.eval_shape(
        lambda key: network_lib.init(config, key), jax.random.key(0)
      )
      images = jax.ShapeDtypeStruct((128, 784), jnp.uint8)
      labels = jax.ShapeDtypeStruct((128,), jnp.int32)
      run = jax.jit(ssnn_jax.ssnn(config).learn)
      compiled = run.lower(params, jax.random.key(0), images, labels).compile()
      memory = compiled.memory_analysis()
      return memory.temp_size_in_bytes + memory.output_size_in_bytes

    # A single block has no loop, and four words are drawn at once.
    shortest = 64 if window == 32 else 256
    self.assertLess(peak(1024), 1.1 * peak(shortest))

  @parameterized.parameters(
    (4, 'mean', 0.5),
    (32, 'memoryless', 2.0),
  )
  def test_batch_counts_are_sums_over_samples(self, window, integration, gain):
    # Thresholds depend on the position in the batch, so each sample is
    # presented alone at its position, with blank images at the others, whose
    # counts are subtracted.
    config = ssnn_jax.NetworkConfig(
      SIZES, num_steps=33, window=window, integration=integration, gain=gain
    )
    params, (images, labels) = make_params(config), batch()
    run = jax.jit(ssnn_jax.ssnn(config).learn)
    key = jax.random.key(2)

    def counts(images):
      update, _ = run(params, key, images, labels)
      return jax.tree.map(np.asarray, update.positive)

    nothing, alone = counts(np.zeros_like(images)), np.eye(len(images))
    parts = [
      jax.tree.map(
        np.subtract, counts(np.float32(row[:, None]) * images), nothing
      )
      for row in alone
    ]
    total = jax.tree.map(lambda *counts: sum(counts), nothing, *parts)
    jax.tree.map(np.testing.assert_array_equal, counts(images), total)

  def test_separate_counts_of_rates_differ_by_the_signed_counts(self):
    # `updates_test` has the counts of spikes.
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=40, update='rates')
    params = make_params(config)
    signed, _ = learn(config, params)
    separate, _ = learn(config, params, separate_signs=True)
    self.assertIsNone(signed.negative)
    for counts in jax.tree.leaves(separate.negative):
      self.assertGreaterEqual(np.min(counts), 0)
    np.testing.assert_allclose(
      statistics.flat(ssnn_jax.as_gradient(separate)),
      statistics.flat(ssnn_jax.as_gradient(signed)),
      rtol=1e-5,
      atol=1e-7,
    )

  def test_observer_without_labels_is_refused(self):
    config = ssnn_jax.NetworkConfig(SIZES)
    params, (images, _) = make_params(config), batch()
    observer = presentation.Observer(observe=lambda *signals: None)
    with self.assertRaisesRegex(ssnn_jax.UserError, '^labels are None; '):
      presentation.simulate(
        config, params, jax.random.key(0), images, observer=observer
      )

  def test_longer_presentations_extend_shorter_ones(self):
    # Memoryless membranes, so that the first windows do not depend on T.
    counts = []
    for num_steps in (32, 64):
      config = ssnn_jax.NetworkConfig(
        SIZES, num_steps=num_steps, integration='memoryless'
      )
      params = make_params(config)
      infer = jax.jit(ssnn_jax.ssnn(config).infer)
      counts.append(infer(params, jax.random.key(3), batch()[0]).winner_counts)
    self.assertGreaterEqual(np.min(np.subtract(*counts[::-1])), 0)

  def test_dropped_units_have_no_spikes_and_no_errors(self):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=40, dropout=0.5)
    params, key = make_params(config), jax.random.key(4)
    update, _ = learn(config, params, key, size=1)
    masks = draw_masks(config, key, 1)
    for layer, mask in enumerate(masks):
      dropped = np.asarray(mask[0]) == 0
      self.assertBetween(dropped.sum(), 1, dropped.size - 1)
      counts = update.positive
      np.testing.assert_array_equal(counts[layer + 1].weights[dropped], 0)
      np.testing.assert_array_equal(counts[layer].weights[:, dropped], 0)
      np.testing.assert_array_equal(counts[layer].biases[dropped], 0)

  def test_dropout_rate(self):
    config = ssnn_jax.NetworkConfig((4, 500, 2), dropout=0.3)
    (mask,) = draw_masks(config, jax.random.key(0), 200)
    bound = 5 * np.sqrt(0.3 * 0.7 / mask.size)
    self.assertLess(abs(np.mean(mask) - 0.7), bound)

  def test_long_trains_converge_to_the_ann(self):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=20_000, window=20_000)
    params, (images, _) = make_params(config), batch()
    spiking = jax.jit(ssnn_jax.ssnn(config).infer)(
      params, jax.random.key(0), images
    )
    ann = jax.jit(ssnn_jax.ann(config).infer)(params, jax.random.key(0), images)
    # Each potential is a sum over neurons of counts of variance at most T / 4,
    # plus the propagated deviation of the layer below.
    deviation = 0.0
    for weights, _ in params:
      norm = np.max(np.linalg.norm(weights, axis=0))
      gain = np.max(np.sum(np.abs(weights), axis=0))
      deviation = gain * deviation + norm * np.sqrt(0.25 / config.num_steps)
    np.testing.assert_allclose(
      spiking.potential, ann.potential, rtol=0, atol=5 * deviation
    )

  def test_learn_compiles_once(self):
    config = ssnn_jax.NetworkConfig((12, 3), num_steps=8)
    run = jax.jit(ssnn_jax.ssnn(config).learn)
    params = make_params(config)
    for seed in range(3):
      run(params, jax.random.key(seed), *batch(5, (12, 3)))
    self.assertEqual(run._cache_size(), 1)
