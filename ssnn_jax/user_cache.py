"""Folder of files that are made once for a user: data, kernels, programs."""

import os
import pathlib


def folder() -> pathlib.Path:
  """Returns `$SSNN_JAX_CACHE_DIR`, or `ssnn_jax` in the user's cache."""
  base = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
  chosen = os.environ.get('SSNN_JAX_CACHE_DIR') or f'{base}/ssnn_jax'
  return pathlib.Path(chosen).expanduser()
