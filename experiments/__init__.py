"""Experiments with ssnn_jax, run as `python -m experiments.NAME`."""

import sys

# While Python locates the module of `-m`, and this package is imported first.
if sys.argv[:1] == ['-m'] and any(
  word.removeprefix('-m').startswith('experiments.') for word in sys.orig_argv
):
  from experiments.config import interrupts

  interrupts.install()
