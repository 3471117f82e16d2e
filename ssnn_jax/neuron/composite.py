"""The composite neuron: forward activation and backward error at once.

Every rule is that of one sample and one window. A layer reaches its weights
through `drive` and `transposed_drive` here and through
`coincidence.count_coincidences`, and in no other way.
"""

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.spikes import thresholds


def drive(
  params: types.LayerParams, read_gain: float, rates: jax.Array
) -> jax.Array:
  """Reads the crossbar forward: the synaptic current of one window.

  Args:
    params: weights `[I, J]` and biases `[J]`; a bias is an always-on input.
    read_gain: factor on what the weights read.
    rates: `[I]` presynaptic spikes per tick in the window.

  Returns:
    `[J]` mean synaptic current over the window.

  Example:
    >>> from ssnn_jax.neuron import composite
    >>> weights = jnp.array([[1.0, -1.0], [0.5, 2.0]])
    >>> layer = ssnn_jax.LayerParams(weights, biases=jnp.array([0.0, 0.25]))
    >>> composite.drive(layer, 1.0, jnp.array([0.5, 0.25]))
    Array([0.625, 0.25 ], dtype=float32)
    >>> composite.transposed_drive(layer, 1.0, jnp.array([0.5, 0.0]))
    Array([0.5 , 0.25], dtype=float32)
  """
  return read_gain * (rates @ params.weights) + params.biases


def transposed_drive(
  params: types.LayerParams, read_gain: float, errors: jax.Array
) -> jax.Array:
  """Reads the same crossbar backward, from its columns to its rows.

  Args:
    params: weights `[I, J]` and biases `[J]`.
    read_gain: factor on what the weights read.
    errors: `[J]` errors of the postsynaptic neurons in the window.

  Returns:
    `[I]` errors that reach the presynaptic neurons.
  """
  return read_gain * (errors @ params.weights.T)


def integrate(
  potential: jax.Array,
  drive: jax.Array,
  window: spikes.Window,
  integration: str,
  tau: float,
) -> jax.Array:
  """Integrates the drive of one window on the membrane.

  'mean' holds the mean over all ticks so far, 'leaky' forgets with time
  constant tau, 'memoryless' holds the drive of the window alone.

  Args:
    potential: `[J]` membrane before the window.
    drive: `[J]` mean synaptic current over the window.
    window: the window; one without a tick leaves the membrane as it is.
    integration: 'mean', 'leaky' or 'memoryless'.
    tau: time constant of 'leaky', in ticks.

  Returns:
    `[J]` membrane after the window.

  Example:
    >>> def after(potential, drive, end):  # windows of 4 ticks
    ...   window = ssnn_jax.spikes.Window(None, jnp.int32(4), jnp.int32(end))
    ...   return ssnn_jax.neuron.composite.integrate(
    ...     potential, jnp.array([drive]), window, 'mean', tau=16.0)
    >>> after(after(jnp.zeros(1), 1.0, end=4), 0.5, end=8)
    Array([0.75], dtype=float32)
  """
  length = window.length.astype(drive.dtype)
  if integration == 'mean':
    blend = length / window.elapsed.astype(drive.dtype)
  elif integration == 'leaky':
    blend = -jnp.expm1(-length / tau)
  else:
    blend = jnp.minimum(length, 1.0)
  return potential + blend * (drive - potential)


def read_membrane(
  potential: jax.Array, window: spikes.Window, integration: str, tau: float
) -> jax.Array:
  """Reads the membrane at the end of a window.

  A leaky membrane is read relative to its response to a constant drive of 1, so
  that a constant drive reads as itself from the first window on.

  Args:
    potential: `[J]` membrane after the window.
    window: the window.
    integration: 'mean', 'leaky' or 'memoryless'.
    tau: time constant of 'leaky', in ticks.

  Returns:
    `[J]` membrane potential v.
  """
  if integration != 'leaky':
    return potential
  elapsed = window.elapsed.astype(potential.dtype)
  return potential / -jnp.expm1(-elapsed / tau)


def split_streams(
  source: thresholds.Thresholds, errors: jax.Array, window: spikes.Window
) -> types.ErrorStreams:
  """Samples the two spike streams that carry a signed error.

  The streams are unbiased while the error stays within one spike per tick,

    E[positive - negative] = error,  for -1 <= error <= 1,

  and saturate at one spike per tick beyond it. Within a window a neuron's error
  has one sign, so one train of its magnitude serves both.

  Args:
    source: `[K, ...]` the thresholds of one sample in the words of a block.
    errors: `[J]` signed error, in spikes per tick.
    window: the window.

  Returns:
    The streams, `[K, J]`; at most one of the two spikes at any neuron and tick.

  Example:
    >>> from ssnn_jax.spikes import thresholds
    >>> keys = thresholds.make_keys(jax.random.key(0), num_layers=2)
    >>> place = thresholds.Role.ERROR, 0, jnp.int32(0), jnp.int32(0)
    >>> source = thresholds.shifted(keys, *place, 2)
    >>> source = jax.tree.map(lambda leaf: leaf[None], source)  # of one word
    >>> window = ssnn_jax.spikes.Window(~jnp.zeros(1, jnp.uint32), 32, 32)
    >>> errors = jnp.array([0.25, -0.5])  # in 32 ticks 8 spikes, and -16
    >>> from ssnn_jax.neuron import composite
    >>> streams = composite.split_streams(source, errors, window)
    >>> [ssnn_jax.spikes.count(stream).tolist() for stream in streams]
    [[8, 0], [0, 16]]
  """
  train = spikes.sample(source, jnp.minimum(jnp.abs(errors), 1.0), window)
  is_positive = (errors > 0)[None, :]
  silent = jnp.zeros_like(train)
  return types.ErrorStreams(
    positive=jnp.where(is_positive, train, silent),
    negative=jnp.where(is_positive, silent, train),
  )
