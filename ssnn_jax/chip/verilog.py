"""The chip and its board in Verilog: the instances of a network.

The modules are in the folder `rtl`. `chip_top` is `chip` with the parameters of
a network, and `board_top` is `ulx3s`, the chip behind a serial line.
"""

from collections.abc import Sequence
import math
import pathlib
from typing import Any
import zlib

import numpy as np

from ssnn_jax import types
from ssnn_jax.chip import learning
from ssnn_jax.chip.learning import Config
from ssnn_jax.trains import encoding

FOLDER = pathlib.Path(__file__).with_name('rtl')
BOARD = FOLDER / 'board'
TOP, BOARD_TOP = 'chip_top', 'board_top'
SIMULATED = 'board_sim', 'sdram_model', 'primitives'  # modules that no FPGA has
LIST_LOG = 9  # entries of a list of samples on the board
TRANSCRIPT = 'transcript.hex'  # of the self-test
# Sites of the pins of ULX3S boards v2 and v3.0 (package CABGA381), the lowest
# bit first; on v3.1 L2 is another pin of the ESP32.
_SITES = """clk_25mhz G2
ftdi_rxd L4
ftdi_txd M1
fire R1
wifi_gpio0 L2
led B2 C2 C1 D2 D1 E2 E1 H3
sdram_clk F19
sdram_cke F20
sdram_csn P20
sdram_wen T20
sdram_rasn R20
sdram_casn T19
sdram_a M20 M19 L20 L19 K20 K19 K18 J20 J19 H20 N19 G20 G19
sdram_ba P19 N20
sdram_dqm U19 E20
sdram_d J16 L18 M18 N18 P18 T18 T17 U20 E19 D20 D19 C20 E18 F18 J18 J17"""
_SYSTEM = """BLOCK RESETPATHS;
BLOCK ASYNCPATHS;
SYSCONFIG CONFIG_IOVOLTAGE=3.3 COMPRESS_CONFIG=ON MCCLK_FREQ=62;
FREQUENCY PORT "clk_25mhz" 25 MHZ;
"""
_PULLS = {
  'ftdi_rxd': 'UP',
  'ftdi_txd': 'UP',
  'wifi_gpio0': 'UP',
  'fire': 'DOWN',
}


def sources(folder: pathlib.Path = FOLDER) -> list[pathlib.Path]:
  """Returns the paths of the modules of the chip, or of `BOARD`."""
  return sorted(folder.glob('*.sv'))


def integer_weights(
  config: Config, params: types.Params
) -> tuple[np.ndarray, ...]:
  """Returns the weights of each layer, `[N_l + 1, N_{l+1}]` int16.

  The last row has the biases.
  """
  return tuple(
    np.rint(np.concatenate([x.weights, x.biases[None]]) * 2**bits).astype('<i2')
    for x, bits in zip(params, config.fractions)
  )


def params_of(config: Config, weights: tuple[np.ndarray, ...]) -> types.Params:
  """Returns the parameters that weights of `integer_weights` stand for."""
  scaled = [np.float32(w) / 2**f for w, f in zip(weights, config.fractions)]
  return tuple(types.LayerParams(own[:-1], own[-1]) for own in scaled)


def count_spikes(
  config: Config, inputs: Any, shifts: Sequence[int] = ()
) -> np.ndarray:
  """Returns the spikes of inputs, `[B, N_0]` of 0 to T, or of channels.

  Args:
    config: the network.
    inputs: `[B, ...]` images, as of `encoding.rate_encode`.
    shifts: of the traces that the chip makes of channels, as of `top`.
  """
  rates = np.asarray(encoding.rate_encode(inputs))
  if rates.shape[1] * max(len(shifts), 1) != config.layer_sizes[0]:
    raise types.UserError(
      f'inputs have {rates.shape[1]} pixels, and {len(shifts) or "no"} traces '
      f'of each, but layer_sizes starts with {config.layer_sizes[0]} inputs; '
      'make the two agree.'
    )
  return np.floor(rates * config.num_steps + 0.5).astype(int)


def pack(
  config: Config,
  inputs: Any,
  labels: Any,
  more: Any = False,
  shifts: Sequence[int] = (),
) -> np.ndarray:
  """Returns samples as the words of the chip, `[B, words]` uint16.

  Args:
    config: the network.
    inputs: `[B, ...]` images.
    labels: `[B]` classes; -1 does not learn.
    more: `[B]` whether the signal of a sample goes on in the next one.
    shifts: of the traces that the chip makes, as of `top`.
  """
  counts, lanes = count_spikes(config, inputs, shifts), num_lanes(config)
  counts = np.pad(counts, ((0, 0), (0, -counts.shape[1] % lanes)))
  places = 16 // lanes * np.arange(lanes)
  words = counts.reshape(len(counts), -1, lanes) << places
  labels = np.asarray(labels) & 0xFF | np.left_shift(more, 8)
  return np.concatenate([words.sum(2), labels[:, None]], 1).astype('<u2')


def num_lanes(config: Config) -> int:
  """Returns the counts of a word of a sample."""
  return 4 if config.num_steps <= 8 else 2


