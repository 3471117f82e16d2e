"""How the fields of a configuration say what they are."""

from collections.abc import Sequence
import dataclasses
from typing import Any

import ssnn_jax


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


def check(name: str, value: Any, is_valid: bool, expected: str) -> None:
  """Refuses the value of a field by a sentence that names its flag."""
  if not is_valid:
    raise ssnn_jax.UserError(f'--{name} is {value}; expected {expected}.')
