"""Strict settings for every test."""

from absl import flags
import jax


def pytest_configure():
  jax.config.update('jax_debug_key_reuse', True)
  jax.config.update('jax_numpy_dtype_promotion', 'strict')
  jax.config.update('jax_numpy_rank_promotion', 'raise')
  # absl's temporary folders ask for a flag, which pytest does not parse.
  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()
