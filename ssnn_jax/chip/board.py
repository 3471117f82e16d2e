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
from ssnn_jax.chip.learning import Config

_TRIES = 5
_LIST = 1 << verilog.LIST_LOG  # entries
_BLOCK = 1 << 13  # bytes of a command that loads samples
_DIVIDER = 4  # of the simulated line
_CLOCKS = 1_000_000  # after which a simulated board does not answer
NUM_BLOCKS, _BLOCK_WORDS = 16, 1 << 20  # of the memory, tested one by one
#: Numbers that a board reports, in the order of their places.
COUNTERS = (
  'signature', 'clocks', 'right', 'refreshes', 'damaged', 'resets', 'phases',
  'phase',
)  # fmt: skip
#: What is wrong if an answer to a command is, in the self-test.
FAULTS = {
  'I': 'the bitstream holds another chip, or commands are damaged',
  'Z': 'the chip does not reset',
  'T': 'the memory: a few words of few bits are cells or pins, all words the '
  'phase of its clock',
  'W': 'rows of weights cannot be written',
  'L': 'samples cannot be loaded into the memory',
  'P': 'a list of samples does not start',
  'A': 'the chip answers wrongly, or samples do not come out of the memory',
  'R': 'weights are wrong: their memories, or what the chip has learned',
}


class Board(NamedTuple):
  """A board that answers."""

  config: Config
  port: Any  #: serial.Serial, or a simulated one
  lists: Iterator[int]  #: numbers of the next lists of samples


def connect(port: Any, config: Config, word: int) -> Board:
  """Resets the chip of a board; a `UserError` refuses another chip."""
  board = Board(config, port, itertools.count())
  port.reset_input_buffer()
  if read_counter(board, 'signature') != verilog.signature(config, word):
    raise types.UserError(
      'the board holds another chip; load a bitstream that `python -m '
      'experiments.chip fpga` made with the same flags.'
    )
  _command(board, b'Z')
  return board


def read_counter(board: Board, name: str) -> int:
  """Reads one of `COUNTERS`: clocks, right answers and so on since a reset."""
  found = _command(board, b'I', COUNTERS.index(name), size=4)
  return int.from_bytes(found, 'little')


def test_memory(
  board: Board, block: int, reads_only: bool = False
) -> tuple[int, int]:
  """Tests one of `NUM_BLOCKS` blocks of the memory; samples in it are lost.

  After all blocks have been tested, one that is only read says whether it still
  has its own words: an address line may have given it those of another.

  Returns:
    The number of wrong words, at most 65,535, and the bits that were wrong.
  """
  place = block * _BLOCK_WORDS
  found = _command(board, b'T', place, size=4, number=int(reads_only))
  return tuple(np.frombuffer(found, '<u2').tolist())


def find_phase(board: Board) -> tuple[int, np.ndarray]:
  """Tests the memory at each phase of its clock, and takes the safest.

  Returns:
    The phase, in the middle of those at which no word is wrong, and whether
    each is one of these.

  Raises:
    UserError: if there is none.
  """
  count, first = (read_counter(board, name) for name in ('phases', 'phase'))
  is_right = np.zeros(count, bool)
  for phase in (first + np.arange(count)) % count:
    is_right[phase] = test_memory(board, 0)[0] == 0
    _command(board, b'S')
  if not any(is_right):
    raise types.UserError(
      'the memory is wrong at each phase of its clock; see the page on a first '
      'board.'
    )
  # Steps from each phase to the nearest wrong one, around the clock.
  wrong = np.flatnonzero(~is_right)
  apart = np.abs(np.arange(count)[:, None] - wrong[None])
  phase = 0
  if len(wrong):
    phase = int(np.argmax(np.min(np.minimum(apart, count - apart), axis=1)))
  for _ in range((phase - first) % count):
    _command(board, b'S')
  return phase, is_right


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
  for start in range(0, len(entries), _LIST):
    if len(waiting) == 2:  # one is presented, and one waits
      answers.append(_receive(board, *waiting.pop(0)))
    own = entries[start : start + _LIST].tolist()
    waiting.append(_present(board, own))
  answers += [_receive(board, *own) for own in waiting]
  found = np.frombuffer(b''.join(answers), np.uint8).astype(np.int32)
  return found[entries < 1 << 23]


def present_range(
  board: Board, first: int, count: int, rates: Sequence[int] | None
) -> tuple[int, int]:
  """Presents samples in the order of the memory, which need no host.

  Args:
    board: the board, whose weights learn.
    first: number of the first sample.
    count: samples, 2 or more, at most 2^18.
    rates: `[L]` integer rates; None recognizes samples without learning.

  Returns:
    The right answers, and the clocks.
  """
  read = lambda: [read_counter(board, name) for name in ('right', 'clocks')]
  before, flag = read(), 1 << 18 if rates is None else 0
  entries = _set_rates(() if rates is None else rates)
  entries += [first | flag, 1 << 22 | flag | count - 1]
  _receive(board, *_present(board, entries))
  right, clocks = np.subtract(read(), before).tolist()
  return right, clocks


def _present(board, entries):
  """Presents a list of samples and rates; returns its number and length."""
  number = next(board.lists) & 0xFF
  _command(board, b'P', payload=_list(entries), number=number)
  return number, len(entries)


