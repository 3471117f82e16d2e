"""Training of one network by several processes, on as many hosts.

All processes run the same command and the same programs. Only the primary
process writes records; checkpoints are written and read by Orbax in all.
"""

from collections.abc import Callable
import dataclasses
import re
from typing import Any

import jax
from jax.experimental import multihost_utils
import numpy as np

from experiments.config import field
import ssnn_jax

_UNLESS_FOUND = 'for --multihost, unless jax discovers the processes'


@dataclasses.dataclass(frozen=True)
class Processes:
  """Options of multi-process training; each field is a flag."""

  multihost: bool = field.field(
    'Machine',
    False,
    'train together with processes on other hosts that run the same command; '
    'jax discovers the processes under Slurm, MPI or on a TPU pod',
  )
  coordinator_address: str | None = field.field(
    'Machine', None, f'host:port of the first process {_UNLESS_FOUND}'
  )
  num_processes: int | None = field.field(
    'Machine', None, f'number of processes {_UNLESS_FOUND}'
  )
  process_id: int | None = field.field(
    'Machine', None, f'index of this process, from 0, {_UNLESS_FOUND}'
  )


def join(processes: Processes) -> None:
  """Connects to the other processes of --multihost.

  Raises:
    UserError: if the processes cannot be found.
  """
  given = dataclasses.asdict(processes)
  if not given.pop('multihost'):
    unused = [name for name, value in given.items() if value is not None]
    if unused:
      raise ssnn_jax.UserError(
        f'--{unused[0]} requires --multihost; give both, or neither.'
      )
    return
  address = processes.coordinator_address
  if address is not None and not re.fullmatch(r'\S+:\d+', address):
    raise ssnn_jax.UserError(
      f'--coordinator_address={address} is not of the form host:port.'
    )
  try:
    jax.distributed.initialize(**given)
  except (ValueError, RuntimeError) as error:
    reason = str(error).splitlines()[0].rstrip('.')
    raise ssnn_jax.UserError(
      f'--multihost cannot find the other processes ({reason}); start them by '
      'Slurm, MPI or on a TPU pod, or give --coordinator_address, '
      '--num_processes and --process_id.'
    ) from None


def is_primary() -> bool:
  """Returns whether this process writes records."""
  return jax.process_index() == 0


def in_primary(function: Callable[[], Any]) -> Any:
  """Calls a function in the primary process; returns its result there.

  Its user error is raised in all processes, so that none waits for another.
  """
  if jax.process_count() == 1:
    return function()
  result = problem = None
  if is_primary():
    try:
      result = function()
    except ssnn_jax.UserError as error:
      problem = error
  has_failed = np.array(problem is not None)
  if multihost_utils.broadcast_one_to_all(has_failed):
    raise problem or ssnn_jax.UserError(
      'the first process has failed; see its error message.'
    )
  return result
