"""Trains the chip on a board over its serial line.

  python -m experiments.chip host --port=/dev/ttyUSB0 --dataset=fashion_mnist
  python -m experiments.chip host --port=simulation --num_epochs=1 --compare

Loads all samples into the memory of the board, and presents them by their
numbers. Order and learning rates are those of `python -m experiments.run
--method=chip` with the same flags. After the last epoch the weights are read,
and the test samples are recognized. The bitstream is that of `python -m
experiments.chip fpga` with the same flags. --port=simulation is the Verilog of
the board, whose serial line is driven bit by bit, with a model of its SDRAM.

A serial port needs pyserial (pip install '.[rtl]').
"""

from collections.abc import Iterator
import contextlib
import itertools
from typing import Any

from absl import flags
import numpy as np
import tqdm

from experiments import command
from experiments.chip import settings
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import training
from ssnn_jax.chip import board as board_lib
from ssnn_jax.chip import verilog
from ssnn_jax.training import loop

_SECONDS = 2  # without an answer
_AT_ONCE = 2**12  # samples between lines of progress
_MEASURED = 1000  # samples whose clocks are counted


def load(board: board_lib.Board, dataset: Any) -> None:
  """Loads the training samples, and then the test samples."""
  first, splits = 0, (dataset.train, dataset.test)
  total = sum(len(split.labels) for split in splits)
  with tqdm.tqdm(desc='samples loaded', total=total) as bar:
    for split in splits:
      for start in range(0, len(split.labels), _AT_ONCE):
        own = slice(start, start + _AT_ONCE)
        inputs, labels = (np.asarray(x[own]) for x in split)
        board_lib.load(board, inputs, labels, first)
        first += len(labels)
        bar.update(len(labels))


def train_epoch(
  board: board_lib.Board, run: settings.Run, split: Any
) -> settings.Run:
  """Trains an epoch on a board, which has the weights; those of `run` stay."""
  labels = np.asarray(split.labels)
  batches = np.asarray(
    loop.choose_batches(run.state, len(labels), run.batch_size)
  )
  numbers = batches.ravel()
  rates = run.list_rates(len(batches)).repeat(run.batch_size, axis=0)
  title, correct = f'epoch {int(run.state.epoch) + 1}', 0
  with tqdm.tqdm(desc=title, total=len(numbers), unit=' samples') as bar:
    for start in range(0, len(numbers), _AT_ONCE):
      own = slice(start, start + _AT_ONCE)
      answers = board_lib.present(board, numbers[own], rates[own])
      correct += int(np.sum(answers == labels[numbers[own]]))
      bar.update(len(answers))
      bar.set_postfix_str(f'train accuracy {correct / bar.n:.2%}', False)
  own = run.state.opt_state
  own = own._replace(num_updates=own.num_updates + len(batches))
  state = run.state._replace(opt_state=own, epoch=run.state.epoch + 1)
  return run._replace(state=state)


def check(board: board_lib.Board) -> None:
  """Takes the best phase of the clock of the memory, and tests all of it."""
  phase, is_right = board_lib.find_phase(board)
  print(
    f'memory: right at {sum(is_right)} of {len(is_right)} phases of its clock '
    f'({"".join(map(str, is_right.astype(int)))}); phase {phase} is taken, and '
    f'built in by `fpga --sdram_phase={phase}`'
  )
  blocks = range(board_lib.NUM_BLOCKS)
  tests = itertools.product((False, True), blocks)
  title = 'blocks of memory, written and read'
  for reads_only, block in tqdm.tqdm(tests, title, 2 * len(blocks)):
    wrong, bits = board_lib.test_memory(board, block, reads_only)
    if wrong:
      raise ssnn_jax.UserError(
        f'{wrong:,} words or more of block {block} of the memory are wrong, in '
        f'bits {bits:016b}; see the page on a first board.'
      )


