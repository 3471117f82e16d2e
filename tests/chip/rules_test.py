"""Tests of the rules of the chip against its kernel, and of their numbers."""

import functools

from absl.testing import parameterized
import jax
import jax.extend
import numpy as np

from ssnn_jax import chip
from ssnn_jax.chip import samples
from ssnn_jax.spikes import kernels

NUM_SAMPLES = 4
# Depth, numbers of bits, random words, membranes; weights saturate in the last.
CONFIGS = {
  'one_layer': chip.ChipConfig((6, 3), num_steps=9, max_shift=1),
  'own_units': chip.ChipConfig(
    (5, 34, 6, 3), 13, 9, (9, 6, 7), 'lfsr', 'neuron', settle=2
  ),
  'sobol': chip.ChipConfig(
    (5, 9, 4), 48, 16, 6, 'sobol', 'mask', 'mean', enable='synapse'
  ),
  'saturated': chip.ChipConfig(
    (4, 6, 3), 48, 3, 3, 'xorshift', 'layer', enable='all', settle=0
  ),
}


@functools.cache
def make(name):
  """Returns the state and samples of a configuration."""
  config = CONFIGS[name]
  sizes, rng = config.layer_sizes, np.random.default_rng(4)
  lowest = -(2 ** (config.weight_bits - 1))

  def draw(i, j, bits):
    scale = max(min(-lowest, 2**bits) // 4, 1)
    own = rng.normal(scale / 2, scale, (i + 1, j))
    return np.int16(np.clip(own, lowest, -lowest - 1))

  weights = tuple(map(draw, sizes, sizes[1:], config.fractions))
  registers = chip.init_generators(config, jax.random.key(1))
  one = 2 ** config.fractions[0]
  rates = np.int32(rng.integers(0, one + 1, (NUM_SAMPLES, sizes[0])))
  labels = np.int32([0, 1, -1, 2])
  shape = NUM_SAMPLES, config.num_layers
  enable = np.int32(rng.integers(30_000, 2**16 + 1, shape))
  return weights, jax.device_get(registers), rates, labels, enable


def assert_equal(tree, other):
  """Asserts that two trees have equal integers, in lists of any kind."""
  leaves, others = jax.tree.leaves(tree), jax.tree.leaves(other)
  np.testing.assert_equal(len(leaves), len(others))
  for leaf, own in zip(leaves, others):
    np.testing.assert_array_equal(leaf, own)


class RulesTest(parameterized.TestCase):
  @parameterized.parameters(*CONFIGS)
  def test_there_is_no_float_on_the_chip(self, name):
    config = CONFIGS[name]
    weights, registers, *data = make(name)
    made = jax.make_jaxpr(functools.partial(chip.present, config))(
      weights, registers, *(x[0] for x in data)
    )
    found = set(_dtypes(made.jaxpr))
    integers = {'bool', 'int16', 'int32', 'uint32'}
    self.assertContainsSubset(found, integers)
    self.assertContainsSubset({'int16', 'int32', 'uint32'}, found)

  @parameterized.parameters(*CONFIGS)
  def test_compiled_kernel_equals_the_rules(self, name):
    """Of the second of two chips in parallel."""
    self.assertTrue(kernels.is_available('ssnn_chip'))
    config, (weights, registers, rates, *others) = CONFIGS[name], make(name)
    present = functools.partial(samples.present, config)
    by_rules = jax.jit(functools.partial(present, use_kernel=False))
    expected = by_rules(*make(name))
    two = jax.tree.map(
      lambda *own: np.stack(own),
      (weights, registers, rates[::-1], *others),
      make(name),
    )
    found = jax.jit(jax.vmap(present))(*two)
    assert_equal(jax.tree.map(lambda leaf: leaf[1], found), expected)
    moved = list(map(np.not_equal, expected.weights, weights))
    self.assertGreater(min(map(np.mean, moved)), 0.05)
    if name == 'saturated':
      reached = np.concatenate([np.ravel(own) for own in expected.weights])
      self.assertContainsSubset({-4, 3}, reached)

  def test_words_of_generators_are_even_and_do_not_repeat(self):
    for generator in ('xorshift', 'lfsr', 'sobol'):
      config = chip.ChipConfig((2, 2), 4096, generator=generator)
      registers = chip.init_generators(config, jax.random.key(2))
      weights = chip.init_weights(config, jax.random.key(0))
      present = jax.jit(functools.partial(chip.present, config))
      after = present(
        weights, registers, np.int32([512, 512]), np.int32(0), np.int32([0])
      )
      words = np.asarray(after.trace.words.input)[:, 0]
      self.assertLen(np.unique(words), 4096)
      counts = np.bincount(words >> 28, minlength=16)
      # Binomial: 5 standard errors of 256 are 77.
      np.testing.assert_allclose(counts, 256, atol=77)


def _dtypes(jaxpr):
  """Yields the names of all dtypes of a program and its inner programs."""
  for own in (*jaxpr.invars, *jaxpr.constvars, *jaxpr.outvars):
    yield own.aval.dtype.name
  for equation in jaxpr.eqns:
    for own in (*equation.invars, *equation.outvars):
      yield own.aval.dtype.name
    for inner in jax.extend.core.jaxprs_in_params(equation.params):
      yield from _dtypes(inner)
