"""Memory of the device that arrays are allocated on."""

from collections.abc import Iterable
import math
import os

import jax

from ssnn_jax import types


def size() -> int:
  """Returns the memory of the first device, in bytes; on CPU of the machine."""
  stats = jax.local_devices()[0].memory_stats() or {}
  pages = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
  return stats.get('bytes_limit', pages)


def check_weights(shapes: Iterable[tuple[int, ...]]) -> None:
  """Raises a UserError if float32 weights and their counts cannot fit.

  Args:
    shapes: shape of the weights of each layer.
  """
  needed, available = 2 * 4 * sum(map(math.prod, shapes)), size()
  if needed > available:
    raise types.UserError(
      'the weights of all layers, with their counts of coincidences, need '
      f'{needed / 2**30:,.1f} GiB of memory, and there are '
      f'{available / 2**30:,.1f} GiB; choose fewer neurons.'
    )
