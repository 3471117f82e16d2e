"""Composite neuron: forward activation and backward error at once.

Every rule is for one sample and one window. A layer reads its weights only
through `drive` and `transposed_drive`; only coincidences change them.
"""

import flax.struct
import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.spikes import thresholds

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


@flax.struct.dataclass
class DeferredStreams(spikes.Deferred):
  """Error streams of a long window that are not drawn yet."""

  train: spikes.DeferredTrain  # spikes of the magnitudes
  is_positive: jax.Array  # [J] sign of the errors

  @property
  def mask(self) -> jax.Array:
    """`[K]` uint32 ticks of the window."""
    return self.train.mask

  def draw(self, index: jax.Array | int, size: int) -> types.ErrorStreams:
    """Draws words from an index on, `[size, J]` uint32."""
    return _split(self.train.draw(index, size), self.is_positive)

  def count(self, is_whole: bool) -> jax.Array:
    """Counts positive minus negative spikes; see `spikes.Deferred`."""
    counts = self.train.count(is_whole)
    return jnp.where(self.is_positive, counts, -counts)


def defer_streams(
  source: thresholds.Thresholds, errors: jax.Array, window: spikes.Window
) -> DeferredStreams:
  """Returns the streams of `split_streams` without drawing them.

  Args:
    source: thresholds of one sample in the `[K]` words of a block.
    errors: `[J]` signed errors times the gain of the layer, in spikes per tick.
    window: the window.

  Returns:
    The streams.
  """
  train = spikes.defer(source, jnp.minimum(jnp.abs(errors), 1.0), window)
  return DeferredStreams(train, errors > 0)


def split_streams(
  source: thresholds.Thresholds, errors: jax.Array, window: spikes.Window
) -> types.ErrorStreams:
  """Samples the two spike streams of a signed error.

  The streams are unbiased while the error is at most one spike per tick,

    E[positive - negative] = error,  for -1 <= error <= 1,

  and saturate at one spike per tick beyond. Within a window the error of a
  neuron has one sign, so one train of its magnitude serves both streams.

  Args:
    source: thresholds of one sample in the `[K]` words of a block.
    errors: `[J]` signed errors times the gain of the layer, in spikes per tick.
    window: the window.

  Returns:
    `[K, J]` streams; at most one of the two has a spike of a neuron at a tick.

  Example:
    >>> from ssnn_jax.neuron import composite
    >>> from ssnn_jax.spikes import thresholds
    >>> keys = thresholds.make_keys(jax.random.key(0), num_layers=2)
    >>> address = thresholds.Address(thresholds.Role.ERROR, 0, jnp.arange(1), 0)
    >>> source = thresholds.shifted(keys, address, 2)
    >>> window = ssnn_jax.spikes.Window(~jnp.zeros(1, jnp.uint32), 32, 32)
    >>> errors = jnp.array([0.25, -0.5])  # 8 and -16 spikes in 32 ticks
    >>> streams = composite.split_streams(source, errors, window)
    >>> [ssnn_jax.spikes.count(stream).tolist() for stream in streams]
    [[8, 0], [0, 16]]
  """
  train = spikes.sample(source, jnp.minimum(jnp.abs(errors), 1.0), window)
  return _split(train, errors > 0)


def _split(train, is_positive):
  """Splits the trains `[K, J]` of neurons by the sign of their errors."""
  is_positive, silent = is_positive[None, :], jnp.zeros_like(train)
  return types.ErrorStreams(
    positive=jnp.where(is_positive, train, silent),
    negative=jnp.where(is_positive, silent, train),
  )
