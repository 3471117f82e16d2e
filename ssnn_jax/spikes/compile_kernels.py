"""Compiles the kernels for the processor and the jaxlib at hand.

  python -m ssnn_jax.spikes.compile_kernels

takes the system's C++ compiler ($CXX, or c++) and puts the library into the
folder of the package.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import jax

from ssnn_jax import types
from ssnn_jax.spikes import kernels

FLAGS = (
  *('-std=c++17', '-O3', '-march=native', '-fPIC', '-shared'),
  *('-Wall', '-Wno-psabi'),
)


def compile_library() -> pathlib.Path:
  """Compiles the kernels for this processor and jaxlib.

  Returns:
    The library; processes that start from now on use it.

  Raises:
    UserError: if there is no compiler, it fails, or the folder cannot be
      written to.
  """
  path = kernels.compiled_library()
  compiler = os.environ.get('CXX', 'c++')
  command = [
    *(*compiler.split(), *FLAGS, '-isystem', jax.ffi.include_dir()),
    *map(str, kernels.sources()),
  ]
  try:
    # Others may load or compile it at the same time: it appears whole.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
      made = pathlib.Path(folder) / path.name
      subprocess.run(
        [*command, '-o', str(made)], check=True, capture_output=True, text=True
      )
      made.replace(path)
  except FileNotFoundError:
    raise types.UserError(
      f'{compiler} was not found; install a C++ compiler, or name one in $CXX.'
    ) from None
  except subprocess.CalledProcessError as error:
    raise types.UserError(
      f'{compiler} cannot compile the kernels; without them everything works, '
      f'slower. It says:\n{error.stderr.strip()}'
    ) from None
  except OSError as error:
    raise types.UserError(
      f'cannot write to {path.parent} ({error.strerror}); install ssnn_jax '
      'into an environment of your own.'
    ) from None
  return path


def main() -> None:
  """Compiles the kernels and says where they are."""
  try:
    print(f'compiled {compile_library()}')
  except types.UserError as error:
    sys.exit(f'error: {error}')


if __name__ == '__main__':
  main()
