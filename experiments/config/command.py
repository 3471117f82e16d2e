"""Commands: flags of dataclass fields, --help, and errors in one sentence."""

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
import contextlib
import dataclasses
import gc
import logging as standard_logging
import os
import pathlib
import sys
import typing
from typing import Any
from typing import TypeVar

from absl import app
from absl import flags
from absl import logging
import jax

from experiments.config import experiment
from experiments.config import field
from experiments.config import interrupts
import ssnn_jax
from ssnn_jax import checks
from ssnn_jax import user_cache

# Headings of --help, after the flags of the command itself.
_HEADINGS = (
  'Most used',
  'Data',
  'Network',
  'Spikes',
  'Chip',
  'Synapses',
  'Training',
  'Evaluation',
  'Records',
  'Machine',
)
_WRITE = flags.ArgumentSerializer()
_T = TypeVar('_T')


def define_fields(kind: type, *, names: Collection[str] | None = None) -> None:
  """Defines a flag for each `field.field` of a dataclass.

  Args:
    kind: the dataclass.
    names: the fields; None is all of them.
  """
  hints = typing.get_type_hints(kind)
  for own in dataclasses.fields(kind):
    if names is not None and own.name not in names:
      continue
    heading, text = own.metadata['group'], f'{own.metadata["help"]}.'
    parser = field.parser(own, hints[own.name])
    if isinstance(parser, flags.BooleanParser):
      flag = flags.BooleanFlag(own.name, own.default, text)
    else:
      is_tuple = isinstance(parser, field.TupleParser)
      write = flags.ListSerializer(',') if is_tuple else _WRITE
      flag = flags.Flag(parser, write, own.name, own.default, text)
    flags.DEFINE_flag(flag, module_name=heading)


def define_config() -> None:
  """Defines the flags of a configuration and of its data."""
  define_fields(experiment.ExperimentConfig)
  define_data_dir()


def define_data_dir() -> None:
  """Defines the flags of the data folder and of downloads."""
  define_fields(experiment.DataOptions)


def define_seed(default: int | None, help_text: str) -> None:
  """Defines the flag of a seed, as a flag of the command itself."""
  bounds, own = (0, checks.MAX_COUNT), sys.argv[0]
  flags.DEFINE_integer('seed', default, help_text, *bounds, module_name=own)


def make(kind: type[_T]) -> _T:
  """Makes a dataclass from the flags of its fields."""
  names = [own.name for own in dataclasses.fields(kind)]
  return kind(**{name: flags.FLAGS[name].value for name in names})


def given() -> dict[str, Any]:
  """Returns the fields of a configuration whose flags are given."""
  return {
    name: field.absolute_path(name, flags.FLAGS[name].value)
    for name in experiment.FIELDS
    if name in flags.FLAGS and flags.FLAGS[name].present
  }


def config(
  values: Mapping[str, Any], base: experiment.ExperimentConfig | None = None
) -> experiment.ExperimentConfig:
  """Makes the configuration of given fields.

  Args:
    values: the fields, as of `given`.
    base: the configuration that provides the other fields; by default that of
      the data set.

  Raises:
    UserError: if a value is out of range.
  """
  if base is None:
    base = experiment.default(values.get('dataset', 'digits'))
  return dataclasses.replace(base, **values)


def folder(path: str | os.PathLike) -> pathlib.Path:
  """Returns the path of a flag, with ~ expanded."""
  return pathlib.Path(path).expanduser()


def _print_help():
  """Prints the introduction of the command, and its flags by heading."""
  known = flags.FLAGS
  print(sys.modules['__main__'].__doc__.strip())
  for heading in (sys.argv[0], *_HEADINGS):
    text = known.module_help(heading).strip('\n')
    if text:
      print('\n' + text.replace(f'{sys.argv[0]}:', 'Flags:', 1))
  if 'num_epochs' in known:
    print(experiment.describe_defaults())
  print('\n--helpfull also lists the flags of absl.')


def _parse(argv):
  """Parses flags; exits with one sentence if a flag is invalid."""
  if {'--help', '-help', '-h', '--helpshort', '-?'} & {*argv[1:]}:
    _print_help()
    sys.stdout.flush()
    sys.exit()
  try:
    return flags.FLAGS(argv)
  except flags.UnrecognizedFlagError as error:
    near = field.closest(error.flagname, list(flags.FLAGS))
    hint = f'did you mean --{near}? See --help.' if near else 'see --help.'
    sys.exit(f'error: --{error.flagname} is not a flag of this command; {hint}')
  except flags.Error as error:
    sys.exit(f'error: {" ".join(str(error).split()).rstrip(".")}; see --help.')


def _keep_programs():
  """Keeps compiled programs, also of workers, which inherit the variables."""
  programs = user_cache.folder() / 'programs'
  values = {'jax_persistent_cache_min_compile_time_secs': 0}
  with contextlib.suppress(OSError):
    programs.mkdir(mode=0o755, parents=True, exist_ok=True)
  if os.access(programs, os.W_OK):  # or JAX would warn of each program
    values['jax_compilation_cache_dir'] = str(programs)
  for name, value in values.items():
    if name.upper() not in os.environ:
      os.environ[name.upper()] = str(value)
      jax.config.update(name, value)


def _prepare_libraries(is_cached):
  """Sets the caches and messages of libraries."""
  if is_cached:
    _keep_programs()
  # Tracing allocates many objects that stay, which collection visits again.
  gc.freeze()
  gc.set_threshold(50_000, 50, 50)
  logging.set_verbosity(logging.WARNING)  # jax reports missing backends
  # Orbax logs the tracebacks of its threads, also of errors that are reported.
  logging.get_absl_logger().addFilter(
    lambda record: 'orbax' not in record.pathname
  )
  standard_logging.getLogger('asyncio').setLevel(standard_logging.CRITICAL)


def launch(main: Callable[[], None]) -> None:
  """Parses flags and runs `main`; user errors are printed as one sentence."""
  flag = flags.BooleanFlag(
    'compilation_cache',
    True,
    'keep compiled programs in the cache of the user, $SSNN_JAX_CACHE_DIR, '
    'unless $JAX_COMPILATION_CACHE_DIR names another folder.',
  )
  flags.DEFINE_flag(flag, module_name='Machine')

  def guarded(argv):
    try:
      _prepare_libraries(flags.FLAGS.compilation_cache)
      if len(argv) > 1:
        raise ssnn_jax.UserError(
          f'{argv[1]} is not a flag; write --name=value, and see --help.'
        )
      with interrupts.raised():
        main()
        sys.stdout.flush()
    except ssnn_jax.UserError as error:
      sys.exit(f'error: {error}')
    except jax.errors.JaxRuntimeError as error:
      if 'Out of memory' in str(error):
        sys.exit(
          'error: the arrays of this command do not fit into memory; give '
          'smaller sizes, or fewer --seeds_at_once.'
        )
      raise

  try:
    app.run(guarded, flags_parser=_parse)
  except BrokenPipeError:  # the reader of the output has ended
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)
