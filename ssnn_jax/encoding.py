"""From images and recordings to the input layer, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig


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

  Example:
    >>> images = np.array([[[0, 51], [102, 255]]], np.uint8)
    >>> ssnn_jax.rate_encode(images).round(3)
    Array([[0. , 0.2, 0.4, 1. ]], dtype=float32)
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
    encoded = _encode_trains(inputs, config.num_steps)
  else:
    encoded = types.Inputs(rate_encode(inputs), None)
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


def _encode_trains(trains, num_steps):
  """Takes spikes as they are; their rate is their mean over the ticks."""
  num_words = spikes.count_words(num_steps)
  if trains.ndim != 3 or trains.shape[1] != num_words:
    raise types.UserError(
      f'spike trains have shape {trains.shape}; expected [B, {num_words}, I], '
      f'as num_steps={num_steps} ticks take {num_words} words of 32.'
    )
  mask = spikes.bits_before(num_steps, jnp.arange(num_words))
  trains = jnp.asarray(trains) & mask[None, :, None]
  rates = spikes.count(trains).astype(jnp.float32) / num_steps
  return types.Inputs(rates, trains)


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
