"""Checkpoints: all that a run depends on, to go on from after it was stopped.

They are orbax's, written beside the training, and lie in `checkpoints/<epoch>`
of the run's folder. The last one is kept, and the one of the best evaluation.
What a run draws is a function of its key, its epoch and its batch, so that a
run that goes on repeats, bit by bit, what it would have done.
"""

from collections.abc import Iterator
import contextlib
import operator
import os
import pathlib
import re
import shutil
from typing import NamedTuple

import jax
import orbax.checkpoint as ocp

from ssnn_jax import training
from ssnn_jax import types
from ssnn_jax.runs import provenance

_FOLDER, _BIN = 'checkpoints', 'discarded'
_RANK = 'accuracy'  # what has not been evaluated ranks below all that has
_MOST_CHARACTERS = 100  # of a reason
_CHANGED = 'its arrays are not those that were written'


class CheckpointError(types.UserError):
  """A checkpoint that cannot be used; the message says what to do."""


class Checkpoint(NamedTuple):
  """What a run goes on from."""

  epoch: int  # epochs done
  state: training.TrainState  # host arrays; the key as its data
  seconds: dict[str, float]  # spent so far, by what on


def before_first(like: training.TrainState) -> Checkpoint:
  """Makes what a run starts from that has no checkpoint; see `restore`."""
  return Checkpoint(0, like, {'train': 0.0, 'wall': 0.0})


@contextlib.contextmanager
def open_in(folder: str | os.PathLike) -> Iterator[ocp.CheckpointManager]:
  """Opens the checkpoints of a run, for one process alone.

  Args:
    folder: the run's folder.

  Yields:
    Their manager; at the end whatever it still writes is waited for.

  Raises:
    CheckpointError: if they cannot be written.
  """
  path = pathlib.Path(folder, _FOLDER).absolute()
  try:
    path.mkdir(exist_ok=True)
    _empty_bin(path)
    manager = _manage(path, cleanup=True)
  except OSError as error:
    raise _unwritable(path, error) from None
  try:
    yield manager
    wait(manager)
  finally:
    with contextlib.suppress(Exception):  # told by what came before
      manager.close()
    _empty_bin(path)


def save(
  manager: ocp.CheckpointManager,
  state: training.TrainState,
  seconds: dict[str, float],
  accuracy: float | None,
) -> None:
  """Starts to write a checkpoint; what it holds is taken at once.

  Args:
    manager: the run's checkpoints.
    state: the state after an epoch, as host arrays.
    seconds: time spent so far, by what on.
    accuracy: that of the epoch's evaluation; None where there was none.

  Raises:
    CheckpointError: if it cannot be written, or the one before could not.
  """
  wait(manager)
  _empty_bin(manager.directory)
  try:
    manager.save(
      int(state.epoch),
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(state),
        progress=ocp.args.JsonSave(
          {
            'seconds': seconds,
            'sha256': provenance.sha256(state),
            'params_sha256': provenance.sha256(state.params),
          }
        ),
      ),
      metrics={_RANK: -1.0 if accuracy is None else accuracy},
    )
  except Exception as error:  # orbax raises what its threads and formats do
    raise _unwritable(manager.directory, error) from None


def wait(manager: ocp.CheckpointManager) -> None:
  """Waits until all checkpoints are written.

  Args:
    manager: the run's checkpoints.

  Raises:
    CheckpointError: if one could not be written.
  """
  try:
    manager.wait_until_finished()
  except Exception as error:  # orbax raises what its threads and formats do
    raise _unwritable(manager.directory, error) from None


