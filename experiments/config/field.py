"""How the fields of a configuration say what they are."""

from collections.abc import Sequence
import dataclasses
import os
from typing import Any

import ssnn_jax
from ssnn_jax.datasets import arrays

OWN_FILE = 'path/to/own.npz'
# As --help tells them.
SETS = (
  'digits, mnist, fashion_mnist, emnist/<split>, n_mnist, '
  f'synthetic_events/<set of images>, or {OWN_FILE}'
)


class _DatasetNames(tuple):
  """Names of data sets; any path to a file of own arrays is one, too."""

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
  """Makes a field of a configuration, from which its flag is made.

  Args:
    group: the heading of its flag.
    default: its value where nothing else is said.
    help_text: what it is; a word in back quotes stands for the value, in place
      of a list of choices.
    unit: that of the value.
    choices: the only possible values, if there are some.

  Returns:
    The field.
  """
  metadata = {
    'group': group,
    'help': help_text,
    'unit': unit,
    'choices': choices,
    'lists_choices': '`' not in help_text,
  }
  return dataclasses.field(default=default, metadata=metadata)


def absolute_path(value: Any) -> Any:
  """Makes the path of a file of own arrays absolute; keeps other values."""
  if not arrays.is_npz_path(value):
    return value
  return os.path.abspath(os.path.expanduser(value))


def check(name: str, value: Any, is_valid: bool, expected: str) -> None:
  """Refuses the value of a field by a sentence that names its flag."""
  if not is_valid:
    raise ssnn_jax.UserError(f'--{name} is {value}; expected {expected}.')
