"""Settings of libraries in commands: their caches and messages."""

import logging as standard_logging
import os
import sys

from absl import logging
import jax

from ssnn_jax import user_cache


def cache_programs() -> None:
  """Keeps compiled programs in the user's cache, also those of workers."""
  folder = str(user_cache.folder() / 'programs')
  for name, value in {
    'jax_compilation_cache_dir': folder,
    'jax_persistent_cache_min_compile_time_secs': 0,
  }.items():
    if name.upper() not in os.environ:
      os.environ[name.upper()] = str(value)
      jax.config.update(name, value)


def be_quiet() -> None:
  """Silences library messages about errors that the command reports."""
  logging.set_verbosity(logging.WARNING)  # jax reports missing backends
  # Orbax logs the tracebacks of its threads, and tensorstore the tracebacks of
  # operations that are abandoned after a failure.
  logging.get_absl_logger().addFilter(
    lambda record: 'orbax' not in record.pathname
  )
  standard_logging.getLogger('asyncio').setLevel(standard_logging.CRITICAL)
  show = sys.unraisablehook

  def show_others(unraisable):
    error = unraisable.exc_value
    is_interrupt = isinstance(error, KeyboardInterrupt)
    if not is_interrupt and str(error) != 'Event loop is closed':
      show(unraisable)

  sys.unraisablehook = show_others
