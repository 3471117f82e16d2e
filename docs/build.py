"""Builds the site: guides, results and the API, with one search.

  python -m docs.build FOLDER

Sphinx renders the pages and docstrings (docs/conf.py). This module collects the
pages, which are written to be read in the repository, with the files that they
link, adds the pages of the modules (docs/modules.py), and puts all in order.
"""

import pathlib
import re
import shutil
import sys
import tempfile

from sphinx.cmd import build as sphinx_build

from docs import modules

ROOT = pathlib.Path(__file__).resolve().parent.parent
_LINK = re.compile(r'\[([^][]*)\]\(([^):#]+)(#[^)]*)?\)')
_NAME = re.compile(r'(?<!\[)`([a-z]\w*(?:\.\w+)+)`(?!\])')


def build(folder: pathlib.Path, *options: str) -> None:
  """Writes the site.

  Args:
    folder: folder of the site; existing pages are replaced.
    *options: further options of `sphinx-build`.
  """
  with tempfile.TemporaryDirectory() as sources:
    collect(pathlib.Path(sources).resolve())
    render(sources, folder, *options)


def render(sources: str, folder: pathlib.Path, *options: str) -> None:
  """Runs Sphinx.

  Args:
    sources: folder of the sources of all pages.
    folder: folder of the site.
    *options: further options of `sphinx-build`.

  Raises:
    RuntimeError: if Sphinx warns, for example of a broken link.
  """
  conf, trees = f'--conf-dir={ROOT / "docs"}', f'-d={sources}/.doctrees'
  strict = '--quiet', '--fail-on-warning', '--fresh-env'
  if sphinx_build.main([*strict, conf, trees, *options, sources, str(folder)]):
    raise RuntimeError('the site is not complete: see the warnings of Sphinx')


def collect(sources: pathlib.Path) -> None:
  """Writes the sources of all pages, and the files that they link.

  Args:
    sources: an empty folder.
  """
  index = (ROOT / 'docs/README.md').read_text()
  guides = dict.fromkeys(re.findall(r'\]\((\w+)\.md\)', index))
  guides = ['docs/README', *(f'docs/{name}' for name in guides)]
  results = sorted((ROOT / 'experiments/results').glob('*.md'))
  results = [f'experiments/results/{path.stem}' for path in results]
  overview, *studies = results  # README is first
  project = ['CHANGELOG', 'CONTRIBUTING']
  for page in ('README', *guides, *results, *project):
    _copy(page, sources)
  (sources / 'README.md').rename(sources / 'index.md')
  api, internals = modules.pages()
  for page, names in {**api, **internals}.items():
    (sources / page).parent.mkdir(exist_ok=True)
    (sources / f'{page}.rst').write_text(modules.write(page, names))
  _add_trees(
    sources / 'index.md',
    Guides=guides,
    Results=[overview],
    API=map(_short, api),
    Internals=map(_short, internals),
    Project=project,
  )
  studies = [pathlib.PurePath(page).name for page in studies]
  _add_trees(sources / f'{overview}.md', Studies=studies)


def _copy(page, sources):
  """Copies a page and the files that it links.

  Links to modules and names in code lead to the API; of a link to a folder the
  text remains.
  """
  path = ROOT / f'{page}.md'

  def link(match):
    text, place, anchor = match.groups(default='')
    target = (path.parent / place).resolve()
    name = target.relative_to(ROOT)
    module = '.'.join(name.with_suffix('').parts).removesuffix('.__init__')
    if module in modules.find_all():
      return f'{{py:obj}}`{text.strip("`")} <{module}>`'
    if target.is_dir():
      return text
    if target == ROOT / 'README.md':
      return f'[{text}](/index.md{anchor})'
    if target.is_file() and target.suffix != '.md':
      (sources / name).parent.mkdir(parents=True, exist_ok=True)
      shutil.copyfile(target, sources / name)
    return match[0]

  def link_name(match):
    found = modules.find(match[1])
    return f'{{py:obj}}`{match[1]} <{found}>`' if found else match[0]

  text = _NAME.sub(link_name, _LINK.sub(link, path.read_text()))
  text = text.replace(' ± ', '\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}')
  (sources / page).parent.mkdir(parents=True, exist_ok=True)
  (sources / f'{page}.md').write_text(text)


def _add_trees(page, **trees):
  """Adds lists of further pages to a page, for the navigation alone."""
  with page.open('a') as file:
    for caption, pages in trees.items():
      options = f':hidden:\n:caption: {caption}\n'
      lines = '\n'.join(['```{toctree}', options, *pages, '```'])
      file.write(f'\n{lines}\n')


def _short(page):
  """Returns the page of modules with a short title."""
  _, _, module = page.partition('/')
  return f'{module.removeprefix("ssnn_jax.")} <{page}>'


if __name__ == '__main__':
  build(pathlib.Path(sys.argv[1]))
