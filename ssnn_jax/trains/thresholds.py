"""Thresholds that rates are compared with, and the samplers that make them.

A neuron of rate p fires at a tick where threshold < round(2**16 p). A threshold
depends on the key of the presentation, the role and layer of the train, the
position of the sample in the global batch, the neuron and the tick alone: never
on the length of the train or the number of accelerators. A short train is
therefore the prefix of a longer one, and experiments over lengths are paired.
"""

from collections.abc import Callable
import enum
import math
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import types
from ssnn_jax.trains import words as words_lib

NUM_BITS = 16  # of a threshold


class Role(enum.IntEnum):
  """Purpose of a train; each role has its own thresholds."""

  INPUT = 0
  FORWARD = 1
  WINNER = 2
  ERROR = 3
  # Always independent, whatever the sampler of the trains.
  DROPOUT = 4  # one hash of a neuron (`model`); of the others `bernoulli`
  THINNING = 5
  READ = 6
  TRANSPOSED_READ = 7


class Sampler(NamedTuple):
  """Generator of thresholds as pure functions, for one sample and one word.

  A word has 32 ticks; its index within the presentation is `word`. Functions
  are compared by identity when programs are cached: make a sampler once.

  Attributes:
    thresholds: `(source, word) -> thresholds`, `[32, N]` uint16 of the ticks
      32 word to 32 word + 31, for the `source.num_neurons` neurons.
    sample: `(source, word, rates) -> spikes`, the `[N]` uint32 word of spikes
      of `[N]` rates: those that the thresholds give, where they can be found
      faster; None compares the thresholds.
  """

  thresholds: Callable[..., jax.Array]
  sample: Callable[..., jax.Array] | None = None


class Source(NamedTuple):
  """Thresholds of the N neurons of a layer, for one sample.

  If `num_neurons` is 1, all rates are compared with the same thresholds.
  """

  key: jax.Array  #: [3] uint32 of the presentation, role and layer
  position: jax.Array  #: position of the sample in the global batch
  role: Role
  layer: int
  num_neurons: int

  def random_bits(self) -> jax.Array:
    """Returns `[N]` uint32 random bits, fixed for the presentation."""
    return keyed_hash(self.counters(), *self.key)

  def counters(self) -> jax.Array:
    """Returns `[N]` uint32 numbers of the sample's neurons in the batch."""
    size = self.num_neurons
    first = jnp.asarray(self.position).astype(jnp.uint32) * jnp.uint32(size)
    return first + jnp.arange(size, dtype=jnp.uint32)


def draw(
  sampler: Sampler,
  keys: jax.Array,
  role: Role,
  layer: int,
  positions: jax.Array,
  rates: jax.Array,
  num_steps: int,
  *,
  is_shared: bool = False,
) -> jax.Array:
  """Draws the spikes of a layer of neurons: where a threshold is below a rate.

  Args:
    sampler: generator of the thresholds.
    keys: `[layers, roles, 3]` keys of the presentation, from `make_keys`.
    role: purpose of the trains.
    layer: number of the layer.
    positions: `[B]` positions of the samples in the global batch.
    rates: `[B, N]` spikes per tick, in [0, 1].
    num_steps: T, ticks of the trains.
    is_shared: whether the neurons of a sample share their thresholds.

  Returns:
    `[B, K, N]` uint32 words of 32 ticks; bits from T on are 0.
  """
  words = jnp.arange(words_lib.count_words(num_steps))
  num_neurons = 1 if is_shared else rates.shape[-1]

  def draw_sample(position, rates):
    source = Source(keys[layer, role], position, role, layer, num_neurons)

    def draw_word(word):
      if sampler.sample:
        return sampler.sample(source, word, rates)
      is_spike = is_below(sampler.thresholds(source, word), rates[None])
      return words_lib.pack(is_spike)[0]

    return jax.vmap(draw_word)(words)

  drawn = jax.vmap(draw_sample)(positions, rates)
  return drawn & words_lib.mask(num_steps)[None, :, None]


def draw_thresholds(
  sampler: Sampler, source: Source, num_steps: int
) -> jax.Array:
  """Draws the thresholds of T ticks, `[T, N]` uint16."""
  words = jnp.arange(words_lib.count_words(num_steps))
  drawn = jax.vmap(lambda word: sampler.thresholds(source, word))(words)
  return drawn.reshape(-1, source.num_neurons)[:num_steps]


