"""Transistors and look-up tables of the chip, by module and number of bits."""

from collections.abc import Mapping
import dataclasses

import pandas as pd

from experiments.analysis import grid_table
from experiments.analysis import transistors
from experiments.analysis.statistics import Number
from experiments.analysis.study import Study
from ssnn_jax import chip

_BITS = (8, 10, 12, 16)
_MARGIN = 2  # bits of weights above the binary point
_STEPS = 64
_OWN = {'generator': 'xorshift', 'sharing': 'neuron'}  # own random words
_SIZES = ((64, 16, 10), (64, 64, 10), (784, 256, 10))
# Parts of a chip with 64 inputs and 64 hidden neurons, by heading.
_SYNAPSE = {'rows': 32, 'columns': 8}
_PARTS = {
  'synapse, first layer': 'synapses_first',
  'synapse, hidden layer': 'synapses_hidden',
  'synapse, output layer': 'synapses_output',
  'neuron': 'neuron',
  'membrane of a class': 'membrane_shift',
  'membrane of a class, exact mean': 'membrane_mean',
  'winner of 10 classes': 'winner',
  'xorshift generator': 'generator_xorshift',
  'LFSR generator': 'generator_lfsr',
  'Sobol sequence': 'generator_sobol',
  'input': 'inputs',
  'enable bit': 'enables',
}
_FPGA_PARTS = {
  'synapse, first layer': 'synapses_first',
  'neuron': 'neuron',
  'winner of 10 classes': 'winner',
  'xorshift generator': 'generator_xorshift',
}


def make_config(
  sizes: tuple[int, ...], bits: int, **fields: str
) -> chip.ChipConfig:
  """Returns a chip with weights of some bits.

  Args:
    sizes: neurons of each layer.
    bits: bits of weights; thresholds have two less.
    **fields: other fields.
  """
  return chip.ChipConfig(
    sizes, _STEPS, weight_bits=bits, fraction_bits=bits - _MARGIN, **fields
  )


def part_transistors(
  factors: Mapping[str, object], part: str, bits: int
) -> float:
  """Returns the transistors of a part of a 64-64-10 chip, by `fit`'s factors.

  Those of a synapse include its share of the adders of its row and column.
  """
  drive = {'drive_bits': bits + 7, 'tick_bits': _STEPS.bit_length()}
  sizes = drive | {
    'weight_bits': bits,
    'fraction_bits': bits - _MARGIN,
    'current_bits': bits + 1,
    'classes': 10,
  }
  get = lambda **own: transistors.predict(factors, part, sizes | own)
  if part.startswith('synapses'):
    rows, columns = _SYNAPSE.values()
    return get(**_SYNAPSE) / (rows * columns)
  if part in ('inputs', 'enables'):
    return get(**{part: 1}) - get(**{part: 0})
  return get()


