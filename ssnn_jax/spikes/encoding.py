"""From images and recordings to the input layer, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
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


def encode_trains(
  trains: jax.Array | np.ndarray, num_steps: int
) -> types.Inputs:
  """Checks spike trains; their rates are their means over the ticks.

  Args:
    trains: `[B, K, I]` uint32 words of 32 ticks.
    num_steps: T; the ticks from T on are masked.

  Returns:
    The trains and their rates.

  Raises:
    UserError: if the number of words is not the number that T ticks take.
  """
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
