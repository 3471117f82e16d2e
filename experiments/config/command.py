"""Flags, error messages and launch of the commands."""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import sys
import types as python_types
import typing
from typing import Any
from typing import TypeVar

from absl import app
from absl import flags
import jax

from experiments.config import errors
from experiments.config import experiment
from experiments.config import field
from experiments.config import interrupts
from experiments.config import libraries
from experiments.config import usage
import ssnn_jax
from ssnn_jax import checks

# Flags by heading of --help, in this order; other headings follow.
_HEADINGS = (
  'Sweep Measurements Data Network Spikes Chip Synapses Training Evaluation '
  'Records Machine'
)
_GROUPS: dict[str, list[str]] = {heading: [] for heading in _HEADINGS.split()}
_T = TypeVar('_T')
_HELP = ('h', '?', 'help', 'helpshort')
# What absl and Python say about the text of a flag, and what was expected.
_EXPECTED = {
  'invalid literal for int.*': 'expected a whole number',
  'could not convert string to float.*': 'expected a number',
  ".'Non-boolean argument.*": 'expected true or false',
}


@contextlib.contextmanager
def group(heading: str) -> Iterator[None]:
  """Groups the flags that are defined inside the context below a heading.

  A backquoted word in the help of a flag names the value of the flag.
  """
  before = set(flags.FLAGS)
  yield
  defined = [name for name in flags.FLAGS if name not in before]
  _GROUPS.setdefault(heading, []).extend(defined)


def define_data_dir() -> None:
  """Defines the flags of the data folder and of downloads."""
  with group('Data'):
    flags.DEFINE_string(
      'data_dir',
      None,
      '`folder` of data sets; default: $TFDS_DATA_DIR, or '
      '~/tensorflow_datasets.',
    )
    flags.DEFINE_boolean(
      'download', False, 'download missing original files of the data set.'
    )


def define_seed(default: int | None, help_text: str) -> None:
  """Defines the flag of a seed."""
  flags.DEFINE_integer('seed', default, help_text, 0, checks.MAX_COUNT)


class TupleParser(flags.ArgumentParser):
  """Parses values separated by commas."""

  def __init__(self, kind: type):
    """Makes a parser of integers, floats or strings."""
    self.kind = kind
    names = {int: 'whole numbers', float: 'numbers', str: 'names'}
    self.syntactic_help = f'{names[kind]} separated by commas'

  def parse(self, argument):
    """Parses the value of a flag into a tuple."""
    if not isinstance(argument, str):
      return tuple(argument)
    try:
      return tuple(self.kind(part) for part in argument.split(','))
    except ValueError:
      raise ValueError(f'expected {self.syntactic_help}') from None

  def flag_type(self):
    """Returns the type that `--help` shows."""
    return f'{self.kind.__name__}s'


def define_fields(
  kind: type,
  *,
  with_defaults: bool = True,
  names: Collection[str] | None = None,
) -> None:
  """Defines a flag for each `field.field` of a dataclass.

  Args:
    kind: the dataclass.
    with_defaults: whether flags default to the values of the fields instead of
      None.
    names: the fields; None is all of them.
  """
  hints = typing.get_type_hints(kind)
  for own in dataclasses.fields(kind):
    if names is not None and own.name not in names:
      continue
    default = own.default if with_defaults else None
    with group(own.metadata['group']):
      _define_flag(own, hints[own.name], default)


def define_config() -> None:
  """Defines the flags of a configuration and of its data."""
  define_fields(experiment.ExperimentConfig, with_defaults=False)
  with group('Data'):
    flags.DEFINE_string(
      'config',
      None,
      '`name` of the data set whose default configuration is used; default: '
      'the same as --dataset.',
    )


def _define_flag(own, hint, default):
  metadata, help_text = own.metadata, f'{own.metadata["help"]}.'
  if isinstance(hint, python_types.UnionType):
    hint, *_ = typing.get_args(hint)
  define = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_boolean,
    str: flags.DEFINE_string,
  }
  if metadata['choices'] and metadata['lists_choices']:
    flags.DEFINE_enum(own.name, default, metadata['choices'], help_text)
  elif typing.get_origin(hint) is tuple:
    parser = TupleParser(typing.get_args(hint)[0])
    flags.DEFINE(parser, own.name, default, help_text)
  else:
    define[hint](own.name, default, help_text)


