"""Winner-take-all output layer and its error streams.

At each tick one output neuron fires, neuron k with probability softmax(v)_k:
the race of exponential clocks in which the first spike inhibits the other
neurons. Compared with the target, a winner leaves at most one error spike in
each stream, of mean

  E[positive - negative] = softmax(v) - target,

exactly the gradient of the cross-entropy with respect to v. `neuron.race`
simulates the limits of such a race. The rules are for one sample and one
window.
"""

import flax.struct
import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.spikes import thresholds


def winner_take_all(
  source: thresholds.Thresholds, potential: jax.Array, window: spikes.Window
) -> jax.Array:
  """Samples the winner of each tick.

  One threshold a tick, shared by the classes, is compared with the cumulative
  probabilities; the winner is the first class whose cumulative probability
  exceeds it. Probabilities are rounded to multiples of 2**-16.

  Args:
    source: thresholds of one sample in the `[K]` words of a block, one per
      tick.
    potential: `[C]` membrane potentials.
    window: the window.

  Returns:
    `[K, C]` uint32 trains; at each tick of the window one class spikes.

  Example:
    >>> from ssnn_jax.neuron import wta
    >>> from ssnn_jax.spikes import thresholds
    >>> keys = thresholds.make_keys(jax.random.key(0), num_layers=2)
    >>> words = jnp.arange(1)
    >>> address = thresholds.Address(thresholds.Role.WINNER, 0, words, 0)
    >>> source = thresholds.shifted(keys, address, 1)
    >>> window = ssnn_jax.spikes.Window(~jnp.zeros(1, jnp.uint32), 32, 32)
    >>> potential = jnp.log(jnp.array([0.5, 0.25, 0.25]))
    >>> winners = wta.winner_take_all(source, potential, window)
    >>> ssnn_jax.spikes.count(winners)  # 32 ticks, one winner each
    Array([16,  8,  8], dtype=int32)
  """
  cumulative = jnp.cumsum(jax.nn.softmax(potential))
  # Rounding must not leave a tick without a winner.
  cumulative = jnp.minimum(cumulative, 1.0).at[-1].set(1.0)
  reached = spikes.sample(source, cumulative, window)
  return reached ^ jnp.pad(reached[:, :-1], ((0, 0), (1, 0)))


@flax.struct.dataclass
class DeferredErrors(spikes.Deferred):
  """Error streams of `output_errors` that are not compared yet."""

  winners: jax.Array  # [K, C] uint32 trains of the output layer
  label: jax.Array
  window: spikes.Window

  @property
  def mask(self) -> jax.Array:
    """`[K]` uint32 ticks of the window."""
    return self.window.mask

  def draw(self, index: jax.Array | int, size: int) -> types.ErrorStreams:
    """Compares words from an index on, `[size, C]` uint32."""
    winners, mask = (
      jax.lax.dynamic_slice_in_dim(words, index, size)
      for words in (self.winners, self.mask)
    )
    return output_errors(winners, self.label, self.window._replace(mask=mask))

  def count(self, is_whole: bool) -> jax.Array:
    """Counts positive minus negative spikes; see `spikes.Deferred`."""
    del is_whole
    wins = spikes.count(self.winners)
    is_target = jnp.arange(len(wins)) == self.label
    return wins - jnp.where(is_target, self.window.length, 0)


def output_errors(
  winners: jax.Array, label: jax.Array, window: spikes.Window
) -> types.ErrorStreams:
  """Compares the winners with the target.

  Args:
    winners: `[K, C]` uint32 trains of the output layer.
    label: target class.
    window: the window.

  Returns:
    `[K, C]` streams: a positive spike where another class than the target won,
    a negative spike of the target where it did not win.

  Example:
    >>> from ssnn_jax.neuron import wta
    >>> winners = jax.nn.one_hot(jnp.array([0, 2, 2, 1]), 3)  # in 4 ticks
    >>> winners = ssnn_jax.spikes.pack(winners)
    >>> window = ssnn_jax.spikes.Window(jnp.full(1, 0b1111, jnp.uint32), 4, 4)
    >>> streams = wta.output_errors(winners, label=2, window=window)
    >>> [ssnn_jax.spikes.count(stream).tolist() for stream in streams]
    [[1, 1, 0], [0, 0, 2]]
  """
  is_target = (jnp.arange(winners.shape[1]) == label)[None, :]
  silent = jnp.zeros_like(winners)
  return types.ErrorStreams(
    positive=jnp.where(is_target, silent, winners),
    negative=jnp.where(is_target, window.mask[:, None] & ~winners, silent),
  )
