"""Many devices at one batch: each takes its part, and counts are summed.

A program is written for one device and run by all of them, on the same
arguments and with the same result. In between, where it names the axis of the
mesh, a device treats its own part of each batch. Thresholds depend on a
sample's position in the whole batch, and coincidences are integers, so that a
network learns the same on any number of devices as far as these round the
products of one sample alike. Errors of `update='rates'` and of the ANN are
floats, and their sums differ in the last bits.
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
  """Lays devices out along the axis that batches are cut on.

  Args:
    batch_size: samples of the batches that they are to share.
    devices: the devices; None takes all, those of other processes too.

  Returns:
    The mesh, of one axis, `AXIS`.

  Raises:
    UserError: if a batch cannot be cut into parts of one size.
  """
  devices = jax.devices() if devices is None else devices
  if batch_size % len(devices):
    raise types.UserError(
      f'batch_size={batch_size} cannot be shared evenly by {len(devices)} '
      'devices; make it a multiple of their number, or use fewer devices.'
    )
  return jax.sharding.Mesh(np.array(devices), (AXIS,))


def run_on(
  mesh: jax.sharding.Mesh, function: Callable[..., Any], **options: Any
) -> Callable[..., Any]:
  """Compiles a function to be run by all devices of a mesh.

  Args:
    mesh: the devices.
    function: pure; it may name `AXIS`, and what it returns must be the same on
      all devices.
    **options: for `jax.jit`.

  Returns:
    The jitted function; arguments and results are the same on all devices.
  """
  everywhere = jax.sharding.PartitionSpec()
  mapped = jax.shard_map(
    function,
    mesh=mesh,
    in_specs=everywhere,
    out_specs=everywhere,
    check_vma=False,  # which wants every carry of a scan to be marked by hand
  )
  return jax.jit(mapped, **options)


def replicate(mesh: jax.sharding.Mesh, tree: Any) -> Any:
  """Puts arrays on all devices of a mesh, whole.

  Args:
    mesh: the devices.
    tree: arrays, the same in every process.

  Returns:
    The same tree, on the devices.
  """
  target = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

  def put(array):
    return jax.make_array_from_callback(
      array.shape, target, lambda index: array[index]
    )

  return jax.tree.map(put, tree)


def own_part(
  batches: jax.Array, axis_name: str | None, padding: int = 0
) -> jax.Array:
  """Takes a device's own part of each batch, in order of the devices.

  Args:
    batches: `[S, B]` what each sample of S batches has.
    axis_name: axis of the mesh; None for a device that has all.
    padding: what a part has for a sample too few.

  Returns:
    `[S, ceil(B / D)]` where D devices share a batch.
  """
  if axis_name is None:
    return batches
  num_devices = jax.lax.axis_size(axis_name)
  size = -(-batches.shape[1] // num_devices)
  missing = size * num_devices - batches.shape[1]
  padded = jnp.pad(batches, ((0, 0), (0, missing)), constant_values=padding)
  first = jax.lax.axis_index(axis_name) * size
  return jax.lax.dynamic_slice_in_dim(padded, first, size, axis=1)


def all_parts(tree: Any, axis_name: str | None) -> Any:
  """Joins the parts of batches that devices have, in order of the devices.

  Args:
    tree: arrays `[S, B / D]`.
    axis_name: axis of the mesh; None for a device that has all.

  Returns:
    The same tree of arrays `[S, B]`, the same on all devices.
  """
  if axis_name is None:
    return tree
  return jax.lax.all_gather(tree, axis_name, axis=1, tiled=True)
