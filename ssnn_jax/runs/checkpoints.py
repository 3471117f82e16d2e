"""Checkpoints: the state of a run, from which training can resume.

Checkpoints are written by Orbax, asynchronously to training, to
`checkpoints/<epoch>` in the folder of the run. Only the last checkpoint and the
one with the best evaluation are kept. All random numbers of a run are functions
of its key, the epoch and the batch, so that a resumed run equals an
uninterrupted one bit for bit.
"""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import re
import shutil
from typing import NamedTuple
from typing import TypedDict

import jax
import orbax.checkpoint as ocp

from ssnn_jax import checks
from ssnn_jax import training
from ssnn_jax import types
from ssnn_jax.runs import errors
from ssnn_jax.runs import provenance

_FOLDER, _DISCARDED = 'checkpoints', 'discarded'
_METRIC = 'accuracy'
_NOT_EVALUATED = -1.0  # ranks below all accuracies
_MAX_REASON_LENGTH = 100  # characters
_CHANGED = 'its arrays have changed since they were written'


class Checkpoint(NamedTuple):
  """State of a run after an epoch."""

  epoch: int  # epochs completed
  state: training.TrainState  # NumPy arrays; the key as its data
  seconds: dict[str, float]  # time spent so far, `train` and `wall`


class _Seconds(TypedDict):
  train: float
  wall: float


class _Metrics(TypedDict):
  accuracy: float


class _Progress(TypedDict):
  seconds: dict
  sha256: str
  params_sha256: str


def initial_checkpoint(like: training.TrainState) -> Checkpoint:
  """Returns the checkpoint before the first epoch; see `restore`."""
  return Checkpoint(0, like, {'train': 0.0, 'wall': 0.0})


@contextlib.contextmanager
def open_in(folder: str | os.PathLike) -> Iterator[ocp.CheckpointManager]:
  """Opens the checkpoints of a run; all are written when the context ends.

  Only one process may have the checkpoints open; see `files.exclusive_lock`.
  """
  path = pathlib.Path(folder, _FOLDER).absolute()
  with _convert_errors(_unwritable_error, path, OSError):
    path.mkdir(exist_ok=True)
    _delete_discarded(path)
    manager = _make_manager(path, cleanup=True)
  try:
    yield manager
    wait(manager)
  finally:
    with contextlib.suppress(Exception):  # `wait` has raised the same error
      manager.close()
    _delete_discarded(path)


def save(
  manager: ocp.CheckpointManager,
  state: training.TrainState,
  seconds: dict[str, float],
  accuracy: float | None,  # None: not evaluated after this epoch
) -> None:
  """Copies a state of NumPy arrays, and starts to write its checkpoint.

  Raises `CheckpointError` if this checkpoint or the one before is not writable.
  """
  wait(manager)
  _delete_discarded(manager.directory)
  progress = {
    'seconds': seconds,
    'sha256': provenance.sha256(state),
    'params_sha256': provenance.sha256(state.params),
  }
  with _convert_errors(_unwritable_error, manager.directory):
    manager.save(
      int(state.epoch),
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(state),
        progress=ocp.args.JsonSave(progress),
      ),
      metrics={_METRIC: _NOT_EVALUATED if accuracy is None else accuracy},
    )


def wait(manager: ocp.CheckpointManager) -> None:
  """Waits until all checkpoints are written, or raises `CheckpointError`."""
  with _convert_errors(_unwritable_error, manager.directory):
    manager.wait_until_finished()


def restore(
  manager: ocp.CheckpointManager, like: training.TrainState
) -> Checkpoint:
  """Restores the last checkpoint, or returns `initial_checkpoint(like)`.

  Raises `CheckpointError` if it is damaged, or has other shapes than `like`.
  """
  epoch = manager.latest_step()
  if epoch is None:
    return initial_checkpoint(like)
  path = pathlib.Path(manager.directory, str(epoch))
  with _convert_errors(_damaged_error, path):
    state, progress = _read(manager, epoch, like)
    is_unchanged = progress['sha256'] == provenance.sha256(state)
  shapes, expected = (
    [leaf.shape for leaf in jax.tree.leaves(tree)] for tree in (state, like)
  )
  if shapes != expected:
    raise errors.CheckpointError(
      f'{path} holds another network, with arrays of shapes {shapes} instead '
      f'of {expected}; choose the folder of this run, or a new folder.',
      arguments=('folder',),
    )
  if not is_unchanged:
    raise _damaged_error(path, _CHANGED)
  return Checkpoint(epoch, state, progress['seconds'])