def make(kind: type[_T], values: Mapping[str, Any]) -> _T:
  """Makes a dataclass from the values of the flags of its fields."""
  names = [own.name for own in dataclasses.fields(kind)]
  return kind(**{name: values[name] for name in names})


def config(
  values: Mapping[str, Any], base: experiment.ExperimentConfig | None = None
) -> experiment.ExperimentConfig:
  """Makes the configuration that flags describe.

  Args:
    values: the value of each flag; None if the flag is not given.
    base: the configuration that provides the other fields; by default the
      configuration of --config, or else of the data set.

  Raises:
    UserError: if the configuration does not exist, or a value is out of range.
  """
  given = {
    name: field.absolute_path(values[name])
    for name in experiment.FIELDS
    if values[name] is not None
  }
  if base is not None:
    return dataclasses.replace(base, **given)
  name = values['config'] or given.get('dataset', 'digits')
  if name not in field.DATASETS:
    flag = 'config' if values['config'] else 'dataset'
    raise ssnn_jax.UserError(
      f'--{flag}={name} does not exist; choose one of '
      f'{", ".join(field.DATASETS)}.'
    )
  return dataclasses.replace(experiment.default(name), **given)


def folder(path: str | os.PathLike) -> pathlib.Path:
  """Returns the path of a flag, with ~ expanded."""
  return pathlib.Path(path).expanduser()


def require(values: Mapping[str, Any], *names: str) -> None:
  """Raises a UserError if one of the flags is not given, or empty."""
  for name in names:
    if not values[name]:
      raise ssnn_jax.UserError(f'--{name} is missing; it is required.')


def choices(
  values: Mapping[str, Any], name: str, allowed: Sequence[str]
) -> list[str]:
  """Returns the value of a flag that lists choices.

  Raises:
    UserError: if the list is empty, or has a choice that is not allowed.
  """
  listed = values[name]
  if not listed or not set(listed) <= set(allowed):
    raise ssnn_jax.UserError(
      f'--{name}={",".join(listed)} is not a list of {", ".join(allowed)}.'
    )
  return listed


def _print_help():
  is_run = 'config' in flags.FLAGS
  groups = {
    heading: [usage.describe(flags.FLAGS[name], is_run) for name in names]
    for heading, names in _GROUPS.items()
  }
  text = usage.render(
    sys.modules['__main__'].__doc__,
    groups,
    '--helpfull also lists the flags of absl.',
    min(shutil.get_terminal_size().columns, 100),
  )
  print(text, end='')


def _parse(argv):
  """Parses flags; exits with one sentence if a flag is invalid."""
  if any(word[:1] == '-' and word.lstrip('-') in _HELP for word in argv[1:]):
    _print_help()
    sys.exit()
  try:
    return flags.FLAGS(argv)
  except (flags.Error, ValueError) as error:
    problem = ' '.join(str(error).split()).removeprefix('flag ').rstrip(' .?')
    for reason, expected in _EXPECTED.items():
      problem = re.sub(reason, expected, problem)
    sys.exit(f'error: {problem}; see --help.')


def launch(main: Callable[[], None]) -> None:
  """Parses flags and runs `main`; user errors are printed as one sentence."""
  with group('Machine'):
    flags.DEFINE_boolean(
      'compilation_cache',
      True,
      'keep compiled programs in the cache of the user, $SSNN_JAX_CACHE_DIR, '
      'unless $JAX_COMPILATION_CACHE_DIR names another folder.',
    )

  def guarded(argv):
    try:
      libraries.be_quiet()
      if flags.FLAGS.compilation_cache:
        libraries.cache_programs()
      if len(argv) > 1:
        raise ssnn_jax.UserError(
          f'{argv[1]} is not a flag; write --name=value, and see --help.'
        )
      with interrupts.raised():
        main()
        sys.stdout.flush()
    except ssnn_jax.UserError as error:
      sys.exit(f'error: {errors.message(error)}')
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
      if 'Out of memory' in str(error) or isinstance(error, MemoryError):
        sys.exit(
          'error: the arrays of this command do not fit into memory; give '
          'smaller sizes in its flags.'
        )
      raise
    except BrokenPipeError:  # the reader of the output has ended
      os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
      sys.exit(1)

  app.run(guarded, flags_parser=_parse)
