"""Random words of the chip: a register for each role, layer and, maybe, neuron.

The word of a tick is read from a register, which steps at the end of the tick.
Registers are state of the chip, and run on from sample to sample.

Thresholds of 'sobol' follow a sequence of the tick, each role its own, which is
flipped by a register that steps once a presentation, after its last tick.
Winners and enable bits are random from tick to tick.
"""

from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.chip.config import ADDRESS_BITS
from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.spikes import sobol

WORD_BITS = 32
LFSR_TAPS = 0x80200003  # P. Alfke, Xilinx XAPP 052 (1996)
LFSR_STEPS = 16  # of a tick
_BYTES = WORD_BITS // ADDRESS_BITS
_GOLDEN = 0x9E3779B9  # 2^32 times the golden ratio, its fraction


class Generators(NamedTuple):
  """A uint32 value for each generator: its register, or its word of a tick."""

  input: Any  #: [n], with n = 1 or one for each neuron
  forward: tuple[Any, ...]  #: [n] of layers of neurons 1 to L - 1
  error: tuple[Any, ...]  #: [n] of hidden layers, those of v_0 to v_{L-2}
  winner: Any  #: [ceil(C / 4)]: four classes share a word
  enable: tuple[Any, ...]  #: [n] of each layer of weights, with its bias row


def init(config: ChipConfig, key: jax.Array) -> Generators:
  """Samples the registers of a new chip, not 0; consumes the key."""
  shapes = _shapes(config)
  leaves = jax.tree.leaves(shapes)
  bits = jax.random.bits(key, (sum(leaves),), jnp.uint32)
  random = jnp.split(jnp.maximum(bits, 1), np.cumsum(leaves)[:-1])
  return jax.tree.unflatten(jax.tree.structure(shapes), random)


def words(
  config: ChipConfig, registers: Generators, t: jax.Array
) -> Generators:
  """Returns the words of tick t."""
  if config.generator != 'sobol':
    return registers
  shift = lambda matrix, own: own ^ _point(matrix, t)
  role = registers._replace(winner=None, enable=None)
  words = jax.tree.map(shift, matrices(config), role)
  return words._replace(winner=registers.winner, enable=registers.enable)


def step(config: ChipConfig, registers: Generators, t: jax.Array) -> Generators:
  """Returns the registers after tick t."""
  advance = _lfsr if config.generator == 'lfsr' else _xorshift
  stepped = jax.tree.map(advance, registers)
  if config.generator != 'sobol':
    return stepped
  is_last = t == config.num_steps - 1
  choose = lambda own, after: jnp.where(is_last, after, own)
  held = jax.tree.map(choose, registers, stepped)
  return held._replace(winner=stepped.winner, enable=stepped.enable)


def spread(config: ChipConfig, word: jax.Array, num_neurons: int) -> jax.Array:
  """Returns the `[N]` words of the neurons of a layer and role."""
  word = jnp.broadcast_to(word, num_neurons)
  return word ^ masks(num_neurons) if config.sharing == 'mask' else word


def spread_enable(
  config: ChipConfig, word: jax.Array, num_rows: int, num_columns: int
) -> jax.Array:
  """Returns words of enable bits: `[I + 1, J]`, `[I + 1, 1]` or `[1, 1]`."""
  if config.enable == 'synapse':
    size = num_rows * num_columns
    return word[:, None] ^ masks(size).reshape(num_rows, num_columns)
  if config.enable == 'row' and config.sharing != 'neuron':
    word = word ^ masks(num_rows)
  return word[:, None]


def threshold(word: jax.Array, num_bits: int) -> jax.Array:
  """Returns the upper bits of words as int32."""
  return (word >> (WORD_BITS - num_bits)).astype(jnp.int32)


def addresses(word: jax.Array, num_classes: int) -> jax.Array:
  """Returns `[C]` int32 addresses of the Gumbel table: a byte of a class."""
  classes = np.arange(num_classes)
  shifts = jnp.asarray(ADDRESS_BITS * (classes % _BYTES), jnp.uint32)
  address = word[classes // _BYTES] >> shifts & ((1 << ADDRESS_BITS) - 1)
  return address.astype(jnp.int32)


def masks(size: int) -> np.ndarray:
  """Returns the bits that each neuron inverts, `[N]` uint32.

  They are multiples of the golden ratio, which are evenly distributed.
  """
  return (np.arange(1, size + 1) * _GOLDEN).astype(np.uint32)


def matrices(config: ChipConfig) -> Generators:
  """Returns the `[16]` int64 matrices of the Sobol sequence of each generator.

  Bit q of the point of a tick is the parity of row q and the tick.
  """
  num_hidden = config.num_layers - 1
  make = sobol.generator_matrix
  dimension, role = sobol.dimension, sobol.Role
  return Generators(
    input=make(dimension(role.INPUT, 0)),
    forward=tuple(
      make(dimension(role.FORWARD, layer)) for layer in range(1, num_hidden + 1)
    ),
    error=tuple(
      make(dimension(role.ERROR, layer)) for layer in range(num_hidden)
    ),
    winner=None,
    enable=None,
  )


def _shapes(config):
  """Returns the number of generators of each role and layer."""
  inputs, *hidden, classes = config.layer_sizes
  is_own = config.sharing == 'neuron'
  count = lambda size: size if is_own else 1
  rows = lambda size: count(size + 1) if config.enable != 'all' else 1
  return Generators(
    input=count(inputs),
    forward=tuple(map(count, hidden)),
    error=tuple(map(count, hidden)),
    winner=-(-classes // _BYTES),
    enable=tuple(map(rows, config.layer_sizes[:-1])),
  )


def _xorshift(x):
  """Steps a register of G. Marsaglia, "Xorshift RNGs" (2003)."""
  x = x ^ (x << 13)
  x = x ^ (x >> 17)
  return x ^ (x << 5)


def _lfsr(x):
  """Steps a Galois shift register."""
  for _ in range(LFSR_STEPS):
    x = (x >> 1) ^ (x & 1) * jnp.uint32(LFSR_TAPS)
  return x


def _point(matrix, t):
  """Returns the `[1]` point of a Sobol dimension at tick t, upper 16 bits."""
  rows = jnp.asarray(matrix, jnp.uint32)
  bits = jax.lax.population_count(rows & jnp.uint32(t)) & 1
  places = jnp.arange(WORD_BITS - len(rows), WORD_BITS, dtype=jnp.uint32)
  return jnp.sum(bits << places, dtype=jnp.uint32)[None]
