"""Folder of files that are made once for a user: data sets and programs."""

import os
import pathlib
import stat

from ssnn_jax import types


def folder() -> pathlib.Path:
  """Returns `$SSNN_JAX_CACHE_DIR`, or `ssnn_jax` in the user's cache."""
  base = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
  chosen = os.environ.get('SSNN_JAX_CACHE_DIR') or f'{base}/ssnn_jax'
  return pathlib.Path(chosen).expanduser()


def code_folder(name: str) -> pathlib.Path:
  """Returns a folder for code that is loaded, and makes it if it is missing.

  Refuses a folder that other users own, or can write to.
  """
  path = folder() / name
  path.mkdir(mode=0o755, parents=True, exist_ok=True)
  status = path.stat()
  is_private = not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
  if not is_private or status.st_uid not in (0, os.geteuid()):
    raise types.UserError(
      f'other users can write to {path}, whose code is not loaded; make it '
      'yours alone, or name another folder in $SSNN_JAX_CACHE_DIR.'
    )
  return path
