"""Checkpoints: the state of a run with its record, from which training resumes.

Orbax writes them while training goes on, to `checkpoints/<epoch>` in the folder
of a run. Each holds the state of all seeds and, as JSON, the record so far, so
that state and record cannot disagree. The last checkpoint and the one with the
best evaluation are kept. All random numbers of a run are functions of its key,
the epoch and the batch: a resumed run equals an uninterrupted one bit for bit.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import copy
import os
import pathlib
import shutil
from typing import Any

import jax
import numpy as np

from ssnn_jax import checks
from ssnn_jax import training
from ssnn_jax import types
from ssnn_jax.runs import files

# Orbax is imported late: an eighth of a second.
_DISCARDED = 'discarded'
_METRIC = 'accuracy'
_NOT_EVALUATED = -1.0  # ranks below all accuracies


@contextlib.contextmanager
def open_in(folder: str | os.PathLike) -> Iterator[Any]:
  """Opens the checkpoints of a run; all are written when the context ends.

  Yields the manager of orbax; the folder has one writer.
  """
  path = pathlib.Path(folder, files.CHECKPOINTS).absolute()
  path.mkdir(exist_ok=True)
  # Of a killed process; that orbax itself removes them may fail by a race.
  for left in (path / _DISCARDED, *path.glob('*.orbax-checkpoint-tmp*')):
    shutil.rmtree(left, ignore_errors=True)
  manager = _make_manager(path)
  try:
    yield manager
    with _writing(path):
      manager.wait_until_finished()
  finally:
    with contextlib.suppress(Exception):  # the wait has raised the same error
      manager.close()
    shutil.rmtree(path / _DISCARDED, ignore_errors=True)


def _writing(path):
  remedy = (
    'free disk space, and repeat the command to continue from the checkpoint '
    'before'
  )
  return checks.explain(path, remedy, 'cannot be written')


def save(
  manager: Any,
  state: training.TrainState,
  seeds: Sequence[int],
  record: dict[str, Any],
  accuracy: float | None,
) -> None:
  """Copies a state and its record, and starts to write their checkpoint.

  The state is that of S seeds, as NumPy arrays; the record so far is a JSON
  object; the mean accuracy is that of an evaluation after this epoch, if any.
  """
  ocp = _import_orbax()
  with _writing(manager.directory):
    manager.wait_until_finished()
  shutil.rmtree(manager.directory / _DISCARDED, ignore_errors=True)
  progress = {
    'seeds': list(seeds),
    'record': copy.deepcopy(record),  # written while training goes on
    'sha256': files.sha256(state),
    'params_sha256': files.sha256(state.params),
  }
  with _writing(manager.directory):
    manager.save(
      int(state.epoch[0]),
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(state),
        progress=ocp.args.JsonSave(progress),
      ),
      metrics={_METRIC: _NOT_EVALUATED if accuracy is None else accuracy},
    )


def restore(
  manager: Any, like: training.TrainState
) -> tuple[training.TrainState, dict[str, Any]] | None:
  """Restores the state and the record of the last checkpoint, if there is one.

  The state has the shapes of `like`. Raises `UserError` if it is damaged.
  """
  epoch = manager.latest_step()
  if epoch is None:
    return None
  state, progress = _read(manager, epoch, like)
  return state, progress['record']


def last_epoch(folder: str | os.PathLike) -> int | None:
  """Returns the epoch of the last checkpoint of a run; None without any."""
  paths = pathlib.Path(folder, files.CHECKPOINTS).glob('*')
  epochs = [int(path.name) for path in paths if path.name.isdecimal()]
  return max(epochs, default=None)


def load_params(
  folder: str | os.PathLike,
  like: Any,
  *,
  seed: int | None = None,
  best: bool = False,
) -> Any:
  """Loads the trained parameters of a run; the arguments are those of `load`.

  The parameters have the structure of `like`. Raises `UserError` if there is no
  checkpoint, no such seed, or it is damaged.
  """
  path = pathlib.Path(folder, files.CHECKPOINTS).absolute()
  if last_epoch(folder) is None:
    raise types.UserError(f'{path} holds no checkpoint yet; train the run.')
  with _make_manager(path) as manager:
    epoch = manager.best_step() if best else manager.latest_step()
    params, progress = _read(manager, epoch, params_like=like)
  seeds = progress['seeds']
  if seed not in (None, *seeds):
    raise types.UserError(
      f'{folder} holds no seed {seed}; choose one of {seeds}.'
    )
  index = 0 if seed is None else seeds.index(seed)
  return jax.tree.map(lambda leaf: np.asarray(leaf[index]), params)


def _read(manager, epoch, like=None, params_like=None):
  """Reads state and progress; without `like`, parameters instead of a state."""
  ocp = _import_orbax()
  args = ocp.args.Composite(
    state=ocp.args.StandardRestore(like), progress=ocp.args.JsonRestore()
  )
  remedy = (
    'remove this folder to resume the run from an older checkpoint or from the '
    'start'
  )
  with checks.explain(manager.directory / str(epoch), remedy, 'is damaged'):
    restored = manager.restore(epoch, args=args)
    state, progress, name = restored.state, restored.progress, 'sha256'
    if like is None:  # the state is dictionaries and lists
      name, named = 'params_sha256', files.name_leaves(state['params'])
      leaves = [named[own] for own in files.name_leaves(params_like)]
      state = jax.tree.unflatten(jax.tree.structure(params_like), leaves)
    if files.sha256(state) != progress[name]:
      raise ValueError('its arrays have changed since they were written')
  return state, progress


def _import_orbax():
  with checks.extra('experiments'):
    import orbax.checkpoint as ocp
  return ocp


def _make_manager(path):
  ocp = _import_orbax()
  policies = ocp.checkpoint_managers
  accuracy = lambda metrics: metrics[_METRIC]
  options = ocp.CheckpointManagerOptions(
    best_fn=accuracy,
    preservation_policy=policies.AnyPreservationPolicy(
      [policies.LatestN(1), policies.BestN(get_metric_fn=accuracy, n=1)]
    ),
    # A folder holds whole checkpoints whenever a process is killed: discarded
    # checkpoints are moved out of it instead of deleted in place.
    todelete_subdir=_DISCARDED,
    create=False,
    cleanup_tmp_directories=False,
  )
  return ocp.CheckpointManager(path, options=options)
