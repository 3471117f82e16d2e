"""Data parallelism: the devices of a mesh share each batch.

All devices run the same program on the same arguments and return the same
result. In between, each device processes its own shard of each batch.
Thresholds depend on the position of a sample in the full batch, and the
devices sum integer coincidences, so a network learns the same weights on any
number of devices, provided that the products of one sample are rounded alike.
For the ANN, and for updates without spikes, the devices sum floats, whose last
bits depend on the number of devices.
"""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types

AXIS = 'batch'


def make_mesh(
  batch_size: int, devices: Sequence[jax.Device] | None = None
) -> jax.sharding.Mesh:
  """Builds the mesh of the given devices, or of all devices, with `AXIS`.

  Raises `UserError` if the number of devices does not divide the batch size.
  """
  devices = jax.devices() if devices is None else devices
  if batch_size % len(devices):
    raise types.UserError(
      f'batch_size={batch_size} cannot be shared evenly by {len(devices)} '
      'devices; make it a multiple of their number, or use fewer devices.'
    )
  return jax.sharding.Mesh(np.array(devices), (AXIS,))


def run_on(
  mesh: jax.sharding.Mesh | None, function: Callable[..., Any], **options: Any
) -> Callable[..., Any]:
  """Compiles a pure function, which may use `AXIS`, for all devices of a mesh.

  Args:
    mesh: the mesh; None is one device, without `AXIS`.
    function: the function; arguments and results are equal on all devices.
    **options: options of `jax.jit`.

  Returns:
    The compiled function.
  """
  if mesh is None:
    return jax.jit(function, **options)
  replicated = jax.sharding.PartitionSpec()
  mapped = jax.shard_map(
    function,
    mesh=mesh,
    in_specs=replicated,
    out_specs=replicated,
    check_vma=False,  # the check needs annotations in every scan
  )
  return jax.jit(mapped, **options)


def replicate(mesh: jax.sharding.Mesh, tree: Any) -> Any:
  """Copies arrays to all devices of a mesh."""
  spec = jax.sharding.PartitionSpec()
  return jax.device_put(tree, jax.sharding.NamedSharding(mesh, spec))


def local_shard(
  batches: jax.Array, axis_name: str | None, padding: int = 0
) -> jax.Array:
  """Returns the shards `[S, ceil(B / D)]` of S batches for one of D devices.

  Shards are in the order of the devices; the last shards are padded.
  """
  if axis_name is None:
    return batches
  num_devices = jax.lax.axis_size(axis_name)
  size = -(-batches.shape[1] // num_devices)
  missing = size * num_devices - batches.shape[1]
  padded = jnp.pad(batches, ((0, 0), (0, missing)), constant_values=padding)
  first = jax.lax.axis_index(axis_name) * size
  return jax.lax.dynamic_slice_in_dim(padded, first, size, axis=1)


def gather_shards(tree: Any, axis_name: str | None) -> Any:
  """Concatenates shards `[S, B / D]` of D devices in their order: `[S, B]`."""
  if axis_name is None:
    return tree
  return jax.lax.all_gather(tree, axis_name, axis=1, tiled=True)
