"""Trains the chip on a board over its serial line.

  python -m experiments.rtl host --port=/dev/ttyUSB0 --layer_sizes=784,256,10
  python -m experiments.rtl host --port=simulation --num_epochs=1 --compare

The samples, their order and the learning rates are those of `python -m
experiments.run --method=chip` with the same flags. After the last epoch the
weights are read, and the test samples are recognized. The bitstream is that of
`python -m experiments.rtl fpga` with the same flags. --port=simulation is the
Verilog of the board, whose serial line is driven bit by bit.

A serial port needs pyserial (pip install '.[rtl]').
"""

from collections.abc import Iterator
import contextlib
from typing import Any

from absl import flags
import jax
import numpy as np
import tqdm

from experiments import command
from experiments.rtl import settings
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import training
from ssnn_jax.chip import board as board_lib
from ssnn_jax.training import loop

_SECONDS = 5  # without an answer


def train_epoch(
  board: board_lib.Board, run: settings.Run, split: Any
) -> settings.Run:
  """Trains an epoch on a board, which has the weights; those of `run` stay."""

  @jax.jit
  def enable_rates(state):
    return chip.enable_rates(run.config, state, run.schedule)

  pixels = np.asarray(chip.encode(run.config, split.inputs))
  labels, state = np.asarray(split.labels), run.state.opt_state
  batches = loop.choose_batches(run.state, len(labels), run.batch_size)
  title, correct = f'epoch {int(run.state.epoch) + 1}', 0
  with tqdm.tqdm(desc=title, total=batches.size, unit=' samples') as bar:
    for samples in np.asarray(batches):
      rates = np.asarray(enable_rates(state))
      votes = board_lib.present(board, pixels[samples], labels[samples], rates)
      state = state._replace(num_updates=state.num_updates + 1)
      correct += int(np.sum(votes.argmax(axis=1) == labels[samples]))
      bar.update(len(samples))
      bar.set_postfix_str(f'train accuracy {correct / bar.n:.2%}', False)
  state = run.state._replace(opt_state=state, epoch=run.state.epoch + 1)
  return run._replace(state=state)


def evaluate(board: board_lib.Board, split: Any) -> float:
  """Returns the accuracy of samples that the board recognizes."""
  pixels = np.asarray(chip.encode(board.config, split.inputs))
  labels = np.full(len(pixels), -1)
  rates = [0] * board.config.num_layers
  votes = board_lib.present(board, pixels, labels, rates)
  return float(np.mean(votes.argmax(axis=1) == np.asarray(split.labels)))


@contextlib.contextmanager
def open_port(name: str, baud_rate: int, case: settings.Case) -> Iterator[Any]:
  """Opens a serial port, or compiles the simulated board."""
  if name == 'simulation':
    with board_lib.simulate(case.config, case.registers) as port:
      yield port
    return
  try:
    import serial  # of this command only
  except ImportError:
    raise ssnn_jax.UserError(
      "pyserial is not installed; pip install '.[rtl]'."
    ) from None
  try:
    with serial.Serial(name, baud_rate, timeout=_SECONDS) as port:
      with contextlib.suppress(OSError, ValueError, AttributeError):
        port.set_low_latency_mode(True)  # Linux: answers wait 1 ms, not 16
      yield port
  except OSError as error:
    raise ssnn_jax.UserError(
      f'--port={name} failed ({error.strerror or error}); connect the board, '
      'and give its port as `python -m serial.tools.list_ports` lists it.'
    ) from None


def main() -> None:
  """Trains, reads the weights, and recognizes the test samples."""
  values = flags.FLAGS.flag_values_dict()
  first, dataset = settings.load()
  run = first
  with open_port(values['port'], values['baud_rate'], run.case) as port:
    board = board_lib.connect(port, run.config, run.case.registers)
    board_lib.write_weights(board, run.case.weights)
    for _ in range(run.num_epochs):
      run = train_epoch(board, run, dataset.train)
    weights = board_lib.read_weights(board)
    accuracy = evaluate(board, dataset.test)
  print(f'test accuracy {accuracy:.2%}')
  if values['folder']:
    ssnn_jax.save(values['folder'], run.config, weights)
  if not values['compare']:
    return
  network, state = chip.make_network(run.config), first.state
  epoch = jax.jit(
    training.make_train_epoch(network, run.device, run.batch_size)
  )
  for _ in range(run.num_epochs):
    state, *_ = epoch(state, *dataset.train)
  count = sum(map(np.count_nonzero, map(np.not_equal, weights, state.params)))
  if count:
    raise ssnn_jax.UserError(f'{count} weights differ from those of the twin.')
  print(f"equal: {sum(own.size for own in weights)} weights are the twin's")


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
    'compare', False, 'whether to compare the weights with those of the twin'
  )
  command.launch(main)
