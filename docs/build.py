"""Builds the pages of the API from the docstrings, with pdoc.

python docs/build.py FOLDER

Docstrings are written for readers of the code. This module adds to pdoc:
formulas that are indented by two spaces are blocks, names such as
`spikes.Schedule` are links, stars are literal, the comments of fields are their
documentation, and lists are in reading order. Warnings of pdoc are errors.
"""

import ast
from collections.abc import Iterator
import contextlib
import importlib
import inspect
import pathlib
import pkgutil
import re
import sys
import textwrap
import types
import warnings

import jax
import jinja2
from pdoc import doc
from pdoc import render
from pdoc import render_helpers

import ssnn_jax

_SECTION = re.compile(r'[A-Z][A-Za-z ]+:\n')
_SHAPE = re.compile(r'(\[[^]]+\])')
_CODE = re.compile(r'(`[^`]+`)')
_STAR = re.compile(r'(\*\w+\*)|\*')  # emphasis, or a literal star
_NAME = re.compile(r'`([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)`')


def build(folder: pathlib.Path) -> dict[str, pathlib.Path]:
  """Writes a page for each module.

  Args:
    folder: folder of the pages; existing pages are replaced.

  Returns:
    The page of each module, in reading order.

  Raises:
    Warning: if pdoc warns.
  """
  imported = list(map(importlib.import_module, _module_names()))
  with warnings.catch_warnings(), _named('Array', jax.Array):
    warnings.simplefilter('error')
    modules = {module.__name__: doc.Module(module) for module in imported}
    _sort(modules)
    render.configure(
      docformat='google', footer_text=f'ssnn_jax {ssnn_jax.__version__}'
    )
    render.env.filters['to_markdown'] = _to_markdown
    pages = {}
    for name, module in modules.items():
      _document_fields(module)
      pages[name] = folder / f'{name.replace(".", "/")}.html'
      pages[name].parent.mkdir(parents=True, exist_ok=True)
      pages[name].write_text(render.html_module(module, modules))
    (folder / 'index.html').write_text(render.html_index(modules))
    (folder / 'search.js').write_text(render.search_index(modules))
  return pages


@contextlib.contextmanager
def _named(name: str, cls: type) -> Iterator[None]:
  """Has pdoc write a class as it is imported, not as it is defined."""
  before, cls.__qualname__ = cls.__qualname__, name
  try:
    yield
  finally:
    cls.__qualname__ = before


def _module_names() -> list[str]:
  """Returns the names of all modules in reading order."""
  found = pkgutil.walk_packages(ssnn_jax.__path__, 'ssnn_jax.')
  names = sorted((module.name for module in found), key=_position)
  return ['ssnn_jax', *names]


def _position(name: str) -> int:
  """Returns the place of a module in the reading order.

  It is the order in which the docstring of the package names modules; other
  modules follow.
  """
  named = _NAME.findall(ssnn_jax.__doc__)
  names = [each.removeprefix('ssnn_jax.') for each in (*named, name)]
  return names.index(names[-1])


def _sort(modules: dict[str, doc.Module]) -> None:
  """Sorts submodules, and the names of the package by their modules."""
  for name, module in modules.items():
    module.submodules = [
      each
      for each in modules.values()
      if each.modulename.rpartition('.')[0] == name
    ]
  package = modules['ssnn_jax']
  place = lambda item: _position(item[1].taken_from[0])
  package.members = dict(sorted(package.members.items(), key=place))


@jinja2.pass_context
def _to_markdown(context, docstring):
  """Converts a docstring to Markdown, instead of pdoc's filter."""
  parts, in_section = [], False
  for part in docstring.split('\n\n'):
    if not part.startswith(' '):
      in_section = bool(_SECTION.match(part))
    elif not in_section:
      parts.append(textwrap.indent(part, '  '))
      continue
    if '>>>' not in part:
      part = _link(context, part)
    parts.append(part)
  text = '\n\n'.join(parts)
  return render_helpers.to_markdown_with_context(context, text)


def _link(context, text):
  """Links names and escapes stars."""
  module, modules = context['module'], context['all_modules']

  def link(match):
    found = _find(module.obj, match[1])
    if not found or found[0] not in modules:
      return match[0]
    if found[1] and module.get(match[1]):
      return match[0]  # pdoc links names of the same page
    page = render_helpers.relative_link(module.modulename, found[0])
    return f'[{match[0]}]({page}#{found[1]})'.replace('#)', ')')

  parts = [
    part
    if part.startswith('`')
    else _STAR.sub(lambda star: star[1] or r'\*', part)
    for part in _CODE.split(text)
  ]
  return _NAME.sub(link, ''.join(parts))


def _find(scope: types.ModuleType, name: str) -> tuple[str, str] | None:
  """Finds a name as Python would, in a module or else in the package.

  Args:
    scope: the module.
    name: the name, with dots for members.

  Returns:
    The defining module, and the name in it, which may be empty.
  """
  for start in (scope, ssnn_jax):
    found, place = start, (start.__name__, '')
    for part in name.split('.'):
      found = getattr(found, part, None)
      if inspect.ismodule(found):
        place = found.__name__, ''
      elif inspect.isclass(found) or inspect.isfunction(found):
        place = found.__module__, found.__qualname__
      else:
        place = place[0], f'{place[1]}.{part}'.lstrip('.')
    if found is not None:
      return place
  return None


def _document_fields(module: doc.Module) -> None:
  """Documents the fields of classes by their comments."""
  for cls in module.flattened_own_members:
    if not isinstance(cls, doc.Class):
      continue
    comments = dict(_comments(cls.source))
    listed = re.findall(r'^  (\w+): ', cls.docstring, re.MULTILINE)
    for member in cls.own_members:
      if member.docstring.startswith('Create new instance of '):
        member.docstring = ''
      if isinstance(member, doc.Variable) and member.name in comments:
        text = '' if member.name in listed else comments[member.name]
        member.docstring = _SHAPE.sub(r'`\1`', text)


def _comments(source: str) -> Iterator[tuple[str, str]]:
  """Yields the fields of a class with their comments."""
  if not source:
    return
  source = textwrap.dedent(source)
  fields = {
    statement.lineno: statement
    for statement in ast.parse(source).body[0].body
    if isinstance(statement, ast.AnnAssign)
  }
  above = []
  for number, line in enumerate(source.splitlines(), 1):
    if line.strip().startswith('# '):
      above.append(line.strip().removeprefix('# '))
      continue
    if number in fields:
      _, _, comment = line.partition('  # ')
      yield fields[number].target.id, ' '.join([*above, comment])
    above = []


if __name__ == '__main__':
  print(build(pathlib.Path(sys.argv[1]))['ssnn_jax'])
