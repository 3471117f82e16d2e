"""The chip on a board: its top in Verilog, and the bytes of its serial line.

The modules are in the folder `rtl/board`; `commands.sv` describes the bytes. A
port is that of pyserial, or `simulate`, which drives the line of the Verilog
bit by bit.
"""

import collections
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import ctypes
import pathlib
import tempfile
from typing import Any
from typing import NamedTuple
import zlib

import jax
import numpy as np

from ssnn_jax import types
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import rules
from ssnn_jax.chip import verilog
from ssnn_jax.chip.config import ChipConfig

FOLDER = verilog.FOLDER / 'board'
TOP = 'board_top'
CONSTRAINTS = FOLDER / 'ulx3s.lpf'
QUEUE = 2000  # bytes of commands that the board keeps
_DIVIDER = 4  # of the simulated line
_CLOCKS = 20_000_000  # after which a simulated board does not answer

_TOP = """// {config!r}
// Clock: {clock_mhz:g} MHz; serial line: {baud_rate:,} baud.
module {top} (
  input  logic       clk_25mhz,
  input  logic       ftdi_txd,
  output logic       ftdi_rxd,
  input  logic       fire,
  output logic [7:0] led,
  output logic       wifi_gpio0
);
  ulx3s #(
{values}
  ) own (.*);
endmodule
"""


class Board(NamedTuple):
  """A board that answers."""

  config: ChipConfig
  port: Any  #: serial.Serial, or a simulated one


# Verilog.


def sources() -> list[pathlib.Path]:
  """Returns the paths of the modules, without those of the chip."""
  return sorted(FOLDER.glob('*.sv'))


def parameters(
  config: ChipConfig, registers: rules.Generators, divider: int
) -> dict[str, int | str]:
  """Returns the parameters of the module `board`, by name.

  Args:
    config: the chip.
    registers: registers of its generators after reset.
    divider: clocks of a bit of the serial line.
  """
  return {
    'DIVIDER': divider,
    'LAYERS': config.num_layers,
    'SIZES': verilog.constant(config.layer_sizes, 32),
    'STEPS': config.num_steps,
    'WEIGHT_BITS': config.weight_bits,
    'SIGNATURE': verilog.constant([signature(config, registers)], 32),
  }


def signature(config: ChipConfig, registers: rules.Generators) -> int:
  """Returns 32 bits by which a board says which chip it holds."""
  seeds = [np.ravel(leaf).tolist() for leaf in jax.tree.leaves(registers)]
  return zlib.crc32(f'{config!r} {seeds}'.encode())


def top(
  config: ChipConfig,
  registers: rules.Generators,
  clock_mhz: float,
  baud_rate: int,
) -> str:
  """Returns the text of `board_top`, `ulx3s` with all parameters.

  The clock is the highest one up to `clock_mhz` that the PLL has.

  Raises:
    UserError: if the clocks of a bit are not close to a whole number.
  """
  dividers = pll(clock_mhz)
  clock_mhz = clock_of(dividers)
  divider = round(clock_mhz * 1e6 / baud_rate)
  error = abs(clock_mhz * 1e6 / (max(divider, 1) * baud_rate) - 1)
  if divider < 4 or error > 0.02:
    raise types.UserError(
      f'a clock of {clock_mhz:g} MHz is {clock_mhz * 1e6 / baud_rate:.2f} '
      f'clocks of a bit at {baud_rate} baud; expected 4 or more, within 2 % of '
      'a whole number.'
    )
  values = dividers | parameters(config, registers, divider)
  return _TOP.format(
    config=config,
    clock_mhz=clock_mhz,
    baud_rate=baud_rate,
    top=TOP,
    values=',\n'.join(f'    .{name}({x})' for name, x in values.items()),
  )


def pll(clock_mhz: float) -> dict[str, int]:
  """Returns the dividers of the PLL for the highest clock up to one.

  The clock is 25 MHz * MULTIPLY / DIVIDE_INPUT.

  Raises:
    UserError: if the PLL has no such clock.
  """
  if not 10 <= clock_mhz <= 400:
    raise types.UserError(
      f'a clock of {clock_mhz:g} MHz is out of range; choose 10 to 400 MHz.'
    )
  # The oscillator runs at 400 to 800 MHz, and 3.1 MHz or more are compared.
  down, up = max(
    ((down, int(clock_mhz * down / 25)) for down in range(1, 9)),
    key=lambda own: (own[1] / own[0], -own[0]),
  )
  return {
    'DIVIDE_INPUT': down,
    'MULTIPLY': up,
    'DIVIDE_OUTPUT': round(600 / (25 * up / down)),
  }


def clock_of(dividers: Mapping[str, int]) -> float:
  """Returns the MHz of dividers of the PLL."""
  return 25 * dividers['MULTIPLY'] / dividers['DIVIDE_INPUT']


# Serial line.


def connect(
  port: Any, config: ChipConfig, registers: rules.Generators
) -> Board:
  """Resets the chip of a board, and checks that it is the one that is meant.

  Args:
    port: its serial port.
    config: the chip.
    registers: registers of its generators after reset.

  Raises:
    UserError: if there is no answer, or another chip.
  """
  board = Board(config, port)
  port.send_break()
  port.reset_input_buffer()
  (answer,) = _exchange(board, [(b'I', 4)])
  if int.from_bytes(answer, 'little') != signature(config, registers):
    raise types.UserError(
      'the board holds another chip; load a bitstream that `python -m '
      'experiments.rtl fpga` made with the same flags.'
    )
  return board