def is_below(thresholds: jax.Array, rates: jax.Array) -> jax.Array:
  """Returns where thresholds `[n, N or 1]` uint16 are below rates `[n, N]`."""
  if thresholds.dtype != jnp.uint16:  # floats would be the threshold 0
    raise types.UserError(
      f'thresholds of the sampler are {thresholds.dtype}; expected uint16.'
    )
  # A rate of 1 rounds to 2**16, which 16 bits cannot hold.
  return thresholds.astype(jnp.uint32) < round_rates(rates)


def round_rates(rates: jax.Array) -> jax.Array:
  """Rounds rates to multiples of 2**-16, the resolution of thresholds."""
  return jnp.round(rates * (1 << NUM_BITS)).astype(jnp.uint32)


def make_keys(key: jax.Array, num_layers: int) -> jax.Array:
  """Derives the keys of all trains, `[num_layers, roles, 3]` uint32.

  The inputs are a layer; the same PRNG key of a presentation derives the same
  keys.
  """
  # Cloned, as several functions derive the same keys.
  keys = jax.random.bits(jax.random.clone(key), (3,), jnp.uint32)
  # The keys of trains do not depend on the number of roles from THINNING on.
  shape = num_layers, len(Role), 3
  counters = jnp.arange(math.prod(shape), dtype=jnp.uint32)
  split = num_layers * Role.THINNING * 3
  hashes = keyed_hash(counters, keys[0], keys[1], keys[2])
  trains = hashes[:split].reshape(num_layers, -1, 3)
  noise = hashes[split:].reshape(num_layers, -1, 3)
  return jnp.concatenate([trains, noise], axis=1)


def draw_uniforms(
  source: Source, num_steps: int, first: jax.Array | int = 0
) -> jax.Array:
  """Draws `[T, N]` float32 numbers of ticks from the first one on.

  They are independent, and uniform within (0, 1).
  """
  counters = source.counters()

  def draw_tick(tick):
    parts = 3 * tick.astype(jnp.uint32) + jnp.arange(3, dtype=jnp.uint32)
    words = keyed_hash(counters, *keyed_hash(parts, *source.key))
    values = ((words >> 8).astype(jnp.float32) + 0.5) * 2.0**-24
    return jnp.minimum(values, 1.0 - 2.0**-24)  # rounding may reach 1

  return jax.vmap(draw_tick)(first + jnp.arange(num_steps))


def compare_bit(
  plane: jax.Array, rates: jax.Array, index: Any, below: jax.Array
) -> jax.Array:
  """Compares one bit of thresholds and rates, for the 32 ticks of a word.

  A comparison proceeds from the least significant bit. Where a bit of the rate
  is set, a threshold bit of 0 makes the threshold smaller; where it is not, a
  threshold bit of 1 makes the threshold larger; otherwise lower bits decide.

  Args:
    plane: `[N or 1]` uint32 bits of the thresholds at the ticks of a word.
    rates: `[N]` uint32 rounded rates.
    index: index of the bit.
    below: `[N]` uint32 ticks in which the lower bits are smaller.

  Returns:
    `[N]` uint32, the same with this bit.
  """
  is_set = fill((rates >> jnp.asarray(index).astype(jnp.uint32)) & 1)
  is_zero = ~plane
  return (is_set & is_zero) | ((is_set | is_zero) & below)


def is_certain(rates: jax.Array) -> jax.Array:
  """Returns words of spikes in all ticks where a rounded rate is 1."""
  return fill(rates >> NUM_BITS)


def fill(bits: jax.Array) -> jax.Array:
  """Returns words of ones where a uint32 bit is 1, otherwise of zeros."""
  return -bits


def lowbias32(x: jax.Array) -> jax.Array:
  """Mixes 32-bit words by a bijection of low avalanche bias.

  Source: C. Wellons, "Prospecting for hash functions" (2018), the function of
  lowest bias found there.

  Args:
    x: uint32 words of any shape.

  Returns:
    uint32 words of the same shape.
  """
  x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
  x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
  return x ^ (x >> 16)


@jax.jit  # so that it is traced once
def keyed_hash(
  counter: jax.Array, first: jax.Array, second: jax.Array, third: jax.Array
) -> jax.Array:
  """Hashes counters to random words under a key of 96 bits.

  The first key enters before a first round of mixing; the other 64 bits enter
  between the first and the second round. A key that only shifted the counter
  would put all streams on one sequence.

  Counters and keys are uint32, whose shapes broadcast; different counters have
  different words.
  """
  return finish(lowbias32(counter ^ first), second, third)


def finish(mixed: jax.Array, second: jax.Array, third: jax.Array) -> jax.Array:
  """Computes the second round of `keyed_hash` from counters after the first."""
  return lowbias32((mixed ^ second) + third)
