"""Tells what the flags of a command are, as `--help` prints it."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import re
import textwrap
from typing import NamedTuple

from absl import flags

from experiments.config import defaults
from experiments.config import experiment
from ssnn_jax import datasets

_COLUMN = 26  # where help starts
_TIE = '\N{NO-BREAK SPACE}'
_IMAGES = frozenset(datasets.IMAGES)
_FAMILIES = {
  'images': _IMAGES,
  'other images': _IMAGES - {'digits'},
  'recordings': frozenset(datasets.RECORDINGS),
}
_KINDS = {
  'bool': '',
  'int': 'INTEGER',
  'ints': 'INTEGER,...',
  'float': 'NUMBER',
  'floats': 'NUMBER,...',
  'comma separated list of strings': 'NAME,...',
}
# What absl adds to help: choices, and that a flag may be given several times.
_ABSL = re.compile(r'^<.+?>: |;\s+repeat this option .*', re.DOTALL)
_UNITS = {
  field.name: field.metadata['unit']
  for field in dataclasses.fields(experiment.ExperimentConfig)
}


class Flag(NamedTuple):
  """What `--help` tells of a flag."""

  name: str
  value: str  # what stands for its value; empty for a switch
  help: str
  default: str = ''  # empty if the help tells what is taken


def render(
  introduction: str,
  groups: Mapping[str, Sequence[Flag]],
  closing: str,
  width: int = 80,
) -> str:
  """Writes the text of `--help`.

  Args:
    introduction: paragraphs; those with indented lines are kept as they are.
    groups: the flags below each heading; one without flags is left out.
    closing: the last paragraph.
    width: columns of a line.

  Returns:
    The text, with a blank line between its parts.
  """
  parts = [
    part if re.search('^ ', part, re.MULTILINE) else _wrap(part, width)
    for part in introduction.strip().split('\n\n')
  ]
  for heading, members in groups.items():
    if members:
      entries = [_entry(flag, width) for flag in members]
      parts.append('\n'.join([f'{heading}:', *entries]))
  return '\n\n'.join([*parts, _wrap(closing, width)]) + '\n'


def _entry(flag, width):
  """Writes a flag, and its help beside it, or below if the flag is long."""
  head, told, margin = f'  --[no]{flag.name}', flag.help, ' ' * _COLUMN
  if flag.value:
    head = f'  --{flag.name}={flag.value}'
  if flag.default:
    told += f' (default:{_TIE}{flag.default})'
  if len(head) > _COLUMN - 2:
    return f'{head}\n{_wrap(told, width, margin, margin)}'
  return _wrap(told, width, head.ljust(_COLUMN), margin)


def _wrap(text, width, first='', margin=''):
  filled = textwrap.fill(
    text,
    width,
    initial_indent=first,
    subsequent_indent=margin,
    break_long_words=False,
    break_on_hyphens=False,
  )
  return filled.replace(_TIE, ' ')


def describe(flag: flags.Flag, is_configured: bool) -> Flag:
  """Describes a flag.

  Args:
    flag: the flag; a word in back quotes in its help stands for its value.
    is_configured: whether what is left out is that of the configuration of a
      data set, where the flag is one of its fields.

  Returns:
    What `--help` tells of it.
  """
  unit = _UNITS.get(flag.name, '')
  default = _write(flag.default, unit)
  if is_configured and flag.name in _UNITS:
    default = _tell_defaults(flag.name, unit)
  told = _ABSL.sub('', flag.help).replace('`', '').removesuffix('.')
  return Flag(flag.name, _tell_value(flag), told, default)


def _tell_value(flag):
  named = re.search('`(.+?)`', flag.help)
  if named:
    return named[1].upper()
  choices = getattr(flag.parser, 'enum_values', None)
  if choices:
    return '|'.join(choices)
  return _KINDS.get(flag.flag_type().removeprefix('multi '), 'TEXT')


def _tell_defaults(name, unit):
  """Tells a field's default, or those of the data sets where they differ."""
  if name == 'dataset':  # each configuration has its own
    return experiment.ExperimentConfig.dataset
  having = {}
  for dataset, config in defaults.CONFIGS.items():
    having.setdefault(getattr(config, name), set()).add(dataset)
  if len(having) == 1:
    return _write(*having, unit)
  told = []
  for value, names in having.items():
    if value is not None:
      told.append(f'{_write(value, unit)} for {_tell_datasets(names)}')
      unit = ''  # once is enough
  return ', '.join(told)


def _tell_datasets(names):
  """Names data sets, those of a family together if it is there as a whole."""
  told = []
  for family, members in _FAMILIES.items():
    if members <= names:
      told.append(family)
      names = names - members
  told += sorted(names) if len(names) <= 3 else ['others']
  return ' and '.join(told)


def _write(value, unit=''):
  """Writes a default; nothing if there is none."""
  if value is None:
    return ''
  if isinstance(value, bool):
    return 'on' if value else 'off'
  if isinstance(value, list | tuple):
    is_nested = any(isinstance(item, tuple) for item in value)
    parts = [','.join(map(str, item)) if is_nested else item for item in value]
    value = (' and ' if is_nested else ', ').join(map(str, parts))
  return f'{value} {unit}'.rstrip()
