"""Tests that compiled kernels equal their pure-JAX references bit for bit."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.neuron import coincidence
from ssnn_jax.spikes import kernels
from ssnn_jax.spikes import thresholds
from tests.testing import coincidences
from tests.testing import sources


def needs(kernel):
  if not kernels.is_available(kernel):
    raise absltest.SkipTest(f'{kernel} is not compiled')


class PlatformTest(absltest.TestCase):
  def test_a_function_of_all_platforms_is_traced_once(self):
    num_traces = 0

    def double(x):
      nonlocal num_traces
      num_traces += 1
      return 2 * x

    of_all = kernels.by_platform(double, double, use_kernels=False)
    self.assertEqual(jax.jit(of_all)(3), 6)
    self.assertEqual(num_traces, 1)


class SampleTest(parameterized.TestCase):
  @parameterized.product(
    sampler=(
      ('bernoulli', 'ssnn_sample_hashed'),
      ('sobol', 'ssnn_sample_sobol'),
    ),
    thresholds_a_tick=(1, 37),
  )
  def test_spikes_equal_the_reference(self, sampler, thresholds_a_tick):
    sampler, kernel = sampler
    needs(kernel)
    block = spikes.block(spikes.Schedule(num_steps=100, window=100), 0)
    rates = jax.random.uniform(jax.random.key(0), (2, 6, 1, 37))
    rates = rates.at[0, 0].set(0.0).at[0, 1].set(1.0)

    def sample(use_kernel, layer, position, rates):
      source = sources.make(
        block.words,
        thresholds_a_tick,
        position=position,
        sampler=sampler,
        use_kernel=use_kernel,
      )
      keys = thresholds.make_keys(jax.random.key(0), 2)
      source = source.replace(key=keys[layer, spikes.Role.INPUT])
      return thresholds.sample_words(source, rates, block.windows.mask)

    @jax.jit
    def both(*args):
      return [
        jax.vmap(
          jax.vmap(functools.partial(sample, use), in_axes=(None, 0, 0))
        )(*args)
        for use in (True, False)
      ]

    np.testing.assert_array_equal(
      *both(jnp.arange(2), jnp.tile(jnp.arange(6), (2, 1)), rates)
    )


class CountTest(parameterized.TestCase):
  @parameterized.parameters(
    (7, 3, (33, 10)),
    (150, 2, (70, 40)),
    (7, 3, (2000, 17)),
    (150, 2, (40, 300)),
  )
  def test_counts_equal_the_reference(self, batch_size, num_words, layer):
    needs('ssnn_count')
    pre, errors = coincidences.random_trains(
      batch_size, batch_size, 32 * num_words, *layer
    )
    errors[batch_size // 2 :] *= pre[batch_size // 2 :, :, :1]
    pre, streams = coincidences.packed(pre, errors)
    rng = np.random.default_rng(0)
    before = ssnn_jax.LayerParams(
      jnp.asarray(rng.integers(-9, 9, layer, np.int32)),
      jnp.zeros(layer[1], jnp.int32),
    )

    @jax.jit
    def both(*args):
      return [
        coincidence.count_coincidences(*args, use) for use in (True, False)
      ]

    jax.tree.map(np.testing.assert_array_equal, *both(before, pre, streams))

  @parameterized.parameters(1, -1)
  def test_full_counts_equal_the_expected_number(self, sign):
    needs('ssnn_count')
    ones = np.ones((1024, 32, 2), np.int8)  # 2**15 coincidences
    pre, streams = coincidences.packed(ones, sign * ones)
    counts = coincidences.count(pre, streams, 'auto')
    np.testing.assert_array_equal(counts.weights, np.full((2, 2), sign * 2**15))

  def test_vmap_counts_seeds_separately(self):
    needs('ssnn_count')
    rng = np.random.default_rng(0)
    pre, positive, negative = (
      jnp.asarray(rng.integers(0, 2**32, (3, 20, size), np.uint32))
      for size in (18, 21, 21)
    )
    silent = types.LayerParams(
      jnp.zeros((18, 21), jnp.int32), jnp.zeros(21, jnp.int32)
    )

    def count(pre, *streams):
      streams = types.ErrorStreams(*streams)
      return coincidence.count_coincidences(silent, pre, streams)

    together = jax.jit(jax.vmap(count))(pre, positive, negative)
    for seed in range(3):
      alone = count(pre[seed], positive[seed], negative[seed])
      own = jax.tree.map(lambda counts, seed=seed: counts[seed], together)
      jax.tree.map(np.testing.assert_array_equal, own, alone)
