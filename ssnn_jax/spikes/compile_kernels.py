"""Compilation of the kernels in advance, or again.

  python -m ssnn_jax.spikes.compile_kernels

compiles the library that is otherwise compiled when it is first needed; see
`kernel_library`.
"""

import sys

from ssnn_jax import types
from ssnn_jax.spikes import kernel_library


def main() -> None:
  """Compiles the kernels and prints the path of the library."""
  try:
    print(f'compiled {kernel_library.compile_library()}')
  except types.UserError as error:
    sys.exit(f'error: {error}')


if __name__ == '__main__':
  main()
