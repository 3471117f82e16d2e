"""Starts a command: flags, --help, and errors in one sentence."""

from collections.abc import Callable
import contextlib
import logging as standard_logging
import os
import pathlib
import re
import shlex
import signal
import sys
import textwrap

from absl import app
from absl import flags
from absl import logging
import jax

import ssnn_jax
from ssnn_jax import user_cache


def folder(path: str | os.PathLike) -> pathlib.Path:
  """Returns the path of a flag, with ~ expanded."""
  return pathlib.Path(path).expanduser()


def line(module: str) -> str:
  """Returns the beginning of a command, by the interpreter as it was named."""
  return f'{shlex.quote(sys.orig_argv[0])} -m experiments.{module}'


def launch(
  main: Callable[[], None],
  headings: dict[str, str] | None = None,
  define_flags: Callable[[list[str]], None] | None = None,
) -> None:
  """Parses flags and runs `main`; errors of users and files are one sentence.

  Headings of --help are named by the flags that follow them; `define_flags`
  defines flags that depend on the words of the command.
  """

  def parse(argv):
    if define_flags is not None:
      try:
        define_flags(argv)
      except ssnn_jax.UserError as error:
        sys.exit(f'error: {error}')
    if {'--help', '-help', '--helpshort', '-h', '-?'} & {*argv[1:]}:
      _print_help(headings or {})
      sys.exit()
    try:
      return flags.FLAGS(argv)
    except flags.Error as error:
      sentence = ' '.join(str(error).split()).rstrip('.')
      words = [word for word in argv[1:] if not word.startswith('-')]
      several = re.match(r'flag --(\w+)=(\S+,\S*): invalid', sentence)
      if several and 'grid' in flags.FLAGS:
        name, values = several.groups()
        sentence += f"; several values are --grid='{name}={values}'"
      if words and 'must have a value' in sentence:  # a path alone
        sentence = f'{words[0]} is not a flag; write --name=value'
      sys.exit(f'error: {sentence}; see --help.')

  def guarded(argv):
    try:
      if len(argv) > 1:
        raise ssnn_jax.UserError(
          f'{argv[1]} is not a flag; write --name=value, and see --help.'
        )
      # Batch systems end a command as Ctrl-C does, with its tools and workers.
      signal.signal(signal.SIGTERM, signal.default_int_handler)
      _keep_programs()
      _quiet_libraries()
      main()
      sys.stdout.flush()
    except BrokenPipeError:
      raise
    except (ssnn_jax.UserError, OSError) as error:
      sys.exit(f'error: {error}')
    except KeyboardInterrupt as error:
      sys.stdout.flush()
      words = '; '.join(['interrupted', *error.args])
      print(words, file=sys.stderr, flush=True)
      # Computations still run in other threads and crash an orderly exit.
      os._exit(130)  # of a command that Ctrl-C has ended

  try:
    app.run(guarded, flags_parser=parse)
  except BrokenPipeError:  # the reader of the output has ended, as of `| head`
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def _print_help(headings):
  """Prints the introduction of the command, and its flags as they are defined.

  absl would sort them by name, and take two or three times the lines.
  """
  print(sys.modules['__main__'].__doc__.strip())
  for flag in flags.FLAGS.get_flags_for_module(sys.argv[0]):
    if headings.get(flag.name):
      print(f'\n{headings[flag.name]}')
    name = f'--[no]{flag.name}' if flag.boolean else f'--{flag.name}'
    is_shown = flag.default_as_str and not flag.boolean and flag.default != ''
    text = f'{name}={flag.default}' if is_shown else name
    indents = {'initial_indent': '  ', 'subsequent_indent': '      '}
    text = ' '.join(f'{text}: {flag.help}'.split())
    print(textwrap.fill(text, 80, **indents))
  sys.stdout.flush()


def _keep_programs():
  """Keeps compiled programs, also of workers, unless the user has chosen."""
  values = {'jax_persistent_cache_min_compile_time_secs': 0}
  if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
    with contextlib.suppress(OSError):
      programs = user_cache.code_folder('programs')
      if os.access(programs, os.W_OK):  # or JAX would warn of each program
        values['jax_compilation_cache_dir'] = str(programs)
  for name, value in values.items():
    if name.upper() not in os.environ:
      os.environ[name.upper()] = str(value)
      jax.config.update(name, value)


def _quiet_libraries():
  logging.set_verbosity(logging.WARNING)  # jax reports missing backends
  # Orbax logs the tracebacks of its threads, also of errors that are reported,
  # and an event loop ignores those of a checkpoint after its end.
  logging.get_absl_logger().addFilter(
    lambda record: 'orbax' not in record.pathname
  )
  standard_logging.getLogger('asyncio').setLevel(standard_logging.CRITICAL)
  sys.unraisablehook = lambda ignored: (
    str(ignored.exc_value) == 'Event loop is closed'
    or sys.__unraisablehook__(ignored)
  )
