"""Mutations: modules of which one piece of source code is exchanged."""

import inspect
import types


def mutate(module, old, new):
  """Returns a module with `new` in place of the only `old` in its source."""
  source = inspect.getsource(module)
  assert source.count(old) == 1, f'{old!r} is not once in {module.__name__}'
  mutated = types.ModuleType(module.__name__)
  exec(source.replace(old, new), vars(mutated))
  return mutated
