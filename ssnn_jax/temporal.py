"""Time: traces of spikes at a synapse, and answers at the moments of a signal.

A dendrite keeps leaky averages of the spikes x_t of each presynaptic neuron, at
several decays a, over the moments t of a signal::

  z_t = a z_(t-1) + (1 - a) x_t

A linear memory without parameters, in which static layers above see the past.
Its derivative is local in time: the error of a moment goes back through the
(1 - a) of the spikes of this moment, and a synapse learns its trace times the
present error, X E. Nothing of the past is stored but the traces.

That is the exact gradient of one layer of traces whose inputs are data, as what
the traces keep depends on no parameter. Of stacked layers it leaves out how the
layers below acted on earlier moments, as N. Zucchet et al. (Online learning of
long-range dependencies, NeurIPS 2023, arXiv 2305.15947) do between layers of
linear recurrences, and e-prop (G. Bellec et al., Nature Communications 11,
3625, 2020) between the neurons of a recurrent network. `bptt=True` has the
exact gradient, backpropagation through time, to compare.
"""

from collections.abc import Sequence
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import checks
from ssnn_jax import types

_BLOCK = 128  # moments that are computed at once

ANSWERS = 'last', 'each'


class Memory(NamedTuple):
  """The traces of a call of `trace`, by its arguments."""

  decays: tuple[float, ...]
  axis: int
  bptt: bool
  bits: int | None


def trace(
  rates: jax.Array,
  decays: Sequence[float],
  axis: int = 1,
  *,
  bptt: bool = False,
  bits: int | None = None,
) -> jax.Array:
  """Computes traces, leaky averages of rates over the moments of a signal.

  Args:
    rates: `[..., I]` rates of the presynaptic neurons, with an axis of moments
      before the last one.
    decays: the D decays a, each 0 or more and below 1; 0 is the present.
    axis: axis of the moments.
    bptt: whether the derivative is exact, through time, and not local.
    bits: bits after the binary point of the memory, in integers: what leaks of
      a trace, z / 2^k, is rounded to multiples of 2^-bits, so that sums are
      exact in any order. The decays are 1 - 2^-k; N 2^k of the rates should
      divide 2^bits, and counts of N 2^k have 23 bits at most. None is float32.

  Returns:
    `[..., D I]` traces, all I of the first decay first.

  Raises:
    UserError: if decays are out of range, or not 1 - 2^-k with `bits`.

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
  decays = tuple(map(float, decays))
  if not decays or not all(0 <= own < 1 for own in decays):
    raise types.UserError(
      f'decays are {decays}; expected numbers from 0 on, below 1.'
    )
  num_axes = rates.ndim
  axis = axis % num_axes if -num_axes <= axis < num_axes else num_axes
  if axis >= num_axes - 1:
    raise types.UserError(
      f'rates have shape {rates.shape}; expected moments on an axis before '
      'that of the neurons, which is the last.'
    )
  if bits is not None:
    is_power = all(math.frexp(1 - own)[0] == 0.5 for own in decays)
    if not is_power or not checks.is_count(bits, 0):
      raise types.UserError(
        f'bits is {bits!r} with decays {decays}; expected a number of bits, '
        'and decays 1 - 2^-k, as 0, 0.5, 0.75.'
      )
  return recall(rates, Memory(decays, axis, bptt, bits))


def recall(rates: jax.Array, memory: Memory) -> jax.Array:
  """Returns the traces of `trace` from rest."""
  return advance(rates, memory, rest(rates, memory))[0]


def rest(rates: jax.Array, memory: Memory) -> jax.Array:
  """Returns traces before the first moment: 0, `[..., D, I]` without moments.

  Rates may be a `jax.ShapeDtypeStruct`.
  """
  *before, size = rates.shape[: memory.axis] + rates.shape[memory.axis + 1 :]
  shape = *before, len(memory.decays), size
  return jnp.zeros(shape, jnp.result_type(rates.dtype, jnp.float32))


def advance(
  rates: jax.Array, memory: Memory, carry: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Computes the traces of some moments, and what they leave to the next.

  Args:
    rates: as of `trace`, of one moment or more.
    memory: the arguments of `trace`.
    carry: `[..., D, I]` traces of the moment before.

  Returns:
    The traces, and those of the last moment as a carry.
  """
  return (_advance if memory.bptt else _advance_locally)(rates, memory, carry)


