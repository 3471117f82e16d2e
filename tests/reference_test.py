"""Tests that stochastic networks equal the reference, integer by integer."""

import functools
from unittest import mock

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

import ssnn_jax
from ssnn_jax import network
from ssnn_jax import reference
from ssnn_jax.neuron import coincidence
from ssnn_jax.neuron import composite
from ssnn_jax.neuron import wta
from ssnn_jax.simulation import buffered
from ssnn_jax.spikes import thresholds
from tests.testing import networks

ONE, TWO, THREE, FOUR = (12, 3), (12, 9, 4), (12, 9, 8, 3), (12, 7, 6, 5, 3)
# Sampler, number of ticks, layer sizes, batch size and other fields.
SETTINGS = (
  ('bernoulli', 1, THREE, 2),
  ('sobol', 2, ONE, 4),
  ('sobol', 16, FOUR, 1, {'gain': (1.0, 3.0, 0.5)}),
  ('bernoulli', 31, TWO, 5),
  ('sobol', 40, TWO, 2),
  ('bernoulli', 64, THREE, 2),
  ('bernoulli', 70, TWO, 3),
  ('sobol', 100, TWO, 3),
  ('bernoulli', 128, ONE, 1),
  ('sobol', 256, ONE, 1),
)
SEEDS = range(3)  # of the samples, parameters and keys of each setting


def make_config(sampler, num_steps, sizes, **options):
  options = {'gain': 1.5, 'input_gain': 1.25} | options
  return networks.stochastic(
    sizes, num_steps=num_steps, sampler=sampler, **options
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


def learn_fast(config):
  """Returns the function that counts what a batch changes, and its response."""
  built = ssnn_jax.ssnn(config)

  def learn(*batch):
    update, inference = built.learn(*batch)
    gradient, _ = jax.grad(built.loss, has_aux=True)(*batch)
    # What is learned is the counts, each worth a unit of gradient.
    expected = jax.tree.map(
      lambda count, unit: count.astype(jnp.float32) * unit,
      update.positive,
      update.unit,
    )
    is_same = jax.tree.map(lambda a, b: jnp.all(a == b), gradient, expected)
    votes = inference.winner_counts, inference.largest_counts
    return update.positive, votes, jnp.all(jnp.stack(jax.tree.leaves(is_same)))

  return learn


def learn_by_reference(config):
  """Returns the same function of the reference."""

  def learn(params, key, images, labels):
    def present(position, rates, label):
      sample = reference.make_sample(config, key, position, rates)
      return reference.stochastic(config, params, sample, label)

    positions = jnp.arange(len(labels))
    counts, inference = jax.vmap(present)(positions, images, labels)
    counts = jax.tree.map(lambda own: jnp.sum(own, axis=0), counts)
    votes = inference.winner_counts, inference.largest_counts
    whole = jax.tree.map(lambda x: x.astype(jnp.int32), (counts, votes))
    return *whole, jnp.bool_(True)

  return learn


@functools.cache
def expect(config, batch_size):
  return present(learn_by_reference(config), config, batch_size)


def present(learn, config, batch_size):
  """Presents a batch of each seed."""
  learn = jax.jit(learn)
  return [
    jax.tree.map(
      np.asarray, learn(*make_batch(config.layer_sizes, batch_size, seed))
    )
    for seed in SEEDS
  ]


class ReferenceTest(parameterized.TestCase):
  @parameterized.parameters(*SETTINGS)
  def test_counts_are_equal(self, sampler, num_steps, sizes, size, *options):
    config = make_config(sampler, num_steps, sizes, **dict(*options))
    found = present(learn_fast(config), config, size)
    networks.assert_same(found, expect(config, size))
    self.assertTrue(any(np.any(own[-1].biases) for own, *_ in found))
    for _, votes, _ in found:
      for counts in votes:
        np.testing.assert_array_equal(counts.sum(axis=1), num_steps)


def patch(module, name, mutate):
  return mock.patch.object(module, name, mutate(getattr(module, name)))


def after(change):
  """Returns the mutation that changes the result of a function."""

  def mutate(function):
    return lambda *args, **kwargs: change(function(*args, **kwargs))

  return mutate


swap = lambda streams: type(streams)(*reversed(streams))
MUTATIONS = {
  'open gate': lambda: patch(buffered, '_gate', after(jnp.ones_like)),
  'error spikes without the gain of their layer': lambda: patch(
    composite, 'error_rates', after(lambda rates: rates / 1.5)
  ),
  'errors not divided by the gain of their layer': lambda: patch(
    composite, 'transposed_drive', after(lambda errors: 1.5 * errors)
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
  'the last spikes of a word are not counted': lambda: patch(
    coincidence,
    'count_coincidences',
    lambda right: lambda counts, words, *own: right(counts, words << 4, *own),
  ),
}


class MutationTest(parameterized.TestCase):
  """The comparison sees wrong rules; right ones are equal in this setting."""

  @parameterized.parameters(*MUTATIONS)
  def test_wrong_rule_is_seen(self, name):
    self.assertIn(('bernoulli', 70, TWO, 3), SETTINGS)
    right = make_config('bernoulli', 70, TWO)
    network._build_once.cache_clear()
    self.addCleanup(network._build_once.cache_clear)
    jax.clear_caches()  # samplers are traced once
    self.addCleanup(jax.clear_caches)
    with MUTATIONS[name]():
      found = present(learn_fast(right), right, 3)
    equal = jax.tree.map(np.array_equal, found, expect(right, 3))
    self.assertFalse(all(jax.tree.leaves(equal)))
