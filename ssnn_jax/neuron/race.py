"""Race of the output neurons: winner-take-all by lateral inhibition.

A clock starts a race in every tick. The time until output neuron k fires is
exponential, with rate exp(v_k - theta) in spikes per tick, where theta is the
inhibition that all output neurons share. The first spike inhibits the others
until the next tick, after a latency in which they may fire, too: all of them
win. A tick in which no neuron fires is silent.

Let r = exp(logsumexp(v) - theta) be the total rate. Without latency, the winner
of a tick is exactly a sample of softmax(v), and a tick is silent with
probability exp(-r). With a latency of d ticks, about r d (1 - p) neurons more
win, where p is the probability of the first. So r must neither be too low nor
too high, although logsumexp(v) differs between samples and grows in training.

The output errors of a tick sum to the number of winners minus 1
(`wta.output_errors`): silent ticks ask the target to fire more, further winners
ask neurons to fire less. With a fixed theta, learning itself thus drives the
potentials to one winner a tick on average; an adaptive theta does so in each
presentation. An ideal theta prevents both, as the total rate is given.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax.types import check_field
from ssnn_jax.types import is_finite
from ssnn_jax.types import is_positive

INHIBITIONS = ('ideal', 'adaptive')


@dataclasses.dataclass(frozen=True)
class RaceConfig:
  """Lateral inhibition of the output layer; ideal by default.

  Attributes:
    inhibition: how the shared inhibition theta is set: 'ideal' computes it from
      the potentials, for a total rate of `race_rate`; 'adaptive' is an
      inhibitory neuron that counts winners: after each tick theta changes by
      `inhibition_step` times the winners minus 1.
    race_rate: total rate of the race with an ideal inhibition, in output spikes
      per tick.
    inhibition_latency: ticks from the first spike until the other neurons are
      inhibited.
    inhibition_step: change of an adaptive theta for one winner, in nats; 0
      fixes theta.
    inhibition_start: an adaptive theta at the start of a presentation, in nats.

  Raises:
    UserError: if a field is out of range.
  """

  inhibition: str = 'ideal'
  race_rate: float = 8.0
  inhibition_latency: float = 0.0
  inhibition_step: float = 0.5
  inhibition_start: float = 0.0

  def __post_init__(self):
    latency, step = self.inhibition_latency, self.inhibition_step
    is_valid = self.inhibition in INHIBITIONS
    expected = 'one of ' + ', '.join(INHIBITIONS)
    check_field(self, 'inhibition', is_valid, expected)
    is_valid = is_positive(self.race_rate)
    check_field(self, 'race_rate', is_valid, 'a number of spikes above 0')
    is_valid = is_finite(latency) and 0 <= latency <= 1
    check_field(self, 'inhibition_latency', is_valid, 'ticks, from 0 to 1')
    is_valid = is_finite(step) and step >= 0
    check_field(self, 'inhibition_step', is_valid, 'nats, 0 or more')
    is_valid = is_finite(self.inhibition_start)
    check_field(self, 'inhibition_start', is_valid, 'a finite number of nats')


def run(
  config: RaceConfig,
  noise: spikes.Ticks,
  theta: jax.Array,
  potential: jax.Array,
  window: spikes.Window,
) -> tuple[jax.Array, jax.Array]:
  """Runs the races of one window.

  Args:
    config: the inhibition.
    noise: uniform numbers in (0, 1), `[n, C]` for the ticks of the window.
    theta: shared inhibition before the window, in nats.
    potential: `[C]` membrane potentials.
    window: the window.

  Returns:
    The inhibition after the window, and `[K, C]` uint32 trains of the winners:
    at each tick none, one or several.

  Example:
    >>> from ssnn_jax.neuron import race
    >>> config = race.RaceConfig(inhibition_latency=0.5)
    >>> uniforms = jnp.array([[0.5, 0.9], [0.9, 0.01], [0.01, 0.01]])
    >>> bits = jnp.array([[1], [2], [4]], jnp.uint32)
    >>> noise = ssnn_jax.spikes.Ticks(uniforms, bits)
    >>> window = ssnn_jax.spikes.Window(jnp.full(1, 0b111, jnp.uint32), 3, 3)
    >>> _, winners = race.run(config, noise, 0.0, jnp.zeros(2), window)
    >>> winners  # both in tick 0, neuron 0 in tick 1, none in tick 2
    Array([[3, 1]], dtype=uint32)
  """
  step = config.inhibition_step
  if config.inhibition == 'ideal':
    theta = jax.nn.logsumexp(potential) - math.log(config.race_rate)
    step = 0.0

  def run_tick(theta, tick):
    uniforms, bits = tick
    times = -jnp.log(uniforms) * jnp.exp(theta - potential)
    inhibited = jnp.min(times) + config.inhibition_latency
    is_winner = (times <= inhibited) & (times < 1.0)
    excess = jnp.sum(is_winner, dtype=jnp.float32) - 1.0
    is_valid = jnp.any(bits & window.mask)
    return theta + jnp.where(is_valid, step * excess, 0.0), is_winner

  theta, is_winner = jax.lax.scan(run_tick, theta, tuple(noise))
  return theta, spikes.pack_ticks(is_winner, noise.bits, window)
