"""Run writer: metrics, checkpoints and TensorBoard events.

In multi-process training, only the primary process reads and writes the folders
of runs, and broadcasts checkpoints to the other processes.
"""

from collections.abc import Iterator
from collections.abc import Mapping
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

from experiments.config import experiment
from experiments.config import lines
from experiments.config import serialization
from experiments.training import multihost
import ssnn_jax
from ssnn_jax import training
from ssnn_jax.runs import checkpoints
from ssnn_jax.runs import files
from ssnn_jax.runs import records
from ssnn_jax.training import metrics


class Run(NamedTuple):
  """A run to train, and its folder."""

  config: experiment.ExperimentConfig
  folder: pathlib.Path


class Status(enum.IntEnum):
  """Progress of a run, according to its folder."""

  NEW = 0
  UNFINISHED = 1
  FINISHED = 2


class Record(NamedTuple):
  """The record of a run, open for writing."""

  run: Run
  start: checkpoints.Checkpoint  # where training starts
  manager: ocp.CheckpointManager | None  # None except in the primary process
  board: Any | None  # writer of TensorBoard events


def status(run: Run) -> Status:
  """Returns the progress of a run, according to its folder.

  Raises:
    UserError: if the folder holds a run with another configuration, or other
      files.
  """
  if not files.is_nonempty(run.folder):
    return Status.NEW
  record = lines.read(run.folder, strict=False)
  recorded = serialization.complete(record.config)
  differences = [
    f'{name} is {recorded[name]}, not {value}'
    for name, value in serialization.as_record(run.config).items()
    if recorded[name] != value
  ]
  if differences:
    raise ssnn_jax.UserError(
      f'{run.folder} holds another run ({"; ".join(differences)}); use the '
      'recorded values, or choose another --workdir.'
    )
  return Status.UNFINISHED if record.final is None else Status.FINISHED


@contextlib.contextmanager
def open_all(
  runs: Sequence[Run],
  like: training.TrainState,
  data_sha256: str,
  *,
  resume: bool,
  tensorboard: bool,
) -> Iterator[list[Record]]:
  """Opens the records of runs for writing.

  Args:
    runs: the runs.
    like: initial state of one run, as NumPy arrays.
    data_sha256: digest of the training and evaluation data.
    resume: whether unfinished runs are resumed; otherwise all must be new.
    tensorboard: whether metrics are also written as TensorBoard events.

  Yields:
    The records; all files are complete and closed when the context ends.

  Raises:
    UserError: if a folder is invalid, or locked by another process, or if its
      run was trained on other data.
  """
  opened = []
  with contextlib.ExitStack() as stack:

    def open_here():
      library = _import_tensorboard() if tensorboard else None
      opened.extend(
        _open(run, like, data_sha256, resume, library, stack) for run in runs
      )
      return [record.start for record in opened]

    blank = [checkpoints.initial_checkpoint(like)] * len(runs)
    starts = multihost.broadcast_from_primary(open_here, blank)
    yield opened or [Record(*pair, None, None) for pair in zip(runs, starts)]


def _open(run, like, data_sha256, resume, library, stack):
  """Opens the record of one run; the exit stack closes it."""
  is_new = not resume or status(run) is Status.NEW
  if is_new:
    recorded = serialization.as_record(run.config)
    records.create(run.folder, recorded, data_sha256=data_sha256)
  stack.enter_context(files.exclusive_lock(run.folder))
  events = records.read(run.folder, strict=False).events
  # Records of earlier versions have no digest.
  if events and events[0].get('data_sha256', data_sha256) != data_sha256:
    raise ssnn_jax.UserError(
      f'--dataset={run.config.dataset} holds other samples than those on which '
      f'the run in {run.folder} was trained; restore the data, or start a new '
      'run in another --workdir.'
    )
  manager = stack.enter_context(checkpoints.open_in(run.folder))
  start = checkpoints.restore(manager, like)
  if not is_new:
    records.truncate_to_epoch(run.folder, start.epoch, data_sha256=data_sha256)
  board = None
  if library is not None:
    board = library.SummaryWriter(
      str(run.folder / 'tensorboard'),
      # Hides events of later epochs, which are trained again.
      purge_step=None if is_new else start.epoch + 1,
      # Distinguishes files that are created in the same second.
      filename_suffix=f'.{start.epoch}',
    )
    stack.callback(board.close)
  return Record(run, start, manager, board)


def _import_tensorboard():
  """Imports the optional package that writes TensorBoard events."""
  try:
    return importlib.import_module('tensorboardX')
  except ImportError:
    raise ssnn_jax.UserError(
      '--tensorboard needs the package tensorboardX, which is not installed; '
      "pip install '.[tensorboard]'."
    ) from None


def append_each(
  opened: Sequence[Record], event: str, own: Mapping[str, Any], **shared: Any
) -> None:
  """Appends a line to the metrics of each run.

  Args:
    opened: records of S runs.
    event: kind of the line.
    own: values by their names, trees of arrays `[S]`, of which each run records
      its own.
    **shared: values that are the same for all runs.
  """
  own = {name: jax.tree.map(np.asarray, value) for name, value in own.items()}
  for index, record in enumerate(opened):
    if record.manager is None:
      continue
    values = {
      name: jax.tree.map(lambda leaf: leaf[index], value)  # noqa: B023
      for name, value in own.items()
    }
    records.append(record.run.folder, event, **shared, **values)
    if record.board and 'epoch' in shared:
      _add_scalars(record.board, values, shared['epoch'])


def _add_scalars(board, values, epoch):
  """Writes the numbers of a line as TensorBoard events."""
  for name, value in values.items():
    scalars = {name: value}
    if isinstance(value, tuple):
      scalars = {f'{name}/{layer}': own for layer, own in enumerate(value)}
    for tag, scalar in scalars.items():
      board.add_scalar(tag, float(scalar), epoch)
  board.flush()


def save_each(
  opened: Sequence[Record],
  state: training.TrainState,
  seconds: dict[str, float],
  accuracy: metrics.Accuracy | None,
) -> None:
  """Starts writing a checkpoint of each run.

  Args:
    opened: records of S runs.
    state: states of the runs, with a leading axis S.
    seconds: time spent so far, `train` and `wall`.
    accuracy: accuracies `[S]` of an evaluation after the epoch, if any.
  """
  state = unwrap_keys(state)  # in all processes
  writing = [record for record in opened if record.manager]
  host = jax.device_get(state) if writing else None
  for index, record in enumerate(writing):
    own = jax.tree.map(lambda leaf: np.array(leaf[index]), host)  # noqa: B023
    own_accuracy = None if accuracy is None else float(accuracy.winner[index])
    checkpoints.save(record.manager, own, seconds, own_accuracy)


def unwrap_keys(state: training.TrainState) -> training.TrainState:
  """Replaces the key of each seed by its data, as checkpoints save it."""
  return state.replace(key=jax.random.key_data(state.key))


def wrap_keys(state: training.TrainState) -> training.TrainState:
  """Reverses `unwrap_keys`."""
  return state.replace(key=jax.random.wrap_key_data(state.key))
