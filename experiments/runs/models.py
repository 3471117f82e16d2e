"""Models of users, `path/to/own.py:make`, whose arguments are flags."""

import ast
from collections.abc import Sequence
import functools
import hashlib
import importlib.util
import inspect
import pathlib
import sys
from typing import Any

from absl import flags

import ssnn_jax
from ssnn_jax import checks

_PARSERS = {
  bool: flags.BooleanParser,
  int: flags.IntegerParser,
  float: flags.FloatParser,
  str: flags.ArgumentParser,
}
_EXAMPLE = 'give --model=path/to/own.py:make, a function that returns a Model'
_own: dict[
  str, flags.ArgumentParser
] = {}  # arguments of the model of a command


def digest(text: str) -> str:
  """Returns the SHA-256 digest of the file of a model."""
  path = pathlib.Path(text.rpartition(':')[0])
  with checks.explain(f'--model={text}', _EXAMPLE):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@functools.lru_cache  # programs are cached by their functions
def _load(text, sha256):
  """Loads the function of a file, which must have a digest."""
  path, _, name = text.rpartition(':')
  found = digest(text)
  if sha256 != found:
    raise ssnn_jax.UserError(
      f'--model={text} has changed: its SHA-256 is {found[:8]}, not '
      f'{sha256[:8]} as recorded; restore the file, or use another folder.'
    )
  folder = str(pathlib.Path(path).parent)
  if folder not in sys.path:  # of what it imports
    sys.path.insert(0, folder)
  with checks.explain(f'--model={text}', _EXAMPLE):
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


@functools.lru_cache
def make(text: str, sha256: str, arguments: str) -> ssnn_jax.Model:
  """Makes the model of a file, with arguments as `width=8,depth=2`."""
  pairs = [part.split('=', 1) for part in arguments.split(',') if part]
  values = {name: _read(value) for name, value in pairs}
  found = _load(text, sha256)(**values)
  checks.check_type('model', found, ssnn_jax.Model, _EXAMPLE)
  return found


def _read(text):
  try:
    return ast.literal_eval(text)
  except (ValueError, SyntaxError):
    return text


def define_flags(argv: Sequence[str]) -> None:
  """Defines flags of the arguments of --model, if it is among the words."""
  for word, following in zip(argv, (*argv[1:], '')):
    name, is_given, text = word.partition('=')
    text = text if is_given else following
    if name.lstrip('-') != 'model' or name == 'model' or ':' not in text:
      continue
    text = str(pathlib.Path(text).expanduser().absolute())
    function = _load(text, digest(text))
    for own in inspect.signature(function).parameters.values():
      if own.name in flags.FLAGS:
        raise ssnn_jax.UserError(
          f'--model={text} has an argument {own.name}, as a flag of the '
          'command; give it another name.'
        )
      parser = _PARSERS.get(type(own.default), flags.ArgumentParser)()
      help_text = f'of {function.__name__} in --model'
      flags.DEFINE(parser, own.name, None, help_text)
      _own[own.name] = parser


def own_flags() -> dict[str, flags.ArgumentParser]:
  """Returns the parsers of the flags of the arguments of --model."""
  return _own


def write(values: dict[str, Any], before: str = '') -> str:
  """Writes arguments as text, as those before with changed values."""
  pairs = dict(part.split('=', 1) for part in before.split(',') if part)
  pairs |= {name: str(value) for name, value in values.items()}
  return ','.join(f'{name}={value}' for name, value in sorted(pairs.items()))