def table(lines: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes tables of the parts, of FPGAs and of whole chips."""
  factors = transistors.fit(lines)
  rows = [
    {'transistors': name}
    | {
      f'{bits} bits': f'{part_transistors(factors, part, bits):,.0f}'
      for bits in _BITS
    }
    for name, part in _PARTS.items()
  ]
  return grid_table.set_titles(
    {
      'Parts': pd.DataFrame(rows),
      'Parts on FPGAs': _fpga_table(lines),
      'Whole chips': _chip_table(factors),
    }
  )


def _fpga_table(lines):
  rows = []
  for technology in ('ice40', 'ecp5'):
    own = lines[lines['technology'] == technology]
    for name, part in _FPGA_PARTS.items():
      row = {'FPGA': technology, 'look-up tables': name}
      for bits in _BITS:
        (found,) = own[
          (own['part'] == part) & (own['weight_bits'] == bits)
        ].to_dict('records')
        is_array = part.startswith('synapses')
        number = found['rows'] * found['columns'] if is_array else 1
        row[f'{bits} bits'] = f'{found["luts"] / number:.0f}'
      rows.append(row)
  return pd.DataFrame(rows)


def _chip_table(factors):
  rows = []
  for sizes in _SIZES:
    for bits in _BITS:
      parts = transistors.count(make_config(sizes, bits), factors)
      total = sum(parts.values())
      own = transistors.count(make_config(sizes, bits, **_OWN), factors)
      row = {'chip': '-'.join(map(str, sizes)), 'bits': str(bits)}
      row['million transistors'] = f'{total / 1e6:.2f}'
      for name, value in parts.items():
        row[name] = f'{100 * value / total:.1f} %'
      row['own words'] = f'{sum(own.values()) / 1e6:.2f}'
      rows.append(row)
  return pd.DataFrame(rows)


def numbers(records: Mapping[str, pd.DataFrame]) -> dict[str, Number]:
  """Returns transistors of parts and chips, and the error of a composition."""
  (lines,) = records.values()
  factors, found = transistors.fit(lines), {}
  for part in _PARTS.values():
    for bits in _BITS:
      value = part_transistors(factors, part, bits)
      found[f'{part}_{bits}'] = Number(value)
  for sizes in _SIZES:
    for bits in _BITS:
      config = make_config(sizes, bits)
      parts = transistors.count(config, factors)
      own = dataclasses.replace(config, **_OWN)
      own_parts = transistors.count(own, factors)
      total, own_total = sum(parts.values()), sum(own_parts.values())
      name = f'{"_".join(map(str, sizes))}_{bits}'
      found[f'million_{name}'] = Number(total / 1e6)
      found[f'saved_{name}'] = Number(100 * (1 - total / own_total))
      outside = total - parts['synapses']
      own_outside = own_total - own_parts['synapses']
      found[f'saved_outside_{name}'] = Number(100 * (1 - outside / own_outside))
      found[f'synapses_{name}'] = Number(100 * parts['synapses'] / total)
  (flat,) = lines[lines['part'] == 'chip'].to_dict('records')
  config = make_config(tuple(flat['layer_sizes']), int(flat['weight_bits']))
  composed = sum(transistors.count(config, factors).values())
  found['flat'] = Number(flat['transistors'])
  found['composed'] = Number(composed)
  found['error'] = Number(100 * (composed / flat['transistors'] - 1))
  return found


STUDY = Study(
  question='How many transistors does a chip that learns have, and where?',
  commands={
    'yosys': ('python -m experiments.rtl.synthesize --lines=gates.jsonl',)
  },
  table=table,
  numbers=numbers,
  text="""
[The chip](../../docs/chip.md) is synthesized module by module, by yosys, to
gates of static CMOS, whose transistors yosys estimates (`stat -tech cmos`), and
to look-up tables of iCE40 and ECP5 FPGAs. Thresholds have two bits less than
weights; T = 64. Weights are registers, read and written in each tick.

A synapse has {synapses_first_8:.0f} transistors with weights of 8 bits and
{synapses_first_16:.0f} with 16, including its share of the adders. In a deeper
layer it has {synapses_hidden_8:.0f} and {synapses_hidden_16:.0f}, since rows
are summed, too, and in the output layer {synapses_output_8:.0f} and
{synapses_output_16:.0f}, since the sum is a difference of two selected weights.

**Whole chips** are composed. Numbers of transistors are linear in numbers of
synapses, neurons and bits, and the factors are fitted to arrays of up to 32
rows and 8 columns (`experiments/analysis/transistors.py`):

  chip = sum over layers of (I + 1) J synapses + J neurons + enable bits
         + inputs + winner + generators + schedule and votes

For a chip of 8-4-3 neurons and 8 bits this is {composed:.0f} transistors;
synthesized as a whole it has {flat:.0f}, so that the composition is off by
{error:.2f} %. A 784-256-10 chip with 12 bits would have
{million_784_256_10_12:.1f} million transistors, {synapses_784_256_10_12:.1f} %
of them in its synapses.

**Sharing random words.** `own words` has an xorshift generator for each neuron,
input and row. One word for a layer and role saves {saved_64_64_10_10:.1f} % of
a 64-64-10 chip with 10 bits, {saved_outside_64_64_10_10:.0f} % of what is not
synapses, and {saved_784_256_10_12:.1f} % and {saved_outside_784_256_10_12:.0f}
% of 784-256-10 with 12 bits. Clock tree, wires, pads and memory macros are not
counted.
""",
)
