"""Settings of all tests.

Programs are compiled with few optimizations, as tests run them for less time
than an optimized compilation takes; JAX_DISABLE_MOST_OPTIMIZATIONS=0 tests
optimized programs. They are kept in build/tests, so that a second run takes
less time; `make clean` removes them.
"""

import gc
import os
import pathlib
import signal
import tempfile

from absl import flags
import jax
import pytest

COMPILED = pathlib.Path(__file__).parent.parent / 'build' / 'tests'


def pytest_configure(config):
  jax.config.update('jax_debug_key_reuse', True)
  jax.config.update('jax_numpy_dtype_promotion', 'strict')
  jax.config.update('jax_numpy_rank_promotion', 'raise')
  gc.set_threshold(20_000, 20, 20)  # most of what tracing makes is kept
  if os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1') == '1':
    jax.config.update('jax_disable_most_optimizations', True)
    if jax.__version_info__[:2] == (0, 10):  # later versions have no such flag
      flags_of_xla = os.environ.get('XLA_FLAGS', '')
      quickly = (
        '--xla_cpu_use_fusion_emitters=false '
        '--xla_cpu_parallel_codegen_split_count=1'
      )
      os.environ['XLA_FLAGS'] = f'{flags_of_xla} {quickly}'.strip()
  # Shells start background jobs that ignore SIGINT, which commands inherit.
  signal.signal(signal.SIGINT, signal.default_int_handler)
  folder = tempfile.TemporaryDirectory(prefix='ssnn_jax-cache-')
  config.add_cleanup(folder.cleanup)
  os.environ['SSNN_JAX_CACHE_DIR'] = folder.name  # not that of the user
  programs = COMPILED / 'verilator'
  programs.mkdir(mode=0o755, parents=True, exist_ok=True)
  pathlib.Path(folder.name, programs.name).symlink_to(programs)
  # Of workers, and of commands that tests start, too.
  os.environ['JAX_COMPILATION_CACHE_DIR'] = str(COMPILED)
  os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
  # A process that reads an entry while another writes it compiles it again, and
  # warns; some tests compare all errors of a command.
  os.environ['PYTHONWARNINGS'] = (
    'ignore:Error reading persistent compilation cache entry:UserWarning'
  )
  jax.config.update('jax_compilation_cache_dir', str(COMPILED))
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
  # Temporary folders of absl need parsed flags.
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_auto_num_workers():
  # One more than the cores, as some tests wait for processes.
  return os.cpu_count() + 1
