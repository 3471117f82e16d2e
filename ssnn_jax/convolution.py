"""Convolutions whose derivatives are fast in loops on a CPU.

XLA compiles a convolution for a CPU by fast code if its channels are the last
axis. Those of its derivatives are not, which XLA corrects outside loops alone
(https://github.com/jax-ml/jax/issues/12868), and training is a loop over
batches. Here they are brought into that order first.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def convolve(
  x: jax.Array,
  kernel: jax.Array,
  strides: Sequence[int],
  padding: str | Sequence[tuple[int, int]],
  **options: Any,
) -> jax.Array:
  """Convolves as `jax.lax.conv_general_dilated`, in place of it.

  Its derivatives are fast in loops on a CPU, without dilations and in one
  group; others are those of JAX. In flax it is an argument::

    nn.Conv(64, (3, 3), conv_general_dilated=ssnn_jax.convolve)

  Args:
    x: `[B, ..., C]` inputs with their positions.
    kernel: `[..., C, features]`.
    strides: of each axis of positions.
    padding: 'SAME', 'VALID', or zeros before and after each axis.
    **options: others of `jax.lax.conv_general_dilated`; `dimension_numbers` are
      by default those above, `('NHWC', 'HWIO', 'NHWC')` of images.

  Returns:
    `[B, ..., features]` sums.
  """
  last = _channels_last(x.ndim)
  names = options.pop('dimension_numbers', None) or last
  numbers = [
    jax.lax.conv_dimension_numbers(x.shape, kernel.shape, own)
    for own in (names, last)
  ]
  precision = options.pop('precision', None)
  others = [own for own in options.values() if own is not None]
  is_plain = all(np.all(np.equal(own, 1)) for own in others)
  if numbers[0] != numbers[1] or not is_plain:
    options |= {'dimension_numbers': names, 'precision': precision}
    return jax.lax.conv_general_dilated(x, kernel, strides, padding, **options)
  if isinstance(padding, str):
    sizes = x.shape[1:-1], kernel.shape[:-2]
    padding = jax.lax.padtype_to_pads(*sizes, strides, padding)
  padding = tuple(map(tuple, padding))
  return _convolve(x, kernel, tuple(strides), padding, precision)


def _channels_last(num_axes):
  axes = 'HWD'[: num_axes - 2]
  return f'N{axes}C', f'{axes}IO', f'N{axes}C'


def _sum_up(x, kernel, strides, padding, precision):
  names = _channels_last(x.ndim)
  return jax.lax.conv_general_dilated(
    x, kernel, strides, padding, dimension_numbers=names, precision=precision
  )


_convolve = jax.custom_vjp(_sum_up, nondiff_argnums=(2, 3, 4))


def _send_back(strides, padding, precision, inputs, errors):
  x, kernel = inputs
  ones, axes = (1,) * len(strides), tuple(range(len(strides)))
  # Strides leave out positions, whose errors are 0.
  whole = np.add(x.shape[1:-1], np.sum(padding, axis=1)) - kernel.shape[:-2]
  ends = whole - (np.array(errors.shape[1:-1]) - 1) * strides
  between = [(0, int(end), step - 1) for end, step in zip(ends, strides)]
  zero = jnp.zeros((), errors.dtype)
  errors = jax.lax.pad(errors, zero, [(0, 0, 0), *between, (0, 0, 0)])
  flipped = jnp.flip(kernel, axes).swapaxes(-1, -2)
  rest = tuple(
    (size - 1 - low, size - 1 - high)
    for size, (low, high) in zip(kernel.shape, padding)
  )
  back = _sum_up(errors, flipped, ones, rest, precision)
  # Each channel is a sample, and each sample a channel.
  x, errors = jnp.swapaxes(x, 0, -1), jnp.moveaxis(errors, 0, -2)
  found = _sum_up(x, errors, ones, padding, precision)
  return back, jnp.moveaxis(found, 0, -2)


_convolve.defvjp(
  lambda x, kernel, *options: (_sum_up(x, kernel, *options), (x, kernel)),
  _send_back,
)
