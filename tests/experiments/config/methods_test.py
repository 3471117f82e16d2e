"""Tests of the methods that train a network."""

import dataclasses
import functools

from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments.config import methods
from experiments.config import synapses
import ssnn_jax
from ssnn_jax import network
from tests.testing import statistics

SIZES = (6, 5, 3)
KEY, SEED_KEY = jax.random.key(2), jax.random.key(7)
IMAGES = jnp.linspace(0, 1, 4 * SIZES[0]).reshape(4, SIZES[0])
LABELS = jnp.arange(4) % SIZES[-1]
# Each changed field changes the update of the spiking network.
BASE = {
  'num_steps': 12,
  'window': 4,
  'integration': 'leaky',
  'sampler': 'bernoulli',
}
CHANGED = {
  'num_steps': 14,
  'window': 2,
  'integration': 'mean',
  'tau': 3.0,
  'gain': 2.0,
  'forward': 'rates',
  'backward': 'rates',
  'update': 'rates',
  'sampler': 'sobol',
  'representation': 'dense',
  'output_errors': 'softmax',
  'timing': 'realtime',
  'winner': 'race',
}
# Fields that do not change the update of `learn` here: of data and probes, of
# updates within a presentation, and of real time and the race, without which
# they do nothing.
OTHER_FIELDS = {'shuffle_ticks', 'probe_size', 'probe_draws', 'probe_every'}
OTHER_FIELDS |= {'update_every', 'settle', 'max_window'}
OTHER_FIELDS |= {own.name for own in dataclasses.fields(ssnn_jax.RaceConfig)}
USE_ALL = ('ssnn', 'feedback_alignment')  # methods that use all these fields
BASELINES = ('surrogate_gradient', 'bp_stdp', 'rpu', 'feedback_alignment')


@functools.cache
def update_of(method, *changed):
  """Returns the update of a method as a vector, with changed fields."""
  options = BASE | {field: CHANGED[field] for field in changed}
  config = ssnn_jax.NetworkConfig(SIZES, **options)
  params = network.init(config, jax.random.key(0))
  built = methods.METHODS[method].make(config, SEED_KEY)
  update, _ = jax.jit(built.learn)(params, KEY, IMAGES, LABELS)
  return statistics.flat(ssnn_jax.as_gradient(update))


class FieldsTest(parameterized.TestCase):
  @parameterized.parameters(*methods.MINIBATCH)
  def test_unused_fields_do_not_change_the_update(self, method):
    used = {field: methods.concerns(method, field) for field in CHANGED}
    self.assertEqual(all(used.values()), method in USE_ALL)
    if method not in USE_ALL:
      unused = [field for field in CHANGED if not used[field]]
      before = update_of(method)
      np.testing.assert_array_equal(update_of(method, *unused), before)
      self.assertTrue(np.any(before))

  @parameterized.parameters(
    (method, field)
    for method in methods.MINIBATCH
    if method not in USE_ALL
    for field in CHANGED
    # Representations have the same counts.
    if methods.concerns(method, field) and field != 'representation'
  )
  def test_used_fields_change_the_update(self, method, field):
    self.assertTrue(np.any(update_of(method, field) != update_of(method)))

  @parameterized.parameters(*methods.METHODS)
  def test_only_fields_of_spikes_may_be_unused(self, method):
    self.assertEqual(
      methods.SPIKING_FIELDS,
      CHANGED.keys()
      | OTHER_FIELDS
      | synapses.DEFAULTS.keys()
      | methods.CHIP_FIELDS,
    )
    self.assertContainsSubset(
      methods.METHODS[method].fields, methods.SPIKING_FIELDS
    )
    for field in ('layer_sizes', 'firing_function', 'dropout', 'input_gain'):
      self.assertTrue(methods.concerns(method, field))


class StoredBitsTest(parameterized.TestCase):
  @parameterized.parameters(*methods.MINIBATCH)
  def test_unused_fields_do_not_change_the_stored_bits(self, method):
    config = ssnn_jax.NetworkConfig(SIZES, **BASE)
    bits = methods.count_stored_bits(method, config)
    self.assertIsInstance(bits, int)
    changes = {
      field: value
      for field, value in CHANGED.items()
      if not methods.concerns(method, field)
    }
    changed = dataclasses.replace(config, **changes)
    self.assertEqual(methods.count_stored_bits(method, changed), bits)


class ExportTest(parameterized.TestCase):
  @parameterized.parameters(*BASELINES)
  def test_learn_exports_for_every_platform(self, method):
    config = ssnn_jax.NetworkConfig(SIZES, **BASE, kernels=False)
    built = methods.METHODS[method].make(config, SEED_KEY)

    def learn(params, key_data, images):  # JAX exports no typed keys
      key = jax.random.wrap_key_data(key_data)
      return built.learn(params, key, images, LABELS)

    platforms = ('cpu', 'cuda', 'tpu')
    exported = jax.export.export(jax.jit(learn), platforms=platforms)(
      network.init(config, jax.random.key(0)), jax.random.key_data(KEY), IMAGES
    )
    self.assertEqual(exported.platforms, platforms)
