"""The chip and its board in Verilog: the instances of a configuration.

The modules are in the folder `rtl`. `chip_top` is `chip` with the parameters of
a configuration, and `board_top` is `ulx3s`, the chip behind a serial line.
"""

import pathlib
import zlib

import numpy as np

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.chip import config as config_lib
from ssnn_jax.chip import rules
from ssnn_jax.chip.config import ChipConfig

FOLDER = pathlib.Path(__file__).with_name('rtl')
BOARD = FOLDER / 'board'
CONSTRAINTS = BOARD / 'ulx3s.lpf'
TOP, BOARD_TOP = 'chip_top', 'board_top'
WIDTH = 18  # columns of a slice
RATE_WIDTH = config_lib.RATE_BITS + 1  # bits of an enable rate, 0 to 2^16


def sources(folder: pathlib.Path = FOLDER) -> list[pathlib.Path]:
  """Returns the paths of the modules of the chip, or of `BOARD`."""
  return sorted(folder.glob('*.sv'))


def ports(config: ChipConfig) -> str:
  """Returns the declarations of the ports of the chip, with their comments."""
  text = _ports_of(FOLDER / 'chip.sv')
  for size, value in {
    'CLASSES*TICK_BITS': config.layer_sizes[-1] * config.num_steps.bit_length(),
    '17*LAYERS': RATE_WIDTH * config.num_layers,
    'WEIGHT_BITS': config.weight_bits,
  }.items():
    old, new = f'[{size}-1:0]', f'[{value - 1}:0]'
    text = text.replace(old, new.ljust(len(old)))
  return text


def top(config: ChipConfig, registers: rules.Generators, banks: int = 2) -> str:
  """Returns the text of `chip_top`, `chip` with all parameters of a chip.

  After reset, its generators have the registers. 1 or 2 banks are the rows of a
  layer that are read in a clock.
  """
  # A row request has 2 bits for the layer, and label 255 does not learn.
  is_valid = 2 <= config.num_layers <= 4 and config.layer_sizes[-1] <= 255
  expected = 'one to three hidden layers and at most 255 classes, in Verilog'
  checks.check_field(config, 'layer_sizes', is_valid, expected)
  table = config.gumbel_table
  noise_bits = int(table.max()).bit_length()
  values = _sizes(config) | {
    'FIRST_VOTE': config.first_vote,
    'FRACTIONS': _constant(config.fractions, 32),
    'BANKS': banks,
    'WIDTH': WIDTH,
    'NOISE_BITS': noise_bits,
    'GUMBEL': _constant(table, noise_bits),
    'SEEDS': _constant(np.hstack(registers), 32),
    'MATRIX': _constant(rules.sobol_rows(), 16),
  }
  return _instance(repr(config), TOP, ports(config), 'chip', values)


def board_top(
  config: ChipConfig,
  registers: rules.Generators,
  clock_mhz: float,
  baud_rate: int,
) -> str:
  """Returns the text of `board_top`, `ulx3s` with all parameters.

  The clock is the highest one up to `clock_mhz` that the PLL has. Raises a
  `UserError` if the clocks of a bit are not close to a whole number.
  """
  dividers, clock_mhz = pll(clock_mhz)
  clocks = clock_mhz * 1e6 / baud_rate
  divider = round(clocks)
  if divider < 4 or abs(clocks / divider - 1) > 0.02:
    raise types.UserError(
      f'a clock of {clock_mhz:g} MHz is {clocks:.2f} clocks of a bit at '
      f'{baud_rate} baud; expected 4 or more, within 2 % of a whole number.'
    )
  values = dividers | board_parameters(config, registers, divider)
  comment = f'{config!r}\n// {clock_mhz:g} MHz; {baud_rate:,} baud'
  return _instance(
    comment, BOARD_TOP, _ports_of(BOARD / 'ulx3s.sv'), 'ulx3s', values
  )


def board_parameters(
  config: ChipConfig, registers: rules.Generators, divider: int
) -> dict[str, int | str]:
  """Returns the parameters of `board`; a bit of its line takes some clocks."""
  identity = _constant([signature(config, registers)], 32)
  return _sizes(config) | {'DIVIDER': divider, 'SIGNATURE': identity}


def _sizes(config):
  return {
    'LAYERS': config.num_layers,
    'SIZES': _constant(config.layer_sizes, 32),
    'STEPS': config.num_steps,
    'WEIGHT_BITS': config.weight_bits,
  }


def signature(config: ChipConfig, registers: rules.Generators) -> int:
  """Returns 32 bits by which a board says which chip it holds."""
  seeds = [np.ravel(leaf).tolist() for leaf in registers]
  return zlib.crc32(f'{config!r} {seeds}'.encode())


def pll(clock_mhz: float) -> tuple[dict[str, int], float]:
  """Returns the dividers of the PLL, and its highest MHz up to a clock."""
  if not 10 <= clock_mhz <= 400:
    raise types.UserError(
      f'a clock of {clock_mhz:g} MHz is out of range; choose 10 to 400 MHz.'
    )
  # The oscillator runs at 400 to 800 MHz, and 3.1 MHz or more are compared.
  down, up = max(
    ((down, int(clock_mhz * down / 25)) for down in range(1, 9)),
    key=lambda own: (own[1] / own[0], -own[0]),
  )
  clock_mhz = 25 * up / down
  names = 'DIVIDE_INPUT', 'MULTIPLY', 'DIVIDE_OUTPUT'
  return dict(zip(names, (down, up, round(600 / clock_mhz)))), clock_mhz


def _ports_of(path):
  return path.read_text().split(') (\n', 1)[1].split('\n);', 1)[0]


def _instance(comment, name, declarations, module, values):
  parameters = ',\n'.join(f'    .{key}({x})' for key, x in values.items())
  return (
    f'// {comment}\nmodule {name} (\n{declarations}\n);\n'
    f'  {module} #(\n{parameters}\n  ) own (.*);\nendmodule\n'
  )


def _constant(values, num_bits):
  """Returns numbers as one constant of Verilog, the first lowest."""
  value = sum(int(v) << (num_bits * n) for n, v in enumerate(values))
  return f"{num_bits * len(values)}'h{value:x}"