def restore(
  manager: ocp.CheckpointManager, like: training.TrainState
) -> Checkpoint:
  """Reads the last checkpoint of a run.

  Args:
    manager: the run's checkpoints.
    like: a state of the same run, as host arrays; only its shapes count.

  Returns:
    The checkpoint; that `before_first` if there is none.

  Raises:
    CheckpointError: if it is damaged, or of another network.
  """
  epoch = manager.latest_step()
  if epoch is None:
    return before_first(like)
  path = pathlib.Path(manager.directory, str(epoch))
  try:
    state, progress = _read(manager, epoch, like)
    is_whole = progress['sha256'] == provenance.sha256(state)
  except Exception as error:  # orbax raises what its formats raise
    raise _damaged(path, _reason(error)) from None
  shapes, expected = (
    [leaf.shape for leaf in jax.tree.leaves(tree)] for tree in (state, like)
  )
  if shapes != expected:
    raise CheckpointError(
      f'{path} holds another network, with arrays of shapes {shapes} where '
      f'this run has {expected}; choose the --workdir of this run, or a new '
      'one.'
    )
  if not is_whole:
    raise _damaged(path, _CHANGED)
  return Checkpoint(epoch, state, progress['seconds'])


def load_params(
  folder: str | os.PathLike, *, best: bool = False
) -> types.Params:
  """Reads the parameters that a run has learned.

  Args:
    folder: the run's folder.
    best: whether to take those of the best evaluation, not the last ones.

  Returns:
    The parameters, for `Network.infer`.

  Raises:
    CheckpointError: if there are none, or they are damaged.
  """
  path = pathlib.Path(folder, _FOLDER).absolute()
  if not path.is_dir():
    raise CheckpointError(
      f'{path} is not there; give the folder of a run that kept checkpoints.'
    )
  with _manage(path, cleanup=False) as manager:  # the run may be at work
    epoch = manager.best_step() if best else manager.latest_step()
    if epoch is None:
      raise CheckpointError(f'{path} holds no checkpoint yet; wait for one.')
    try:
      state, progress = _read(manager, epoch, like=None)
      params = tuple(types.LayerParams(**layer) for layer in state['params'])
      is_whole = progress['params_sha256'] == provenance.sha256(params)
    except Exception as error:  # orbax raises what its formats raise
      raise _damaged(path / str(epoch), _reason(error)) from None
  if not is_whole:
    raise _damaged(path / str(epoch), _CHANGED)
  return params


def _read(manager, epoch, like):
  """Reads a checkpoint; where no state is like it, as dictionaries."""
  state = ocp.args.StandardRestore(like)
  args = ocp.args.Composite(state=state, progress=ocp.args.JsonRestore())
  read = manager.restore(epoch, args=args)
  return read.state, read.progress


def _empty_bin(path):
  """Deletes checkpoints that are not kept.

  They have been moved there first, so that whenever a process is killed, what
  is left beside it is whole.
  """
  shutil.rmtree(pathlib.Path(path, _BIN), ignore_errors=True)


def _manage(path, cleanup):
  try:
    return ocp.CheckpointManager(path, options=_options(cleanup))
  except ValueError as error:  # what has been evaluated is read at once
    raise _damaged(path, _reason(error)) from None


def _options(cleanup):
  policies = ocp.checkpoint_managers
  rank = operator.itemgetter(_RANK)
  last, best = policies.LatestN(1), policies.BestN(get_metric_fn=rank, n=1)
  return ocp.CheckpointManagerOptions(
    best_fn=rank,
    preservation_policy=policies.AnyPreservationPolicy([last, best]),
    todelete_subdir=_BIN,
    create=False,
    cleanup_tmp_directories=cleanup,
    # The state is in each process; one alone writes it.
    multiprocessing_options=ocp.options.MultiprocessingOptions(
      primary_host=jax.process_index(),
      active_processes={jax.process_index()},
      barrier_sync_key_prefix=f'process_{jax.process_index()}',
    ),
  )


def _reason(error):
  """Tells in a few words what tensorstore tells in many."""
  number = re.search(r"os_error_code='(\d+)'", str(error))
  if number:
    return os.strerror(int(number[1]))
  if 'byte range' in str(error):
    return 'a file in it is truncated'
  told = str(error).partition('\n')[0].partition('; ')[0]
  told = told[:_MOST_CHARACTERS].rstrip('. ')
  return getattr(error, 'strerror', None) or told or type(error).__name__


def _damaged(path, reason):
  return CheckpointError(
    f'{path} is damaged ({reason}); remove it to go on from what is there '
    'beside it, or anew.'
  )


def _unwritable(path, error):
  return CheckpointError(
    f'{path} cannot be written ({_reason(error)}); make room and permission '
    'there, and go on by --resume.'
  )
