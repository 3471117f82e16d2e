"""Composite neuron: forward activation and backward error at once.

Every rule is for one sample and one window. A layer reads its weights only
through `drive` and `transposed_drive`; only coincidences change them.
"""

import jax
import jax.numpy as jnp

from ssnn_jax import types

# The default of accelerators (TF32, bfloat16) would round potentials.
PRECISION = jax.lax.Precision.HIGHEST


def drive(
  params: types.LayerParams, read_gain: float, rates: jax.Array
) -> jax.Array:
  """Computes the drive of one window: the crossbar's forward read.

  Args:
    params: weights `[I, J]` and biases `[J]`; a bias is an always-on input.
    read_gain: factor on the product with the weights.
    rates: `[..., I]` presynaptic spikes per tick in the window, for each
      position at which a layer uses its weights (`layers`).

  Returns:
    `[..., J]` mean synaptic current over the window.

  Example:
    >>> from ssnn_jax.neuron import composite
    >>> weights = jnp.array([[1.0, -1.0], [0.5, 2.0]])
    >>> layer = ssnn_jax.LayerParams(weights, biases=jnp.array([0.0, 0.25]))
    >>> composite.drive(layer, 1.0, jnp.array([0.5, 0.25]))
    Array([0.625, 0.25 ], dtype=float32)
    >>> composite.transposed_drive(layer, 1.0, jnp.array([0.5, 0.0]))
    Array([0.5 , 0.25], dtype=float32)
  """
  product = jnp.matmul(rates, params.weights, precision=PRECISION)
  biases = jnp.broadcast_to(params.biases, product.shape)
  return read_gain * product + biases


def transposed_drive(
  params: types.LayerParams, read_gain: float, errors: jax.Array
) -> jax.Array:
  """Computes the error of the presynaptic neurons: the transposed read.

  Args:
    params: weights `[I, J]` and biases `[J]`.
    read_gain: factor on the product with the weights.
    errors: `[..., J]` errors of the postsynaptic neurons in the window.

  Returns:
    `[..., I]` errors of the presynaptic neurons, before their gates.
  """
  return read_gain * jnp.matmul(errors, params.weights.T, precision=PRECISION)


def error_rates(gain: float, errors: jax.Array) -> jax.Array:
  """Returns the rates of the error spikes, which have the sign of the error.

  Their signed mean is the error while it is at most one spike per tick,

    E[positive - negative] = gain * error,  for -1 <= gain * error <= 1,

  and saturates at one spike per tick beyond.

  Args:
    gain: error spikes per tick for one unit of error.
    errors: `[..., J]` signed errors.

  Returns:
    `[..., J]` spikes per tick, in [0, 1].
  """
  return jnp.minimum(jnp.abs(gain * errors), 1.0)
