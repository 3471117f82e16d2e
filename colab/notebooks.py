"""Runs the notebooks and stores their outputs.

python -m colab.notebooks [name ...]
"""

import os
import pathlib
import sys

import nbclient
import nbformat

FOLDER = pathlib.Path(__file__).parent
SECONDS = 1800  # time limit of a cell


def main(names: list[str]) -> None:
  """Runs notebooks and stores their outputs."""
  os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'  # warnings of slow compilation
  os.environ['PYTHONWARNINGS'] = 'ignore:IProgress'  # Colab has its package
  names = [pathlib.Path(name).stem for name in names]
  for path in [FOLDER / f'{name}.ipynb' for name in names] or sorted(
    FOLDER.glob('*.ipynb')
  ):
    print(path.name, flush=True)
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
      notebook,
      timeout=SECONDS,
      record_timing=False,
      resources={'metadata': {'path': str(FOLDER)}},
    ).execute()
    notebook.metadata.language_info = {'name': 'python'}
    nbformat.write(notebook, path)


if __name__ == '__main__':
  main(sys.argv[1:])