def load_params(
  folder: str | os.PathLike, *, best: bool = False
) -> types.Params:
  """Loads the trained parameters of a run, also while the run is training.

  Args:
    folder: folder of the run.
    best: whether to load the parameters of the best evaluation, not the last.

  Returns:
    The parameters, for `Network.infer`.

  Raises:
    CheckpointError: if there is no checkpoint, or the checkpoint is damaged.
  """
  path = pathlib.Path(folder, _FOLDER).absolute()
  if not path.is_dir():
    raise errors.CheckpointError(
      f'{path} does not exist; give the folder of a run that has checkpoints.',
      arguments=('folder',),
    )
  with _make_manager(path, cleanup=False) as manager:
    epoch = manager.best_step() if best else manager.latest_step()
    if epoch is None:
      raise errors.CheckpointError(
        f'{path} holds no checkpoint yet; wait until the run has written one.'
      )
    with _convert_errors(_damaged_error, path / str(epoch)):
      state, progress = _read(manager, epoch, like=None)
      params = tuple(
        types.LayerParams(**layer) if isinstance(layer, dict) else layer
        for layer in state['params']  # arrays are weights of a chip
      )
      is_unchanged = progress['params_sha256'] == provenance.sha256(params)
  if not is_unchanged:
    raise _damaged_error(path / str(epoch), _CHANGED)
  return params


def _read(manager, epoch, like):
  """Reads state and progress; without `like`, the state is a dictionary."""
  state = ocp.args.StandardRestore(like)
  args = ocp.args.Composite(state=state, progress=ocp.args.JsonRestore())
  restored = manager.restore(epoch, args=args)
  progress = restored.progress
  _check(progress, _Progress)
  _check(progress['seconds'], _Seconds)
  return restored.state, progress


def _check(values, kind):
  """Raises a ValueError if a JSON object lacks what its schema declares."""
  for problem in checks.problems(values, kind):
    raise ValueError(problem)


def _accuracy(metrics):
  """Returns the accuracy in the metrics of a checkpoint."""
  _check(metrics, _Metrics)
  return metrics[_METRIC]


def _delete_discarded(path):
  """Deletes the checkpoints that Orbax has discarded."""
  shutil.rmtree(pathlib.Path(path, _DISCARDED), ignore_errors=True)


def _make_manager(path, cleanup):
  policies = ocp.checkpoint_managers
  last = policies.LatestN(1)
  best = policies.BestN(get_metric_fn=_accuracy, n=1)
  options = ocp.CheckpointManagerOptions(
    best_fn=_accuracy,
    preservation_policy=policies.AnyPreservationPolicy([last, best]),
    # A folder holds whole checkpoints whenever a process is killed: discarded
    # checkpoints are moved out of it instead of deleted in place.
    todelete_subdir=_DISCARDED,
    create=False,
    cleanup_tmp_directories=cleanup,
    # Every process has the whole state; this process alone writes it.
    multiprocessing_options=ocp.options.MultiprocessingOptions(
      primary_host=jax.process_index(),
      active_processes={jax.process_index()},
      barrier_sync_key_prefix=f'process_{jax.process_index()}',
    ),
  )
  with _convert_errors(_damaged_error, path):
    manager = ocp.CheckpointManager(path, options=options)
    manager.best_step()  # parses and checks the metrics of all checkpoints
  return manager


@contextlib.contextmanager
def _convert_errors(make_error, path, kind=Exception):
  """Replaces errors of Orbax, which are of many types."""
  try:
    yield
  except kind as error:
    raise make_error(path, _reason(error)) from None


def _reason(error):
  """Returns a short reason from the long messages of TensorStore."""
  number = re.search(r"os_error_code='(\d+)'", str(error))
  if number:
    return os.strerror(int(number[1]))
  if 'byte range' in str(error):
    return 'a file in it is truncated'
  message = str(error).partition('\n')[0].partition('; ')[0]
  message = message[:_MAX_REASON_LENGTH].rstrip('. ')
  return getattr(error, 'strerror', None) or message or type(error).__name__


def _damaged_error(path, reason):
  return errors.CheckpointError(
    f'{path} is damaged ({reason}); remove this folder to resume the run from '
    'an older checkpoint or from the start.'
  )


def _unwritable_error(path, reason):
  return errors.CheckpointError(
    f'{path} cannot be written ({reason}); free disk space or change the '
    'permissions, then resume the run.',
    arguments=('resume',),
  )
