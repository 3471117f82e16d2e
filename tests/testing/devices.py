"""Updates of arrays of devices, for tests."""

import jax.numpy as jnp

from ssnn_jax import types


def make_update(up, down, shape, unit=1.0, num_arrays=1):
  """Returns equal counts at all devices of the arrays."""
  return types.Update(
    positive=(jnp.full(shape, down),) * num_arrays,
    negative=(jnp.full(shape, up),) * num_arrays,
    unit=(jnp.float32(unit),) * num_arrays,
  )
