"""Synthesizes the modules of the chip in Verilog, and counts their gates.

  python -m experiments.rtl synthesize
  python -m experiments.rtl synthesize --weight_bits=8,12 --lines=gates.jsonl
  python -m experiments.rtl synthesize --weight_bits=10 --liberty=cells.lib

Counts transistors of static CMOS, as yosys estimates them (`stat -tech cmos`),
and look-up tables of iCE40 and ECP5 FPGAs, by number of bits, and composes a
whole chip of them; a small chip is synthesized as a whole, too. --liberty gives
areas of standard cells instead. The first synthesis of a user compiles yosys,
which takes a minute.

The record of the study chip_gates is collected by

  python -m experiments.pages --study=chip_gates --record=yosys
    --lines=gates.jsonl
"""

from collections.abc import Iterator
import json
import pathlib
import shlex
import sys
from typing import Any

from absl import flags
import jax

from experiments.config import command
from experiments.config import field
from experiments.rtl import synthesis
from ssnn_jax import chip
from ssnn_jax.chip import verilog
from ssnn_jax.runs import files
from ssnn_jax.runs import provenance

STEPS = 64
# Rows and columns of arrays of synapses.
ARRAYS = ((16, 4), (32, 4), (16, 8))
KINDS = ('first', 'hidden', 'output')
SMALL = chip.ChipConfig((8, 4, 3), weight_bits=8, fraction_bits=6)
_MARGIN = 2  # bits of weights above the binary point, with the sign


def parts(weight_bits: int) -> Iterator[tuple[synthesis.Part, dict[str, int]]]:
  """Yields the parts that depend on the bits of weights, and their sizes."""
  fraction_bits = weight_bits - _MARGIN
  for kind in KINDS:
    for rows, columns in ARRAYS:
      part = synthesis.synapses(kind, weight_bits, rows, columns)
      yield part, {'rows': rows, 'columns': columns}
  for inputs, steps in ((64, STEPS), (1024, STEPS), (64, 256)):
    drive_bits = weight_bits + inputs.bit_length()
    sizes = {'drive_bits': drive_bits, 'tick_bits': steps.bit_length()}
    for mean in (False, True):
      yield synthesis.membrane(drive_bits, steps, mean), sizes
    for current_bits in (weight_bits + 1, weight_bits + 6):
      part = synthesis.neuron(drive_bits, current_bits, fraction_bits, steps)
      own = {'current_bits': current_bits, 'fraction_bits': fraction_bits}
      yield part, sizes | own
  for classes, inputs in ((5, 16), (10, 16), (10, 256)):
    drive_bits = weight_bits + inputs.bit_length()
    sizes = {'classes': classes, 'drive_bits': drive_bits}
    sizes['fraction_bits'] = fraction_bits
    yield synthesis.winner(classes, drive_bits, fraction_bits), sizes
  for number in (8, 24):
    sizes = {'inputs': number, 'fraction_bits': fraction_bits}
    yield synthesis.inputs(number, fraction_bits), sizes


def common_parts() -> Iterator[tuple[synthesis.Part, dict[str, int]]]:
  """Yields the parts of all chips, and their sizes."""
  for kind in chip.config.GENERATORS:
    yield synthesis.generator(kind), {}
  for number in (8, 24):
    yield synthesis.enables(number), {'enables': number}
  for steps in (STEPS, 256):
    ticks = {'tick_bits': steps.bit_length()}
    for number in (4, 10):
      yield synthesis.votes(number, steps), ticks | {'classes': number}
    for number in (2, 4):
      yield synthesis.schedule(number, steps), ticks | {'layers': number}


def fpga_parts(weight_bits: int) -> list[tuple[synthesis.Part, dict[str, int]]]:
  """Returns the parts that are synthesized for FPGAs, and their sizes."""
  fraction_bits, (rows, columns) = weight_bits - _MARGIN, ARRAYS[0]
  drive_bits = weight_bits + 7
  return [
    (
      synthesis.synapses('first', weight_bits, rows, columns),
      {'rows': rows, 'columns': columns},
    ),
    (synthesis.neuron(drive_bits, weight_bits + 1, fraction_bits, STEPS), {}),
    (synthesis.winner(10, weight_bits + 5, fraction_bits), {'classes': 10}),
    (synthesis.generator('xorshift'), {}),
  ]


def measure(
  all_bits: tuple[int, ...], liberty: pathlib.Path | None
) -> Iterator[dict[str, Any]]:
  """Yields a line of each synthesis.

  Args:
    all_bits: the bits of weights.
    liberty: path of a file of standard cells, or None for CMOS and FPGAs.
  """

  def run(entries, technology, **sizes):
    for part, own in entries:
      own = sizes | own
      counts = synthesis.synthesize(part, technology, liberty)
      name = 'cells' if liberty else technology
      yield {'technology': name, 'part': part.name, **own, **counts}

  yield from run(common_parts(), 'cmos')
  for bits in all_bits:
    yield from run(parts(bits), 'cmos', weight_bits=bits)
    if liberty is None:
      for technology in ('ice40', 'ecp5'):
        yield from run(fpga_parts(bits), technology, weight_bits=bits)
  registers = chip.init_generators(SMALL, jax.random.key(0))
  part = synthesis.Part('chip', verilog.TOP, {})
  text = verilog.top(SMALL, registers)
  counts = synthesis.synthesize(part, 'cmos', liberty, text)
  yield {
    'technology': 'cells' if liberty else 'cmos',
    'part': 'chip',
    'layer_sizes': SMALL.layer_sizes,
    'weight_bits': SMALL.weight_bits,
    **counts,
  }


def main() -> None:
  """Prints a line of each synthesis, and writes them to a file."""
  values = flags.FLAGS.flag_values_dict()
  liberty = values['liberty'] and command.folder(values['liberty'])
  written = None
  if values['lines']:
    written = command.folder(values['lines'])
    words = ['python', '-m', 'experiments.rtl', 'synthesize', *sys.argv[1:]]
    header = {'event': 'header', 'study': 'chip_gates'}
    header |= {'command': shlex.join(words), **provenance.environment()}
    files.write_new(written, (json.dumps(header) + '\n').encode())
  lines = []
  for line in measure(values['weight_bits'], liberty):
    lines.append(line)
    print(json.dumps(line), flush=True)
    if written:
      with written.open('a') as file:
        file.write(json.dumps(line) + '\n')


if __name__ == '__main__':
  flags.DEFINE(
    field.TupleParser(int),
    'weight_bits',
    (8, 10, 12, 16),
    'bits of weights; thresholds have two less.',
  )
  flags.DEFINE_string(
    'liberty', None, 'file of standard cells, whose areas are summed.'
  )
  flags.DEFINE_string('lines', None, 'new file for the lines, as JSON.')
  command.launch(main)
