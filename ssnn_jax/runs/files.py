"""Files of runs: writes that survive a kill, and digests of arrays."""

import hashlib
import os
import pathlib
from typing import Any

import jax
import numpy as np

CHECKPOINTS = 'checkpoints'  # folder of the checkpoints of a run
UNFINISHED = '.unfinished'  # suffix of a file during an atomic write


def write_atomically(path: str | os.PathLike, content: str | bytes) -> None:
  """Replaces a file completely or not at all, even if the process is killed."""
  path = pathlib.Path(path)
  temporary = path.with_name(path.name + UNFINISHED)
  content = content.encode() if isinstance(content, str) else content
  try:
    temporary.write_bytes(content)
    os.replace(temporary, path)
  except OSError:
    temporary.unlink(missing_ok=True)
    raise


def sha256(tree: Any) -> str:
  """Computes the SHA-256 digest of the bits of all leaves of a tree."""
  digest = hashlib.sha256()
  for leaf in jax.tree.leaves(tree):
    digest.update(np.ascontiguousarray(leaf).view(np.uint8))
  return digest.hexdigest()


def name_leaves(tree: Any) -> dict[str, Any]:
  """Returns the leaves of a tree by their paths, as 0.weights or params.kernel.

  Fields of a tuple have the names of keys of a dictionary.
  """
  name = lambda path: jax.tree_util.keystr(path, simple=True, separator='.')
  return {name(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}
