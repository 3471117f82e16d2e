"""Random thresholds that rates are compared with.

A spike is threshold < rate. The threshold of a tick has 16 bits. For a given
network it depends only on the key of the presentation, the role and layer of
the train, the position of the sample in the batch, the neuron and the tick,
never on the length of the train, the window or the representation of
coincidences. A short train is therefore the prefix of a longer one, and
experiments over train lengths are paired.

Thresholds are deferred: they are drawn where rates are compared with them, 32
ticks at a time, as bit planes.
"""

from collections.abc import Callable
import enum
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssnn_jax import checks
from ssnn_jax.spikes import hashing
from ssnn_jax.spikes.bit_planes import NUM_PLANES
from ssnn_jax.spikes.bit_planes import BitPlanes
from ssnn_jax.spikes.sobol import SobolWord


class Role(enum.IntEnum):
  """Purpose of a train; each role has its own thresholds."""

  INPUT = 0
  FORWARD = 1
  WINNER = 2
  ERROR = 3
  DROPOUT = 4
  # Always independent (`hashed`), whatever the sampler of the trains.
  THINNING = 5
  READ = 6
  TRANSPOSED_READ = 7


INDEPENDENT_ROLES = (Role.THINNING, Role.READ, Role.TRANSPOSED_READ)


class Address(NamedTuple):
  """Address of words of the trains of one sample and layer."""

  role: Role
  layer: int  # layer of the train
  # index of a 32-tick word within the presentation, or [K] indices
  word: jax.Array | int
  position: jax.Array | int  # position of the sample in the global batch


# Deferred thresholds of one sample in one word or several.
Thresholds = BitPlanes | SobolWord
Sampler = Callable[[jax.Array, Address, int], Thresholds]


