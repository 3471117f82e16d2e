"""The chip in Verilog: the instance of a configuration.

The modules are in the folder `rtl`; `chip_top` is `chip` with the parameters of
a configuration.
"""

from collections.abc import Sequence
import pathlib
from typing import NamedTuple

import jax
import numpy as np

from ssnn_jax import checks
from ssnn_jax.chip import config as config_lib
from ssnn_jax.chip import rules
from ssnn_jax.chip.config import ChipConfig

FOLDER = pathlib.Path(__file__).with_name('rtl')
TOP = 'chip_top'
WIDTH = 18  # columns of a slice
RATE_WIDTH = config_lib.RATE_BITS + 1  # bits of an enable rate, 0 to 2^16


class Port(NamedTuple):
  """A port of the chip."""

  direction: str  #: input or output
  name: str
  num_bits: int
  help: str


def sources() -> list[pathlib.Path]:
  """Returns the paths of the modules."""
  return sorted(FOLDER.glob('*.sv'))


def ports(config: ChipConfig) -> list[Port]:
  """Returns the ports of the chip."""
  inputs, *_, classes = config.layer_sizes
  num_layers, bits = config.num_layers, config.weight_bits
  votes = classes * config.num_steps.bit_length()
  entries = [
    ('input', 'clock', 1, 'all registers change at its rising edge'),
    ('input', 'reset', 1, 'resets generators and control, not the weights'),
    ('input', 'sample_valid', 1, 'stream of samples'),
    ('output', 'sample_ready', 1, 'a sample fits in a page'),
    ('input', 'sample_data', 8,
     f'{inputs} pixels, then the label; 255 recognizes without learning'),
    ('output', 'result_valid', 1, 'a sample is done'),
    ('input', 'result_ready', 1, 'takes the result; the next sample starts'),
    ('output', 'votes', votes, 'ticks won by each class; class 0 lowest'),
    ('input', 'enable_rates', RATE_WIDTH * num_layers,
     'learning rates: rates of the enable bits of each layer, '
     f'{RATE_WIDTH} bits each, 0 to 2^16; layer 0 lowest; read at the start '
     'of a sample'),
    ('input', 'row_valid', 1, 'requests the weights of a row'),
    ('output', 'row_ready', 1, 'the chip is between samples'),
    ('input', 'row_write', 1, '1 writes the row, 0 reads it'),
    ('input', 'row_layer', 2, 'layer of weights'),
    ('input', 'row_index', 16, 'row: the input, or the bias as the last row'),
    ('input', 'weight_in_valid', 1, 'stream of weights to a row'),
    ('output', 'weight_in_ready', 1, 'a row is being written'),
    ('input', 'weight_in_data', bits, 'weights, column 0 first'),
    ('output', 'weight_out_valid', 1, 'stream of weights of a row'),
    ('input', 'weight_out_ready', 1, 'takes the weight'),
    ('output', 'weight_out_data', bits, 'weights, column 0 first'),
    ('output', 'busy', 1, 'a sample is presented, or a row is accessed'),
  ]  # fmt: skip
  return [Port(*entry) for entry in entries]


def parameters(
  config: ChipConfig, registers: rules.Generators, banks: int = 2
) -> dict[str, int | str]:
  """Returns the parameters of the module `chip`, by name.

  Numbers, and constants of packed numbers; `registers` are those of the
  generators after reset, and `banks` (1 or 2) rows of a layer are read in a
  clock. Raises a `UserError` if the Verilog does not have such layers.
  """
  table = config.gumbel_table
  noise_bits = int(table.max()).bit_length()
  # A row request has 2 bits for the layer, and label 255 does not learn.
  is_valid = 2 <= config.num_layers <= 4 and config.layer_sizes[-1] <= 255
  expected = 'one to three hidden layers and at most 255 classes, in Verilog'
  checks.check_field(config, 'layer_sizes', is_valid, expected)
  seeds = np.concatenate([np.ravel(x) for x in jax.tree.leaves(registers)])
  return {
    'LAYERS': config.num_layers,
    'SIZES': constant(config.layer_sizes, 32),
    'STEPS': config.num_steps,
    'FIRST_VOTE': config.first_vote,
    'WEIGHT_BITS': config.weight_bits,
    'FRACTIONS': constant(config.fractions, 32),
    'BANKS': banks,
    'WIDTH': WIDTH,
    'NOISE_BITS': noise_bits,
    'GUMBEL': constant(table, noise_bits),
    'SEEDS': constant(seeds, 32),
    'MATRIX': constant(rules.sobol_rows(), 16),
  }


def top(config: ChipConfig, registers: rules.Generators, banks: int = 2) -> str:
  """Returns the text of `chip_top`, `chip` with all parameters of a chip.

  The arguments are those of `parameters`.
  """
  declared, connected = [], []
  for port in ports(config):
    bits = f'[{port.num_bits - 1}:0] ' if port.num_bits > 1 else ''
    declared.append(f'  {port.direction:6} logic {bits}{port.name}')
    connected.append(f'    .{port.name}({port.name})')
  values = [
    f'    .{name}({value})'
    for name, value in parameters(config, registers, banks).items()
  ]
  join = ',\n'.join
  return (
    f'// {config!r}\nmodule {TOP} (\n{join(declared)}\n);\n'
    f'  chip #(\n{join(values)}\n  ) own (\n{join(connected)}\n  );\n'
    'endmodule\n'
  )


def constant(values: Sequence[int], num_bits: int) -> str:
  """Returns numbers as one constant of Verilog, the first lowest."""
  value = sum(int(v) << (num_bits * n) for n, v in enumerate(values))
  return f"{num_bits * len(values)}'h{value:x}"
