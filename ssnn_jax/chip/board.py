"""The chip on a board: commands over its serial line, and its simulation.

`link.sv` in `rtl/board` describes the bytes. A port is that of pyserial, or of
`simulate`, which drives the line of the Verilog bit by bit. Bytes that are lost
or damaged in either direction cost time only: a command has checksums, and is
sent again until it is answered.
"""

import binascii
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import ctypes
import itertools
import pathlib
import types as types_lib
from typing import Any
from typing import NamedTuple

import numpy as np

from ssnn_jax import types
from ssnn_jax.chip import cosimulation
from ssnn_jax.chip import verilog
from ssnn_jax.config import NetworkConfig

_TRIES = 5
_LIST = 1 << verilog.LIST_LOG  # entries
_BLOCK = 1 << 13  # bytes of a command that loads samples
_DIVIDER = 4  # of the simulated line
_CLOCKS = 1_000_000  # after which a simulated board does not answer


class Board(NamedTuple):
  """A board that answers."""

  config: NetworkConfig
  port: Any  #: serial.Serial, or a simulated one
  lists: Iterator[int]  #: numbers of the next lists of samples


def connect(port: Any, config: NetworkConfig, word: int) -> Board:
  """Resets the chip of a board; a `UserError` refuses another chip."""
  board = Board(config, port, itertools.count())
  port.reset_input_buffer()
  found = _command(board, b'I', size=4)
  if int.from_bytes(found, 'little') != verilog.signature(config, word):
    raise types.UserError(
      'the board holds another chip; load a bitstream that `python -m '
      'experiments.rtl fpga` made with the same flags.'
    )
  _command(board, b'Z')
  return board


def load(board: Board, inputs: Any, labels: Any, first: int = 0) -> None:
  """Loads samples into the memory of the board, as `verilog.pack` has them.

  They have the numbers from `first` on.
  """
  words = verilog.pack(board.config, inputs, labels)
  data, place = words.tobytes(), first * words.shape[1]
  for start in range(0, len(data), _BLOCK):
    block = data[start : start + _BLOCK]
    _command(board, b'L', place + start // 2, block)


def present(
  board: Board, numbers: Sequence[int], rates: np.ndarray | None
) -> np.ndarray:
  """Presents samples of the memory; returns the `[B]` classes answered.

  Args:
    board: the board, whose weights learn.
    numbers: `[B]` of the samples.
    rates: `[B, L]` integer rates; None recognizes samples without learning.
  """
  numbers = np.asarray(numbers)
  if rates is None:
    entries = numbers | 1 << 18
  else:  # the rates that change, and the sample
    changes = np.diff(rates, axis=0, prepend=-1) != 0
    layers = np.arange(rates.shape[1])
    own = 1 << 23 | layers << 16 | np.asarray(rates)
    table = np.column_stack([own, numbers])
    entries = table[np.column_stack([changes, np.ones(len(numbers), bool)])]
  waiting, answers = [], []

  def receive():
    number, size = waiting.pop(0)
    answers.append(_command(board, b'A', size=size, number=number))

  for start in range(0, len(entries), _LIST):
    own = entries[start : start + _LIST].tolist()
    if len(waiting) == 2:  # one is presented, and one waits
      receive()
    payload = b''.join(entry.to_bytes(3, 'little') for entry in own)
    number = next(board.lists) & 0xFF
    _command(board, b'P', payload=payload, number=number)
    waiting.append((number, len(own)))
  while waiting:
    receive()
  found = np.frombuffer(b''.join(answers), np.uint8).astype(np.int32)
  return found[entries < 1 << 23]


def write_weights(board: Board, weights: cosimulation.Weights) -> None:
  """Writes `[N_l + 1, N_{l+1}]` weights of each layer."""
  for layer, own in enumerate(weights):
    for row, values in enumerate(np.asarray(own, '<i2')):
      _command(board, b'W', layer << 16 | row, values.tobytes())


def read_weights(board: Board) -> cosimulation.Weights:
  """Returns `[N_l + 1, N_{l+1}]` int16 weights of each layer."""
  sizes, weights = board.config.layer_sizes, []
  for layer, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
    read = [
      _command(board, b'R', layer << 16 | row, size=2 * columns)
      for row in range(rows + 1)
    ]
    values = np.frombuffer(b''.join(read), '<i2').astype(np.int16)
    weights.append(values.reshape(rows + 1, columns))
  return tuple(weights)


def _command(board, letter, place=0, payload=b'', size=0, number=0):
  """Sends a command until it is answered; returns the bytes that it reads."""
  header = letter + bytes([number]) + place.to_bytes(3, 'little')
  request = _sum(header + (len(payload) or size).to_bytes(2, 'little'))
  request += _sum(payload) if payload else b''
  for _ in range(_TRIES):
    board.port.write(request)
    answer = board.port.read(4)
    if answer[:1] != b'N':
      answer += board.port.read(size)
    is_whole = len(answer) == 4 + size and answer[:1] == letter
    if is_whole and answer == _sum(answer[:-2]):
      return answer[2:-2]
    board.port.reset_input_buffer()
  raise types.UserError(
    f'no answer of the board to the command {letter.decode()}; check the port '
    'and --baud_rate, and start again.'
  )


def _sum(data):
  """Returns bytes with their checksum."""
  return data + binascii.crc_hqx(data, 0xFFFF).to_bytes(2, 'big')


def compile_board(
  config: NetworkConfig,
  word: int,
  chip: Sequence[pathlib.Path] = (),
  optimize: bool = True,
) -> ctypes.CDLL:
  """Compiles the Verilog of a board, with a model of its SDRAM.

  Args:
    config: the network.
    word: register of random bits after reset.
    chip: the Verilog of `chip_top`; default: that of the library.
    optimize: as of `cosimulation.simulate`.
  """
  texts = {f'{verilog.TOP}.sv': verilog.top(config, word, has_events=False)}
  sources = [x for x in verilog.sources(verilog.BOARD) if x.stem != 'ulx3s']
  return cosimulation.build(
    'board_sim',
    {} if chip else texts,
    [*sources, *(chip or verilog.sources())],
    verilog.BOARD / 'board_driver.cc',
    verilog.board_parameters(config, word, _DIVIDER),
    optimize,
  )


@contextlib.contextmanager
def simulate(model: ctypes.CDLL) -> Iterator[Any]:
  """Yields the port of the serial line of a compiled board, after reset.

  The port has methods of pyserial: bytes that are written arrive while the
  board is read; fewer are read if it does not answer. `clocks` counts those of
  the board, and `check` asserts that no rule of the SDRAM was broken.
  """
  model.board_new.restype = ctypes.c_void_p
  model.board_clocks.restype = ctypes.c_int64
  board = ctypes.c_void_p(model.board_new(_DIVIDER))

  def read(size):
    data, clocks = ctypes.create_string_buffer(size), ctypes.c_int64(_CLOCKS)
    count = model.board_receive(board, data, size, clocks) if size else 0
    return data.raw[:count]

  def check():
    assert not model.board_broken(board), 'a rule of the SDRAM is broken'

  try:
    yield types_lib.SimpleNamespace(
      write=lambda data: model.board_send(board, data, len(data)),
      read=read,
      send_break=lambda: model.board_break(board),
      reset_input_buffer=lambda: None,
      clocks=lambda: model.board_clocks(board),
      check=check,
    )
  finally:
    model.board_delete(board)
