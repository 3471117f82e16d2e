"""Winner-take-all output layer: one winner a tick by lateral inhibition.

At each tick one output neuron fires, neuron k with probability softmax(v)_k:
the race of exponential clocks in which the first spike inhibits the other
neurons. Compared with the target, the winners leave error spikes of mean

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
errors of a tick sum to the number of winners minus 1, so that learning, too,
drives the potentials to one winner a tick on average.
"""

import jax
import jax.numpy as jnp

INHIBITION_START = 0.0  # theta at the start of a presentation, in nats
INHIBITION_STEP = 0.5  # change of theta for one winner, in nats
INHIBITION_LATENCY = 0.01  # from the first spike of a tick, in ticks


def cumulative_rates(potential: jax.Array) -> jax.Array:
  """Computes the cumulative probabilities of the classes, `[..., C]`.

  One threshold a tick, shared by the classes, is compared with them; the winner
  is the first class whose cumulative probability exceeds it (`first`).
  """
  cumulative = jnp.cumsum(jax.nn.softmax(potential), axis=-1)
  # Rounding must not leave a tick without a winner.
  return jnp.minimum(cumulative, 1.0).at[..., -1].set(1.0)


def first(reached: jax.Array) -> jax.Array:
  """Returns the winners: the first class reached at each tick.

  Args:
    reached: `[..., C]` spikes, or words of them, at `cumulative_rates`, with
      one threshold for all classes.
  """
  padding = [(0, 0)] * (reached.ndim - 1) + [(1, 0)]
  return reached ^ jnp.pad(reached[..., :-1], padding)


def race(noise: jax.Array, potential: jax.Array) -> jax.Array:
  """Runs the races of a presentation.

  Args:
    noise: `[T, C]` uniform numbers in (0, 1).
    potential: `[C]` membrane potentials.

  Returns:
    `[T, C]` winners: at each tick none, one or several.
  """
  run_tick = lambda theta, uniforms: race_once(theta, uniforms, potential)
  return jax.lax.scan(run_tick, jnp.float32(INHIBITION_START), noise)[1]


def race_once(
  theta: jax.Array, uniforms: jax.Array, potential: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Runs the race of a tick; returns the next inhibition and `[C]` winners."""
  times = -jnp.log(uniforms) * jnp.exp(theta - potential)
  inhibited = jnp.min(times) + INHIBITION_LATENCY
  is_winner = (times <= inhibited) & (times < 1.0)
  excess = jnp.sum(is_winner, dtype=jnp.float32) - 1.0
  return theta + INHIBITION_STEP * excess, is_winner
