"""Batches of samples, checked and encoded."""

from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.stochastic.config import NetworkConfig
from ssnn_jax.trains import encoding


class Batch(NamedTuple):
  """Samples of a presentation."""

  position: jax.Array  #: [B] int32 position in the global batch
  inputs: types.Inputs  #: [B, ...] encoded inputs
  label: jax.Array | None  #: [B] or [B, L] integer class; None in inference


def prepare(
  network: NetworkConfig,
  params: Any,
  key: jax.Array,
  inputs: jax.Array | np.ndarray,
  labels: jax.Array | None = None,
  axis_name: str | None = None,
) -> Batch:
  """Checks and encodes a batch.

  Args:
    network: the configuration.
    params: its parameters.
    key: PRNG key of the presentation.
    inputs: `[B, ...]` images or `[B, K, I]` spike trains, as for `Network`.
    labels: `[B]` or `[B, L]` integer classes, or None.
    axis_name: axis of a mesh whose devices share the batch; None without one.

  Returns:
    The batch of this device.

  Raises:
    UserError: if a shape, a dtype or, outside `jax.jit`, a value is wrong.
  """
  checks.check_params(network, params)
  encoded = encoding.encode(inputs, network.num_steps)
  expected = network.input_shape
  if expected is None:
    expected = network.layer_sizes[:1]
  shape = tuple(inputs.shape[1:])
  if inputs.dtype != jnp.uint32:
    # A single channel may have an axis or none, and pixels may be flat.
    given, wanted = ([n for n in own if n > 1] for own in (shape, expected))
    if given != wanted and len(given) > 1 and len(wanted) > 1:
      raise types.UserError(
        f'images have shape {shape}, but input_shape is {expected}; make the '
        'two agree, with the same order of axes.'
      )
  batch_size, num_inputs = encoded.rates.shape
  size = int(np.prod(expected))
  if num_inputs != size:
    raise types.UserError(
      f'inputs have {num_inputs} values of a sample, but the network has '
      f'{size} inputs; make the two agree: image[None] is a batch of one.'
    )
  first = jax.lax.axis_index(axis_name) * batch_size if axis_name else 0
  return Batch(first + jnp.arange(batch_size), encoded, labels)
