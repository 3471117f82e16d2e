"""Several processes that train one network together.

All processes run the same command and the same programs. Only the primary
process reads and writes records, and broadcasts checkpoints to the others.
"""

from collections.abc import Callable
from collections.abc import Mapping
import re
from typing import Any

from absl import flags
import jax
from jax.experimental import multihost_utils
import numpy as np

from experiments.config import command
import ssnn_jax

_CLUSTER = ('coordinator_address', 'num_processes', 'process_id')


def define_flags() -> None:
  """Defines the flags that describe the processes."""
  with command.group('Machine'):
    flags.DEFINE_boolean(
      'multihost',
      False,
      'train together with processes on other hosts that run the same command; '
      'under Slurm, MPI or on a TPU pod jax finds the processes itself.',
    )
    flags.DEFINE_string(
      'coordinator_address',
      None,
      '`host:port` of the first process for --multihost, if jax does not find '
      'the processes itself.',
    )
    flags.DEFINE_integer(
      'num_processes',
      None,
      'number of processes for --multihost, if jax does not find the processes '
      'itself.',
    )
    flags.DEFINE_integer(
      'process_id',
      None,
      'index of this process for --multihost, from 0, if jax does not find the '
      'processes itself.',
    )


def join(values: Mapping[str, Any]) -> None:
  """Joins the other processes of --multihost.

  Args:
    values: the value of each flag, None where it was left out.

  Raises:
    UserError: if the processes cannot be found.
  """
  given = {name: values[name] for name in _CLUSTER}
  if not values['multihost']:
    unused = [name for name in _CLUSTER if given[name] is not None]
    if unused:
      raise ssnn_jax.UserError(
        f'--{unused[0]} is for --multihost; give both, or neither.'
      )
    return
  address = given['coordinator_address']
  if address is not None and not re.fullmatch(r'\S+:\d+', address):
    raise ssnn_jax.UserError(
      f'--coordinator_address={address} is not of the form host:port; give '
      'both.'
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
  """Returns whether this process reads and writes records."""
  return jax.process_index() == 0


def broadcast_from_primary(look: Callable[[], Any], blank: Any) -> Any:
  """Calls a function in the primary process and broadcasts its result.

  Args:
    look: the function.
    blank: a tree of arrays with the shapes of the result.

  Returns:
    The result, in all processes.

  Raises:
    UserError: in all processes, if the function raises it.
  """
  if jax.process_count() == 1:
    return look()
  found, problem = blank, None
  if is_primary():
    try:
      found = look()
    except ssnn_jax.UserError as error:
      problem = error
  share = multihost_utils.broadcast_one_to_all
  if share(np.array(problem is not None)):
    raise problem or ssnn_jax.UserError(
      'the first process has failed; see its error message.'
    )
  return jax.tree.map(np.asarray, share(found))
