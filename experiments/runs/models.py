"""Models by `--model`: a user's `path/to/own.py:make`, or a name of ours.

Arguments of the function are flags. `input_shape` and `num_classes`, if it has
them, are those of the data set.
"""

import ast
from collections.abc import Sequence
import functools
import hashlib
import importlib.util
import inspect
import itertools
import pathlib
import sys
from typing import Any

from absl import flags
import jax
import jax.numpy as jnp

import ssnn_jax
from ssnn_jax import checks
from ssnn_jax.spiking.functions import Function
from ssnn_jax.stochastic import crossbars
from ssnn_jax.stochastic import layers as layers_lib

_PARSERS = {
  bool: flags.BooleanParser,
  int: flags.IntegerParser,
  float: flags.FloatParser,
  str: flags.ArgumentParser,
}
_FOLDER = pathlib.Path(__file__).parents[1] / 'models'
NAMES = sorted(own.stem for own in _FOLDER.glob('[a-z]*.py'))
EXAMPLE = (
  'give --model=path/to/own.py:make, a function that returns a module, or one '
  f'of {", ".join(NAMES)}'
)
_SIZES = 'input_shape', 'num_classes'
#: Parsers of the flags of the arguments of --model
OWN_FLAGS: dict[str, flags.ArgumentParser] = {}


def is_path(text: str | None) -> bool:
  """Returns whether --model has a path, and is not a name of ours."""
  return text is not None and text not in NAMES


def _split(text):
  """Returns the path of the file of a model, and the name of its function."""
  if not is_path(text):
    return str(_FOLDER / f'{text}.py'), 'make'
  path, _, name = text.rpartition(':')
  if not path or not name:
    raise ssnn_jax.UserError(f'--model={text} names no function; {EXAMPLE}.')
  return path, name


def digest(text: str) -> str:
  """Returns the SHA-256 digest of the file of a model."""
  path, _ = _split(text)
  with checks.explain(f'--model={text}', EXAMPLE):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


@functools.lru_cache  # programs are cached by their functions
def _load(text, sha256):
  """Loads the function of a file, which must have a digest."""
  path, name = _split(text)
  found = digest(text)
  if sha256 != found:
    raise ssnn_jax.UserError(
      f'--model={text} has changed: its SHA-256 is {found[:8]}, not '
      f'{sha256[:8]} as recorded; restore the file, or use another folder.'
    )
  folder = str(pathlib.Path(path).parent)
  if folder not in sys.path:  # of what it imports, behind all packages
    sys.path.append(folder)
  with checks.explain(f'--model={text}', EXAMPLE):
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


@functools.lru_cache
def make(
  text: str,
  sha256: str,
  arguments: str,
  input_shape: tuple[int, ...] | None = None,
  num_classes: int | None = None,
) -> Any:
  """Makes the module of a file, with arguments as `width=8,depth=2`."""
  function = _load(text, sha256)
  known = inspect.signature(function).parameters
  pairs = [part.split('=', 1) for part in arguments.split(',') if part]
  sizes = zip(_SIZES, (input_shape, num_classes))
  values = {name: own for name, own in sizes if own and name in known}
  values |= {name: _read(own, known[name].default) for name, own in pairs}
  return function(**values)


def _read(text, default):
  """Reads an argument in the type of its default."""
  parser = _PARSERS.get(type(default))
  if parser is not None:
    return parser().parse(text)
  try:
    return ast.literal_eval(text)
  except (ValueError, SyntaxError):
    return text


@functools.lru_cache  # programs are cached by their functions
def make_layers(
  layer_sizes: tuple[int, ...] | None = None,
  layers: tuple[layers_lib.Layer, ...] | None = None,
  input_shape: tuple[int, ...] | None = None,
  dropout: float = 0.0,
  input_gain: float = 1.0,
) -> Function:
  """Makes a function of layers, with rectified linear units between them.

  Arguments are those of `NetworkConfig`, and so are the initial parameters.
  """
  config = ssnn_jax.NetworkConfig(
    layer_sizes,
    layers=layers,
    input_shape=input_shape,
    input_gain=input_gain,
  )

  def apply(params, x, key=None):
    numbers = itertools.count(1)

    def respond(potential):
      rates = jax.nn.relu(potential)
      if key is None:
        return rates
      own = jax.random.fold_in(key, next(numbers))
      is_kept = jax.random.bernoulli(own, 1 - dropout, rates.shape)
      return jnp.where(is_kept, rates / (1 - dropout), 0.0)

    x = x.reshape(len(x), -1)
    return crossbars.read_layers(config, params, x, respond)

  return Function(config.init, apply, train=apply if dropout else None)


def define_flags(argv: Sequence[str]) -> None:
  """Defines flags of the arguments of --model, if it is among the words."""
  for word, following in zip(argv, (*argv[1:], '')):
    name, is_given, text = word.partition('=')
    text = text if is_given else following
    if name.lstrip('-') != 'model' or name == 'model':
      continue
    if is_path(text):
      if ':' not in text:
        continue
      text = str(pathlib.Path(text).expanduser().absolute())
    function = _load(text, digest(text))
    for own in inspect.signature(function).parameters.values():
      if own.name in _SIZES:
        continue
      if own.name in flags.FLAGS:
        raise ssnn_jax.UserError(
          f'--model={text} has an argument {own.name}, as a flag of the '
          'command; give it another name.'
        )
      parser = _PARSERS.get(type(own.default), flags.ArgumentParser)()
      default = '' if own.default is own.empty else f'; default: {own.default}'
      help_text = f'argument of {function.__name__} of --model{default}'
      options = {'module_name': sys.argv[0]}
      if isinstance(own.default, bool):  # also without a value
        flags.DEFINE_boolean(own.name, None, help_text, **options)
      else:
        flags.DEFINE(parser, own.name, None, help_text, **options)
      OWN_FLAGS[own.name] = parser


def write(values: dict[str, Any], before: str = '') -> str:
  """Writes arguments as text, as those before with changed values."""
  pairs = dict(part.split('=', 1) for part in before.split(',') if part)
  pairs |= {name: str(value) for name, value in values.items()}
  for name, text in pairs.items():
    if ',' in text:
      raise ssnn_jax.UserError(f'--{name}={text} has a comma; leave it out.')
  return ','.join(f'{name}={value}' for name, value in sorted(pairs.items()))
