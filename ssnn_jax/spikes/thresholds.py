"""The random thresholds that rates are compared with.

A spike is threshold < rate. The threshold of a tick has 16 bits and depends on
nothing but the key of the presentation, what the train is for (role and layer),
the sample's position in the batch, the neuron and the tick: never on the
train's length, the window or how spikes are counted. So a short train is the
prefix of a longer one, and experiments over them are paired.

Thresholds are drawn bit plane by bit plane, 32 ticks at a time: bit t of word q
is bit q of the threshold of tick t.
"""

from collections.abc import Callable
import enum
import math

import flax.struct
import jax
import jax.numpy as jnp

from ssnn_jax.spikes import sobol

NUM_PLANES = 16


class Role(enum.IntEnum):
  """What a train decides; the trains of each role have their own thresholds."""

  INPUT = 0
  FORWARD = 1
  WINNER = 2
  ERROR = 3
  DROPOUT = 4
  # Noises, which are independent (`hashed`) whatever sampler makes trains.
  WRITE = 5
  READ = 6
  TRANSPOSED_READ = 7


NOISES = (Role.WRITE, Role.READ, Role.TRANSPOSED_READ)


@flax.struct.dataclass
class Thresholds:
  """The thresholds of one sample in one word, before they are drawn.

  Drawing is left to where they are compared, so that a kernel can do both.
  """

  shared: jax.Array  # [S] what the neurons share
  own: jax.Array  # [O] what tells them apart
  # (shared, own, num_neurons) -> [NUM_PLANES, num_neurons or 1] uint32
  draw: Callable[..., jax.Array] = flax.struct.field(pytree_node=False)
  # name of the compiled kernel that draws and compares
  kernel: str | None = flax.struct.field(pytree_node=False, default=None)


# (keys, role, layer, word, position, num_neurons) -> Thresholds
Sampler = Callable[..., Thresholds]


def make_keys(key: jax.Array, num_layers: int) -> jax.Array:
  """Derives the keys of all trains of a presentation.

  Args:
    key: PRNG key of the presentation; consumed.
    num_layers: layers of neurons, the inputs included.

  Returns:
    `[num_layers, roles, 3]` uint32 keys.
  """
  # Whoever else asks for them must get the same.
  keys = jax.random.bits(jax.random.clone(key), (3,), jnp.uint32)
  # The keys of trains do not depend on what noises there are.
  shape = num_layers, len(Role), 3
  counters = jnp.arange(math.prod(shape), dtype=jnp.uint32)
  split = num_layers * (len(Role) - len(NOISES)) * 3
  hashes = keyed_hash(counters, *keys)
  parts = hashes[:split], hashes[split:]
  return jnp.concatenate([p.reshape(num_layers, -1, 3) for p in parts], axis=1)


