"""Text of `--help`."""

from collections.abc import Mapping
from collections.abc import Sequence
import re
import textwrap
from typing import NamedTuple

from absl import flags

from experiments.config import experiment

_COLUMN = 26  # start of the help texts
_TIE = '\N{NO-BREAK SPACE}'
# One data set of each family that shares defaults.
_FAMILIES = {
  'digits': 'digits',
  'other images': 'mnist',
  'recordings': 'n_mnist',
}
_KINDS = {
  'bool': '',
  'int': 'INTEGER',
  'ints': 'INTEGER,...',
  'float': 'NUMBER',
  'floats': 'NUMBER,...',
  'comma separated list of strings': 'NAME,...',
}
# Texts that absl adds to help: choices, and whether a flag may be repeated.
_ABSL = re.compile(r'^<.+?>: |;\s+repeat this option .*', re.DOTALL)


class Flag(NamedTuple):
  """Description of a flag in `--help`."""

  name: str
  value: str  # name of its value; empty for a switch
  help: str
  default: str = ''  # empty if the help contains the default


def render(
  introduction: str,
  groups: Mapping[str, Sequence[Flag]],
  closing: str,
  width: int = 80,
) -> str:
  """Returns the text of `--help`, with the flags below each heading."""
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
  """Returns a flag with its help next to it, or below a long flag."""
  head, texts, margin = f'  --[no]{flag.name}', flag.help, ' ' * _COLUMN
  if flag.value:
    head = f'  --{flag.name}={flag.value}'
  if flag.default:
    texts += f' (default:{_TIE}{flag.default})'
  if len(head) > _COLUMN - 2:
    return f'{head}\n{_wrap(texts, width, margin, margin)}'
  return _wrap(texts, width, head.ljust(_COLUMN), margin)


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
  """Describes a flag; flags of a configured command have defaults by data set.

  A backquoted word in the help of a flag names the value of the flag.
  """
  field = experiment.FIELDS.get(flag.name)
  unit = field.metadata['unit'] if field else ''
  default = _write(flag.default, unit)
  if is_configured and field:
    default = _describe_defaults(flag.name, unit)
  texts = _ABSL.sub('', flag.help).replace('`', '').removesuffix('.')
  return Flag(flag.name, _value_name(flag), texts, default)


def _value_name(flag):
  named = re.search('`(.+?)`', flag.help)
  if named:
    return named[1].upper()
  choices = getattr(flag.parser, 'enum_values', None)
  if choices:
    return '|'.join(choices)
  return _KINDS.get(flag.flag_type().removeprefix('multi '), 'TEXT')


def _describe_defaults(name, unit):
  """Describes the default of a field, for each data set if they differ."""
  if name == 'dataset':
    return experiment.ExperimentConfig.dataset
  families = {}
  for family, dataset in _FAMILIES.items():
    value = getattr(experiment.CONFIGS[dataset], name)
    families.setdefault(value, []).append(family)
  if len(families) == 1:
    return _write(*families, unit)
  texts = []
  for value, names in families.items():
    if value is not None:
      texts.append(f'{_write(value, unit)} for {" and ".join(names)}')
      unit = ''  # only after the first value
  return ', '.join(texts)


def _write(value, unit=''):
  """Returns the text of a default; empty if there is none."""
  if value is None:
    return ''
  if isinstance(value, bool):
    return 'on' if value else 'off'
  if isinstance(value, list | tuple):
    is_nested = any(isinstance(item, tuple) for item in value)
    parts = [','.join(map(str, item)) if is_nested else item for item in value]
    value = (' and ' if is_nested else ', ').join(map(str, parts))
  return f'{value} {unit}'.rstrip()