def _receive(board, number, size):
  """Returns the bytes of the answers of a list, which is finished then."""
  return _command(board, b'A', size=size, number=number)


def write_weights(board: Board, weights: cosimulation.Weights) -> None:
  """Writes `[N_l + 1, N_{l+1}]` weights of each layer."""
  for place, payload in _rows(weights):
    _command(board, b'W', place, payload)


def read_weights(board: Board) -> cosimulation.Weights:
  """Returns `[N_l + 1, N_{l+1}]` int16 weights of each layer."""
  sizes = board.config.layer_sizes
  weights = tuple(
    np.empty((rows + 1, columns), np.int16)
    for rows, columns in zip(sizes, sizes[1:])
  )
  for layer, own in enumerate(weights):
    for row, values in enumerate(own):
      read = _command(board, b'R', layer << 16 | row, size=2 * len(values))
      values[:] = np.frombuffer(read, '<i2')
  return weights


def _command(board, letter, place=0, payload=b'', size=0, number=0):
  """Sends a command until it is answered; returns the bytes that it reads."""
  request = _request(letter, place, payload, size, number)
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


def _request(letter, place=0, payload=b'', size=0, number=0):
  """Returns the bytes of a command."""
  header = letter + bytes([number]) + place.to_bytes(3, 'little')
  request = _sum(header + (len(payload) or size).to_bytes(2, 'little'))
  return request + (_sum(payload) if payload else b'')


def write_transcript(
  config: Config,
  word: int,
  weights: cosimulation.Weights,
  samples: tuple[np.ndarray, np.ndarray],
  rates: Sequence[int],
  answers: Sequence[int],
  learned: cosimulation.Weights,
) -> str:
  """Returns commands, and how their answers end: the file of the self-test.

  The chip is reset, blocks of the memory are tested, and samples are learned.

  Args:
    config: the network.
    word: register of random bits after reset.
    weights: `[N_l + 1, N_{l+1}]` before the samples.
    samples: inputs and labels.
    rates: `[L]` integer rates.
    answers: of the twin to the samples.
    learned: the weights of the twin after them.
  """
  data = bytearray()

  def add(letter, place=0, payload=b'', answer=b'', number=0):
    request = _request(letter, place, payload, len(answer), number)
    answer = _sum(letter + bytes([number]) + answer)
    data.extend(len(request).to_bytes(2, 'little') + request)
    data.extend(len(answer).to_bytes(2, 'little') + answer[-2:])

  add(b'I', answer=verilog.signature(config, word).to_bytes(4, 'little'))
  add(b'Z')
  for reads_only in range(2):
    for block in range(NUM_BLOCKS):
      place = block * _BLOCK_WORDS
      add(b'T', place, answer=bytes(4), number=reads_only)
  for place, payload in _rows(weights):
    add(b'W', place, payload)
  add(b'L', payload=verilog.pack(config, *samples).tobytes())
  entries = [*_set_rates(rates), *range(len(answers))]
  add(b'P', payload=_list(entries))
  add(b'A', answer=bytes(len(rates)) + bytes(answers))
  for place, answer in _rows(learned):
    add(b'R', place, answer=answer)
  return (bytes(data) + bytes(2)).hex('\n') + '\n'


def explain(text: str) -> str:
  """Says what a line of the self-test means."""
  steps, is_wrong, answer = text.strip().partition('!')
  if not is_wrong:
    return 'passed' if steps.endswith(' ok') else 'a line that is not whole'
  own = FAULTS.get(steps[-1:], 'a command that is none')
  if steps[-1:] == 'T' and len(answer) == 12:
    wrong, bits = (
      int.from_bytes(bytes.fromhex(own), 'little')
      for own in (answer[:4], answer[4:8])
    )
    own += f'; wrong words {wrong:,}, bits {bits:04x}'
  return f'failed at {steps[-1:]}: {own}'


def _rows(weights):
  """Yields the place and the bytes of each row of weights."""
  for layer, own in enumerate(weights):
    for row, values in enumerate(np.asarray(own, '<i2')):
      yield layer << 16 | row, values.tobytes()


def _set_rates(rates):
  """Returns the entries of a list that set the rate of each layer."""
  return [1 << 23 | layer << 16 | int(own) for layer, own in enumerate(rates)]


def _list(entries):
  """Returns the bytes of the entries of a list."""
  return b''.join(entry.to_bytes(3, 'little') for entry in entries)


def _sum(data):
  """Returns bytes with their checksum."""
  return data + binascii.crc_hqx(data, 0xFFFF).to_bytes(2, 'big')


def compile_board(
  config: Config,
  word: int,
  sources: Sequence[pathlib.Path] = (),
  transcript: str = '',
) -> ctypes.CDLL:
  """Compiles the Verilog of a board, with a model of its SDRAM.

  Args:
    config: the network.
    word: register of random bits after reset.
    sources: all modules, with `chip_top`; default: those of the library.
    transcript: text of the self-test, which the board then is, and which it
      reads from the file `verilog.TRANSCRIPT`.
  """
  texts = {f'{verilog.TOP}.sv': verilog.top(config, word, has_events=False)}
  return cosimulation.build(
    'board_sim',
    {} if sources else texts,
    sources or [*verilog.sources(verilog.BOARD), *verilog.sources()],
    verilog.BOARD / 'board_driver.cc',
    verilog.board_parameters(config, word, _DIVIDER, transcript),
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
