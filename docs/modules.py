"""Pages of the modules, and the docstrings in them, for Sphinx.

Modules that users import come first, all others after them. Docstrings are
written for readers of the code: on the site, formulas that are indented by two
spaces become blocks, names such as `spikes.Schedule` links, and the comments of
fields their documentation.
"""

import functools
import importlib
import inspect
import itertools
import pkgutil
import re
import types
from typing import Any

from sphinx import application

import ssnn_jax

_NAME = re.compile(r'`([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)`')
_SECTION = re.compile(r'[A-Z][A-Za-z ]+:\n')
_FIELD = re.compile(
  r'((?:^  # .*\n)*)^  (\w+): [^#\n]*(?:# (.*))?$', re.MULTILINE
)


@functools.cache
def find_all() -> dict[str, types.ModuleType]:
  """Imports all modules, in the order in which the docstring names them.

  Modules that the docstring of the package does not name follow theirs.
  """
  found = pkgutil.walk_packages(ssnn_jax.__path__, 'ssnn_jax.')
  names = [module.name for module in found]
  named = _NAME.findall(ssnn_jax.__doc__)
  named = [f'ssnn_jax.{name.removeprefix("ssnn_jax.")}' for name in named]

  def place(name):
    package = '.'.join(name.split('.')[:2])
    return [
      named.index(each) if each in named else len(named)
      for each in (package, name)
    ], name

  names = ['ssnn_jax', *sorted(names, key=place)]
  return {name: importlib.import_module(name) for name in names}


def pages() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
  """Lists the pages of the API and of the internals, with their modules.

  Users import the modules that have, or are in, `__all__`: each has a page. The
  other modules of a package share one.
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


@functools.cache
def _members() -> dict[str, dict[str, Any]]:
  """Lists the names that are described with each module.

  A function or class is described once: where a public module exports it,
  otherwise where it is defined.
  """
  members, described = {}, set()
  api, internals = pages()
  for module in itertools.chain(*api.values(), *internals.values()):
    members[module] = {}
    exported = getattr(find_all()[module], '__all__', None)
    for name, member in vars(find_all()[module]).items():
      home = _home(member)
      if exported is None:
        wanted = home and home[0] == module
      else:
        wanted = name in exported and not inspect.ismodule(member)
      if wanted and home not in described and not name.startswith('_'):
        members[module][name] = member
        described |= {home} - {None}
  return members


@functools.cache
def _places() -> dict[tuple[str, str], str]:
  """Returns the name under which each function and class is described."""
  return {
    _home(member): f'{module}.{name}'
    for module, members in _members().items()
    for name, member in members.items()
    if _home(member)
  }


def _home(member):
  """Returns module and name of a function or class of the library."""
  module = getattr(member, '__module__', None) or ''
  name = getattr(member, '__qualname__', None)
  return (module, name) if name and module in find_all() else None


def write(page: str, names: list[str]) -> str:
  """Returns the text of a page of modules, which Sphinx fills in."""
  kind, _, title = page.partition('/')
  title = title if kind == 'api' else f'{title}: other modules'
  parts = [f'{title}\n{"=" * len(title)}']
  for module in names:
    if module != title:
      parts.append(f'{module}\n{"-" * len(module)}')
    parts.append(f'.. automodule:: {module}')
    if module in _places().values():  # a function has the same name
      parts[-1] += '\n   :no-index:'
    for name, member in _members()[module].items():
      kind, option = 'data', ':no-value:' if isinstance(member, dict) else ''
      if inspect.isclass(member):
        kind, option = 'class', ':members:'
      elif _home(member):
        kind, option = 'function', ''
      parts.append(f'.. auto{kind}:: {module}.{name}\n   {option}')
  return '\n\n'.join(parts)


# Docstrings.


def setup(app: application.Sphinx) -> None:
  """Registers the changes of docstrings, before Sphinx reads their sections."""
  app.connect('autodoc-process-docstring', _process, priority=400)
  app.connect('autodoc-skip-member', _skip_field)


def _skip_field(app, what, name, member, skip, options):
  """Skips the fields of a named tuple, which its docstring describes."""
  del app, what, name, options
  return skip or type(member).__name__ == '_tuplegetter' or None


def _process(app, what, name, member, options, lines):
  """Changes a docstring to what Sphinx reads."""
  del app, name, options
  if what == 'data':  # its docstring is that of its type
    is_table = isinstance(member, dict)
    lines[:] = [f'Keys: {", ".join(map(str, member))}.'] if is_table else []
    return
  text = '\n'.join(lines)
  if what == 'class' and 'Attributes:' not in lines:
    text = f'{text}\n{_fields(member)}'
  scope = inspect.getmodule(getattr(member, 'fget', member)) or ssnn_jax

  def link(match):
    found = find(match[1], scope)
    return f':py:obj:`{match[1]} <{found}>`' if found else match[0]

  parts, in_section = [], False
  for part in text.split('\n\n'):
    if not part.startswith(' '):
      in_section = bool(_SECTION.match(part))
    is_code = '>>>' in part
    if part.startswith(' ') and not in_section:  # a formula
      part, is_code = f'.. code-block:: text\n\n{part}', True
    if part.startswith('## '):
      part = f'.. rubric:: {part.removeprefix("## ")}'
    if not is_code:
      part = part.replace('|', r'\|')  # |x| would be a substitution
      part = _NAME.sub(link, part)
    parts.append(part)
  lines[:] = '\n\n'.join(parts).splitlines()


def find(name: str, scope: types.ModuleType = ssnn_jax) -> str | None:
  """Finds a name as Python would, in a module or else in the package.

  Args:
    name: the name, with dots for members.
    scope: the module.

  Returns:
    The name under which it is described; None if it is not.
  """
  for start in (scope, ssnn_jax):
    found, described = start, None
    for part in name.split('.'):
      found = getattr(found, part, None)
      if inspect.ismodule(found):
        described = found.__name__ if found.__name__ in find_all() else None
      elif _home(found) in _places():
        described = _places()[_home(found)]
      elif described and isinstance(found, types.FunctionType | property):
        described = f'{described}.{part}'
    if found is not None and described:
      return described
  return None


def _fields(cls):
  """Returns the section of a docstring with the comments of fields."""
  lines = ['Attributes:']
  for above, name, comment in _FIELD.findall(inspect.getsource(cls)):
    text = ' '.join([*re.findall(r'# (.*)', above), comment]).strip()
    text = re.sub(r'(?<!\w)(\[[^]]+\])', r'`\1`', text)  # shapes
    lines += [f'  {name}: {text}'] if text else []
  return '\n'.join(lines) if len(lines) > 1 else ''
