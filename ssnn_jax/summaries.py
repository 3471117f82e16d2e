"""Summaries: what `print` shows of containers and configurations.

`repr` of a configuration remains the expression that makes it.
"""

import dataclasses
from typing import Any


def show(value: Any) -> str:
  """Shows a value; of arrays that are no numbers, dtype and shape."""
  if hasattr(value, 'shape') and hasattr(value, 'dtype'):
    is_number = value.shape == () and '\n' not in repr(value)
    return repr(value) if is_number else f'{value.dtype}{list(value.shape)}'
  if hasattr(value, '_fields'):
    return show_fields(value)
  if type(value) in (tuple, list):
    items = ', '.join(map(show, value))
    return f'({items},)' if len(value) == 1 else f'({items})'
  return repr(value)


def show_fields(container: Any) -> str:
  """Shows a container by its fields, as its `__repr__`."""
  names = getattr(container, '_fields', None)
  if names is None:
    names = [own.name for own in dataclasses.fields(container)]
  fields = [f'{name}={show(getattr(container, name))}' for name in names]
  return f'{type(container).__name__}({", ".join(fields)})'


def describe_changes(config: Any, without: tuple[str, ...] = ()) -> list[str]:
  """Lists the fields of a dataclass that differ from their defaults.

  Args:
    config: the dataclass; of dataclasses within it, their own changes.
    without: names of fields that are left out.

  Returns:
    Texts such as `gain=0.5`; objects of functions by their type.
  """
  listed = []
  for own in dataclasses.fields(config):
    value = getattr(config, own.name)
    if own.name in without or value == own.default:
      continue
    if dataclasses.is_dataclass(value):
      listed += [f'{own.name}.{text}' for text in describe_changes(value)]
    elif isinstance(value, tuple) and any(map(callable, value)):
      listed.append(f'{own.name}={type(value).__name__} of your own')
    else:
      listed.append(f'{own.name}={value!r}')
  return listed


def lay_out(title: str, lines: list[str]) -> str:
  """Joins a title and its lines, which are indented."""
  return '\n'.join([title, *(f'  {line}' for line in lines)])
