"""Memory of the device that arrays are allocated on."""

from collections.abc import Iterable
import math
import os

import jax

from ssnn_jax import types

_GIB = 2**30


def size() -> int:
  """Returns the memory of the first device, in bytes; on CPU of the machine."""
  stats = jax.local_devices()[0].memory_stats() or {}
  pages = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
  return stats.get('bytes_limit', pages)


def check(num_bytes: int, what: str, remedy: str) -> None:
  """Raises a `UserError` if arrays cannot fit, before they are allocated.

  Args:
    num_bytes: memory that the arrays need.
    what: the arrays, a plural noun.
    remedy: how to need less memory.
  """
  available = size()
  if num_bytes > available:
    raise types.UserError(
      f'{what} need {num_bytes / _GIB:,.1f} GiB of memory, and there are '
      f'{available / _GIB:,.1f} GiB; {remedy}.'
    )


def check_weights(shapes: Iterable[tuple[int, ...]]) -> None:
  """Refuses layers whose weights, float32, and their counts cannot fit."""
  num_bytes = 2 * 4 * sum(map(math.prod, shapes))
  what = 'the weights of all layers, with their counts of coincidences,'
  check(num_bytes, what, 'choose fewer neurons')
