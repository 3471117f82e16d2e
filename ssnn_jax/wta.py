"""The winner-take-all output layer and the errors it makes.

One output neuron fires a tick, neuron k with probability softmax(v)_k: the race
of exponential clocks whose first spike silences the others. Against the target
spike it leaves at most one error spike in each stream, of mean

  E[positive - negative] = softmax(v) - target,

which is the gradient of the cross-entropy with respect to v, exactly. The rules
are those of one sample and one window.
"""

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import thresholds
from ssnn_jax import types


def winner_take_all(
  source: thresholds.Thresholds, potential: jax.Array, window: spikes.Window
) -> jax.Array:
  """Samples the winner of each tick.

  One threshold a tick, shared by the classes, is compared with the cumulative
  probabilities; the winner is the first class above it. Probabilities are
  rounded to multiples of 2**-16.

  Args:
    source: `[K, ...]` the thresholds of one sample in the words of a block,
      one a tick.
    potential: `[C]` membrane potentials.
    window: the window.

  Returns:
    `[K, C]` uint32 trains; at each tick of the window one class spikes.
  """
  cumulative = jnp.cumsum(jax.nn.softmax(potential))
  # Rounding must not leave a tick without a winner.
  cumulative = jnp.minimum(cumulative, 1.0).at[-1].set(1.0)
  reached = spikes.sample(source, cumulative, window)
  return reached ^ jnp.pad(reached[:, :-1], ((0, 0), (1, 0)))


def output_errors(
  winners: jax.Array, label: jax.Array, window: spikes.Window
) -> types.ErrorStreams:
  """Compares the winners with the target.

  Args:
    winners: `[K, C]` uint32 trains of the output layer.
    label: the target class.
    window: the window.

  Returns:
    The streams, `[K, C]`: positive where a class won that is not the target,
    negative where the target did not win.
  """
  is_target = (jnp.arange(winners.shape[1]) == label)[None, :]
  silent = jnp.zeros_like(winners)
  return types.ErrorStreams(
    positive=jnp.where(is_target, silent, winners),
    negative=jnp.where(is_target, window.mask[:, None] & ~winners, silent),
  )
