"""Owner of the repository in the addresses of README and the notebooks.

  python -m colab.owner

fills in the owner. A fork changes OWNER first.
"""

import pathlib
import re

# Owner of the repository on GitHub, defined here only.
OWNER = 'OWNER'
ROOT = pathlib.Path(__file__).resolve().parent.parent
_REPOSITORY = re.compile(r'(github(?:\.com)?/)[^/\s]+(/ssnn_jax\b)')


def files() -> list[pathlib.Path]:
  """Lists the files with addresses of the repository."""
  return [ROOT / 'README.md', *sorted(ROOT.glob('colab/*.ipynb'))]


def fill(text: str) -> str:
  """Replaces the owner in all addresses of the repository on GitHub."""
  return _REPOSITORY.sub(rf'\g<1>{OWNER}\g<2>', text)


def main() -> None:
  """Fills in the owner, and prints the files that change."""
  for path in files():
    text = path.read_text()
    if fill(text) != text:
      path.write_text(fill(text))
      print(path.relative_to(ROOT))


if __name__ == '__main__':
  main()
