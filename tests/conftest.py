"""Strict settings for every test."""

import os
import signal
import tempfile

from absl import flags
import jax

# Tells workers, and what tests start, where the session keeps it.
COMPILED = 'SSNN_JAX_TESTS_COMPILED'


def pytest_configure(config):
  jax.config.update('jax_debug_key_reuse', True)
  jax.config.update('jax_numpy_dtype_promotion', 'strict')
  jax.config.update('jax_numpy_rank_promotion', 'raise')
  # Commands that tests interrupt inherit this; what a shell has started in the
  # background is deaf to it.
  signal.signal(signal.SIGINT, signal.default_int_handler)

  def make_folder():
    folder = tempfile.TemporaryDirectory(prefix='ssnn_jax-cache-')
    config.add_cleanup(folder.cleanup)
    return folder.name

  # Tests leave the user's own cache alone.
  os.environ['SSNN_JAX_CACHE_DIR'] = make_folder()
  # What one test has compiled others need not, nor the commands that they run.
  compiled = os.environ.get(COMPILED) or make_folder()
  os.environ[COMPILED] = os.environ['JAX_COMPILATION_CACHE_DIR'] = compiled
  os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
  # What is read while another writes it is compiled once more; the tests that
  # read the errors of a command need not hear of it.
  os.environ['PYTHONWARNINGS'] = (
    'ignore:Error reading persistent compilation cache entry:UserWarning'
  )
  jax.config.update('jax_compilation_cache_dir', compiled)
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
  # absl's temporary folders ask for a flag, which pytest does not parse.
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()
