"""Compilation of the kernels for this processor and the installed jaxlib.

  python -m ssnn_jax.spikes.compile_kernels

uses the system's C++ compiler ($CXX, or c++) and writes the library to the
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

FLAGS = '-std=c++17 -O3 -march=native -fPIC -shared -Wall -Wno-psabi'.split()


def compile_library() -> pathlib.Path:
  """Compiles the kernels for this processor and jaxlib.

  Returns:
    The path of the library; processes that start later use it.

  Raises:
    UserError: if there is no compiler, the compiler fails, or the folder cannot
      be written to.
  """
  path = kernels.compiled_library()
  compiler = os.environ.get('CXX', 'c++')
  command = [*compiler.split(), *FLAGS, '-isystem', jax.ffi.include_dir()]
  command += map(str, kernels.sources())
  try:
    # Renamed when complete: other processes may load or compile the library at
    # the same time.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
      compiled = pathlib.Path(folder) / path.name
      command += ['-o', str(compiled)]
      subprocess.run(command, check=True, capture_output=True, text=True)
      compiled.replace(path)
  except FileNotFoundError:
    raise types.UserError(
      f'{compiler} was not found; install a C++ compiler, or name one in $CXX.'
    ) from None
  except subprocess.CalledProcessError as error:
    raise types.UserError(
      f'{compiler} cannot compile the kernels; everything works without '
      f'kernels, but slower. Compiler output:\n{error.stderr.strip()}'
    ) from None
  except OSError as error:
    raise types.UserError(
      f'cannot write to {path.parent} ({error.strerror}); install ssnn_jax '
      'in an environment with write permission.'
    ) from None
  return path


def main() -> None:
  """Compiles the kernels and prints the path of the library."""
  try:
    print(f'compiled {compile_library()}')
  except types.UserError as error:
    sys.exit(f'error: {error}')


if __name__ == '__main__':
  main()
