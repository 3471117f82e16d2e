"""The chip on a board: the bytes of its serial line, and its simulation.

`commands.sv` in `rtl/board` describes the bytes. A port is that of pyserial, or
of `simulate`, which drives the line of the Verilog bit by bit.
"""

import collections
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import ctypes
import math
import pathlib
import types as types_lib
from typing import Any
from typing import NamedTuple

import numpy as np

from ssnn_jax import types
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import rules
from ssnn_jax.chip import verilog
from ssnn_jax.chip.config import ChipConfig

QUEUE = 2000  # bytes of commands that the board keeps
_DIVIDER = 4  # of the simulated line
_CLOCKS = 20_000_000  # after which a simulated board does not answer


class Board(NamedTuple):
  """A board that answers."""

  config: ChipConfig
  port: Any  #: serial.Serial, or a simulated one


def connect(
  port: Any, config: ChipConfig, registers: rules.Generators
) -> Board:
  """Resets the chip of a board; a `UserError` refuses another chip."""
  board = Board(config, port)
  port.send_break()
  port.reset_input_buffer()
  answer = _exchange(board, [(b'I', 4)])
  if int.from_bytes(answer, 'little') != verilog.signature(config, registers):
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
  """Presents samples; returns the `[B, C]` ticks won by each class.

  Args:
    board: the board, whose weights learn.
    pixels: `[B, N_0]` uint8.
    labels: `[B]` classes; -1 recognizes a sample without learning.
    enable: `[L]` rates of the enable bits, 0 to 2^16.
  """
  classes = board.config.layer_sizes[-1]
  rates = b''.join(int(rate).to_bytes(3, 'little') for rate in enable)
  samples = np.column_stack([pixels, np.asarray(labels) & 0xFF])
  requests = [(b'E' + rates, 0)]
  for sample in samples.astype(np.uint8):
    requests.append((b'S' + sample.tobytes(), 2 * classes))
  votes = np.frombuffer(_exchange(board, requests), '<u2')
  return votes.reshape(-1, classes).astype(np.int32)


def write_weights(board: Board, weights: rules.Weights) -> None:
  """Writes `[N_l + 1, N_{l+1}]` weights of each layer."""
  rows = (row for layer in weights for row in np.asarray(layer, '<i2'))
  places = _places(board.config)
  _exchange(
    board, [(b'W' + at + row.tobytes(), 0) for at, row in zip(places, rows)]
  )


def read_weights(board: Board) -> rules.Weights:
  """Returns `[N_l + 1, N_{l+1}]` int16 weights of each layer.

  A `UserError` refuses weights with more bits than those of the chip.
  """
  config, shapes = board.config, board.config.weights_shapes
  requests = [(b'R' + at, 2 * shapes[at[0]][1]) for at in _places(config)]
  values = np.frombuffer(_exchange(board, requests), '<i2').astype(np.int16)
  limit = 1 << (config.weight_bits - 1)
  if values.min() < -limit or values.max() >= limit:
    raise types.UserError(
      f'the board answers weights from {values.min()} to {values.max()}, which '
      f'{config.weight_bits} bits cannot hold; check the port and the '
      'bitstream, and start again.'
    )
  layers = np.split(values, np.cumsum([math.prod(shape) for shape in shapes]))
  return tuple(own.reshape(shape) for own, shape in zip(layers, shapes))


def _places(config):
  """Yields the bytes of a command that name each row."""
  for layer, (rows, _) in enumerate(config.weights_shapes):
    for row in range(rows):
      yield bytes([layer, *row.to_bytes(2, 'little')])


def _exchange(board, requests):
  """Sends commands `(bytes, bytes of the answer after its letter)`.

  Commands are sent before those ahead of them are answered as long as the
  board's queue can hold them. Returns all answers, without their letters.
  """
  answers, waiting, unanswered = [], collections.deque(), 0
  for request, size in [*requests, (b'', None)]:
    # At the end, all answers are received.
    while waiting and (not request or unanswered + len(request) > QUEUE):
      sent, expected = waiting.popleft()
      answer = board.port.read(1 + expected)
      if len(answer) <= expected or answer[:1] != sent[:1]:
        what = 'another answer' if len(answer) > expected else 'no answer'
        raise types.UserError(
          f'{what} of the board to the command {sent[:1].decode()}; check the '
          'port and --baud_rate, and start again.'
        )
      answers.append(answer[1:])
      unanswered -= len(sent)
    board.port.write(request)
    waiting.append((request, size))
    unanswered += len(request)
  return b''.join(answers)


@contextlib.contextmanager
def simulate(
  config: ChipConfig,
  registers: rules.Generators,
  chip: Sequence[pathlib.Path] = (),
  optimize: bool = True,
) -> Iterator[Any]:
  """Compiles the Verilog of a board, and yields the port of its serial line.

  The port has the methods of pyserial: bytes that are written arrive while the
  board is read; fewer are read if it does not answer. `chip` is the Verilog of
  `chip_top`, by default that of the library. The other arguments are those of
  `cosimulation.simulate`.
  """
  texts = {f'{verilog.TOP}.sv': verilog.top(config, registers)}
  sources = [x for x in verilog.sources(verilog.BOARD) if x.stem != 'ulx3s']
  model = cosimulation.build(
    'board',  # without the PLL of ulx3s
    {} if chip else texts,
    [*sources, *(chip or verilog.sources())],
    verilog.BOARD / 'board_driver.cc',
    verilog.board_parameters(config, registers, _DIVIDER),
    optimize,
  )
  model.board_new.restype = ctypes.c_void_p
  board = ctypes.c_void_p(model.board_new(_DIVIDER))

  def read(size):
    data, clocks = ctypes.create_string_buffer(size), ctypes.c_int64(_CLOCKS)
    count = model.board_receive(board, data, size, clocks)
    return data.raw[:count]

  try:
    yield types_lib.SimpleNamespace(
      write=lambda data: model.board_send(board, data, len(data)),
      read=read,
      send_break=lambda: model.board_break(board),  # forgets bytes on their way
      reset_input_buffer=lambda: None,
    )
  finally:
    model.board_delete(board)