def lowbias32(x: jax.Array) -> jax.Array:
  """Mixes 32-bit words; a bijection in which each bit flips each other.

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


def keyed_hash(
  counter: jax.Array, first: jax.Array, second: jax.Array, third: jax.Array
) -> jax.Array:
  """Hashes counters to random words that 96 bits of key choose.

  The first key comes before a first round of mixing; 64 bits of key are mixed
  in between it and the second. A key that only shifted the counter would put
  all streams on one sequence.

  Args:
    counter: uint32 counters; the shapes broadcast.
    first: uint32 keys.
    second: uint32 keys.
    third: uint32 keys.

  Returns:
    uint32 words; those of different counters differ.
  """
  return lowbias32((lowbias32(counter ^ first) ^ second) + third)


def _counters(position, num_neurons):
  """Numbers the neurons of a sample within the batch."""
  first = position.astype(jnp.uint32) * jnp.uint32(num_neurons)
  return first + jnp.arange(num_neurons, dtype=jnp.uint32)


def hashed(
  keys: jax.Array,
  role: Role,
  layer: int,
  word: jax.Array,
  position: jax.Array,
  num_neurons: int,
) -> Thresholds:
  """Makes independent thresholds by a counter-based hash.

  A word's keys are hashes of its index, under the key of the train; the first
  round of mixing is shared by the planes, and each has 64 bits of its own
  before the second.

  Limits: independent for fewer than 2**32 pairs of position and neuron.

  Args:
    keys: `[layers, roles, 3]` uint32 keys of the presentation's trains.
    role: what the train is for.
    layer: the layer it belongs to.
    word: index of the 32-tick word within the presentation.
    position: position of the sample in the global batch.
    num_neurons: number of thresholds a tick; 1 is shared by all that is
      compared.

  Returns:
    The thresholds, with the word's keys and the sample's first counter.

  Example:
    >>> from ssnn_jax.spikes import thresholds
    >>> keys = thresholds.make_keys(jax.random.key(0), num_layers=2)
    >>> place = thresholds.Role.INPUT, 0, jnp.int32(0), jnp.int32(0)
    >>> source = thresholds.hashed(keys, *place, 100_000)
    >>> rates, all_ticks = jnp.full(100_000, 0.25), ~jnp.uint32(0)
    >>> train = ssnn_jax.spikes.fire(source, rates, all_ticks)
    >>> counts = ssnn_jax.spikes.count(train[None])  # about 32 times the rate
    >>> float(counts.mean(dtype=jnp.float32).round(1))
    8.0
  """
  num_keys = 1 + 2 * NUM_PLANES
  counters = word.astype(jnp.uint32) * jnp.uint32(num_keys)
  counters = counters + jnp.arange(num_keys, dtype=jnp.uint32)
  word_keys = keyed_hash(counters, *keys[layer, role])
  first = _counters(position, num_neurons)[0]
  step = jnp.uint32(num_neurons > 1)
  counter = jnp.stack([first, step])
  return Thresholds(word_keys, counter, hashed_words, 'ssnn_sample_hashed')


def hashed_words(
  keys: jax.Array, counter: jax.Array, num_neurons: int
) -> jax.Array:
  """Draws the thresholds of `hashed`.

  Args:
    keys: `[33]` uint32, one for the first round and two for each plane.
    counter: `[2]` uint32, the counter of the first neuron and the step to that
      of the next.
    num_neurons: number of thresholds a tick.

  Returns:
    `[16, num_neurons]` uint32 words, one a bit plane.
  """
  first, step = counter
  counters = first + step * jnp.arange(num_neurons, dtype=jnp.uint32)
  pairs = keys[1:].reshape(2, NUM_PLANES, 1)
  return keyed_hash(counters[None], keys[0], *pairs)


def threefry(
  keys: jax.Array,
  role: Role,
  layer: int,
  word: jax.Array,
  position: jax.Array,
  num_neurons: int,
) -> Thresholds:
  """Makes independent thresholds by `jax.random` alone: the slow reference.

  Args:
    keys: `[layers, roles, 3]` uint32 keys of the presentation's trains.
    role: what the train is for.
    layer: the layer it belongs to.
    word: index of the 32-tick word within the presentation.
    position: position of the sample in the global batch.
    num_neurons: number of thresholds a tick; 1 is shared by all that is
      compared.

  Returns:
    The thresholds, drawn.
  """
  key = jax.random.wrap_key_data(keys[layer, role, :2], impl='threefry2x32')
  key = jax.random.fold_in(jax.random.fold_in(key, word), position)
  words = jax.random.bits(key, (NUM_PLANES, num_neurons), jnp.uint32)
  return Thresholds(words, None, _drawn)


def _drawn(words, own, num_neurons):
  """Draws what has been drawn."""
  del own, num_neurons
  return words


def shifted(
  keys: jax.Array,
  role: Role,
  layer: int,
  word: jax.Array,
  position: jax.Array,
  num_neurons: int,
) -> Thresholds:
  """Makes low-discrepancy thresholds: a Sobol sequence with digital shifts.

  The trains of a role and layer follow one dimension of the sequence; each
  neuron flips its bits by a random shift of its own, one for the presentation.
  So a threshold is uniform, and independent of those of other trains, but the
  ticks of a train are stratified: over 2**k of them from a multiple of 2**k on,
  its spikes are the rate's to within one.

  Limits: a train repeats after 2**16 ticks.

  Args:
    keys: `[layers, roles, 3]` uint32 keys of the presentation's trains.
    role: what the train is for.
    layer: the layer it belongs to.
    word: index of the 32-tick word within the presentation.
    position: position of the sample in the global batch.
    num_neurons: number of thresholds a tick; 1 is shared by all that is
      compared.

  Returns:
    The thresholds, with the sequence in the word and the neurons' shifts.

  Example:
    >>> from ssnn_jax.spikes import thresholds
    >>> keys = thresholds.make_keys(jax.random.key(0), num_layers=2)
    >>> place = thresholds.Role.INPUT, 0, jnp.int32(0), jnp.int32(0)
    >>> source = thresholds.shifted(keys, *place, 2)
    >>> rates, all_ticks = jnp.array([0.25, 0.5]), ~jnp.uint32(0)
    >>> train = ssnn_jax.spikes.fire(source, rates, all_ticks)
    >>> ssnn_jax.spikes.count(train[None])  # 32 times the rates
    Array([ 8, 16], dtype=int32)
  """
  shifts = keyed_hash(_counters(position, num_neurons), *keys[layer, role])
  sequence = sobol.words(_dimension(role, layer), word)
  return Thresholds(sequence, shifts, shifted_words, 'ssnn_sample_shifted')


def shifted_words(
  sequence: jax.Array, shifts: jax.Array, num_neurons: int
) -> jax.Array:
  """Draws the thresholds of `shifted`.

  Args:
    sequence: `[16]` uint32, the bit planes of the sequence in the word.
    shifts: `[num_neurons]`, or `[1]` for all, uint32; bit q flips plane q.
    num_neurons: number of thresholds a tick.

  Returns:
    `[16, num_neurons or 1]` uint32 words, one a bit plane.
  """
  del num_neurons
  planes = jnp.arange(NUM_PLANES, dtype=jnp.uint32)[:, None]
  return sequence[:, None] ^ -((shifts[None, :] >> planes) & 1)


def _dimension(role, layer):
  """Gives each train a dimension of the Sobol sequence, whatever the depth.

  The first two, which are stratified jointly best, go to the two ends of the
  first layer's synapses.
  """
  if role == Role.ERROR:
    return 2 + 2 * layer if layer else 1
  if role == Role.FORWARD:  # of layer 1 and up
    return 1 + 2 * layer
  return {Role.INPUT: 0, Role.WINNER: 2, Role.DROPOUT: 0}[role]


SAMPLERS = {'bernoulli': hashed, 'threefry': threefry, 'sobol': shifted}


def make_sampler(name: str, use_kernels: bool = True) -> Sampler:
  """Looks up a sampler.

  Args:
    name: a key of `SAMPLERS`.
    use_kernels: whether its compiled kernel may draw, where there is one.

  Returns:
    The sampler.
  """
  sampler = SAMPLERS[name]
  if use_kernels:
    return sampler
  return lambda *coordinates: sampler(*coordinates).replace(kernel=None)
