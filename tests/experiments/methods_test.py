"""Tests for the methods that train a network."""

import functools

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments import methods
import ssnn_jax
from ssnn_jax import network
from tests.testing import statistics
from tests.testing.networks import jit

SIZES = (6, 5, 3)
KEY, SEED_KEY = jax.random.key(2), jax.random.key(7)
IMAGES = jnp.linspace(0, 1, 4 * SIZES[0]).reshape(4, SIZES[0])
LABELS = jnp.arange(4) % SIZES[-1]
# Each value makes a difference to the spiking network.
BASE = {'num_steps': 12, 'window': 4, 'integration': 'leaky'}
CHANGED = {
  **{'num_steps': 14, 'window': 3, 'integration': 'mean', 'tau': 3.0},
  **{'gain': 2.0, 'forward': 'rates', 'backward': 'rates', 'delay': 1},
  **{'update': 'rates', 'sampler': 'sobol', 'representation': 'dense'},
  'output_errors': 'softmax',
}
ALL = ('ssnn', 'feedback_alignment')  # to which all fields of spikes matter
RIVALS = ('surrogate_gradient', 'bp_stdp', 'rpu', 'feedback_alignment')


@functools.cache
def update_of(method, *changed):
  """Returns the gradient that a method learns where fields are changed."""
  options = BASE | {field: CHANGED[field] for field in changed}
  config = ssnn_jax.NetworkConfig(SIZES, **options)
  params = network.init(config, jax.random.key(0))
  built = methods.METHODS[method].make(config, SEED_KEY)
  update, _ = jit(built.learn)(params, KEY, IMAGES, LABELS)
  return statistics.flat(ssnn_jax.as_gradient(update))


class FieldsTest(parameterized.TestCase):
  @parameterized.parameters(*methods.METHODS)
  def test_fields_that_do_not_matter_change_nothing(self, method):
    matters = {field: methods.concerns(method, field) for field in CHANGED}
    self.assertEqual(all(matters.values()), method in ALL)
    if method not in ALL:
      others = [field for field, it_does in matters.items() if not it_does]
      before = update_of(method)
      np.testing.assert_array_equal(update_of(method, *others), before)
      self.assertTrue(np.any(before))

  @parameterized.parameters(
    (method, field)
    for method in methods.METHODS
    if method not in ALL
    for field in CHANGED
    # Whose point is that counts are the same.
    if methods.concerns(method, field) and field != 'representation'
  )
  def test_fields_that_matter_change_something(self, method, field):
    self.assertTrue(np.any(update_of(method, field) != update_of(method)))

  @parameterized.parameters(*methods.METHODS)
  def test_fields_are_of_spikes_and_no_other_makes_no_difference(self, method):
    self.assertContainsSubset(
      methods.METHODS[method].fields, methods.SPIKING_FIELDS
    )
    for field in ('layer_sizes', 'firing_function', 'dropout', 'input_gain'):
      self.assertTrue(methods.concerns(method, field))


class ExportTest(parameterized.TestCase):
  @parameterized.parameters(*RIVALS)
  def test_learn_exports_for_every_platform(self, method):
    config = ssnn_jax.NetworkConfig(SIZES, **BASE, kernels=False)
    built = methods.METHODS[method].make(config, SEED_KEY)

    def on_bits(params, bits, images):  # typed keys are not exported
      return built.learn(params, jax.random.wrap_key_data(bits), images, LABELS)

    platforms = ('cpu', 'cuda', 'tpu')
    exported = jax.export.export(jax.jit(on_bits), platforms=platforms)(
      network.init(config, jax.random.key(0)), jax.random.key_data(KEY), IMAGES
    )
    self.assertEqual(exported.platforms, platforms)


if __name__ == '__main__':
  absltest.main()
