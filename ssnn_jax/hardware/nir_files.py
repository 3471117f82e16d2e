"""Files of NIR graphs."""

import io
import os

import h5py
import nir
import numpy as np

from ssnn_jax import types
from ssnn_jax.runs import files


def write(path: str | os.PathLike, graph: nir.NIRGraph) -> None:
  """Writes a graph to a new file, readable by old versions of nir.

  Raises a UserError if the file exists or cannot be written.
  """
  content = io.BytesIO()
  nir.write(content, graph)
  with h5py.File(content, 'r+') as file:
    # Versions of nir before 1.0.6, which sinabs 3.1.3 requires, cannot read
    # v_reset; later versions default to 0.
    for node in file['node/nodes'].values():
      if 'v_reset' in node and not np.any(node['v_reset'][()]):
        del node['v_reset']
  files.write_new(path, content.getvalue())


def read(path: str | os.PathLike) -> nir.NIRGraph:
  """Reads a graph from a file; raises a UserError if there is none."""
  if not os.path.isfile(path):
    raise types.UserError(
      f'{path} is not a file; pass the file of an exported network.'
    )
  try:
    return nir.read(path)
  except Exception as error:  # of any type, from nir or h5py
    raise types.UserError(
      f'{path} contains no NIR graph ({type(error).__name__}); pass the file '
      'of an exported network.'
    ) from None
