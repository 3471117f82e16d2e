"""Schemas of JSON objects that are read back: the type hints of a class.

A schema is a dataclass or a `typing.TypedDict`. Whole numbers are those of
`types.is_count`, so that no value overflows when arrays are made of it.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import json
import math
import types as python_types
import typing
from typing import Any

from ssnn_jax import types

_NAMES = {
  int: 'a 32-bit whole number',
  float: 'a 32-bit number',
  bool: 'true or false',
  str: 'text',
  dict: 'an object',
  python_types.NoneType: 'null',
}
_MAX_LENGTH = 60  # of a value in a message, in characters


def parse(text: str | bytes) -> Any:
  """Parses a JSON value; raises `ValueError`, also if it is nested too deep."""
  try:
    return json.loads(text)
  except RecursionError:
    raise ValueError('it is nested too deep') from None


def problems(values: Any, kind: type) -> Iterator[str]:
  """Yields what is wrong with a JSON object.

  Args:
    values: the JSON object; fields that the schema lacks may have any value.
    kind: the schema.

  Yields:
    Clauses such as 'epoch is "a"; expected a 32-bit whole number'.
  """
  if not isinstance(values, Mapping):
    yield f'{_write(values)} is not an object'
    return
  for name in sorted(getattr(kind, '__required_keys__', ())):
    if name not in values:
      yield f'{name} is missing'
  for name, hint in typing.get_type_hints(kind).items():
    if name in values and not matches(values[name], hint):
      yield f'{name} is {_write(values[name])}; expected {describe(hint)}'


def matches(value: Any, hint: Any) -> bool:
  """Returns whether a JSON value has the type of a hint; lists are tuples."""
  origin, arguments = typing.get_origin(hint), typing.get_args(hint)
  if origin in (typing.Union, python_types.UnionType):
    return any(matches(value, argument) for argument in arguments)
  if origin in (list, tuple):
    is_list = isinstance(value, list | tuple)
    return is_list and all(matches(item, arguments[0]) for item in value)
  if hint is int:
    return types.is_count(value, smallest=-types.MAX_COUNT)
  if hint is float:
    is_infinite = types.is_real(value) and abs(value) == math.inf
    return is_infinite or types.is_finite(value)
  return hint is Any or isinstance(value, hint)


def describe(hint: Any) -> str:
  """Describes a hint, as in 'a number or null'."""
  arguments = typing.get_args(hint)
  if typing.get_origin(hint) in (list, tuple):
    return f'a list, each item {describe(arguments[0])}'
  return ' or '.join(map(describe, arguments)) or _NAMES[hint]


def _write(value):
  """Writes a value, shortened."""
  try:
    text = json.dumps(value, separators=(',', ':'))
  except (TypeError, ValueError, RecursionError):
    text = repr(type(value).__name__)
  return text if len(text) <= _MAX_LENGTH else f'{text[:_MAX_LENGTH]}...'
