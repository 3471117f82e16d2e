"""Dataclass fields with the metadata of their command-line flags."""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import difflib
import inspect
import os
import re
import types
import typing
from typing import Any

from absl import flags

import ssnn_jax
from ssnn_jax.datasets import arrays
from ssnn_jax.hardware import device_config

OWN_FILE = 'path/to/own.npz'
FOLDERS = {'init_from'}  # fields that are folders, and absolute in records
# Data sets in --help.
SETS = (
  'digits, mnist, fashion_mnist, emnist/<split>, n_mnist, '
  'synthetic_events/<set of images>, tonic:<event set>, any set of images that '
  f'TFDS has prepared, or {OWN_FILE}'
)


def field(
  group: str,
  default: Any,
  help_text: str,
  unit: str = '',
  choices: Sequence[str] | None = None,
) -> Any:
  """Makes a dataclass field with the metadata of its flag.

  Args:
    group: the heading of the flag in --help.
    default: the default value.
    help_text: help of the flag; choices that it does not name are added.
    unit: unit of the value, which is added as well.
    choices: the allowed values; None allows any value.
  """
  # The names of own files are endless.
  is_listed = type(choices) is tuple
  if is_listed and not all(choice in help_text for choice in choices):
    help_text += f': {", ".join(choices)}'
  if unit and unit not in help_text:
    help_text += f' ({unit})'
  metadata = {'group': group, 'help': help_text, 'choices': choices}
  return dataclasses.field(default=default, metadata=metadata)


class TupleParser(flags.ArgumentParser):
  """Parses values separated by commas, or by dashes in a grid."""

  def __init__(self, kind: type, choices: Sequence[Any] | None = None):
    """Makes a parser of integers, floats or strings.

    Args:
      kind: type of the values.
      choices: the allowed values; None allows any value.
    """
    self.kind, self.choices = kind, choices
    names = {int: 'whole numbers', float: 'numbers', str: 'names'}
    self.syntactic_help = f'{names[kind]} separated by commas'

  def parse(self, argument: Any) -> tuple[Any, ...]:
    """Parses the value of a flag into a tuple."""
    if not isinstance(argument, str):
      return tuple(argument)
    try:
      values = tuple(self.kind(part) for part in argument.split(','))
    except ValueError:
      raise ValueError(f'expected {self.syntactic_help}') from None
    if self.choices and not set(values) <= set(self.choices):
      raise ValueError(f'expected a list of {", ".join(self.choices)}')
    return values


_PARSERS = {
  int: flags.IntegerParser,
  float: flags.FloatParser,
  bool: flags.BooleanParser,
  str: flags.ArgumentParser,
}


def parser(own: dataclasses.Field, hint: Any) -> flags.ArgumentParser:
  """Returns the parser of a field, for its flag and for grids.

  Args:
    own: the field.
    hint: its type; of unions with None the other type.
  """
  if isinstance(hint, types.UnionType):
    hint, *_ = typing.get_args(hint)
  if typing.get_origin(hint) is tuple:
    return TupleParser(typing.get_args(hint)[0], own.metadata['choices'])
  if own.metadata['choices']:
    enum = flags.EnumParser(own.metadata['choices'])
    enum.enum_values = own.metadata['choices']  # also contain own files
    return enum
  return _PARSERS[hint]()


def read_help(kind: type) -> dict[str, str]:
  """Reads the description of each attribute from the docstring of a class."""
  _, _, listed = inspect.getdoc(kind).partition('Attributes:\n')
  listed = listed.replace('`', '').replace('None is', 'default:')
  entries = re.findall(r'(?ms)^  (\w+): (.+?)\.?$(?=\n  \w|\n\n)', listed)
  return {name: ' '.join(text.split()) for name, text in entries}


def is_path(value: Any) -> bool:
  """Returns whether a value is the path of own arrays, a device or a folder."""
  is_file = arrays.is_npz_path(value) or device_config.is_device_path(value)
  return is_file or (isinstance(value, str) and os.path.isabs(value))


def absolute_path(name: str, value: Any) -> Any:
  """Makes the path of a field absolute; returns other values unchanged."""
  if value is None or not (name in FOLDERS or is_path(value)):
    return value
  return os.path.abspath(os.path.expanduser(value))


# Names of other libraries, and of papers, for fields and flags.
_USUAL_NAMES = {
  'T': 'num_steps',
  'batch': 'batch_size',
  'bs': 'batch_size',
  'data': 'dataset',
  'data_path': 'data_dir',
  'epochs': 'num_epochs',
  'hidden': 'layer_sizes',
  'hidden_size': 'layer_sizes',
  'hidden_sizes': 'layer_sizes',
  'layer': 'layer_sizes',
  'log_dir': 'workdir',
  'logdir': 'workdir',
  'lr': 'learning_rate',
  'model': 'method',
  'n': 'window',
  'name': 'workdir',
  'optim': 'optimizer',
  'out': 'workdir',
  'output': 'workdir',
  'output_dir': 'workdir',
  'scheduler': 'schedule',
  'seeds': 'num_seeds',
  'steps': 'num_steps',
  'time_steps': 'num_steps',
  'timesteps': 'num_steps',
  'wd': 'weight_decay',
}


def closest(name: str, known: Collection[str]) -> str | None:
  """Returns the known name that a wrong name stands for, if it is clear."""
  usual = _USUAL_NAMES.get(name)
  if usual in known:
    return usual
  near = difflib.get_close_matches(name, list(known), n=1)
  return near[0] if near else None


def check(name: str, value: Any, is_valid: bool, expected: str) -> None:
  """Raises a user error that names the flag if the value is invalid."""
  if not is_valid:
    if isinstance(value, tuple):
      value = ','.join(map(str, value))
    raise ssnn_jax.UserError(f'--{name} is {value}; expected {expected}.')


@contextlib.contextmanager
def named(flag: str) -> Iterator[None]:
  """Adds the name of a flag to user errors of the context."""
  try:
    yield
  except ssnn_jax.UserError as error:
    raise ssnn_jax.UserError(f'--{flag}: {error}') from None


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
  """Calls a function; turns the field name in user errors into a flag."""
  try:
    return function(*args, **kwargs)
  except ssnn_jax.UserError as error:
    raise ssnn_jax.UserError(f'--{error}') from None
