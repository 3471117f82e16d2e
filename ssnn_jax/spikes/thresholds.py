"""Thresholds that rates are compared with, and the samplers that make them.

A neuron of rate p fires at a tick where threshold < round(2**16 p). A threshold
depends on the key of the presentation, the role and layer of the train, the
position of the sample in the global batch, the neuron and the tick alone: never
on the length of the train, the window or the number of devices. A short train
is therefore the prefix of a longer one, and experiments over lengths are
paired.
"""

from collections.abc import Callable
import enum
import math
from typing import Any
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax.spikes import hashing
from ssnn_jax.spikes.windows import TICKS_PER_WORD

NUM_BITS = 16  # of a threshold


class Role(enum.IntEnum):
  """Purpose of a train; each role has its own thresholds."""

  INPUT = 0
  FORWARD = 1
  WINNER = 2
  ERROR = 3
  DROPOUT = 4
  # Always independent (`bernoulli`), whatever the sampler of the trains.
  THINNING = 5
  READ = 6
  TRANSPOSED_READ = 7


INDEPENDENT_ROLES = (Role.THINNING, Role.READ, Role.TRANSPOSED_READ)


class Sampler(NamedTuple):
  """Generator of thresholds as pure functions, for one sample and one word.

  A word has 32 ticks; its index within the presentation is `word`. Functions
  are compared by identity when programs are cached: make a sampler once.

  Attributes:
    thresholds: `(source, word) -> thresholds`, `[32, N]` uint16 of the ticks
      32 word to 32 word + 31, for the `source.num_neurons` neurons.
    sample: `(source, word, rates, mask) -> spikes`, the `[N]` uint32 word of
      one window with `[N]` rates and the ticks of a mask: the spikes that the
      thresholds give, where they can be found faster; None compares the
      thresholds.
    count: `(source, word, rates) -> counts`, `[N]` numbers of the spikes of a
      whole word, where they are known without sampling; None samples.
  """

  thresholds: Callable[..., jax.Array]
  sample: Callable[..., jax.Array] | None = None
  count: Callable[..., jax.Array] | None = None


@flax.struct.dataclass
class Source:
  """Thresholds of the neurons of a layer, for one sample in K words.

  If `num_neurons` is 1, all rates are compared with the same thresholds.
  """

  key: jax.Array  #: [3] uint32 of the presentation, role and layer
  position: jax.Array  #: position of the sample in the global batch
  words: jax.Array  #: [K] indices of words within the presentation
  role: Role = flax.struct.field(pytree_node=False)
  layer: int = flax.struct.field(pytree_node=False)
  num_neurons: int = flax.struct.field(pytree_node=False)
  sampler: Sampler = flax.struct.field(pytree_node=False)

  def thresholds(self) -> jax.Array:
    """Returns the thresholds of all ticks, `[32 K, N]` uint16."""
    of_words = jax.vmap(lambda word: self.sampler.thresholds(self, word))
    return of_words(self.words).reshape(-1, self.num_neurons)

  def random_bits(self) -> jax.Array:
    """Returns `[N]` uint32 random bits, fixed for the presentation."""
    return hashing.keyed_hash(self.counters(), *self.key)

  def counters(self) -> jax.Array:
    """Returns `[N]` uint32 numbers of the sample's neurons in the batch."""
    size = self.num_neurons
    first = jnp.asarray(self.position).astype(jnp.uint32) * jnp.uint32(size)
    return first + jnp.arange(size, dtype=jnp.uint32)


def sample_words(
  source: Source, rates: jax.Array, masks: jax.Array
) -> jax.Array:
  """Samples the spikes of a source.

  Args:
    source: thresholds of one sample in K words.
    rates: `[1, N]` spikes per tick in a window, in [0, 1].
    masks: `[1, K]` uint32 ticks of the window.

  Returns:
    `[K, N]` uint32 spikes, one bit per tick.
  """

  def sample(word, mask):
    if source.sampler.sample:
      return source.sampler.sample(source, word, rates[0], mask)
    return _compare(source.sampler.thresholds(source, word), rates[0], mask)

  return jax.vmap(sample)(source.words, masks[0])


@jax.jit  # so that it is traced once
def _compare(
  thresholds: jax.Array, rates: jax.Array, mask: jax.Array
) -> jax.Array:
  """Compares the thresholds of a word, `[32, N or 1]`, with rates `[N]`.

  Returns `[N]` uint32 spikes in the ticks of a uint32 mask.
  """
  places = jnp.arange(TICKS_PER_WORD, dtype=jnp.uint32)
  rates = round_rates(rates)

  def add_tick(tick, spikes):
    is_spike = thresholds[tick].astype(jnp.uint32) < rates
    return spikes | is_spike.astype(jnp.uint32) << places[tick]

  silent = jnp.zeros(rates.shape, jnp.uint32)
  # A loop over ticks, as a sum over them is not vectorized over neurons.
  return jax.lax.fori_loop(0, TICKS_PER_WORD, add_tick, silent) & mask


def is_below(thresholds: jax.Array, rates: jax.Array) -> jax.Array:
  """Returns where thresholds `[n, N or 1]` uint16 are below rates `[n, N]`."""
  # A rate of 1 rounds to 2**16, which 16 bits cannot hold.
  return thresholds.astype(jnp.uint32) < round_rates(rates)


def round_rates(rates: jax.Array) -> jax.Array:
  """Rounds rates to multiples of 2**-16, the resolution of thresholds."""
  return jnp.round(rates * (1 << NUM_BITS)).astype(jnp.uint32)


def make_keys(key: jax.Array, num_layers: int) -> jax.Array:
  """Derives the keys of all trains, `[num_layers, roles, 3]` uint32.

  The inputs are a layer; the same PRNG key of a presentation derives the same
  keys. Raises a `UserError` if it is no PRNG key, or several.
  """
  checks.check_key(key)
  # Cloned, as several functions derive the same keys.
  keys = jax.random.bits(jax.random.clone(key), (3,), jnp.uint32)
  # The keys of trains do not depend on the number of independent roles.
  shape = num_layers, len(Role), 3
  counters = jnp.arange(math.prod(shape), dtype=jnp.uint32)
  split = num_layers * (len(Role) - len(INDEPENDENT_ROLES)) * 3
  hashes = hashing.keyed_hash(counters, keys[0], keys[1], keys[2])
  trains = hashes[:split].reshape(num_layers, -1, 3)
  noise = hashes[split:].reshape(num_layers, -1, 3)
  return jnp.concatenate([trains, noise], axis=1)


def uniforms(source: Source) -> jax.Array:
  """Returns independent uniform numbers of all ticks, whatever the sampler.

  They are `[32 K, N]` float32 within (0, 1).
  """
  counters = source.counters()

  def draw(tick):
    parts = 3 * tick.astype(jnp.uint32) + jnp.arange(3, dtype=jnp.uint32)
    words = hashing.keyed_hash(
      counters, *hashing.keyed_hash(parts, *source.key)
    )
    values = ((words >> 8).astype(jnp.float32) + 0.5) * 2.0**-24
    return jnp.minimum(values, 1.0 - 2.0**-24)  # rounding may reach 1

  places = jnp.arange(TICKS_PER_WORD)[None]
  ticks = source.words[:, None] * TICKS_PER_WORD + places
  return jax.vmap(draw)(ticks.reshape(-1))


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
