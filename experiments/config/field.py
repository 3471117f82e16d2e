"""Fields of configurations and options, with the help of their flags."""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import inspect
import os
import re
from typing import Any

import ssnn_jax
from ssnn_jax.datasets import arrays

OWN_FILE = 'path/to/own.npz'
# For --help.
SETS = (
  'digits, mnist, fashion_mnist, emnist/<split>, n_mnist, '
  f'synthetic_events/<set of images>, or {OWN_FILE}'
)


class _DatasetNames(tuple):
  """Names of data sets, which include any path of a file of own arrays."""

  def __contains__(self, name):
    return super().__contains__(name) or arrays.is_npz_path(name)


DATASETS = _DatasetNames((*ssnn_jax.datasets.NAMES, OWN_FILE))


def field(
  group: str,
  default: Any,
  help_text: str,
  unit: str = '',
  choices: Sequence[str] | None = None,
) -> Any:
  """Makes a field of a dataclass, with the data of its flag.

  Args:
    group: the heading of the flag in the output of --help.
    default: the default value.
    help_text: help of the flag; a word in back quotes names the value, instead
      of a list of choices.
    unit: unit of the value.
    choices: the possible values; None if any value is possible.
  """
  metadata = {
    'group': group,
    'help': help_text,
    'unit': unit,
    'choices': choices,
    'lists_choices': '`' not in help_text,
  }
  return dataclasses.field(default=default, metadata=metadata)


def read_help(kind: type) -> dict[str, str]:
  """Reads the description of each attribute from the docstring of a class."""
  _, _, listed = inspect.getdoc(kind).partition('Attributes:\n')
  listed = listed.replace('`', '').replace('None is', 'default:')
  entries = re.findall(r'(?ms)^  (\w+): (.+?)\.?$(?=\n  \w|\n\n)', listed)
  return {name: ' '.join(text.split()) for name, text in entries}


def absolute_path(value: Any) -> Any:
  """Makes the path of a file of own arrays absolute; keeps other values."""
  if not arrays.is_npz_path(value):
    return value
  return os.path.abspath(os.path.expanduser(value))


def check(name: str, value: Any, is_valid: bool, expected: str) -> None:
  """Raises an error that names the flag if the value is not valid."""
  if not is_valid:
    if isinstance(value, tuple):
      value = ','.join(map(str, value))
    raise ssnn_jax.UserError(f'--{name} is {value}; expected {expected}.')


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
  """Calls a function whose user errors start with the name of a flag."""
  try:
    return function(*args, **kwargs)
  except ssnn_jax.UserError as error:
    raise ssnn_jax.UserError(f'--{error}') from None
