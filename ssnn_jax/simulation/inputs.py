"""What is checked and drawn once for the presentation of a batch."""

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig
from ssnn_jax.spikes import encoding
from ssnn_jax.spikes import thresholds


def encode_batch(
  config: NetworkConfig,
  params: types.Params,
  inputs: jax.Array | np.ndarray,
  labels: jax.Array | None = None,
) -> types.Inputs:
  """Checks a batch against a network and encodes it.

  Args:
    config: the network.
    params: its parameters.
    inputs: images, `[B, ...]` uint8 grey values or float rates within [0, 1];
      or spike trains, `[B, K, I]` uint32 words of 32 ticks, of which the first
      `config.num_steps` ticks are presented.
    labels: `[B]` integer classes.

  Returns:
    The rates of the inputs and, where they were given, their spikes.

  Raises:
    UserError: if a shape, a dtype or, outside `jax.jit`, a value is wrong.
  """
  sizes = config.layer_sizes
  shapes = [layer.weights.shape for layer in params]
  expected = list(zip(sizes[:-1], sizes[1:]))
  if shapes != expected:
    raise types.UserError(
      f'params have weights of shapes {shapes}, but layer_sizes asks for '
      f'{expected}; pass the params of this network.'
    )
  if inputs.dtype == jnp.uint32:
    encoded = encoding.encode_trains(inputs, config.num_steps)
  else:
    encoded = types.Inputs(encoding.rate_encode(inputs), None)
  batch_size, num_inputs = encoded.rates.shape
  if num_inputs != sizes[0]:
    kind = 'pixels' if encoded.train is None else 'trains'
    raise types.UserError(
      f'inputs have {num_inputs} {kind}, but layer_sizes starts with '
      f'{sizes[0]} inputs; make the two agree.'
    )
  if labels is not None:
    _check_labels(labels, batch_size, sizes[-1])
  return encoded


def _check_labels(labels, batch_size, num_classes):
  is_integer = jnp.issubdtype(labels.dtype, jnp.integer)
  if labels.shape != (batch_size,) or not is_integer:
    raise types.UserError(
      f'labels are {labels.dtype} of shape {labels.shape}; expected one '
      f'integer class for each of the {batch_size} inputs.'
    )
  if isinstance(labels, jax.core.Tracer) or not batch_size:
    return
  values = np.asarray(labels)
  if values.min() < 0 or values.max() >= num_classes:
    raise types.UserError(
      f'labels lie within [{values.min()}, {values.max()}]; expected classes '
      f'from 0 to {num_classes - 1}.'
    )


def batch_positions(batch_size: int, axis_name: str | None = None) -> jax.Array:
  """Numbers the samples that a device is given within the global batch.

  Args:
    batch_size: B, samples that each device is given.
    axis_name: axis of the mesh whose devices share the batch, if they do.

  Returns:
    `[B]` int32 positions.
  """
  first = jax.lax.axis_index(axis_name) * batch_size if axis_name else 0
  return first + jnp.arange(batch_size)


def dropout_masks(
  config: NetworkConfig, key: jax.Array, positions: jax.Array
) -> tuple[jax.Array, ...]:
  """Draws which hidden units take part in the presentation of each sample.

  Args:
    config: dropout and the architecture.
    key: PRNG key of the presentation.
    positions: `[B]` positions of the samples in the global batch.

  Returns:
    For each hidden layer `[B, J]` float32, 1 where a unit takes part and 0
    where it is silent.
  """
  sizes = config.layer_sizes[1:-1]
  if not config.dropout:
    shapes = [(len(positions), size) for size in sizes]
    return tuple(jnp.ones(shape, jnp.float32) for shape in shapes)
  make = thresholds.make_sampler(config.sampler, config.kernels)
  keys = thresholds.make_keys(key, len(config.layer_sizes))
  role, word, first_tick = thresholds.Role.DROPOUT, jnp.int32(0), jnp.uint32(1)

  def mask(position, layer, size):
    source = make(keys, role, layer, word, position, size)
    rates = jnp.full(size, 1.0 - config.dropout)
    return spikes.fire(source, rates, first_tick).astype(jnp.float32)

  def masks(position):
    return tuple(mask(position, *layer) for layer in enumerate(sizes))

  return jax.vmap(masks)(positions)