def make_keys(key: jax.Array, num_layers: int) -> jax.Array:
  """Derives the keys of all trains of a presentation.

  Args:
    key: PRNG key of the presentation; used again, it derives the same keys.
    num_layers: number of layers of neurons, including the inputs.

  Returns:
    `[num_layers, roles, 3]` uint32 keys.

  Raises:
    UserError: if the key is no PRNG key, or several.
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


def make_sampler(name: str, use_kernels: bool = True) -> Sampler:
  """Returns the sampler of a network.

  Args:
    name: sampler of the trains, a key of `SAMPLERS`; `INDEPENDENT_ROLES` are
      always `hashed`.
    use_kernels: whether the sampler's compiled kernel may be used.

  Returns:
    The sampler.
  """

  def sampler(keys, address, num_neurons):
    draw = hashed if address.role in INDEPENDENT_ROLES else SAMPLERS[name]
    source = draw(keys, address, num_neurons)
    return source if use_kernels else source.without_kernel()

  return sampler


def hashed(keys: jax.Array, address: Address, num_neurons: int) -> Thresholds:
  """Returns independent thresholds from a counter-based hash.

  The keys of a word are hashes of its index under the key of the train. The
  bit planes share the first round of mixing; each plane adds 64 bits of its own
  before the second round.

  Limits: independent for fewer than 2**32 pairs of position and neuron.

  Args:
    keys: `[layers, roles, 3]` uint32 keys of the presentation's trains.
    address: address of the word.
    num_neurons: number of thresholds per tick; 1 threshold is shared by all
      rates that are compared with it.

  Returns:
    The thresholds.

  Example:
    >>> from ssnn_jax.spikes import thresholds
    >>> keys = thresholds.make_keys(jax.random.key(0), num_layers=2)
    >>> address = thresholds.Address(thresholds.Role.INPUT, 0, 0, 0)
    >>> source = thresholds.hashed(keys, address, 100_000)
    >>> rates, all_ticks = jnp.full(100_000, 0.25), ~jnp.uint32(0)
    >>> train = ssnn_jax.spikes.fire(source, rates, all_ticks)
    >>> counts = ssnn_jax.spikes.count(train[None])  # about 32 times the rate
    >>> float(counts.mean(dtype=jnp.float32).round(1))
    8.0
  """
  first = make_counters(address.position, num_neurons)[0]
  step = jnp.uint32(num_neurons > 1)
  return BitPlanes(
    _addresses(keys, address),
    jnp.stack([first, step]),
    _make_word_keys,
    _make_draw_hashed,
    'ssnn_sample_hashed',
  )


def _addresses(keys, address):
  """Returns the key of the train and the index of each word, `[..., 4]`."""
  key, word = keys[address.layer, address.role], _as_uint32(address.word)
  join = lambda word: jnp.concatenate([key, word[None]])
  return jnp.vectorize(join, signature='()->(k)')(word)


def _make_word_keys(shared):
  """Hashes the keys of a word, `[33]` uint32."""
  *key, word = shared
  num_keys = 1 + 2 * NUM_PLANES
  counters = word * jnp.uint32(num_keys) + jnp.arange(num_keys, dtype='uint32')
  return hashing.keyed_hash(counters, *key)


def _make_draw_hashed(keys, counter, num_neurons):
  """Returns the function that draws a plane of `hashed` by its index.

  `keys` are `[33]` uint32: one for the first round, two for each plane;
  `counter` is the counter of the first neuron and the step to the next one.
  """
  first, step = counter
  counters = first + step * jnp.arange(num_neurons, dtype=jnp.uint32)
  mixed = hashing.lowbias32(counters ^ keys[0])
  second, third = keys[1:].reshape(2, NUM_PLANES)
  return lambda plane: hashing.finish(mixed, second[plane], third[plane])


def threefry(keys: jax.Array, address: Address, num_neurons: int) -> Thresholds:
  """Returns independent thresholds from `jax.random`: the slow reference.

  Args:
    keys: `[layers, roles, 3]` uint32 keys of the presentation's trains.
    address: address of the word.
    num_neurons: number of thresholds per tick.

  Returns:
    The thresholds.
  """
  position = _as_uint32(address.position)[None]
  return BitPlanes(
    _addresses(keys, address), position, jnp.asarray, _draw_threefry
  )


def _draw_threefry(shared, own, num_neurons):
  """Returns the function that reads a plane of `threefry` by its index."""
  key = jax.random.wrap_key_data(shared[:2], impl='threefry2x32')
  key = jax.random.fold_in(jax.random.fold_in(key, shared[3]), own[0])
  planes = jax.random.bits(key, (NUM_PLANES, num_neurons), jnp.uint32)
  return lambda plane: planes[plane]


def shifted(keys: jax.Array, address: Address, num_neurons: int) -> Thresholds:
  """Returns low-discrepancy thresholds: a Sobol sequence with digital shifts.

  The trains of a role and layer follow one dimension of the sequence; each
  neuron flips its bits by a random shift of its own, fixed for the
  presentation. A threshold is uniform and independent of the thresholds of
  other trains, but the ticks of a train are stratified: over 2**k ticks from a
  multiple of 2**k on, the number of spikes is within one of its mean.

  Limits: a train repeats after 2**16 ticks.

  Args:
    keys: `[layers, roles, 3]` uint32 keys of the presentation's trains.
    address: address of the word.
    num_neurons: number of thresholds per tick; 1 threshold is shared by all
      rates that are compared with it.

  Returns:
    The thresholds.

  Example:
    >>> from ssnn_jax.spikes import thresholds
    >>> keys = thresholds.make_keys(jax.random.key(0), num_layers=2)
    >>> address = thresholds.Address(thresholds.Role.INPUT, 0, 0, 0)
    >>> source = thresholds.shifted(keys, address, 2)
    >>> rates, all_ticks = jnp.array([0.25, 0.5]), ~jnp.uint32(0)
    >>> train = ssnn_jax.spikes.fire(source, rates, all_ticks)
    >>> ssnn_jax.spikes.count(train[None])  # 32 times the rates
    Array([ 8, 16], dtype=int32)
  """
  counters = make_counters(address.position, num_neurons)
  shifts = hash_train(keys, address, counters)
  dimension = _dimension(address.role, address.layer)
  return SobolWord.of(dimension, _as_uint32(address.word), shifts)


def _dimension(role, layer):
  """Returns the Sobol dimension of a train, whatever the depth.

  The variance of coincidences depends on the pair of dimensions at the two ends
  of a synapse. The pairs (0, 1) and (3, 4), and (0, 2) and (3, 2) with the
  winners, reduce it at all lengths; others double it. The shifts are
  independent, so that layers may share a pair.
  """
  if role == Role.ERROR:
    return 4 if layer == 1 else 1
  if role == Role.FORWARD:  # of layer 1 and above
    return 3 if layer == 1 else 0
  return {Role.INPUT: 0, Role.WINNER: 2, Role.DROPOUT: 0}[role]


SAMPLERS = {'bernoulli': hashed, 'threefry': threefry, 'sobol': shifted}


def hash_train(
  keys: jax.Array, address: Address, counters: jax.Array
) -> jax.Array:
  """Hashes uint32 counters under the key of a train."""
  first, second, third = keys[address.layer, address.role]
  return hashing.keyed_hash(counters, first, second, third)


def make_counters(position: jax.Array | int, num_neurons: int) -> jax.Array:
  """Returns `[num_neurons]` counters of a sample's neurons in the batch."""
  first = _as_uint32(position) * jnp.uint32(num_neurons)
  return first + jnp.arange(num_neurons, dtype=jnp.uint32)


def _as_uint32(index):
  return jnp.asarray(index).astype(jnp.uint32)