def measure(board: board_lib.Board, run: settings.Run, count: int) -> None:
  """Learns the first samples of the memory, and prints how long they take."""
  board_lib.write_weights(board, run.weights)
  rates = run.list_rates(1)[0]
  right, clocks = board_lib.present_range(board, 0, count, rates)
  print(
    f'{clocks / count:,.0f} clocks a sample of the first {count:,}, of which '
    f'{right:,} are answered rightly while they are learned'
  )
  for name in ('refreshes', 'damaged', 'resets'):
    print(f'{name}: {board_lib.read_counter(board, name):,}')


def recognize(board: board_lib.Board, dataset: Any) -> np.ndarray:
  """Returns the classes that the board answers to the test samples."""
  numbers = len(dataset.train.labels) + np.arange(len(dataset.test.labels))
  return board_lib.present(board, numbers, None)


@contextlib.contextmanager
def open_port(name: str, baud_rate: int, run: settings.Run) -> Iterator[Any]:
  """Opens a serial port, or compiles the simulated board."""
  if name == 'simulation':
    model = board_lib.compile_board(run.config, run.word)
    with board_lib.simulate(model) as port:
      yield port
    return
  import serial  # of this command only

  with serial.Serial(name, baud_rate, timeout=_SECONDS) as port:
    with contextlib.suppress(OSError, ValueError, AttributeError):
      port.set_low_latency_mode(True)  # Linux: answers wait 1 ms, not 16
    yield port


def main() -> None:
  """Trains, reads the weights, and recognizes the test samples."""
  values = flags.FLAGS.flag_values_dict()
  first, dataset = settings.load()
  run = first
  with open_port(values['port'], values['baud_rate'], run) as port:
    board = board_lib.connect(port, run.config, run.word)
    if values['check']:
      check(board)
    load(board, dataset)
    if values['check']:
      measure(board, run, min(_MEASURED, len(dataset.train.labels)))
      board = board_lib.connect(port, run.config, run.word)  # resets
    board_lib.write_weights(board, run.weights)
    clocks = getattr(port, 'clocks', lambda: 0)
    start = clocks()
    for _ in range(run.num_epochs):
      run = train_epoch(board, run, dataset.train)
    clocks = (clocks() - start) / run.num_epochs / len(dataset.train.labels)
    weights = board_lib.read_weights(board)
    answers = recognize(board, dataset)
  accuracy = np.mean(answers == dataset.test.labels)
  print(f'test accuracy {accuracy:.2%}')
  if clocks:  # simulated
    print(f'{clocks:,.0f} clocks a sample')
  params = verilog.params_of(run.config, weights)
  if values['folder']:
    ssnn_jax.save(values['folder'], run.config, params)
  if values['compare']:
    expected = first.train(dataset.train, run.num_epochs).weights
    network = chip.make_network(run.config)
    found = training.predict(network, params, dataset.test.inputs)
    pairs = *zip(weights, expected), (answers, found.classes)
    wrong = [np.count_nonzero(own != twin) for own, twin in pairs]
    if any(wrong):
      raise ssnn_jax.UserError(
        f'{sum(wrong[:-1])} weights and {wrong[-1]} answers differ from those '
        'of the twin; see the page on a first board.'
      )
    print(
      f'equal: {sum(own.size for own in weights)} weights and {len(answers)} '
      "answers are the twin's"
    )


if __name__ == '__main__':
  settings.define()
  flags.DEFINE_string(
    'port',
    None,
    'serial port of the board, as /dev/ttyUSB0 or COM3; or simulation',
    required=True,
  )
  flags.DEFINE_integer('baud_rate', 3_000_000, 'bits per second of the port', 1)
  flags.DEFINE_string('folder', None, 'folder to save the trained network to')
  flags.DEFINE_bool(
    'check',
    False,
    'whether to test the memory and measure the speed first',
  )
  flags.DEFINE_bool(
    'compare', False, 'whether to compare the weights with those of the twin'
  )
  command.launch(main)
