"""The rules of the chip: one sample and one tick, in integers.

The method of `ssnn_jax.reference.realtime` at n = 1, with weights that change
within the presentation: each coincidence whose row is enabled moves its weight
by one unit at once. All registers are read at the start of a tick and written
at its end, as by the clock of a chip.

Layer l of weights, from 0, connects N_l neurons, and a bias that spikes at
every tick, to N_{l+1} neurons, whose potentials are v_l. Everything is int32,
but weights (int16), words of generators (uint32) and spikes (bool).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax.chip import config as config_lib
from ssnn_jax.chip import generators as generators_lib
from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.chip.generators import Generators

Weights = tuple[jax.Array, ...]  # [N_l + 1, N_{l+1}] int16; last row: biases


class Neurons(NamedTuple):
  """Registers of all neurons, which start each presentation at 0."""

  potentials: tuple[jax.Array, ...]  #: v_l, [N_{l+1}] of each layer of weights
  currents: tuple[jax.Array, ...]  #: g_l, [N_{l+1}] of each hidden layer


class Spikes(NamedTuple):
  """Spikes of one tick."""

  forward: tuple[jax.Array, ...]  #: x_l, [N_l] bool of inputs and hidden layers
  errors: tuple[jax.Array, ...]  #: e_l, [N_{l+1}] in {-1, 0, 1}
  winner: jax.Array  #: class that wins the tick
  largest: jax.Array  #: class of the largest potential


class Response(NamedTuple):
  """Readouts of the output layer."""

  votes: jax.Array  #: [C] ticks won by each class
  largest: jax.Array  #: [C] ticks in which each class had the largest potential
  potential: jax.Array  #: [C] at the end


class Trace(NamedTuple):
  """What happened in each tick, with a leading axis T."""

  spikes: Spikes
  words: Generators
  neurons: Neurons  #: after the tick


class Presentation(NamedTuple):
  """Result of the presentation of one sample."""

  weights: Weights
  generators: Generators
  response: Response
  trace: Trace


def tick(
  config: ChipConfig,
  weights: Weights,
  neurons: Neurons,
  words: Generators,
  t: jax.Array,
  rates: jax.Array,
  label: jax.Array,
  enable: jax.Array,
) -> tuple[Weights, Neurons, Spikes]:
  """Advances the chip by one tick, t from 0: emit, count, integrate.

  The other arguments are those of `present`, with random words of the tick.
  Returns weights and neurons after the tick, and its spikes.
  """
  (potentials, currents), fractions = neurons, config.fractions
  num_layers, num_classes = config.num_layers, config.layer_sizes[-1]

  # Emit: every neuron spikes, forward and backward, from its own registers.
  forward = [_spike(config, words.input, fractions[0], rates)]
  for word, bits, v in zip(words.forward, fractions, potentials):
    forward.append(_spike(config, word, bits, v))
  address = generators_lib.addresses(words.winner, num_classes)
  noise = jnp.asarray(config.gumbel_table)[address]
  winner = jnp.argmax(potentials[-1] + noise).astype(jnp.int32)
  largest = jnp.argmax(potentials[-1]).astype(jnp.int32)
  errors = []
  for layer, (word, g) in enumerate(zip(words.error, currents)):
    v, one = potentials[layer], 1 << fractions[layer]
    spike = _spike(config, word, fractions[layer + 1], jnp.abs(g))
    errors.append(jnp.where(spike & (0 < v) & (v < one), jnp.sign(g), 0))
  is_learning = (label >= 0) & (t >= num_layers)
  error = one_hot(winner, num_classes) - one_hot(label, num_classes)
  errors.append(jnp.where(is_learning, error, 0))

  # Count: a coincidence moves its weight at once, if its bit enables it.
  after, limit = [], 1 << (config.weight_bits - 1)
  for layer, (w, x, e) in enumerate(zip(weights, forward, errors)):
    word = generators_lib.spread_enable(config, words.enable[layer], *w.shape)
    threshold = generators_lib.threshold(word, config_lib.RATE_BITS)
    is_enabled = jnp.append(x, True)[:, None] & (threshold < enable[layer])
    moved = jnp.int32(w) - jnp.where(is_enabled, e[None], 0)
    after.append(jnp.int16(jnp.clip(moved, -limit, limit - 1)))

  # Integrate: every neuron receives the spikes of the layers next to it.
  integrated = []
  for layer, (w, x, v) in enumerate(zip(weights, forward, potentials)):
    row = jnp.append(x, True)[:, None]
    drive = jnp.sum(jnp.where(row, jnp.int32(w), 0), axis=0)
    moved = v + _move(config, drive - v, jnp.maximum(t - layer + 1, 1))
    integrated.append(jnp.where(t >= layer, moved, v))
  arriving = []
  for w, e in zip(weights[1:], errors[1:]):
    arriving.append(jnp.sum(jnp.int32(w[:-1]) * e[None], axis=1))
  neurons = Neurons(tuple(integrated), tuple(arriving))
  spikes = Spikes(tuple(forward), tuple(errors), winner, largest)
  return tuple(after), neurons, spikes


def _spike(config, word, bits, rates):
  """Returns spikes `[N]` of neurons with rates in units of 2^-bits."""
  word = generators_lib.spread(config, word, len(rates))
  return generators_lib.threshold(word, bits) < rates


def _move(config, difference, elapsed):
  """Returns the change of a potential in its tick number `elapsed`, from 1."""
  if config.membrane == 'mean':
    return (2 * difference + elapsed) // (2 * elapsed)
  shift = 31 - jax.lax.clz(elapsed)  # floor of log2
  if config.max_shift is not None:
    shift = jnp.minimum(shift, config.max_shift)
  half = (jnp.int32(1) << shift) >> 1
  return (difference + half) >> shift


def one_hot(index: jax.Array, size: int) -> jax.Array:
  """Returns 1 at an index, and 0 elsewhere."""
  return jnp.int32(jnp.arange(size) == index)


def present(
  config: ChipConfig,
  weights: Weights,
  generators: Generators,
  rates: jax.Array,
  label: jax.Array,
  enable: jax.Array,
) -> Presentation:
  """Presents one sample for T ticks.

  Args:
    config: the chip.
    weights: `[N_l + 1, N_{l+1}]` int16 of each layer.
    generators: registers of the random words.
    rates: `[N_0]` int32 rates of the inputs, 0 to 2^F_0.
    label: int32 class; -1 recognizes the sample without learning.
    enable: `[L]` int32 rates of the enable bits, 0 to 2^16.

  Returns:
    The state of the chip after the sample, its answer, and all spikes.

  Example:
    >>> from ssnn_jax import chip
    >>> config = chip.ChipConfig((64, 32, 10))
    >>> weights = chip.init_weights(config, jax.random.key(0))
    >>> generators = chip.init_generators(config, jax.random.key(1))
    >>> rates, enable = jnp.full(64, 512), jnp.array([4096, 4096])
    >>> after = chip.present(config, weights, generators, rates, 3, enable)
    >>> int(after.response.votes.sum())  # of 64 ticks, 8 of which settle
    56
    >>> after.trace.spikes.forward[0].shape  # of the inputs
    (64, 64)
  """
  rates, label, enable = (
    jnp.asarray(x, jnp.int32) for x in (rates, label, enable)
  )

  def advance(carry, t):
    weights, neurons, registers, votes = carry
    words = generators_lib.words(config, registers, t)
    weights, neurons, spikes = tick(
      config, weights, neurons, words, t, rates, label, enable
    )
    registers = generators_lib.step(config, registers, t)
    own = jnp.stack([spikes.winner, spikes.largest])
    is_vote = (own[:, None] == jnp.arange(classes)[None]) & (t >= settle)
    votes += jnp.int32(is_vote)
    carry = weights, neurons, registers, votes
    return carry, Trace(spikes, words, neurons)

  sizes, classes = config.layer_sizes, config.layer_sizes[-1]
  settle = config.settle_ticks
  zeros = tuple(jnp.zeros(size, jnp.int32) for size in sizes[1:])
  votes = jnp.zeros((2, classes), jnp.int32)
  carry = tuple(weights), Neurons(zeros, zeros[:-1]), generators, votes
  ticks = jnp.arange(config.num_steps, dtype=jnp.int32)
  carry, trace = jax.lax.scan(advance, carry, ticks)
  weights, neurons, generators, votes = carry
  response = Response(votes[0], votes[1], neurons.potentials[-1])
  return Presentation(weights, generators, response, trace)