def num_words(config: Config) -> int:
  """Returns the words of a sample, with its label."""
  return -(-config.layer_sizes[0] // num_lanes(config)) + 1


def ports(path: pathlib.Path = FOLDER / 'chip.sv') -> str:
  """Returns the declarations of the ports of a module, with their comments."""
  return path.read_text().split(') (\n', 1)[1].split('\n);', 1)[0]


def top(
  config: Config,
  word: int,
  has_events: bool = True,
  shifts: Sequence[int] = (),
) -> str:
  """Returns the text of `chip_top`, `chip` with all parameters of a network.

  After reset, its register of random bits has the word. Without `has_events`
  there is no open mode, as on the board. With shifts, its inputs are traces of
  the channels of a sample (`chip.trace_signals`).
  """
  learning.check_shifts(shifts, config.num_steps)
  if shifts and config.layer_sizes[0] % len(shifts):
    raise types.UserError(
      f'layer_sizes starts with {config.layer_sizes[0]} inputs; expected a '
      f'multiple of the {len(shifts)} traces of a channel.'
    )
  values = {
    'LAYERS': len(config.layer_sizes) - 1,
    'SIZES': _constant(config.layer_sizes, 32),
    'TICKS_LOG': config.num_steps.bit_length() - 1,
    'WEIGHT_BITS': config.weight_bits,
    'WIDTH': min(18, 72 // config.weight_bits),  # fills block RAMs
    'FRACTIONS': _constant(config.fractions, 32),
    'DIGITS': config.digits,
    'RATE_BITS': learning.RATE_BITS,
    'CHANGE_BITS': learning.STEP_BITS,
    'EXP_BITS': learning.EXP_BITS,
    'EXPONENTIALS': _constant(learning.EXPONENTIALS, learning.EXP_BITS),
    'HAS_EVENTS': int(has_events),
    'DECAYS': len(shifts),
    'TRACE_BITS': learning.TRACE_BITS,
    'SHIFTS': _constant(shifts or (0,), 8),
    'SEED': _constant([word], 32),
  }
  rates, bits = learning.RATE_BITS * values['LAYERS'], config.weight_bits
  declarations = ports().replace('[RATE_BITS*LAYERS-1:0]', f'[{rates - 1}:0]')
  declarations = declarations.replace('[WEIGHT_BITS-1:0]', f'[{bits - 1}:0]')
  return _instance(repr(config), TOP, declarations, 'chip', values)


def board_parameters(
  config: Config, word: int, divider: int, transcript: str = ''
) -> dict[str, int | str]:
  """Returns the parameters of `board`; a bit of its line takes some clocks.

  With a transcript, which is in the file `TRANSCRIPT`, the board tests itself.
  """
  return {
    'TRANSCRIPT_BYTES': len(transcript.split()),
    'TRANSCRIPT': f'"{TRANSCRIPT}"',
    'DIVIDER': divider,
    'LIST_LOG': LIST_LOG,
    'LAYERS': len(config.layer_sizes) - 1,
    'WORDS': num_words(config),
    'WEIGHT_BITS': config.weight_bits,
    'RATE_BITS': learning.RATE_BITS,
    'SIGNATURE': _constant([signature(config, word)], 32),
  }


def board_top(
  config: Config,
  word: int,
  clock_mhz: float,
  baud_rate: int,
  transcript: str = '',
  sdram_phase: int | None = None,
) -> str:
  """Returns the text of `board_top`, `ulx3s` with all parameters.

  The clock is the highest one up to `clock_mhz` that the PLL has. Raises a
  `UserError` if the clocks of a bit are not close to a whole number.
  """
  clock, clock_mhz = pll(clock_mhz)
  clocks = clock_mhz * 1e6 / baud_rate
  divider = round(clocks)
  if divider < 4 or abs(clocks / divider - 1) > 0.02:
    raise types.UserError(
      f'a clock of {clock_mhz:g} MHz is {clocks:.2f} clocks of a bit at '
      f'{baud_rate} baud; expected 4 or more, within 2 % of a whole number.'
    )
  if sdram_phase is not None:
    clock['PHASE'] = sdram_phase % (8 * clock['DIVIDE'])
  values = clock | board_parameters(config, word, divider, transcript)
  comment = f'{config!r}\n// {clock_mhz:g} MHz; {baud_rate:,} baud'
  declarations = ports(BOARD / 'ulx3s.sv')
  return _instance(comment, BOARD_TOP, declarations, 'ulx3s', values)


def constraints() -> str:
  """Returns sites and kinds of the pins of the board, for nextpnr."""
  text = _SYSTEM
  for line in _SITES.splitlines():
    port, *sites = line.split()
    drive = '' if port in ('clk_25mhz', 'ftdi_txd', 'fire') else ' DRIVE=4'
    for number, site in enumerate(sites):
      pin = port if len(sites) == 1 else f'{port}[{number}]'
      text += f'LOCATE COMP "{pin}" SITE "{site}";\nIOBUF PORT "{pin}" '
      pull = _PULLS.get(port, 'NONE')
      text += f'PULLMODE={pull} IO_TYPE=LVCMOS33{drive};\n'
  return text


def signature(config: Config, word: int) -> int:
  """Returns 32 bits by which a board says which chip it holds."""
  return zlib.crc32(f'{config!r} {word}'.encode())


def pll(clock_mhz: float) -> tuple[dict[str, int], float]:
  """Returns parameters of the PLL, and its highest MHz up to a clock."""
  if not 12.5 <= clock_mhz <= 100:
    raise types.UserError(
      f'a clock of {clock_mhz:g} MHz is out of range; choose 12.5 to 100 MHz.'
    )
  # The oscillator runs between 400 and 800 MHz, best in the middle.
  choices = ((up, math.ceil(25 * up / clock_mhz)) for up in range(17, 32))
  up, down = max(choices, key=lambda own: (own[0] / own[1], -abs(own[0] - 24)))
  clock_mhz = 25 * up / down
  values = {'MULTIPLY': up, 'DIVIDE': down, 'MHZ': int(clock_mhz)}
  # The SDRAM is 3.75 ns ahead of the board: commands have arrived before, and
  # its words, which are there from 6 ns after its clock until 2.5 ns after the
  # next one, when the board takes them, with the delays of pins.
  values['PHASE'] = round(8 * down * (1 - 3.75e-3 * clock_mhz))
  return values, clock_mhz


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
