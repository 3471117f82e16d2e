"""From images to the spike rates of the input layer, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types


def rate_encode(images: jax.Array | np.ndarray) -> jax.Array:
  """Turns images into the rates at which their pixels spike.

  Values are checked where they are known; inside `jax.jit` only dtype and
  shape are, and rates are clipped.

  Args:
    images: `[B, ...]` uint8 grey values, or float rates within [0, 1].

  Returns:
    `[B, I]` float32 spikes per tick, in [0, 1].

  Raises:
    UserError: on a wrong dtype or number of axes, NaN, or a rate out of range.
  """
  if images.ndim < 2:
    raise types.UserError(
      f'images have shape {images.shape}; expected a batch, [B, H, W] or '
      '[B, I]: add a leading axis for a single image.'
    )
  images = images.reshape(images.shape[0], -1)
  if images.dtype == jnp.uint8:
    return jnp.asarray(images, jnp.float32) / 255.0
  if not jnp.issubdtype(images.dtype, jnp.floating):
    raise types.UserError(
      f'images have dtype {images.dtype}; expected uint8 grey values, or '
      'float rates within [0, 1].'
    )
  _check_rates(images)
  return jnp.clip(jnp.asarray(images, jnp.float32), 0.0, 1.0)


def _check_rates(rates):
  if isinstance(rates, jax.core.Tracer):
    return
  values = np.asarray(rates)
  if np.isnan(values).any():
    raise types.UserError(
      'images hold NaN; a rate must be a number within [0, 1].'
    )
  if values.size and (values.min() < 0.0 or values.max() > 1.0):
    raise types.UserError(
      f'images lie within [{values.min():g}, {values.max():g}]; rates must '
      'lie within [0, 1]: divide grey values by 255 or pass them as uint8.'
    )


def encode_batch(
  layer_sizes: tuple[int, ...],
  params: types.Params,
  images: jax.Array,
  labels: jax.Array | None = None,
) -> jax.Array:
  """Checks a batch against a network and encodes its images.

  Args:
    layer_sizes: neurons of each layer, from the inputs to the classes.
    params: the network's parameters.
    images: `[B, ...]` uint8 grey values, or float rates within [0, 1].
    labels: `[B]` integer classes.

  Returns:
    `[B, I]` float32 spikes per tick, in [0, 1].

  Raises:
    UserError: if a shape, a dtype or, outside `jax.jit`, a value is wrong.
  """
  shapes = [layer.weights.shape for layer in params]
  expected = list(zip(layer_sizes[:-1], layer_sizes[1:]))
  if shapes != expected:
    raise types.UserError(
      f'params have weights of shapes {shapes}, but layer_sizes asks for '
      f'{expected}; pass the params of this network.'
    )
  rates = rate_encode(images)
  if rates.shape[1] != layer_sizes[0]:
    raise types.UserError(
      f'images have {rates.shape[1]} pixels, but layer_sizes starts with '
      f'{layer_sizes[0]} inputs; make the two agree.'
    )
  if labels is not None:
    _check_labels(labels, rates.shape[0], layer_sizes[-1])
  return rates


def _check_labels(labels, batch_size, num_classes):
  is_integer = jnp.issubdtype(labels.dtype, jnp.integer)
  if labels.shape != (batch_size,) or not is_integer:
    raise types.UserError(
      f'labels are {labels.dtype} of shape {labels.shape}; expected one '
      f'integer class for each of the {batch_size} images.'
    )
  if isinstance(labels, jax.core.Tracer) or not batch_size:
    return
  values = np.asarray(labels)
  if values.min() < 0 or values.max() >= num_classes:
    raise types.UserError(
      f'labels lie within [{values.min()}, {values.max()}]; expected classes '
      f'from 0 to {num_classes - 1}.'
    )
