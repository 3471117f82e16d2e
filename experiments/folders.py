"""Folders of runs: their locks, and the environment in their records."""

from collections.abc import Iterator
import contextlib
import datetime
import fcntl
from importlib import metadata
import pathlib
import platform
import resource
import subprocess
import sys
from typing import Any

import jax

import ssnn_jax
from ssnn_jax.runs import files

_LOCK = '.lock'


def is_nonempty(folder: pathlib.Path) -> bool:
  """Returns whether a path exists and is not an empty folder.

  What does not count: files of a process killed before its first one, and
  checkpoints alone, as orbax leaves if a folder is removed during a run.
  """
  if not folder.is_dir():
    return folder.exists()
  return any(
    path.suffix != files.UNFINISHED
    and path.name not in (_LOCK, files.CHECKPOINTS)
    for path in folder.iterdir()
  )


@contextlib.contextmanager
def exclusive_lock(folder: pathlib.Path) -> Iterator[None]:
  """Locks a folder, with its file `.lock`, against other processes.

  Creates both, or raises `UserError`. Also a killed process releases a lock.
  """
  folder.mkdir(parents=True, exist_ok=True)
  with open(folder / _LOCK, 'a') as lock:
    try:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      raise ssnn_jax.UserError(
        f'{folder} is in use by another process; wait for the process to end, '
        'or choose another folder.'
      ) from None
    yield


def environment() -> dict[str, Any]:
  """Returns the software versions, commit, hardware and time of a run."""
  changes = _git('status', '--porcelain', '--untracked-files=no')
  packages = 'jax', 'jaxlib', 'numpy', 'optax', 'flax'
  versions = {name: metadata.version(name) for name in packages}
  return {
    'versions': {'ssnn_jax': ssnn_jax.__version__, **versions},
    'python': platform.python_version(),
    'commit': _git('rev-parse', 'HEAD'),
    'dirty': None if changes is None else bool(changes),
    'accelerator': jax.devices()[0].device_kind,
    'num_devices': jax.device_count(),
    'time': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
  }


def peak_mib() -> int:
  """Returns the peak resident memory of this process up to now, in MiB."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return peak // (2**20 if sys.platform == 'darwin' else 2**10)


def _git(*arguments):
  """Returns the output of git in this file's checkout, or None outside one."""
  command = ['git', '-C', str(pathlib.Path(__file__).parent), *arguments]
  try:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
  except (OSError, subprocess.CalledProcessError):
    return None
  return done.stdout.strip()