def present(
  board: Board,
  pixels: np.ndarray,
  labels: np.ndarray,
  enable: Sequence[int],
) -> np.ndarray:
  """Presents samples, which changes the weights on the board.

  Args:
    board: the board.
    pixels: `[B, N_0]` uint8.
    labels: `[B]` classes; -1 recognizes a sample without learning.
    enable: `[L]` rates of the enable bits, 0 to 2^16.

  Returns:
    `[B, C]` ticks won by each class.
  """
  classes = board.config.layer_sizes[-1]
  rates = b''.join(int(rate).to_bytes(3, 'little') for rate in enable)
  samples = np.concatenate([pixels, np.asarray(labels)[:, None]], axis=1)
  requests = [(b'E' + rates, 0)]
  requests += [
    (b'S' + sample.tobytes(), 2 * classes)
    for sample in (samples & 0xFF).astype(np.uint8)
  ]
  answers = b''.join(_exchange(board, requests))
  return np.frombuffer(answers, '<u2').reshape(-1, classes).astype(np.int32)


def write_weights(board: Board, weights: rules.Weights) -> None:
  """Writes `[N_l + 1, N_{l+1}]` weights of each layer."""
  requests = [
    (b'W' + place + np.asarray(row, '<i2').tobytes(), 0)
    for (_, place), row in zip(_rows(board.config), _flat(weights))
  ]
  _exchange(board, requests)


def read_weights(board: Board) -> rules.Weights:
  """Returns `[N_l + 1, N_{l+1}]` int16 weights of each layer."""
  sizes = board.config.layer_sizes
  requests = [
    (b'R' + place, 2 * sizes[layer + 1]) for layer, place in _rows(board.config)
  ]
  values = np.frombuffer(b''.join(_exchange(board, requests)), '<i2')
  shapes = board.config.weights_shapes
  ends = np.cumsum([rows * columns for rows, columns in shapes])
  layers = np.split(np.int16(values), ends[:-1])
  return tuple(own.reshape(shape) for own, shape in zip(layers, shapes))


def _rows(config):
  """Yields the layer of each row, and the bytes of its place."""
  for layer, size in enumerate(config.layer_sizes[:-1]):
    for row in range(size + 1):
      yield layer, bytes([layer, *row.to_bytes(2, 'little')])


def _flat(weights):
  return (row for layer in weights for row in np.asarray(layer))


def _exchange(board, requests):
  """Sends commands `(bytes, bytes of the answer after its letter)`.

  Commands are sent before those ahead of them are answered as long as the
  board's queue can hold them.

  Returns:
    The answers, without their letters.
  """
  answers, waiting, unanswered = [], collections.deque(), 0

  def receive():
    request, size = waiting.popleft()
    answer = board.port.read(1 + size)
    if len(answer) <= size or answer[:1] != request[:1]:
      what = 'another answer' if len(answer) > size else 'no answer'
      raise types.UserError(
        f'{what} of the board to the command {request[:1].decode()}; check the '
        'port and --baud_rate, and start again.'
      )
    answers.append(answer[1:])
    return len(request)

  for request, size in requests:
    while waiting and unanswered + len(request) > QUEUE:
      unanswered -= receive()
    board.port.write(request)
    waiting.append((request, size))
    unanswered += len(request)
  while waiting:
    receive()
  return answers


# Simulation.


class SimulatedPort:
  """The serial port of a simulated board, with the methods of pyserial."""

  def __init__(self, model: ctypes.CDLL):
    """Resets a new board of a compiled model."""
    self._model, self._board = model, ctypes.c_void_p(model.board_new(_DIVIDER))

  def write(self, data: bytes) -> None:
    """Sends bytes, which arrive while the board is read."""
    self._model.board_send(self._board, data, len(data))

  def read(self, size: int) -> bytes:
    """Returns bytes; fewer if the board does not answer."""
    data = ctypes.create_string_buffer(size)
    clocks = ctypes.c_int64(_CLOCKS)
    count = self._model.board_receive(self._board, data, size, clocks)
    return data.raw[:count]

  def send_break(self) -> None:
    """Holds the line, which resets the chip."""
    self._model.board_break(self._board)

  def reset_input_buffer(self) -> None:
    """Forgets bytes that have arrived, as a break has done."""

  def close(self) -> None:
    """Ends the simulation."""
    self._model.board_delete(self._board)


@contextlib.contextmanager
def simulate(
  config: ChipConfig,
  registers: rules.Generators,
  chip: Sequence[pathlib.Path] = (),
  optimize: bool = True,
) -> Iterator[SimulatedPort]:
  """Compiles the Verilog of a board, and yields the port of its serial line.

  Args:
    config: the chip.
    registers: registers of its generators after reset.
    chip: Verilog of `chip_top`; default: that of the library.
    optimize: as of `cosimulation.simulate`.
  """
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    if not chip:
      path = folder / f'{verilog.TOP}.sv'
      path.write_text(verilog.top(config, registers))
      chip = [*verilog.sources(), path]
    board = [path for path in sources() if path.stem != 'ulx3s']
    model = cosimulation.build(
      folder,
      'board',
      [*board, *chip],
      FOLDER / 'board_driver.cc',
      parameters(config, registers, _DIVIDER),
      optimize,
    )
    model.board_new.restype = ctypes.c_void_p
    with contextlib.closing(SimulatedPort(model)) as port:
      yield port
