"""Checks: the one place of what is refused, in a sentence with the remedy.

Configurations check their fields when they are made, functions their arguments
when they are called. Refused is what would be wrong in silence, or lose data;
anything else may raise as Python and JAX do.
"""

from collections.abc import Iterator
import contextlib
import functools
import numbers
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types

MAX_COUNT = 2**31 - 1  # counts and indices are int32
POSITIVE = 'a positive 32-bit number'
COUNT = f'a whole number from 1 to {MAX_COUNT}'
_SMALLEST, _LARGEST = 2.0**-126, (2 - 2**-23) * 2.0**127  # float32, above 0


def check_field(config: Any, name: str, is_valid: bool, expected: str) -> None:
  """Raises an error that names a field, its value and the expected value."""
  if not is_valid:
    value = getattr(config, name)
    raise types.UserError(f'{name} is {value!s:.200}; expected {expected}.')


def is_integer(value: Any) -> bool:
  """Returns whether a value is a whole number, of Python or NumPy."""
  return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_count(value: Any, smallest: int = 1) -> bool:
  """Returns whether a value is a whole number, `smallest` to `MAX_COUNT`."""
  return is_integer(value) and smallest <= value <= MAX_COUNT


def is_real(value: Any) -> bool:
  """Returns whether a value is a number, of Python or NumPy."""
  return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
  """Returns whether a value is a number that is finite as a float32."""
  return is_real(value) and abs(value) <= _LARGEST


def is_positive(value: Any) -> bool:
  """Returns whether a value is a number above 0, also as a float32."""
  return is_finite(value) and value >= _SMALLEST


@contextlib.contextmanager
def explain(
  subject: object, remedy: str, problem: str = 'cannot be read'
) -> Iterator[None]:
  """Converts errors of any type and length to a `UserError` of one sentence."""
  try:
    yield
  except types.UserError as error:
    raise types.UserError(f'{subject}: {error}') from None
  except (Exception, SystemExit) as error:  # tonic may exit
    cause = str(error).partition('\n')[0][:200].rstrip('. ')
    raise types.UserError(
      f'{subject} {problem} ({cause or type(error).__name__}); {remedy}.'
    ) from error


@contextlib.contextmanager
def extra(name: str) -> Iterator[None]:
  """Names the extra of the project that has a package which is missing."""
  try:
    yield
  except ModuleNotFoundError as error:
    raise types.UserError(
      f"the package {error.name} is not installed; pip install '.[{name}]' in "
      'the clone of the project.'
    ) from error


def check_type(name: str, value: Any, kind: type, example: str) -> None:
  """Refuses values of another type; the example makes one of the type."""
  if not isinstance(value, kind):
    raise types.UserError(
      f'{name} is of type {type(value).__name__}; expected {example}.'
    )


def check_finite(params: Any) -> None:
  """Refuses parameters that are NaN or infinite."""
  if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
    raise types.UserError('params are NaN or infinite; expected finite ones.')


def check_rate(name: str, value: Any) -> None:
  """Refuses numbers that are negative, or infinite as a float32.

  Arrays are not checked, which `jax.jit` and `jax.vmap` may trace.
  """
  is_valid = is_finite(value) and value >= 0
  if not is_valid and not isinstance(value, jax.Array | np.ndarray):
    raise types.UserError(
      f'{name} is {value}; expected a finite number, 0 or more.'
    )


def check_array(name: str, value: jax.Array | np.ndarray) -> None:
  """Refuses arrays that are empty, or have masked elements."""
  if not value.size:
    raise types.UserError(
      f'{name} have shape {value.shape}; expected one sample or more.'
    )
  if np.ma.is_masked(value):  # arrays of JAX would show the masked values
    raise types.UserError(
      f'{name} have masked values; fill them, or leave these samples out.'
    )


def check_labels(
  labels: jax.Array | np.ndarray,
  shape: tuple[int, ...],
  num_classes: int,
  *,
  is_masked: bool = False,
) -> None:
  """Raises a UserError if labels are not one class for each input.

  The values of tracers are not seen, and those of masked labels not checked.
  """
  is_integer = jnp.issubdtype(labels.dtype, jnp.integer)
  if labels.shape != shape or not is_integer:
    raise types.UserError(
      f'labels are {labels.dtype} of shape {labels.shape}; expected one '
      f'integer class for each of the inputs, of shape {shape}: '
      'labels.argmax(axis=-1) of one-hot ones.'
    )
  if is_masked or isinstance(labels, jax.core.Tracer):
    return
  values = np.asarray(labels)
  if values.min() < 0 or values.max() >= num_classes:
    raise types.UserError(
      f'labels lie within [{values.min()}, {values.max()}]; expected classes '
      f'from 0 to {num_classes - 1}.'
    )


def check_params(network: Any, params: Any) -> None:
  """Refuses parameters of another network."""
  shapes = [jax.tree.map(np.shape, x) for x in (params, find_shapes(network))]
  found, expected = map(jax.tree.flatten, shapes)
  if found != expected:
    raise types.UserError(
      f'params have the shapes {shapes[0]!s:.300}, but the network has '
      f'{shapes[1]!s:.300}; pass the params of this network, as of init, or '
      'state.params of a result of fit.'
    )


@functools.lru_cache(maxsize=64)
def find_shapes(network: Any) -> Any:
  """Returns the shapes of the parameters of a network, in their structure.

  A network is a function or a configuration, with `init(key)`.
  """
  return jax.eval_shape(network.init, jax.random.key(0))


def mark_classes(labels: jax.Array, logits: jax.Array) -> jax.Array:
  """Returns 1 for each label that is a class of `[..., C]` logits, or NaN."""
  is_class = (0 <= labels) & (labels < logits.shape[-1])
  return jnp.where(is_class, 1.0, jnp.nan)
