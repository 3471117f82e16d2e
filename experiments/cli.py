"""What the commands share: flags, and how mistakes are told."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import functools
import os
import pathlib
import sys
from typing import Any

from absl import app
from absl import flags
from absl import logging
import jax

import ssnn_jax
from ssnn_jax import kernels


def define_folders(workdir_help: str) -> None:
  """Defines the flags that say where data and records are."""
  flags.DEFINE_string('workdir', None, workdir_help)
  define_data_dir()


def define_data_dir() -> None:
  """Defines the flags that say where data is, and whether to fetch it."""
  flags.DEFINE_string(
    'data_dir',
    None,
    'folder of data sets; by default $TFDS_DATA_DIR, or ~/tensorflow_datasets.',
  )
  flags.DEFINE_boolean(
    'download', False, 'download original files that are missing.'
  )


def folder(path: str | os.PathLike) -> pathlib.Path:
  """Makes a path of a flag's value, whose ~ no shell has expanded."""
  return pathlib.Path(path).expanduser()


def choices(
  values: Mapping[str, Any], name: str, allowed: Sequence[str]
) -> list[str]:
  """Checks the value of a flag that lists choices.

  Args:
    values: the value of each flag.
    name: the flag.
    allowed: what it may list.

  Returns:
    What it lists.

  Raises:
    UserError: if it lists something else, or nothing.
  """
  listed = values[name]
  if not listed or not set(listed) <= set(allowed):
    raise ssnn_jax.UserError(
      f'--{name}={",".join(listed)} is not a list of {", ".join(allowed)}.'
    )
  return listed


@functools.cache
def recommend_kernels() -> None:
  """Tells, once, how simulating spikes gets faster on this machine."""
  is_cpu = jax.default_backend() == 'cpu'
  if is_cpu and not kernels.is_available('ssnn_count'):
    print(
      'spikes are simulated without compiled kernels; this is several times '
      'faster after: python -m ssnn_jax.compile_kernels',
      file=sys.stderr,
    )


def _parse(argv):
  """Parses flags; a wrong one ends in one sentence, as any mistake does."""
  try:
    return flags.FLAGS(argv)
  except flags.Error as error:
    problem = ' '.join(str(error).split()).removeprefix('flag ').rstrip(' .?')
    sys.exit(f'error: {problem}; see --help.')


def launch(main: Callable[[], None]) -> None:
  """Parses flags and runs `main`; a user's mistake ends in one sentence."""

  def guarded(argv):
    try:
      if len(argv) > 1:
        raise ssnn_jax.UserError(
          f'{argv[1]} is not a flag; write --name=value, and see --help.'
        )
      logging.set_verbosity(logging.WARNING)  # jax tells of absent backends
      main()
    except ssnn_jax.UserError as error:
      sys.exit(f'error: {error}')
    except KeyboardInterrupt:
      sys.stdout.flush()
      print('interrupted', file=sys.stderr, flush=True)
      # Computations go on in threads of their own, and crash an orderly exit.
      os._exit(130)  # as a shell tells it

  app.run(guarded, flags_parser=_parse)
