"""Time: traces, leaky averages, and answers at the moments of a signal."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import types

ANSWERS = 'last', 'each'


def trace(
  rates: jax.Array, decays: Sequence[float], axis: int = 1
) -> jax.Array:
  """Computes leaky averages z_t = a z_(t-1) + (1 - a) x_t, from 0.

  A memory without parameters, in which dense layers above see the past. Below
  `spike(bptt=False)` an error goes to the x of its moment, times 1 - a.

  Args:
    rates: `[..., I]` x, floats with an axis of moments before the last one.
    decays: the D decays a, each 0 or more and below 1; 0 is the present.
    axis: axis of the moments.

  Returns:
    `[..., D I]` traces, all I of the first decay first.

  Example:
    >>> x = jnp.array([[[1.0], [0.0], [0.0]]])
    >>> ssnn_jax.trace(x, (0, 0.5))[0]
    Array([[1.   , 0.5  ],
           [0.   , 0.25 ],
           [0.   , 0.125]], dtype=float32)
  """
  if not jnp.issubdtype(rates.dtype, jnp.floating):
    raise types.UserError(
      f'rates are {rates.dtype}, which would round traces; expected floats.'
    )
  kept = np.array(decays, rates.dtype)[:, None]
  if not np.all((0 <= kept) & (kept < 1)):
    raise types.UserError(
      f'decays are {decays}; expected numbers from 0 on, below 1.'
    )

  def leak(before, now):
    received = now[..., None, :]
    ours = np.expand_dims(kept, tuple(range(received.ndim - 2)))
    after = ours * before + (1 - ours) * received
    return after, after

  moments = jnp.moveaxis(rates, axis, 0)
  *others, size = moments.shape[1:]
  start = jnp.zeros((*others, len(kept), size), rates.dtype)
  _, traces = jax.lax.scan(leak, start, moments)
  traces = traces.reshape(*moments.shape[:-1], len(kept) * size)
  return jnp.moveaxis(traces, 0, axis)


def spread(labels: jax.Array, length: int) -> jax.Array:
  """Returns `[B, L]` labels of moments: as given, or those of signals, `[B]`.

  Raises `UserError` if labels are of another number of moments than L.
  """
  if labels.ndim == 1:
    library = jnp if isinstance(labels, jax.Array) else np
    return library.repeat(labels[:, None], length, axis=1)
  if labels.ndim != 2 or labels.shape[1] != length:
    raise types.UserError(
      f'labels have shape {labels.shape}; expected one of each signal, [B], or '
      f'of each of {length} moments, [B, {length}].'
    )
  return labels


def check_answers(labels: np.ndarray, answers: str) -> None:
  """Refuses `[N, L]` labels that change where a signal has one class."""
  if answers == 'last' and labels.ndim == 2:
    known = np.max(labels, axis=1, keepdims=True)
    if np.any((labels >= 0) & (labels != known)):
      raise types.UserError(
        "labels change within a signal, but the model answers 'last', one "
        "class of the whole; give it answers='each'."
      )


def weigh(
  labels: jax.Array,
  answers: str,
  before: jax.Array | None = None,
  total: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
  """Returns the weights of moments in the loss, and in the accuracy.

  Those of a signal sum to 1; of one without labels they are 0.

  Args:
    labels: `[B, L]` classes, -1 (or below) of moments without one.
    answers: 'last', where the loss weighs a moment by its number among those
      with a label, and the last one answers; or 'each', all moments alike.
    before: `[B]` moments with a label before these, of some moments of a
      signal; None is 0.
    total: `[B]` moments with a label of the whole signal; None is of these.

  Returns:
    `[B, L]` float32 each.
  """
  is_labelled = (labels >= 0).astype(jnp.float32)
  numbers = jnp.cumsum(is_labelled, axis=1)
  if before is not None:
    numbers = numbers + before[:, None]
  if total is None:
    total = jnp.sum(is_labelled, axis=1)
  scale = lambda own, most: own / jnp.maximum(most, 1.0)[:, None]
  if answers == 'each':
    alike = scale(is_labelled, total)
    return alike, alike
  is_last = (numbers == total[:, None]) & (labels >= 0)
  weights = scale(is_labelled * numbers, total * (total + 1) / 2)
  return weights, is_last.astype(jnp.float32)
