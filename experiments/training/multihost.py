"""Several processes that train one network together.

All run the same command and the same programs; the first alone reads and writes
records, and tells the others what they must know of them.
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
  """Defines the flags that say which processes there are."""
  with command.group('Machine'):
    flags.DEFINE_boolean(
      'multihost',
      False,
      'train together with processes on other hosts that run the same command; '
      'jax finds them by itself where Slurm, MPI or a TPU pod started them.',
    )
    flags.DEFINE_string(
      'coordinator_address',
      None,
      '`host:port` of the first process, where jax does not find it.',
    )
    flags.DEFINE_integer(
      'num_processes', None, 'how many there are, where jax does not find out.'
    )
    flags.DEFINE_integer(
      'process_id', None, 'which this is, from 0 up, likewise.'
    )


def join(values: Mapping[str, Any]) -> None:
  """Joins the other processes, if the flags say that there are any.

  Args:
    values: the value of each flag, None where it was left out.

  Raises:
    UserError: if they cannot be found.
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
  """Tells whether this is the process that has the records."""
  return jax.process_index() == 0


def broadcast_from_primary(look: Callable[[], Any], blank: Any) -> Any:
  """Has the first process look at something, and tells the others of it.

  Args:
    look: what it does, of its own.
    blank: a tree of arrays of the shapes of what is found.

  Returns:
    What it has found.

  Raises:
    UserError: in all processes, if the first one raises it.
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
      'the first process cannot go on; see what it says.'
    )
  return jax.tree.map(np.asarray, share(found))
