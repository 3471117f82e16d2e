"""Tests that the fast simulation equals the reference, integer by integer."""

import dataclasses
import functools
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
from ssnn_jax.neuron import crossbar
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import integrate_and_fire
from ssnn_jax.neuron import membrane
from ssnn_jax.neuron import wta
from ssnn_jax.spikes import thresholds

ONE, TWO, THREE, FOUR = (12, 3), (12, 9, 4), (12, 9, 8, 3), (12, 7, 6, 5, 3)
FIVE = (12, 8, 7, 6, 5, 4)
# Sampler, number of ticks, layer sizes, batch size and other fields.
FIRES = (
  ('bernoulli', 2, ONE, 1),
  ('sobol', 8, TWO, 2, {'gain': 1.0}),
  ('sobol', 16, THREE, 2, {'gain': (1.0, 3.0)}),
  ('bernoulli', 32, TWO, 2, {'gain': 0.5}),
  ('bernoulli', 33, TWO, 1),
  ('sobol', 64, FIVE, 1, {'gain': 4.0}),
  ('bernoulli', 70, TWO, 3),
  ('sobol', 128, ONE, 4),
  ('bernoulli', 256, TWO, 2),
)
STOCHASTIC = (
  ('sobol', 4, TWO, 5),
  ('sobol', 16, FOUR, 1, {'gain': (1.0, 3.0, 0.5)}),
  ('bernoulli', 33, ONE, 1),
  ('sobol', 48, TWO, 2),
  ('bernoulli', 70, TWO, 3),
  ('sobol', 256, ONE, 2),
)
BUFFERED = (
  ('bernoulli', 1, THREE, 2),
  ('sobol', 2, ONE, 4),
  ('sobol', 16, FOUR, 1),
  ('bernoulli', 31, TWO, 5),
  ('sobol', 40, TWO, 2, {'window': 32}),
  ('bernoulli', 64, THREE, 2, {'window': 32}),
  ('sobol', 100, TWO, 3, {'window': 64}),
  ('bernoulli', 128, ONE, 1),
  ('sobol', 256, ONE, 1, {'window': 96}),
)
SETTINGS = [
  *((*setting, 'realtime', None) for setting in FIRES),
  *((*setting, 'realtime', 'stochastic') for setting in STOCHASTIC),
  *((*setting, 'buffered', None) for setting in BUFFERED),
]
SEEDS = range(3)  # of the samples, parameters and keys of each setting


def make_config(sampler, num_steps, sizes, timing, neuron=None, **options):
  return ssnn_jax.NetworkConfig(
    sizes,
    num_steps=num_steps,
    sampler=sampler,
    timing=timing,
    neuron=neuron,
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


@functools.cache
def learn_by_reference(config, batch_size):
  return learn(config, batch_size, reference.ssnn)


def learn(config, batch_size, build=ssnn_jax.ssnn):
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
  @parameterized.parameters(*SETTINGS)
  def test_fast_simulation_counts_the_same(
    self, sampler, num_steps, sizes, batch_size, *others
  ):
    *options, timing, neuron = others
    config = make_config(
      sampler, num_steps, sizes, timing, neuron, **dict(*options)
    )
    found = learn(config, batch_size)
    expected = learn_by_reference(config, batch_size)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    self.assertTrue(any(np.any(own[-1].biases) for own, _, _ in found))
    settled = 0
    if timing == 'realtime':  # the output layer starts after those below it
      settled = max(num_steps // 2, len(sizes) - 1)
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
forget = lambda state: jax.tree.map(jnp.zeros_like, state)
# By the neuron with which they are found.
MUTATIONS = {
  None: {  # the default, which integrates and fires
    'open gate': lambda: patch(
      integrate_and_fire,
      'fire_forward',
      after(lambda own: (*own[:2], ~jnp.zeros_like(own[2]))),
    ),
    'gates a tick late': lambda: patch(
      integrate_and_fire,
      'fire_forward',
      after(lambda own: (*own[:2], own[2] << 1)),
    ),
    'spikes a tick late': lambda: patch(
      integrate_and_fire,
      'fire_forward',
      after(lambda own: (own[0], own[1] << 1, own[2])),
    ),
    'residues are lost after a word': lambda: patch(
      integrate_and_fire,
      'fire_forward',
      after(lambda own: (own[0]._replace(residue=own[0].drive * 0), *own[1:])),
    ),
    'drives are lost after a word': lambda: patch(
      integrate_and_fire,
      'fire_forward',
      after(lambda own: (own[0]._replace(drive=own[0].drive * 0), *own[1:])),
    ),
    'errors are lost after a word': lambda: patch(
      integrate_and_fire,
      'fire_back',
      after(lambda own: (forget(own[0]), own[1])),
    ),
    'error spikes of the other sign': lambda: patch(
      integrate_and_fire, 'fire_back', after(lambda own: (own[0], swap(own[1])))
    ),
    'error spikes without the gain of their layer': lambda: patch(
      integrate_and_fire,
      'fire_back',
      lambda right: lambda *own: right(*own[:3], 1.0, *own[4:]),
    ),
    'errors not divided by the gain of their layer': lambda: patch(
      crossbar, 'sum_columns', after(lambda errors: 1.5 * errors)
    ),
    'output errors of the other sign': lambda: patch(
      wta, 'output_errors', after(swap)
    ),
    'no negative output errors': lambda: patch(
      wta,
      'output_errors',
      after(lambda own: own._replace(negative=jnp.zeros_like(own.negative))),
    ),
    'one class further wins': lambda: patch(
      wta, 'first', after(lambda winners: jnp.roll(winners, 1, axis=-1))
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
  },
  'stochastic': {
    'open gate': lambda: mock.patch.dict(
      firing.FIRING_FUNCTIONS,
      clip=firing.CLIP._replace(derivative=jnp.ones_like),
    ),
    'error spikes without the gain of their layer': lambda: patch(
      composite, 'error_rates', after(lambda rates: rates / 1.5)
    ),
    'errors not divided by the gain of their layer': lambda: patch(
      composite, 'transposed_drive', after(lambda errors: 1.5 * errors)
    ),
    'mean over one tick more': lambda: mock.patch.dict(
      membrane.MEMBRANES, mean=late_mean()
    ),
  },
}


class MutationTest(parameterized.TestCase):
  """The comparison sees wrong rules; right ones are equal in these settings."""

  @parameterized.parameters(
    (neuron, name) for neuron in MUTATIONS for name in MUTATIONS[neuron]
  )
  def test_wrong_rule_is_seen(self, neuron, name):
    self.assertIn(('bernoulli', 70, TWO, 3, 'realtime', neuron), SETTINGS)
    right = make_config('bernoulli', 70, TWO, 'realtime', neuron)
    # Kernels, which are compiled sooner, round rates on their own.
    kernels = name != 'thresholds that equal a rate fire'
    config = dataclasses.replace(right, kernels=kernels)
    network._build_once.cache_clear()
    self.addCleanup(network._build_once.cache_clear)
    if not kernels:  # samplers are traced once
      jax.clear_caches()
      self.addCleanup(jax.clear_caches)
    with MUTATIONS[neuron][name]():
      found = learn(config, 3)
    self.assertFalse(is_equal(found, learn_by_reference(right, 3)))
