"""Tests of the rules of the chip, one by one and against plain Python."""

import functools

from absl.testing import parameterized
import jax
import jax.extend
import numpy as np

from ssnn_jax import chip
from ssnn_jax.chip import samples
from ssnn_jax.spikes import kernels
from tests.testing import chips

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


@functools.cache
def run(name):
  """Presents the samples by the rules; returns a `Presentation` of each."""
  weights, registers, *data = make(name)
  present = jax.jit(functools.partial(chip.present, CONFIGS[name]))
  found = []
  for sample in zip(*data):
    found.append(jax.device_get(present(weights, registers, *sample)))
    weights, registers = found[-1].weights, found[-1].generators
  return found


def assert_equal(tree, other):
  """Asserts that two trees have equal integers, in lists of any kind."""
  leaves, others = jax.tree.leaves(tree), jax.tree.leaves(other)
  np.testing.assert_equal(len(leaves), len(others))
  for leaf, own in zip(leaves, others):
    np.testing.assert_array_equal(leaf, own)


class RulesTest(parameterized.TestCase):
  @parameterized.parameters(*CONFIGS)
  def test_equals_loops_over_neurons_and_synapses(self, name):
    weights, registers, *data = make(name)
    before = weights
    for sample, found in zip(zip(*data), run(name)):
      sample = (np.asarray(x).tolist() for x in sample)
      expected = chips.present(CONFIGS[name], weights, registers, *sample)
      weights, registers = found.weights, found.generators
      assert_equal(weights, expected['weights'])
      assert_equal([found.response], [expected['response']])
      assert_equal(registers, expected['registers'])
      spikes, neurons = found.trace.spikes, found.trace.neurons
      ticks = [
        [list(map(np.array, own)) for own in tick] for tick in expected['ticks']
      ]
      stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *ticks)
      assert_equal([*spikes[:2], neurons.potentials], stacked)
      winners = np.array(expected['winners'])
      assert_equal([spikes.winner, spikes.largest], list(winners.T))
    moved = [np.mean(own != other) for own, other in zip(weights, before)]
    self.assertGreater(min(moved), 0.05, moved)
    if name.startswith('saturated'):
      lowest = -(2 ** (CONFIGS[name].weight_bits - 1))
      reached = np.concatenate([np.ravel(own) for own in weights])
      self.assertContainsSubset({lowest, -lowest - 1}, reached)

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
    rules = run(name)
    each = jax.tree.map(lambda *leaves: np.stack(leaves), *rules)
    count = lambda spikes: np.sum(spikes != 0, axis=1)
    spikes, errors, *_ = each.trace.spikes
    expected = samples.Presented(
      weights=rules[-1].weights,
      generators=rules[-1].generators,
      response=each.response,
      spikes=jax.tree.map(count, spikes),
      errors=jax.tree.map(count, errors),
    )
    present = functools.partial(samples.present, CONFIGS[name])
    weights, registers, rates, labels, enable = make(name)
    others = weights, registers, rates[::-1], labels, enable
    two = jax.tree.map(lambda *own: np.stack(own), others, make(name))
    found = jax.jit(jax.vmap(present))(*two)
    assert_equal(jax.tree.map(lambda leaf: leaf[1], found), expected)

  def test_samples_by_the_rules_equal_the_kernel(self):
    data = make('sobol')
    present = functools.partial(samples.present, CONFIGS['sobol'])
    by_rules = functools.partial(present, use_kernel=False)
    assert_equal(jax.jit(by_rules)(*data), jax.jit(present)(*data))

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
