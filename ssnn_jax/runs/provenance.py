"""Provenance of results: software, hardware and digests of arrays."""

import datetime
import hashlib
from importlib import metadata
import pathlib
import platform
import subprocess
from typing import Any

import jax
import numpy as np

from ssnn_jax import version

_PACKAGES = ('jax', 'jaxlib', 'numpy', 'optax', 'flax')


def environment() -> dict[str, Any]:
  """Returns the software versions, commit, hardware and time of a run."""
  changes = _git('status', '--porcelain', '--untracked-files=no')
  return {
    'versions': {
      'ssnn_jax': version.__version__,
      **{name: metadata.version(name) for name in _PACKAGES},
    },
    'python': platform.python_version(),
    'commit': _git('rev-parse', 'HEAD'),
    'dirty': None if changes is None else bool(changes),
    'device': jax.devices()[0].device_kind,
    'num_devices': jax.device_count(),
    'time': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
  }


def sha256(tree: Any) -> str:
  """Computes the SHA-256 digest of the bits of all leaves of a tree."""
  digest = hashlib.sha256()
  for leaf in jax.tree.leaves(tree):
    digest.update(np.ascontiguousarray(leaf).view(np.uint8))
  return digest.hexdigest()


def _git(*arguments):
  """Returns the output of git in this file's checkout, or None outside one."""
  command = ['git', '-C', str(pathlib.Path(__file__).parent), *arguments]
  try:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
  except (OSError, subprocess.CalledProcessError):
    return None
  return done.stdout.strip()
