"""Batches, and compilation, for tests of small networks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

# Compiler options for functions that run for less time than they compile.
QUICKLY = {
  'xla_backend_optimization_level': 0,
  'xla_llvm_disable_expensive_passes': True,
}
jit = functools.partial(jax.jit, compiler_options=QUICKLY)


def batch(num_inputs, num_classes, size=12):
  """Returns rates `[B, I]` and labels `[B]`."""
  images = jax.random.uniform(jax.random.key(1), (size, num_inputs))
  return images, jnp.arange(size) % num_classes


def assert_close(found, expected):
  """Asserts that leaves agree up to rounding.

  Rounding errors are relative to the largest terms of a sum, and add up over
  the windows of a long presentation.
  """
  for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
    bound = 1e-5 * float(jnp.max(jnp.abs(theirs)))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)
