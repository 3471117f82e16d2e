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

from collections.abc import Callable
from collections.abc import Iterator
import contextlib
import time
from typing import Any

from absl import flags
import jax
import numpy as np

from experiments import command
from experiments import config as config_lib
from experiments.rtl import settings
import ssnn_jax
from ssnn_jax import chip
from ssnn_jax import training
from ssnn_jax.chip import board as board_lib
from ssnn_jax.training import loop

_SECONDS = 5  # without an answer
_SHOWN = 1000  # samples between lines of progress


def train_epoch(
  board: board_lib.Board,
  run: settings.Run,
  split: Any,
  report: Callable[[int, int], None] = lambda samples, correct: None,
) -> settings.Run:
  """Trains an epoch on a board, which has the weights.

  Args:
    board: the board.
    run: the run; its weights are not used.
    split: training samples.
    report: function of the numbers of samples so far, and of correct ones.

  Returns:
    The run after the epoch, with the weights before it.
  """
  update = jax.jit(lambda own: run.device.update(None, None, own, ())[1])
  pixels = np.asarray(chip.encode(run.config, split.inputs))
  labels, own, correct = np.asarray(split.labels), run.state.opt_state, 0
  batches = loop.choose_batches(run.state, len(labels), run.batch_size)
  for index, samples in enumerate(np.asarray(batches)):
    rates = np.asarray(own.enable)
    votes = board_lib.present(board, pixels[samples], labels[samples], rates)
    own = update(own)
    correct += int(np.sum(votes.argmax(axis=1) == labels[samples]))
    report((index + 1) * run.batch_size, correct)
  state = run.state.replace(opt_state=own, epoch=run.state.epoch + 1)
  return run._replace(state=state)


def evaluate(board: board_lib.Board, split: Any) -> float:
  """Returns the accuracy of samples that the board recognizes."""
  pixels = np.asarray(chip.encode(board.config, split.inputs))
  labels = np.full(len(pixels), -1)
  rates = [0] * board.config.num_layers
  votes = board_lib.present(board, pixels, labels, rates)
  return float(np.mean(votes.argmax(axis=1) == np.asarray(split.labels)))


@contextlib.contextmanager
def open_port(
  name: str, baud_rate: int, config: chip.ChipConfig, registers: Any
) -> Iterator[Any]:
  """Opens a serial port, or compiles the simulated board.

  Raises:
    UserError: if the port cannot be opened, or pyserial is missing.
  """
  if name == 'simulation':
    with board_lib.simulate(config, registers) as port:
      yield port
    return
  try:
    import serial  # of this command only
  except ImportError:
    raise ssnn_jax.UserError(
      "pyserial is not installed; pip install '.[rtl]'."
    ) from None
  try:
    port = serial.Serial(name, baud_rate, timeout=_SECONDS)
  except (OSError, ValueError) as error:
    reason = getattr(error, 'strerror', None) or error
    raise ssnn_jax.UserError(
      f'--port={name} cannot be opened ({reason}); give the serial port of the '
      'board, as `python -m serial.tools.list_ports` lists it.'
    ) from None
  with contextlib.closing(port):
    with contextlib.suppress(OSError, ValueError, AttributeError):
      port.set_low_latency_mode(True)  # Linux: answers wait 1 ms, not 16
    try:
      yield port
    except OSError as error:
      raise ssnn_jax.UserError(
        f'--port={name} failed ({error}); connect the board, and start again.'
      ) from None


class _Progress:
  """Prints a line from time to time."""

  def __init__(self, title):
    self._title, self._began, self._shown = title, time.monotonic(), 0

  def __call__(self, samples, correct):
    if samples >= self._shown + _SHOWN:
      self._shown = samples
      speed = samples / (time.monotonic() - self._began)
      print(
        f'{self._title}, {samples:,} samples: train accuracy '
        f'{correct / samples:.2%}, {speed:,.0f} samples/s',
        flush=True,
      )


def _train_twin(run, split, num_epochs):
  """Returns the weights of the twin after as many epochs."""
  network, state = chip.make_network(run.config), run.state
  epoch = jax.jit(
    training.make_train_epoch(network, run.device, run.batch_size)
  )
  for _ in range(num_epochs):
    state, _ = epoch(state, *split)
  return state.params


def main() -> None:
  """Trains, reads the weights, and recognizes the test samples."""
  values = flags.FLAGS.flag_values_dict()
  config, dataset = settings.experiment()
  first = run = settings.start(config, dataset)
  registers = run.state.opt_state.generators
  with open_port(
    values['port'], values['baud_rate'], run.config, registers
  ) as port:
    board = board_lib.connect(port, run.config, registers)
    board_lib.write_weights(board, run.state.params)
    for epoch in range(config.num_epochs):
      title = f'epoch {epoch + 1}/{config.num_epochs}'
      run = train_epoch(board, run, dataset.train, _Progress(title))
    weights = board_lib.read_weights(board)
    accuracy = evaluate(board, dataset.test)
  print(f'test accuracy {accuracy:.2%}')
  if values['folder']:
    ssnn_jax.save(values['folder'], run.config, weights)
  if values['compare']:
    expected = _train_twin(first, dataset.train, config.num_epochs)
    pairs = zip(weights, expected)
    count = sum(int(np.sum(own != other)) for own, other in pairs)
    if count:
      raise ssnn_jax.UserError(
        f'{count} weights differ from those of the twin.'
      )
    print(f"equal: {sum(own.size for own in weights)} weights are the twin's")


if __name__ == '__main__':
  settings.define()
  flags.DEFINE_string(
    'port',
    None,
    'serial port of the board, as /dev/ttyUSB0 or COM3; or simulation.',
    required=True,
  )
  flags.DEFINE_integer(
    'baud_rate', 3_000_000, 'bits per second of the port.', 1
  )
  flags.DEFINE_integer('num_epochs', None, 'number of epochs to train.', 1)
  flags.DEFINE_enum(
    'schedule',
    None,
    config_lib.CHOICES['schedule'],
    'schedule of the learning rate.',
  )
  flags.DEFINE_string('folder', None, 'folder to save the trained network to.')
  flags.DEFINE_bool(
    'compare', False, 'whether to compare the weights with those of the twin.'
  )
  command.launch(main)
