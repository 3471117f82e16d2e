"""Tests that the fast simulation equals the reference, integer by integer."""

import contextlib
import dataclasses
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import network
from ssnn_jax import reference
from ssnn_jax import spikes
from ssnn_jax.neuron import coincidence
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane
from ssnn_jax.neuron import wta
from ssnn_jax.spikes import thresholds

ONE, TWO, THREE, FOUR = (12, 3), (12, 9, 4), (12, 9, 8, 3), (12, 7, 6, 5, 3)
# Sampler, number of ticks, window, layer sizes, batch size and, maybe, number
# of ticks that settle, of each timing.
SETTINGS = {
  'realtime': (
    ('bernoulli', 2, 1, ONE, 1),
    ('sobol', 4, 1, TWO, 5),
    ('bernoulli', 16, 1, TWO, 3, 11),
    ('sobol', 48, 1, FOUR, 2, 0),
    ('bernoulli', 70, 1, TWO, 3),
  ),
  'buffered': (
    ('sobol', 1, 1, TWO, 5),
    ('bernoulli', 7, 7, TWO, 3),
    ('sobol', 40, 32, TWO, 2),
    ('bernoulli', 50, 50, TWO, 2),
    ('sobol', 64, 32, THREE, 2),
    ('sobol', 64, 64, ONE, 2),
    ('bernoulli', 200, 64, TWO, 1),
    ('bernoulli', 256, 256, TWO, 3),
  ),
}
SEEDS = range(3)  # of the samples, parameters and keys of each setting


def make_config(
  timing, sampler, num_steps, window, sizes, settle=None, **options
):
  return ssnn_jax.NetworkConfig(
    sizes,
    num_steps=num_steps,
    window=window,
    sampler=sampler,
    timing=timing,
    settle=settle,
    **{'gain': 1.5, 'input_gain': 1.25} | options,
  )


def make_batch(sizes, batch_size, seed):
  """Makes parameters, key, images and labels.

  Some gates are shut, those of two hidden neurons at potentials of just 0 and
  1; some error streams saturate.
  """
  rng, params = np.random.default_rng(seed), []
  for fan_in, fan_out in zip(sizes, sizes[1:]):
    weights = 2.0 / np.sqrt(fan_in) * rng.normal(size=(fan_in, fan_out))
    biases = np.full(fan_out, 0.2)
    if len(params) < len(sizes) - 2:
      weights[:, :2], biases[:2] = 0.0, (0.0, 1.0)
    params.append(ssnn_jax.LayerParams(np.float32(weights), np.float32(biases)))
  images = rng.random((batch_size, sizes[0]), np.float32)
  images[:, :2] = 0.0, 1.0
  labels = np.int32((seed + np.arange(batch_size)) % sizes[-1])
  return tuple(params), jax.random.key(seed), images, labels


def learn(config, batch_size, build):
  """Presents a batch of each seed to a network."""
  network = build(config)

  @jax.jit
  def learn(*batch):
    update, inference = network.learn(*batch)
    counts = inference.winner_counts, inference.largest_counts
    return update.positive, counts, update.unit

  return [
    jax.tree.map(
      np.asarray, learn(*make_batch(config.layer_sizes, batch_size, seed))
    )
    for seed in SEEDS
  ]


def is_equal(found, expected):
  equal = jax.tree.map(np.array_equal, found, expected)
  return all(jax.tree.leaves(equal))


class ReferenceTest(parameterized.TestCase):
  @parameterized.parameters(
    (timing, *setting)
    for timing, settings in SETTINGS.items()
    for setting in settings
  )
  def test_fast_simulation_counts_the_same(
    self, timing, sampler, num_steps, window, sizes, batch_size, settle=None
  ):
    config = make_config(timing, sampler, num_steps, window, sizes, settle)
    found, expected = (
      learn(config, batch_size, build)
      for build in (ssnn_jax.ssnn, reference.ssnn)
    )
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    self.assertTrue(any(np.any(own[-1].biases) for own, _, _ in found))
    settled = 0
    if timing == 'realtime':  # the output layer starts after those below it
      settle = num_steps // 2 if settle is None else settle
      settled = max(settle, len(sizes) - 1)
    for _, votes, _ in found:
      for counts in votes:
        np.testing.assert_array_equal(counts.sum(axis=1), num_steps - settled)


def patch(module, name, mutate):
  return mock.patch.object(module, name, mutate(getattr(module, name)))


def after(change):
  """Returns the mutation that changes the result of a function."""

  def mutate(function):
    return lambda *args, **kwargs: change(function(*args, **kwargs))

  return mutate


def late_mean():
  """Returns a mean membrane that counts one tick too many."""
  right = membrane.MEMBRANES['mean']

  def integrate(state, drive, window):
    window = window._replace(elapsed=window.elapsed + 1)
    return right.integrate(state, drive, window)

  return right._replace(integrate=integrate)


swap = lambda streams: type(streams)(*reversed(streams))
MUTATIONS = {
  'open gate': lambda: mock.patch.dict(
    firing.FIRING_FUNCTIONS, clip=firing.CLIP._replace(derivative=jnp.ones_like)
  ),
  'output errors of the other sign': lambda: patch(
    wta, 'output_errors', after(swap)
  ),
  'no negative output errors': lambda: patch(
    wta,
    'output_errors',
    after(lambda own: own._replace(negative=jnp.zeros_like(own.negative))),
  ),
  'error spikes without the gain of their layer': lambda: patch(
    composite, 'error_rates', after(lambda rates: rates / 1.5)
  ),
  'errors not divided by the gain of their layer': lambda: patch(
    composite, 'transposed_drive', after(lambda errors: 1.5 * errors)
  ),
  'one class further wins': lambda: patch(
    wta, 'first', after(lambda winners: jnp.roll(winners, 1, axis=-1))
  ),
  'mean over one tick more': lambda: mock.patch.dict(
    membrane.MEMBRANES, mean=late_mean()
  ),
  'thresholds that equal a rate fire': lambda: patch(
    thresholds, 'round_rates', after(lambda rates: rates + 2**6)
  ),
  'layers start a window later': lambda: patch(
    spikes,
    'start_later',
    lambda right: lambda own, start: right(own, start + (start > 0)),
  ),
  'the last spikes of a word are not counted': lambda: patch(
    coincidence,
    'count_coincidences',
    lambda right: lambda counts, words, *own: right(counts, words << 4, *own),
  ),
}


class MutationTest(parameterized.TestCase):
  """The comparison sees wrong rules of the fast simulation."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.config = make_config('realtime', 'bernoulli', 32, 1, TWO)
    cls.expected = learn(cls.config, 3, reference.ssnn)

  @parameterized.parameters(None, *MUTATIONS)
  def test_wrong_rule_is_seen(self, name):
    # Kernels, which are compiled sooner, round rates on their own.
    kernels = name != 'thresholds that equal a rate fire'
    config = dataclasses.replace(self.config, kernels=kernels)
    network._build_once.cache_clear()
    self.addCleanup(network._build_once.cache_clear)
    if not kernels:  # samplers are traced once
      jax.clear_caches()
      self.addCleanup(jax.clear_caches)
    with MUTATIONS[name]() if name else contextlib.nullcontext():
      found = learn(config, 3, ssnn_jax.ssnn)
    self.assertEqual(is_equal(found, self.expected), name is None)
