"""Pages of the modules for Sphinx, and links of the names in docstrings.

Modules that users import have a page each; the other modules of a package share
one. A function or class is described once: where a public module exports it,
otherwise where it is defined.
"""

import functools
import importlib
import inspect
import itertools
import operator
import pkgutil
import re
import types
from typing import Any

from sphinx import application
from sphinx import pycode

import ssnn_jax

_SECTION = re.compile(r'[A-Z][A-Za-z ]+:\n')


@functools.cache
def find_all() -> dict[str, types.ModuleType]:
  """Imports all modules of the library."""
  found = pkgutil.walk_packages(ssnn_jax.__path__, 'ssnn_jax.')
  names = ['ssnn_jax', *(module.name for module in found)]
  return {name: importlib.import_module(name) for name in names}


def pages() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
  """Lists the pages of the API and of the internals, with their modules.

  Users import the modules that have, or are in, `__all__`.
  """
  public = {
    getattr(module, name).__name__
    for module in find_all().values()
    for name in getattr(module, '__all__', ())
    if inspect.ismodule(getattr(module, name))
  }
  api, internals = {}, {}
  for name, module in find_all().items():
    if name in public or hasattr(module, '__all__'):
      api[f'api/{name}'] = [name]
    else:
      is_package = hasattr(module, '__path__')
      package = name if is_package else name.rpartition('.')[0]
      internals.setdefault(f'internals/{package}', []).append(name)
  return api, internals


def _home(member: Any) -> tuple[str, str] | None:
  """Returns module and name of a function or class of the library."""
  module = getattr(member, '__module__', None) or ''
  name = getattr(member, '__qualname__', None)
  return (module, name) if name and module in find_all() else None


@functools.cache
def _places() -> dict[tuple[str, str], tuple[str, str]]:
  """Returns module and name where each function and class is described."""
  places = {}
  api, internals = pages()
  for module in itertools.chain(*api.values(), *internals.values()):
    own = find_all()[module]
    for name in getattr(own, '__all__', vars(own)):
      home = _home(getattr(own, name))
      is_own = hasattr(own, '__all__') or home == (module, name)
      if home and is_own and not name.startswith('_'):
        places.setdefault(home, (module, name))
  return places


def write(page: str, names: list[str]) -> str:
  """Returns the text of a page of modules, which Sphinx fills in."""
  kind, _, title = page.partition('/')
  title = title if kind == 'api' else f'{title}: other modules'
  parts = [f'{title}\n{"=" * len(title)}']
  described = list(_places().values())
  for module in names:
    if module != title:
      parts.append(f'{module}\n{"-" * len(module)}')
    parts.append(f'.. automodule:: {module}')
    if tuple(module.rsplit('.', 1)) in described:  # also a function's name
      parts[-1] += '\n   :no-index:'
    own = find_all()[module]
    for name in [name for place, name in described if place == module]:
      is_class = inspect.isclass(getattr(own, name))
      kind, option = ('class', ':members:') if is_class else ('function', '')
      parts.append(f'.. auto{kind}:: {module}.{name}\n   {option}')
    for name in getattr(own, '__all__', ()):
      table = getattr(own, name)
      if isinstance(table, dict):
        keys = f'   Keys: {", ".join(table)}.'
        parts += [f'.. py:data:: {module}.{name}', keys]
  return '\n\n'.join(parts)


def find(name: str, scope: types.ModuleType = ssnn_jax) -> str | None:
  """Finds a name as Python would, in a module or else in the package.

  Args:
    name: the name, with dots for members.
    scope: the module.

  Returns:
    The name under which it is described; None if it is not.
  """
  for start in (scope, ssnn_jax):
    try:
      member = operator.attrgetter(name)(start)
    except AttributeError:
      continue
    if inspect.ismodule(member):
      return member.__name__ if member.__name__ in find_all() else None
    if _home(member) in _places():
      return '.'.join(_places()[_home(member)])
    owner, _, attribute = name.rpartition('.')
    described = owner and find(owner, start)
    if described and isinstance(member, types.FunctionType | property):
      return f'{described}.{attribute}'
  return None


# What Sphinx asks while it reads docstrings.


def setup(app: application.Sphinx) -> None:
  """Registers the functions below."""
  app.connect('autodoc-process-docstring', _show_formulas, priority=400)
  app.connect('autodoc-skip-member', _skip_field)
  app.connect('missing-reference', _link)


def _show_formulas(app, what, name, member, options, lines):
  """Shows indented paragraphs outside of sections as typed: formulas."""
  del app, what, name, member, options
  parts, in_section = [], False
  for part in '\n'.join(lines).split('\n\n'):
    if not part.startswith(' '):
      in_section = bool(_SECTION.match(part))
    elif not in_section:
      part = f'.. code-block:: text\n\n{part}'
    parts.append(part)
  lines[:] = '\n\n'.join(parts).splitlines()


@functools.cache
def _commented_fields() -> set[Any]:
  """Returns the fields of named tuples that have a comment."""
  fields = set()
  for name, module in find_all().items():
    for owner, field in pycode.ModuleAnalyzer.for_module(name).find_attr_docs():
      if owner:
        fields.add(vars(getattr(module, owner)).get(field))
  return fields


def _skip_field(app, what, name, member, skip, options):
  """Skips the fields of a named tuple that its docstring describes."""
  del app, what, name, options
  is_field = type(member).__name__ == '_tuplegetter'
  return (is_field and member not in _commented_fields()) or skip


def _link(app, env, node, contnode):
  """Links names that are relative to the module, or to the package."""
  scope = find_all().get(node.get('py:module'), ssnn_jax)
  found = find(node['reftarget'], scope)
  if not found:
    return None
  return env.get_domain('py').resolve_xref(
    env, node['refdoc'], app.builder, 'obj', found, node, contnode
  )
