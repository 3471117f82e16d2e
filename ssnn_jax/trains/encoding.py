"""Encoding of images and spike trains as inputs of a network."""

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.trains import words as words_lib

_ROUNDING = 1e-6  # of rates that a scaler of data computed


def encode(inputs: jax.Array | np.ndarray, num_steps: int) -> types.Inputs:
  """Encodes images as rates, and spike trains as trains with their rates.

  Spike trains are `[B, K, I]` uint32 words of 32 ticks, of which those from T
  on are masked. Raises a `UserError` as `rate_encode`.
  """
  if inputs.dtype != jnp.uint32:
    return types.Inputs(rate_encode(inputs), None)
  num_words = words_lib.count_words(num_steps)
  if inputs.ndim != 3 or inputs.shape[1] != num_words:
    raise types.UserError(
      f'spike trains have shape {inputs.shape}; expected [B, {num_words}, I], '
      f'as num_steps={num_steps} ticks take {num_words} words of 32.'
    )
  train = jnp.asarray(inputs) & words_lib.mask(num_steps)[None, :, None]
  rates = words_lib.count(train).astype(jnp.float32) / num_steps
  return types.Inputs(rates, train)


def rate_encode(images: jax.Array | np.ndarray) -> jax.Array:
  """Encodes images as the firing rates of their pixels.

  Inside `jax.jit` values are not seen, and wrong ones are NaN.

  Args:
    images: `[B, ...]` integer grey values from 0 to 255, float rates within
      [0, 1], or bool.

  Returns:
    `[B, I]` float32 spikes per tick, in [0, 1].

  Raises:
    UserError: on a wrong dtype or number of axes, NaN, or a rate out of range.

  Example:
    >>> images = np.array([[[0, 51], [102, 255]]], np.uint8)
    >>> ssnn_jax.rate_encode(images).round(3)
    Array([[0. , 0.2, 0.4, 1. ]], dtype=float32)
  """
  checks.check_array('images', images)
  if images.ndim < 2:
    raise types.UserError(
      f'images have shape {images.shape}; expected a batch, [B, H, W] or '
      '[B, I]: add a leading axis for a single image.'
    )
  check_values('images', images)
  images = images.reshape(images.shape[0], -1)
  if images.dtype == bool:
    return jnp.asarray(images, jnp.float32)
  is_grey = jnp.issubdtype(images.dtype, jnp.integer)
  white = 255.0 if is_grey else 1.0
  values = jnp.asarray(images, jnp.float32)
  rates = jnp.clip(values / white, 0.0, 1.0)
  if not isinstance(images, jax.core.Tracer):
    return rates
  is_valid = (-_ROUNDING <= values) & (values <= white + _ROUNDING)
  if is_grey:
    is_valid &= jnp.max(images) != 1
  return jnp.where(is_valid, rates, jnp.nan)


def check_values(name: str, images: jax.Array | np.ndarray) -> None:
  """Refuses images that are not grey values, rates or bool; sees no tracer.

  Integers 0 and 1 are no grey values up to 255, which would be almost black.
  """
  is_grey = jnp.issubdtype(images.dtype, jnp.integer)
  if images.dtype == bool:
    return
  if not is_grey and not jnp.issubdtype(images.dtype, jnp.floating):
    raise types.UserError(
      f'{name} have dtype {images.dtype}; expected grey values from 0 to 255 '
      'of an integer dtype, or float rates within [0, 1].'
    )
  if isinstance(images, jax.core.Tracer):
    return
  # A constant of a trace is an array, whose minimum by JAX would be traced.
  images = np.asarray(images)
  low, high = images.min(), images.max()
  white = 255 if is_grey else 1
  is_within = low >= -_ROUNDING and high <= white + _ROUNDING
  if is_within and not (is_grey and high == 1):
    return
  remedy = 'rates within [0, 1]: (x - low) / (high - low) of training samples'
  if is_grey:
    remedy = 'grey values from 0 to 255, or bool instead of 0 and 1'
  raise types.UserError(
    f'values of {name} lie within [{low:.7g}, {high:.7g}]; expected {remedy}.'
  )
