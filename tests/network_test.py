"""Tests for the spiking network as a whole."""

import dataclasses
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import network as network_lib

SIZES = (12, 9, 8, 3)
SCHEDULES = [
  (num_steps, window)
  for num_steps in (1, 7, 32, 33, 100)
  for window in sorted({1, 5, 32, num_steps})
  if window <= num_steps
]


def batch(size=5):
  images = jax.random.uniform(jax.random.key(1), (size, SIZES[0]))
  return images, jnp.arange(size) % SIZES[-1]


def learn(config, params, key=None, size=5, **options):
  network = ssnn_jax.ssnn(config, **options)
  key = jax.random.key(2) if key is None else key
  return jax.jit(network.learn)(params, key, *batch(size))


def make_params(config):
  return network_lib.init(config, jax.random.key(0))


class NetworkTest(parameterized.TestCase):
  def test_init_is_scaled_by_fan_in(self):
    config = ssnn_jax.NetworkConfig((400, 300, 10))
    params = network_lib.init(config, jax.random.key(0))
    for layer, fan_in in zip(params, (400, 300)):
      size = layer.weights.size
      # A normal sample's variance has a relative error of sqrt(2 / n).
      variance = np.var(layer.weights) * fan_in
      self.assertLess(abs(variance - 1), 5 * np.sqrt(2 / size) + 0.02)
      np.testing.assert_array_equal(layer.biases, 0)

  @parameterized.product(
    num_steps=(1, 10, 33, 100), integration=('mean', 'leaky', 'memoryless')
  )
  def test_any_number_of_steps(self, num_steps, integration):
    config = ssnn_jax.NetworkConfig(
      SIZES,
      num_steps=num_steps,
      window=min(5, num_steps),
      integration=integration,
    )
    params = make_params(config)
    update, seen = learn(config, params)
    inference = jax.jit(ssnn_jax.ssnn(config).infer)(
      params, jax.random.key(2), batch()[0]
    )
    # The same key shows infer and learn the same spikes.
    jax.tree.map(np.testing.assert_array_equal, inference, seen)
    np.testing.assert_array_equal(inference.winner_counts.sum(-1), num_steps)
    # Each sample errs at most once a tick in each stream.
    biases = np.asarray(update.positive[-1].biases)
    self.assertLessEqual(np.abs(biases).max(), 5 * num_steps)
    self.assertEqual(biases.sum(), 0)

  @parameterized.parameters(
    *((t, n, 'bernoulli') for t, n in SCHEDULES),
    *((t, n, 'sobol') for t, n in ((1, 1), (33, 5), (100, 32))),
    *((t, n, 'threefry') for t, n in ((33, 32),)),
  )
  def test_representations_and_kernels_make_the_same(
    self, num_steps, window, sampler
  ):
    config = ssnn_jax.NetworkConfig(
      SIZES,
      num_steps=num_steps,
      window=window,
      sampler=sampler,
      integration=('mean', 'leaky', 'memoryless')[num_steps % 3],
      dropout=0.2,
    )
    params = make_params(config)
    made = [
      learn(
        dataclasses.replace(config, representation=name, kernels=use), params
      )
      for name, use in (('packed', True), ('packed', False), ('dense', False))
    ]
    for other in made[1:]:
      jax.tree.map(np.testing.assert_array_equal, made[0], other)

  def test_small_batches_are_counted_like_large_ones(self):
    # The counts of several blocks are taken at once where the batch is small.
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=200)
    params = make_params(config)
    together, _ = learn(config, params)
    with mock.patch.object(network_lib, '_SAMPLES_PER_COUNT', 1):
      apart, _ = learn(config, params)
    jax.tree.map(np.testing.assert_array_equal, together, apart)

  def test_memory_does_not_grow_with_the_number_of_steps(self):
    def peak(num_steps):
      config = ssnn_jax.NetworkConfig((784, 256, 10), num_steps=num_steps)
      params = jax.eval_shape(
        lambda key: network_lib.init(config, key), jax.random.key(0)
      )
      images = jax.ShapeDtypeStruct((128, 784), jnp.uint8)
      labels = jax.ShapeDtypeStruct((128,), jnp.int32)
      run = jax.jit(ssnn_jax.ssnn(config).learn)
      compiled = run.lower(params, jax.random.key(0), images, labels).compile()
      memory = compiled.memory_analysis()
      return memory.temp_size_in_bytes + memory.output_size_in_bytes

    self.assertLess(peak(1024), 1.2 * peak(32))

  @parameterized.product(
    window=(1, 5, 32), integration=('mean', 'memoryless'), gain=(0.5, 2.0)
  )
  def test_a_batch_is_the_sum_of_its_samples(self, window, integration, gain):
    # Positions are part of a threshold's address, so the samples of a batch
    # are taken one by one by showing silence in the place of the others: a
    # sample without weight would still err, so its own part is taken off.
    config = ssnn_jax.NetworkConfig(
      SIZES, num_steps=33, window=window, integration=integration, gain=gain
    )
    params, (images, labels) = make_params(config), batch()
    run = jax.jit(ssnn_jax.ssnn(config).learn)
    key = jax.random.key(2)

    def counts(images):
      return run(params, key, images, labels)[0].positive

    blank = jnp.zeros_like(images)
    nothing = counts(blank)
    parts = [
      jax.tree.map(jnp.subtract, counts(blank.at[i].set(images[i])), nothing)
      for i in range(len(images))
    ]
    total = jax.tree.map(lambda *counts: sum(counts), nothing, *parts)
    jax.tree.map(np.testing.assert_array_equal, counts(images), total)

  @parameterized.parameters('spikes', 'rates')
  def test_separate_counts_differ_by_the_signed_one(self, use):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=40, update=use)
    params = make_params(config)
    signed, _ = learn(config, params)
    apart, _ = learn(config, params, separate=True)
    self.assertGreaterEqual(
      min(jnp.min(leaf) for leaf in jax.tree.leaves(apart.negative)), 0
    )
    self.assertIsNone(signed.negative)
    for ours, theirs in zip(
      jax.tree.leaves(ssnn_jax.as_gradient(apart)),
      jax.tree.leaves(ssnn_jax.as_gradient(signed)),
    ):
      np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)

  def test_presentations_are_paired_over_the_number_of_steps(self):
    # With memoryless windows a long presentation starts as the short one.
    counts = []
    for num_steps in (32, 64):
      config = ssnn_jax.NetworkConfig(
        SIZES, num_steps=num_steps, integration='memoryless'
      )
      params = make_params(config)
      infer = jax.jit(ssnn_jax.ssnn(config).infer)
      counts.append(infer(params, jax.random.key(3), batch()[0]).winner_counts)
    self.assertGreaterEqual(int(jnp.min(counts[1] - counts[0])), 0)

  def test_a_dropped_unit_is_silent_for_the_presentation(self):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=40, dropout=0.5)
    params, key = make_params(config), jax.random.key(4)
    update, _ = learn(config, params, key, size=1)
    masks = network_lib.dropout_masks(config, key, 1)
    for layer, mask in enumerate(masks):
      dropped = np.asarray(mask[0]) == 0
      self.assertBetween(dropped.sum(), 1, dropped.size - 1)
      counts = update.positive
      # It fires no spike and receives no error.
      np.testing.assert_array_equal(counts[layer + 1].weights[dropped], 0)
      np.testing.assert_array_equal(counts[layer].weights[:, dropped], 0)
      np.testing.assert_array_equal(counts[layer].biases[dropped], 0)

  def test_dropout_keeps_the_right_share(self):
    config = ssnn_jax.NetworkConfig((4, 500, 2), dropout=0.3)
    (mask,) = network_lib.dropout_masks(config, jax.random.key(0), 200)
    bound = 5 * np.sqrt(0.3 * 0.7 / mask.size)
    self.assertLess(abs(float(jnp.mean(mask)) - 0.7), bound)

  def test_long_trains_read_as_the_ann(self):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=20_000, window=20_000)
    params, (images, _) = make_params(config), batch()
    spiking = jax.jit(ssnn_jax.ssnn(config).infer)(
      params, jax.random.key(0), images
    )
    ann = ssnn_jax.ann(config).infer(params, jax.random.key(0), images)
    # Each potential is a sum over neurons of counts of variance at most T / 4;
    # an upper layer adds what its lower ones pass on.
    norms = [
      float(jnp.max(jnp.linalg.norm(layer.weights, axis=0))) for layer in params
    ]
    deviation = 0.0
    for layer, norm in zip(params, norms):
      gain = float(jnp.max(jnp.sum(jnp.abs(layer.weights), axis=0)))
      deviation = gain * deviation + norm * np.sqrt(0.25 / config.num_steps)
    np.testing.assert_allclose(
      spiking.potential, ann.potential, rtol=0, atol=5 * deviation
    )

  @parameterized.parameters('bernoulli', 'threefry')
  def test_learn_compiles_once(self, sampler):
    config = ssnn_jax.NetworkConfig(SIZES, num_steps=8, sampler=sampler)
    run = jax.jit(ssnn_jax.ssnn(config).learn)
    params = make_params(config)
    for seed in range(3):
      run(params, jax.random.key(seed), *batch())
    self.assertEqual(run._cache_size(), 1)

  @parameterized.product(
    representation=('auto', 'dense', 'packed'), kernels=(True, False)
  )
  def test_infer_and_learn_export_for_every_platform(
    self, representation, kernels
  ):
    config = ssnn_jax.NetworkConfig(
      SIZES, num_steps=40, representation=representation, kernels=kernels
    )
    network, params = ssnn_jax.ssnn(config), make_params(config)
    platforms = ('cpu', 'cuda', 'tpu')
    bits = jax.random.key_data(jax.random.key(0))
    names = ('ssnn_count', 'ssnn_sample_hashed') if kernels else ()
    checks = [
      jax.export.DisabledSafetyCheck.custom_call(name) for name in names
    ]

    def export(function, *arguments):
      def on_bits(params, bits, *arguments):  # typed keys are not exported
        return function(params, jax.random.wrap_key_data(bits), *arguments)

      return jax.export.export(
        jax.jit(on_bits), platforms=platforms, disabled_checks=checks
      )(params, bits, *arguments)

    images, labels = batch()
    trains = np.zeros((len(labels), 2, SIZES[0]), np.uint32)
    for exported in (
      export(network.infer, images),
      export(network.learn, images, labels),
      export(network.learn, trains, labels),
    ):
      self.assertEqual(exported.platforms, platforms)


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    dict(layer_sizes=(5,)),
    dict(layer_sizes=(5, 0, 3)),
    dict(num_steps=0),
    dict(num_steps=64.0),
    dict(layer_sizes=(5, 2.5, 3)),
    dict(window=0),
    dict(window=65),
    dict(tau=0.0),
    dict(tau=float('nan')),
    dict(gain=0.0),
    dict(gain=(1.0, 1.0, 1.0)),
    dict(input_gain=-1.0),
    dict(dropout=1.0),
    dict(dropout=-0.1),
    dict(firing_function='relu'),
    dict(integration='sum'),
    dict(forward='spike'),
    dict(backward=''),
    dict(update='pulses'),
    dict(sampler='sobol '),
    dict(representation='sparse'),
  )
  def test_what_cannot_be_is_refused_by_name(self, **options):
    (field,) = options
    with self.assertRaisesRegex(ssnn_jax.UserError, f'^{field} is .*expected'):
      ssnn_jax.NetworkConfig(**{'layer_sizes': SIZES} | options)

  def test_window_left_out_is_a_word_or_the_presentation(self):
    for num_steps, window in ((7, 7), (32, 32), (100, 32)):
      config = ssnn_jax.NetworkConfig(SIZES, num_steps=num_steps)
      self.assertEqual(config.schedule, (num_steps, window))


if __name__ == '__main__':
  absltest.main()
