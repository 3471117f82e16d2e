"""The open records of runs: metrics, checkpoints, and what they go on from.

Where several processes train together, the first one alone holds the records;
the others are told what to go on from.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import enum
import importlib
import pathlib
from typing import Any
from typing import NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from experiments import config_records
from experiments import configs
from experiments import multihost
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import records
from ssnn_jax.training import metrics


class Run(NamedTuple):
  """What is trained, and where it is recorded."""

  config: configs.ExperimentConfig
  folder: pathlib.Path


class Status(enum.IntEnum):
  """What a folder holds of a run."""

  NEW = 0
  UNFINISHED = 1
  FINISHED = 2


class Record(NamedTuple):
  """The open record of a run."""

  run: Run
  start: checkpoints.Checkpoint  # what it goes on from
  manager: ocp.CheckpointManager | None  # None in all processes but the first
  board: Any | None  # TensorBoard's writer


def status(run: Run) -> Status:
  """Tells what there is of a run.

  Args:
    run: the run.

  Returns:
    What its folder holds of it.

  Raises:
    UserError: if the folder holds another run, or files that are none.
  """
  if not records.holds_anything(run.folder):
    return Status.NEW
  recorded = records.read(run.folder, whole=False)
  there = config_records.complete(recorded.config)
  wanted = config_records.as_record(run.config)
  differing = [
    f'{name} is {there[name]} there and {value} here'
    for name, value in wanted.items()
    if there[name] != value
  ]
  if differing:
    raise ssnn_jax.UserError(
      f'{run.folder} holds another run ({"; ".join(differing)}); leave these '
      'flags as they were, or choose another --workdir.'
    )
  return Status.UNFINISHED if recorded.final is None else Status.FINISHED


@contextlib.contextmanager
def open_all(
  runs: Sequence[Run],
  like: training.TrainState,
  *,
  resume: bool,
  tensorboard: bool,
) -> Iterator[list[Record]]:
  """Opens the records of runs.

  Args:
    runs: the runs.
    like: a state of any of them, as host arrays.
    resume: whether runs that did not finish go on; if not, all are new.
    tensorboard: whether metrics are written for TensorBoard, too.

  Yields:
    The records; at the end they are whole and closed.

  Raises:
    UserError: if one of them cannot be used, or another process is at it.
  """
  opened = []
  with contextlib.ExitStack() as stack:

    def open_here():
      library = _import_tensorboard() if tensorboard else None
      opened.extend(_open(run, like, resume, library, stack) for run in runs)
      return [record.start for record in opened]

    blank = [checkpoints.before_first(like)] * len(runs)
    starts = multihost.told_by_first(open_here, blank)
    yield opened or [Record(*pair, None, None) for pair in zip(runs, starts)]


def _open(run, like, resume, library, stack):
  """Opens the record of one run; what must be closed goes on the stack."""
  is_new = not resume or status(run) is Status.NEW
  if is_new:
    records.create(run.folder, config_records.as_record(run.config))
  stack.enter_context(records.at_work_in(run.folder))
  manager = stack.enter_context(checkpoints.open_in(run.folder))
  start = checkpoints.restore(manager, like)
  if not is_new:
    records.rewind(run.folder, start.epoch)
  board = None
  if library is not None:
    board = library.SummaryWriter(
      str(run.folder / 'tensorboard'),
      # Hides what was told of later epochs, which are trained again.
      purge_step=None if is_new else start.epoch + 1,
      # Its files are named by the second, and a run may go on within one.
      filename_suffix=f'.{start.epoch}',
    )
    stack.callback(board.close)
  return Record(run, start, manager, board)


def _import_tensorboard():
  """Imports what writes for TensorBoard; the package is optional."""
  try:
    return importlib.import_module('tensorboardX')
  except ImportError:
    raise ssnn_jax.UserError(
      '--tensorboard needs the package tensorboardX, which is not installed; '
      "pip install 'ssnn_jax[tensorboard]'."
    ) from None


def append_each(opened: Sequence[Record], event: str, **fields: Any) -> None:
  """Appends a line to each record.

  Args:
    opened: the records of S runs.
    event: what the line tells of.
    **fields: its values: arrays `[S]` or lists of S have one for each run,
      other tuples hold such values and become lists, anything else is shared.
  """
  fields = {name: _on_host(value) for name, value in fields.items()}
  for index, record in enumerate(opened):
    if record.manager is None:
      continue
    own = {name: _own(value, index) for name, value in fields.items()}
    records.append(record.run.folder, event, **own)
    if record.board is not None and 'epoch' in own:
      _add_scalars(record.board, own)


def _on_host(value):
  if isinstance(value, tuple):
    return tuple(map(_on_host, value))
  return np.asarray(value) if isinstance(value, jax.Array) else value


def _own(value, index):
  """Takes what one run has of a value."""
  if isinstance(value, tuple):
    return tuple(_own(part, index) for part in value)
  is_each = isinstance(value, np.ndarray | list)
  return value[index] if is_each else value


def _add_scalars(board, values):
  """Shows the numbers of a line on TensorBoard, over epochs."""
  for name, value in values.items():
    parts = value if isinstance(value, tuple) else (value,)
    for layer, part in enumerate(parts):
      tag = f'{name}/{layer}' if isinstance(value, tuple) else name
      if name != 'epoch':
        board.add_scalar(tag, float(part), values['epoch'])
  board.flush()


def save_each(
  opened: Sequence[Record],
  state: training.TrainState,
  seconds: dict[str, float],
  accuracy: metrics.Accuracy | None,
) -> None:
  """Starts to write a checkpoint of each run.

  Args:
    opened: the records of S runs.
    state: their states, with a leading axis S.
    seconds: time spent on them so far, by what on.
    accuracy: the epoch's evaluation, `[S]` each; None where there was none.
  """
  writing = [record for record in opened if record.manager is not None]
  host = jax.device_get(state) if writing else None
  for index, record in enumerate(writing):
    own = jax.tree.map(lambda leaf: np.array(leaf[index]), host)  # noqa: B023
    own_accuracy = None if accuracy is None else float(accuracy.winner[index])
    checkpoints.save(record.manager, own, seconds, own_accuracy)


def is_writing(opened: Sequence[Record]) -> bool:
  """Tells whether a checkpoint is still being written."""
  managers = [record.manager for record in opened if record.manager is not None]
  return any(manager.is_saving_in_progress() for manager in managers)


def wait_for_each(opened: Sequence[Record]) -> None:
  """Waits until all checkpoints are written."""
  for record in opened:
    if record.manager is not None:
      checkpoints.wait(record.manager)
