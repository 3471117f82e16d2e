"""Winner-take-all output layer: its race, its winners and its error streams.

At each tick one output neuron fires, neuron k with probability softmax(v)_k:
the race of exponential clocks in which the first spike inhibits the other
neurons. Compared with the target, a winner leaves at most one error spike in
each stream, of mean

  E[positive - negative] = softmax(v) - target,

exactly the gradient of the cross-entropy with respect to v. Winners are drawn
from the softmax, or from a simulated race with its limits:

A clock starts a race in every tick. The time until output neuron k fires is
exponential, with rate exp(v_k - theta) in spikes per tick, where theta is the
inhibition that all output neurons share. The first spike inhibits the others
until the next tick, after a latency in which they may fire, too: all of them
win. A tick in which no neuron fires is silent. An inhibitory neuron counts the
winners: after each tick theta changes by a step times the winners minus 1,
since logsumexp(v) differs between samples and grows in training. The output
errors of a tick sum to the number of winners minus 1 (`output_errors`), so that
learning, too, drives the potentials to one winner a tick on average.

The rules are for one sample and one window. Spikes are words of 32 ticks, or
one for each tick.
"""

import jax
import jax.numpy as jnp

from ssnn_jax import types

INHIBITION_START = 0.0  # theta at the start of a presentation, in nats
INHIBITION_STEP = 0.5  # change of theta for one winner, in nats
INHIBITION_LATENCY = 0.01  # from the first spike of a tick, in ticks


def cumulative_rates(potential: jax.Array) -> jax.Array:
  """Computes the cumulative probabilities of the classes.

  One threshold a tick, shared by the classes, is compared with them; the winner
  is the first class whose cumulative probability exceeds it (`first`). Rates
  are rounded to multiples of 2**-16.

  Args:
    potential: `[C]` membrane potentials.

  Returns:
    `[C]` spikes per tick.
  """
  cumulative = jnp.cumsum(jax.nn.softmax(potential))
  # Rounding must not leave a tick without a winner.
  return jnp.minimum(cumulative, 1.0).at[-1].set(1.0)


def first(reached: jax.Array) -> jax.Array:
  """Returns the winners: the first class reached at each tick.

  Args:
    reached: `[..., C]` spikes at `cumulative_rates`, with one threshold for
      all classes.

  Returns:
    `[..., C]` spikes; at each tick one class.

  Example:
    >>> from ssnn_jax.neuron import wta
    >>> potential = jnp.log(jnp.array([0.5, 0.25, 0.25]))
    >>> thresholds = jnp.array([[0.1], [0.6], [0.9]])  # of three ticks
    >>> reached = thresholds < wta.cumulative_rates(potential)[None]
    >>> wta.first(reached).astype(jnp.int32).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
  """
  padding = [(0, 0)] * (reached.ndim - 1) + [(1, 0)]
  return reached ^ jnp.pad(reached[..., :-1], padding)


def race(
  theta: jax.Array,
  noise: jax.Array,
  potential: jax.Array,
  is_valid: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Runs the races of one window.

  Args:
    theta: shared inhibition before the window, in nats.
    noise: `[n, C]` uniform numbers in (0, 1) for the ticks of the window.
    potential: `[C]` membrane potentials.
    is_valid: `[n]` whether there is a race at each tick.

  Returns:
    The inhibition after the window, and `[n, C]` winners: at each tick none,
    one or several.

  Example:
    >>> from ssnn_jax.neuron import wta
    >>> noise = jnp.array([[0.5, 0.9], [0.9, 0.903], [0.01, 0.01]])
    >>> theta, winners = wta.race(
    ...   jnp.float32(0.0), noise, jnp.zeros(2), jnp.ones(3, bool))
    >>> winners.tolist()  # neuron 1 in tick 0, both in tick 1, none in tick 2
    [[False, True], [True, True], [False, False]]
  """

  def run_tick(theta, tick):
    uniforms, is_valid = tick
    times = -jnp.log(uniforms) * jnp.exp(theta - potential)
    inhibited = jnp.min(times) + INHIBITION_LATENCY
    is_winner = (times <= inhibited) & (times < 1.0)
    excess = jnp.sum(is_winner, dtype=jnp.float32) - 1.0
    theta = theta + jnp.where(is_valid, INHIBITION_STEP * excess, 0.0)
    return theta, is_winner & is_valid

  return jax.lax.scan(run_tick, theta, (noise, is_valid))


def output_errors(
  winners: jax.Array, label: jax.Array, ticks: jax.Array
) -> types.ErrorStreams:
  """Compares the winners with the target.

  Args:
    winners: `[..., C]` spikes of the output layer.
    label: target class.
    ticks: `[...]` ticks of the window, in the form of the spikes: the mask of
      each word, or whether a tick is valid.

  Returns:
    `[..., C]` streams: a positive spike where another class than the target
    won, a negative spike of the target where it did not win.

  Example:
    >>> from ssnn_jax.neuron import wta
    >>> winners = jax.nn.one_hot(jnp.array([0, 2, 2, 1]), 3, dtype=bool)
    >>> streams = wta.output_errors(winners, label=2, ticks=jnp.ones(4, bool))
    >>> [stream.sum(axis=0).tolist() for stream in streams]
    [[1, 1, 0], [0, 0, 2]]
  """
  is_target = (jnp.arange(winners.shape[-1]) == label)[None]
  silent = jnp.zeros_like(winners)
  return types.ErrorStreams(
    positive=jnp.where(is_target, silent, winners),
    negative=jnp.where(is_target, ticks[:, None] & ~winners, silent),
  )
