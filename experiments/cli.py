"""What the commands share: flags, and how mistakes are told."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import os
import pathlib
import sys
import types
import typing
from typing import Any

from absl import app
from absl import flags
from absl import logging
import jax

from experiments import configs
import ssnn_jax
from ssnn_jax import kernels


def define_folders(workdir_help: str) -> None:
  """Defines the flags that say where data and records are."""
  flags.DEFINE_string('workdir', None, workdir_help)
  define_data_dir()


def define_data_dir() -> None:
  """Defines the flags that say where data is, and whether to fetch it."""
  flags.DEFINE_string(
    'data_dir',
    None,
    'folder of data sets; by default $TFDS_DATA_DIR, or ~/tensorflow_datasets.',
  )
  flags.DEFINE_boolean(
    'download', False, 'download original files that are missing.'
  )


class NumbersParser(flags.ArgumentParser):
  """Parses numbers separated by commas."""

  def __init__(self, kind: type[int] | type[float]):
    """Makes the parser of one kind of number."""
    self.kind = kind
    name = 'whole numbers' if kind is int else 'numbers'
    self.syntactic_help = f'{name} separated by commas'

  def parse(self, argument):
    """Parses the value of a flag to a tuple."""
    if not isinstance(argument, str):
      return tuple(argument)
    try:
      return tuple(self.kind(part) for part in argument.split(','))
    except ValueError:
      raise ValueError(f'expected {self.syntactic_help}') from None

  def flag_type(self):
    """Names what the flag holds."""
    return f'{self.kind.__name__}s'


def define_config() -> None:
  """Defines a flag for each field of a configuration, and `--config`."""
  hints = typing.get_type_hints(configs.ExperimentConfig)
  base = configs.CONFIGS['digits']
  flags.DEFINE_string(
    'config',
    None,
    'named configuration whose values stand where a flag is left out, called '
    'as the data set it suits; by default that of the data set.',
  )
  for field in dataclasses.fields(configs.ExperimentConfig):
    default = getattr(base, field.name)
    help_text = f'{field.metadata["help"]}.'
    if default is not None:
      shown = default if not isinstance(default, tuple) else default[0]
      help_text += f' [digits: {shown}]'
    listed = (
      field.metadata['choices'] if field.metadata['lists_choices'] else None
    )
    _define_flag(field.name, hints[field.name], help_text, listed)


def _define_flag(name, hint, help_text, choices):
  """Defines a flag that is None unless given."""
  if isinstance(hint, types.UnionType):
    hint = next(
      kind for kind in typing.get_args(hint) if kind is not type(None)
    )
  if choices:
    flags.DEFINE_enum(name, None, choices, help_text)
  elif typing.get_origin(hint) is tuple:
    parser = NumbersParser(typing.get_args(hint)[0])
    flags.DEFINE(parser, name, None, help_text)
  else:
    define = {
      int: flags.DEFINE_integer,
      float: flags.DEFINE_float,
      bool: flags.DEFINE_boolean,
      str: flags.DEFINE_string,
    }
    define[hint](name, None, help_text)


def config(values: Mapping[str, Any]) -> configs.ExperimentConfig:
  """Makes the configuration that the given flags ask for.

  Args:
    values: the value of each flag, None where it was left out.

  Returns:
    The named configuration, or the data set's own, with the given values.

  Raises:
    UserError: if there is no such configuration, or a value is out of range.
  """
  names = [field.name for field in dataclasses.fields(configs.ExperimentConfig)]
  given = {name: values[name] for name in names if values[name] is not None}
  name = values['config'] or given.get('dataset', 'digits')
  if name not in configs.CONFIGS:
    flag = 'config' if values['config'] else 'dataset'
    known = ', '.join(configs.CONFIGS)
    raise ssnn_jax.UserError(
      f'--{flag}={name} is not there; choose one of {known}.'
    )
  return dataclasses.replace(configs.CONFIGS[name], **given)


def folder(path: str | os.PathLike) -> pathlib.Path:
  """Makes a path of a flag's value, whose ~ no shell has expanded."""
  return pathlib.Path(path).expanduser()


def choices(
  values: Mapping[str, Any], name: str, allowed: Sequence[str]
) -> list[str]:
  """Checks the value of a flag that lists choices.

  Args:
    values: the value of each flag.
    name: the flag.
    allowed: what it may list.

  Returns:
    What it lists.

  Raises:
    UserError: if it lists something else, or nothing.
  """
  listed = values[name]
  if not listed or not set(listed) <= set(allowed):
    raise ssnn_jax.UserError(
      f'--{name}={",".join(listed)} is not a list of {", ".join(allowed)}.'
    )
  return listed


@functools.cache
def recommend_kernels() -> None:
  """Tells, once, how simulating spikes gets faster on this machine."""
  is_cpu = jax.default_backend() == 'cpu'
  if is_cpu and not kernels.is_available('ssnn_count'):
    print(
      'spikes are simulated without compiled kernels; this is several times '
      'faster after: python -m ssnn_jax.compile_kernels',
      file=sys.stderr,
    )


def _parse(argv):
  """Parses flags; a wrong one ends in one sentence, as any mistake does."""
  try:
    return flags.FLAGS(argv)
  except flags.Error as error:
    problem = ' '.join(str(error).split()).removeprefix('flag ').rstrip(' .?')
    sys.exit(f'error: {problem}; see --help.')


def launch(main: Callable[[], None]) -> None:
  """Parses flags and runs `main`; a user's mistake ends in one sentence."""

  def guarded(argv):
    try:
      if len(argv) > 1:
        raise ssnn_jax.UserError(
          f'{argv[1]} is not a flag; write --name=value, and see --help.'
        )
      logging.set_verbosity(logging.WARNING)  # jax tells of absent backends
      main()
    except ssnn_jax.UserError as error:
      sys.exit(f'error: {error}')
    except KeyboardInterrupt:
      sys.stdout.flush()
      print('interrupted', file=sys.stderr, flush=True)
      # Computations go on in threads of their own, and crash an orderly exit.
      os._exit(130)  # as a shell tells it

  app.run(guarded, flags_parser=_parse)