def _advance(rates, memory, carry):
  before = math.prod(rates.shape[: memory.axis])
  size, *after = rates.shape[memory.axis :]
  moments = rates.astype(carry.dtype).reshape(before, size, *after)
  own = carry.reshape(before, *carry.shape[memory.axis :])
  step = 1 if memory.bits is not None else min(_BLOCK, size)
  run = lambda carry, block: _advance_block(carry, block, memory)
  if step == size:
    traces = run(own, moments)[1]
  else:
    padding = [(0, 0), (0, -size % step), *[(0, 0)] * len(after)]
    blocks = jnp.pad(moments, padding).reshape(before, -1, step, *after)
    _, traces = jax.lax.scan(run, own, jnp.moveaxis(blocks, 1, 0))
    traces = jnp.moveaxis(traces, 0, 1)
    traces = traces.reshape(before, -1, *traces.shape[3:])[:, :size]
  last = traces[:, -1].reshape(carry.shape)
  return traces.reshape(join(rates.shape, memory)).astype(rates.dtype), last


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _advance_locally(rates, memory, carry):
  """Advances; errors go back to the present alone."""
  return _advance(rates, memory, carry)


def _send_back(memory, _, errors):
  traces, carry = errors
  shape = *traces.shape[:-1], len(memory.decays), -1
  traces = traces.reshape(shape)
  gains = _find_gains(memory, traces)
  return jnp.sum(gains * traces, axis=-2), jnp.zeros_like(carry)


_advance_locally.defvjp(
  lambda rates, memory, carry: (_advance(rates, memory, carry), None),
  _send_back,
)


def join(shape: tuple[int, ...], memory: Memory) -> tuple[int, ...]:
  """Returns the shape of the traces of rates of a shape."""
  return (*shape[:-1], len(memory.decays) * shape[-1])


def _find_gains(memory, traces):
  """Returns the gains 1 - a of what is received, on the axes of traces."""
  gains = (1 - np.array(memory.decays))[:, None]
  gains = np.expand_dims(gains, tuple(range(traces.ndim - 2)))
  return jnp.asarray(gains, traces.dtype)


def _advance_block(carry, moments, memory):
  """Computes the traces `[P, l, ..., D, I]` of a block of l moments."""
  decays, length = np.array(memory.decays), moments.shape[1]
  if memory.bits is not None:
    past = _leak(carry, memory)[:, None]
  else:
    ages = np.arange(length)[:, None] - np.arange(length)
    powers = decays[:, None, None] ** np.maximum(ages, 0)
    weights = np.where(ages > 0, (1 - decays)[:, None, None] * powers, 0.0)
    kept = decays ** np.arange(1, length + 1)[:, None]
    kept = kept.reshape(1, length, *[1] * (carry.ndim - 3), len(decays), 1)
    past = jnp.einsum(
      'dts,ps...i->pt...di',
      jnp.asarray(weights, carry.dtype),
      moments,
      precision=jax.lax.Precision.HIGHEST,
    )
    past = past + jnp.asarray(kept, carry.dtype) * carry[:, None]
  received = _find_gains(memory, past) * moments[..., None, :]
  traces = past + received
  return traces[:, -1], traces


def _leak(carry, memory):
  """Returns traces after they leaked, on the grid of the memory."""
  leak, scale = _find_gains(memory, carry) * carry, 2.0**memory.bits
  # The derivative is that of a leak without rounding.
  rounding = jnp.floor(leak * scale + 0.5) / scale - leak
  return carry - (leak + jax.lax.stop_gradient(rounding))


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
