"""Checks of the arguments of functions, whose names the errors give."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types


def check_type(name: str, value: Any, kind: type, example: str) -> None:
  """Refuses values of another type; the example makes one of the type."""
  if not isinstance(value, kind):
    raise types.UserError(
      f'{name} is of type {type(value).__name__}; expected {example}.'
    )


def check_network(network: Any) -> None:
  """Refuses what is not a network, such as its configuration."""
  check_type('network', network, types.Network, 'a Network, as ssnn(config)')


def check_count(name: str, value: Any) -> int:
  """Returns a count as an int; refuses other values."""
  if not types.is_count(value):
    raise types.UserError(f'{name} is {value!r}; expected {types.COUNT}.')
  return int(value)


def check_rate(name: str, value: Any) -> None:
  """Refuses numbers that are negative, or infinite as a float32.

  Arrays are not checked, which `jax.jit` and `jax.vmap` may trace.
  """
  is_valid = types.is_finite(value) and value >= 0
  if not is_valid and not isinstance(value, jax.Array | np.ndarray):
    raise types.UserError(
      f'{name} is {value}; expected a finite number, 0 or more.'
    )


def check_array(name: str, value: Any) -> None:
  """Refuses values that are no arrays, and arrays without elements."""
  is_array = isinstance(value, jax.Array | np.ndarray)
  if not is_array or not value.size:
    found = f'of type {type(value).__name__}'
    if is_array:
      found = f'an array of shape {value.shape}'
    raise types.UserError(
      f'{name} are {found}; expected an array of one sample or more.'
    )


def check_key(key: Any) -> None:
  """Refuses values that are no PRNG key, and arrays of keys."""
  is_typed = isinstance(key, jax.Array) and jnp.issubdtype(
    key.dtype, jax.dtypes.prng_key
  )
  is_raw = isinstance(key, jax.Array | np.ndarray) and key.dtype == np.uint32
  if not (is_typed and key.ndim == 0) and not (is_raw and key.ndim == 1):
    found = f'of type {type(key).__name__}'
    if is_typed:
      found = f'of shape {key.shape}'
    raise types.UserError(
      f'key is {found}; expected one key, as jax.random.key(0).'
    )
