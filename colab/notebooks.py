"""Runs the notebooks at full size and stores their outputs.

  python -m colab.notebooks [name ...]

Without names, all notebooks are run. Outputs that depend on the run or machine
are removed, and outputs of cells that show committed records, whose figures are
in experiments/results.
"""

import base64
import io
import os
import pathlib
import sys
from typing import Any

import nbclient
import nbformat
from PIL import Image

from colab import owner

ROOT = owner.ROOT
FOLDER = ROOT / 'colab'
PARAMETERS = 'parameters'  # tag of the cell of parameters
RECORDS = 'records'  # tag of cells that show committed records
_SECONDS = 1800  # time limit of a cell
_COLORS = 128  # colours of a compressed image
_METADATA = {
  'kernelspec': {
    'display_name': 'Python 3',
    'language': 'python',
    'name': 'python3',
  },
  'language_info': {'name': 'python'},
}


def find() -> list[pathlib.Path]:
  """Lists the notebooks."""
  return sorted(FOLDER.glob('*.ipynb'))


def read(path: pathlib.Path) -> nbformat.NotebookNode:
  """Reads a notebook."""
  return nbformat.read(path, as_version=4)


def set_parameters(notebook: nbformat.NotebookNode, values: dict) -> None:
  """Overrides values of the cell tagged `parameters`."""
  lines = [f'{name} = {value!r}' for name, value in values.items()]
  for cell in notebook.cells:
    if PARAMETERS in cell.metadata.get('tags', ()):
      cell.source = '\n'.join([cell.source, *lines])


def execute(path: pathlib.Path, **parameters: Any) -> nbformat.NotebookNode:
  """Runs a notebook in a new kernel.

  Args:
    path: the notebook, which is not changed.
    **parameters: values that override the cell tagged `parameters`.

  Returns:
    The notebook with its outputs.

  Raises:
    CellExecutionError: if a cell fails.
  """
  notebook = read(path)
  set_parameters(notebook, parameters)
  client = nbclient.NotebookClient(
    notebook,
    kernel_name=_METADATA['kernelspec']['name'],
    extra_arguments=['--log-level=ERROR'],
    timeout=_SECONDS,
    resources={'metadata': {'path': str(path.parent)}},
  )
  # Silences warnings of XLA about slow compilation.
  return client.execute(env={**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3'})


def normalise(notebook: nbformat.NotebookNode) -> None:
  """Removes outputs that depend on the run: times, versions, counts."""
  notebook.metadata = nbformat.from_dict(_METADATA)
  count = 0
  for index, cell in enumerate(notebook.cells):
    cell.id = f'cell-{index}'
    tags = cell.metadata.get('tags')
    cell.metadata = nbformat.from_dict({'tags': tags} if tags else {})
    if cell.cell_type != 'code':
      continue
    count += 1
    cell.execution_count = count
    cell.outputs = _join_streams(cell.outputs)
    if RECORDS in (tags or ()):
      cell.outputs = []
    for output in cell.outputs:
      if output.output_type == 'execute_result':
        output.execution_count = count
      if 'image/png' in output.get('data', {}):
        output.data.pop('text/plain', None)  # '<Figure size ...>'
        output.metadata = nbformat.from_dict({})
        output.data['image/png'] = _shrink(output.data['image/png'])


def _join_streams(outputs):
  """Joins consecutive stream outputs, which are split at random."""
  joined = []
  for output in outputs:
    is_text = output.output_type == 'stream'
    last = joined[-1] if joined else {}
    if is_text and last.get('name') == output.name:
      last.text += output.text
    else:
      joined.append(output)
  return joined


def _shrink(png: str) -> str:
  """Compresses an image by a palette of colours."""
  image = Image.open(io.BytesIO(base64.b64decode(png))).convert('RGB')
  image = image.quantize(_COLORS, dither=Image.Dither.NONE)
  file = io.BytesIO()
  image.save(file, 'PNG', optimize=True)
  return base64.b64encode(file.getvalue()).decode()


def main(names: list[str]) -> None:
  """Runs notebooks and stores their outputs."""
  for path in [FOLDER / f'{name}.ipynb' for name in names] or find():
    print(path.relative_to(ROOT), flush=True)
    notebook = execute(path)
    normalise(notebook)
    nbformat.write(notebook, path)


if __name__ == '__main__':
  main(sys.argv[1:])
