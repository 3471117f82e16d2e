"""Owner of the repository in the addresses and badges of the notebooks.

  python -m colab.owner

fills in the owner. A fork changes OWNER first; as long as the repository has no
address, the notebooks have no badges.
"""

import pathlib
import re

import nbformat

PLACEHOLDER = 'OWNER'
# Owner of the repository on GitHub, defined here only.
OWNER = PLACEHOLDER
ROOT = pathlib.Path(__file__).resolve().parent.parent
_REPOSITORY = re.compile(r'(github(?:\.com)?/)[^/\s]+(/ssnn_jax\b)')
_BADGE = re.compile(r'\A\[!\[Open In Colab\].*\n\n')


def badge(name: str) -> str:
  """Returns the Markdown of the badge that opens a notebook on Colab."""
  site = 'https://colab.research.google.com'
  image = f'![Open In Colab]({site}/assets/colab-badge.svg)'
  path = f'{OWNER}/ssnn_jax/blob/main/colab/{name}.ipynb'
  return f'[{image}]({site}/github/{path})'


def fill(notebook: nbformat.NotebookNode, name: str) -> None:
  """Fills the owner into a notebook, which has a badge if there is an owner."""
  first = notebook.cells[0]
  first.source = _BADGE.sub('', first.source)
  if OWNER != PLACEHOLDER:
    first.source = f'{badge(name)}\n\n{first.source}'
  for cell in notebook.cells:
    cell.source = _REPOSITORY.sub(rf'\g<1>{OWNER}\g<2>', cell.source)


def main() -> None:
  """Fills the owner into all notebooks."""
  for path in sorted((ROOT / 'colab').glob('*.ipynb')):
    notebook = nbformat.read(path, as_version=4)
    fill(notebook, path.stem)
    nbformat.write(notebook, path)


if __name__ == '__main__':
  main()
