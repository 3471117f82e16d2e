"""The rules of the chip: one sample and one tick, in integers.

The method of `ssnn_jax.reference.realtime`, with weights that change within the
presentation: each coincidence whose row is enabled moves its weight by a unit
for each error spike, at once. All registers are read at the start of a tick and
written at its end, as by the clock of a chip.

Layer l of weights, from 0, connects N_l neurons, and a bias that spikes at
every tick, to N_{l+1} neurons. Everything is int32, but pixels (uint8), weights
(int16), registers of random words (uint32) and forward spikes (bool).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.chip.config import ADDRESS_BITS
from ssnn_jax.chip.config import MAX_ERROR_SPIKES
from ssnn_jax.chip.config import PIXEL_BITS
from ssnn_jax.chip.config import RATE_BITS
from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.spikes import sobol

WORD_BITS = 32
_BYTES = WORD_BITS // ADDRESS_BITS
_GOLDEN = 0x9E37  # 2^16 times the golden ratio, its fraction
_LANES = 16  # rows that share a word

Weights = tuple[jax.Array, ...]  # [N_l + 1, N_{l+1}] int16; last row: biases


class Generators(NamedTuple):
  """Xorshift registers of random words, uint32 and not 0.

  They run on from sample to sample. The input register steps once for each 16
  rows, in the same steps in all ticks of a sample; all others after every tick.
  """

  input: jax.Array  #: [] flips the Sobol points of the inputs
  winner: jax.Array  #: [ceil(C / 4)]: four classes share a word
  enable: jax.Array  #: [L] of each layer of weights


class Neurons(NamedTuple):
  """State of all neurons, which starts each presentation at 0."""

  residues: tuple[jax.Array, ...]  #: m_l, [N_{l+1}] of each hidden layer
  drives: tuple[jax.Array, ...]  #: D_l, [N_{l+1}] of each layer of weights
  errors: tuple[jax.Array, ...]  #: a_l, [N_{l+1}] of each hidden layer


class Spikes(NamedTuple):
  """Spikes of one tick."""

  forward: tuple[jax.Array, ...]  #: x_l, [N_l] bool of inputs and hidden layers
  errors: tuple[jax.Array, ...]  #: e_l, [N_{l+1}], -3 to 3; -1 to 1 of classes
  winner: jax.Array  #: class that wins the tick


class Response(NamedTuple):
  """Readouts of the output layer."""

  votes: jax.Array  #: [C] ticks won by each class
  drive: jax.Array  #: [C] at the end


class Trace(NamedTuple):
  """What happened in each tick, with a leading axis T."""

  spikes: Spikes
  currents: tuple[jax.Array, ...]  #: g_l, [N_{l+1}] of each hidden layer
  neurons: Neurons  #: after the tick


class Presentation(NamedTuple):
  """Result of the presentation of one sample."""

  weights: Weights
  generators: Generators
  response: Response
  trace: Trace


def init_generators(config: ChipConfig, key: jax.Array) -> Generators:
  """Samples the registers of a new chip, not 0; consumes the key."""
  num_winner = -(-config.layer_sizes[-1] // _BYTES)
  bits = jax.random.bits(key, 1 + num_winner + config.num_layers, jnp.uint32)
  bits = jnp.maximum(bits, 1)
  return Generators(bits[0], bits[1 : num_winner + 1], bits[num_winner + 1 :])


def step(registers: Generators) -> Generators:
  """Returns the registers after a tick; that of the inputs waits."""
  return jax.tree.map(_xorshift, registers)._replace(input=registers.input)


def _xorshift(x):
  """Steps a register of G. Marsaglia, "Xorshift RNGs" (2003)."""
  x = x ^ (x << 13)
  x = x ^ (x >> 17)
  return x ^ (x << 5)


def sobol_rows() -> np.ndarray:
  """Returns rows of the Sobol matrix of the inputs, `[8]` int64.

  Bit q of the point of a tick is the parity of row q and the tick. These are
  the upper bits of the 16 that the dimension has.
  """
  dimension = sobol.dimension(sobol.Role.INPUT, 0)
  return sobol.generator_matrix(dimension)[-PIXEL_BITS:]


def flip_bytes(register: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
  """Returns the byte by which each input flips Sobol points, `[N_0]` int32.

  If all inputs had the same, they would spike in the same ticks: drives would
  swing, and a neuron cannot take back the spikes of a swing. 16 rows share a
  word of the register, turned by two bits more for each; then it steps. The
  second result is the register after the last rows.
  """
  advance = lambda word, _: (_xorshift(word), word)
  num_words = size // _LANES + 1  # the bias is a row, too
  after, words = jax.lax.scan(advance, register, None, length=num_words)
  turns = jnp.arange(0, WORD_BITS, WORD_BITS // _LANES, dtype=jnp.uint32)[None]
  words = words[:, None]
  turned = words << turns | words >> (WORD_BITS - turns) % WORD_BITS
  upper = jnp.int32(turned >> (WORD_BITS - PIXEL_BITS))
  return jnp.ravel(upper)[:size], after


def sobol_point(t: jax.Array) -> jax.Array:
  """Returns the Sobol point of tick t, int32 of 0 to 255."""
  rows = jnp.asarray(sobol_rows(), jnp.uint32)
  bits = jax.lax.population_count(rows & jnp.uint32(t)) & 1
  places = jnp.arange(PIXEL_BITS, dtype=jnp.uint32)
  return jnp.sum(bits << places, dtype=jnp.uint32).astype(jnp.int32)


def noise(config: ChipConfig, words: jax.Array) -> jax.Array:
  """Returns the Gumbel noise of the classes, `[C]` int32, each of its byte."""
  classes = np.arange(config.layer_sizes[-1])
  shifts = jnp.asarray(ADDRESS_BITS * (classes % _BYTES), jnp.uint32)
  address = words[classes // _BYTES] >> shifts & ((1 << ADDRESS_BITS) - 1)
  return jnp.asarray(config.gumbel_table)[address]


def enable_bits(word: jax.Array, num_rows: int, rate: jax.Array) -> jax.Array:
  """Returns `[I + 1]` bool: rows whose weights may move.

  Each row inverts a fixed choice of bits of the word: multiples of the golden
  ratio, which are evenly distributed.
  """
  rows = np.arange(1, num_rows + 1, dtype=np.uint64)
  masks = np.uint32(rows * _GOLDEN % (1 << RATE_BITS))
  return jnp.int32(word >> (WORD_BITS - RATE_BITS) ^ masks) < rate


def tick(
  config: ChipConfig,
  weights: Weights,
  neurons: Neurons,
  registers: Generators,
  t: jax.Array,
  pixels: jax.Array,
  flips: jax.Array,
  label: jax.Array,
  enable: jax.Array,
) -> tuple[Weights, Trace]:
  """Advances the chip by one tick, t from 0: emit, count, integrate.

  `flips` are those of `flip_bytes`, the other arguments those of `present`.
  Returns the weights after the tick, and what happened in it.
  """
  num_layers, num_classes = config.num_layers, config.layer_sizes[-1]
  most = jnp.arange(MAX_ERROR_SPIKES, dtype=jnp.int32)

  # Emit: every neuron spikes, forward and backward, from its own state alone.
  pixels = jnp.int32(pixels)
  # A rate is p / 255 in units of 1 / 256, so that 255 spikes in every tick.
  rates = pixels + (pixels >> (PIXEL_BITS - 1))
  forward, errors = [(flips ^ sobol_point(t)) < rates], []
  for m, a, bits, worth in zip(
    neurons.residues, neurons.errors, config.fractions, config.worths
  ):
    forward.append(m > 1 << (bits - 1))
    fires = jnp.abs(a)[None] > (2 * most[:, None] + 1) * (worth // 2)
    errors.append(jnp.sign(a) * jnp.sum(jnp.int32(fires), axis=0))
  # D / k is the mean drive: its softmax is sampled without a division. Only
  # errors need the noise; without a label the largest drive wins.
  has_label = (label >= 0) & (label < num_classes)
  ticks = jnp.maximum(t - (num_layers - 1), 1)
  draw = jnp.where(has_label, ticks * noise(config, registers.winner), 0)
  winner = jnp.int32(jnp.argmax(neurons.drives[-1] + draw))
  error = one_hot(winner, num_classes) - one_hot(label, num_classes)
  errors.append(jnp.where(has_label & (t >= num_layers), error, 0))
  spikes = Spikes(tuple(forward), tuple(errors), winner)

  # Count: a coincidence moves its weight at once, if its row is enabled.
  limit, moved = 1 << (config.weight_bits - 1), []
  for layer, (w, x, e) in enumerate(zip(weights, forward, errors)):
    is_enabled = enable_bits(registers.enable[layer], len(w), enable[layer])
    moves = jnp.append(x, True) & is_enabled
    after = jnp.int32(w) - jnp.where(moves[:, None], e[None], 0)
    moved.append(jnp.int16(jnp.clip(after, -limit, limit - 1)))

  # Integrate: every neuron receives the spikes of the layers next to it.
  residues, drives, unsent, currents = [], [], [], []
  for layer, (w, x) in enumerate(zip(weights, forward)):
    d = jnp.int32(jnp.append(x, True)) @ jnp.int32(w)
    d = jnp.where(t >= layer, d, 0)
    drives.append(neurons.drives[layer] + d)
    if layer < num_layers - 1:
      one, sent = 1 << config.fractions[layer], jnp.int32(forward[layer + 1])
      residues.append(neurons.residues[layer] + d - one * sent)
      g = jnp.int32(weights[layer + 1][:-1]) @ errors[layer + 1]
      is_open = (drives[layer] > 0) & (drives[layer] < one * (t + 1 - layer))
      rest = neurons.errors[layer] - config.worths[layer] * errors[layer]
      unsent.append(rest + jnp.where(is_open, g, 0))
      currents.append(g)
  neurons = Neurons(tuple(residues), tuple(drives), tuple(unsent))
  return tuple(moved), Trace(spikes, tuple(currents), neurons)


def one_hot(index: jax.Array, size: int) -> jax.Array:
  """Returns 1 at an index, and 0 elsewhere."""
  return jnp.int32(jnp.arange(size) == index)


def present(
  config: ChipConfig,
  weights: Weights,
  generators: Generators,
  pixels: jax.Array,
  label: jax.Array,
  enable: jax.Array,
) -> Presentation:
  """Presents one sample for T ticks.

  Args:
    config: the chip.
    weights: `[N_l + 1, N_{l+1}]` int16 of each layer.
    generators: registers of the random words.
    pixels: `[N_0]` inputs of 0 to 255.
    label: int32 class; others, as -1, recognize the sample without learning.
    enable: `[L]` int32 rates of the enable bits, 0 to 2^16.

  Returns:
    The state of the chip after the sample, its answer, and each tick.

  Example:
    >>> from ssnn_jax import chip
    >>> config = chip.ChipConfig((64, 32, 10))
    >>> weights = chip.init_weights(config, jax.random.key(0))
    >>> generators = chip.init_generators(config, jax.random.key(1))
    >>> pixels, enable = jnp.full(64, 128), jnp.array([4096, 4096])
    >>> after = chip.present(config, weights, generators, pixels, 3, enable)
    >>> int(after.response.votes.sum())  # of 64 ticks, half of which vote
    32
    >>> after.trace.spikes.forward[0].shape  # of the inputs
    (64, 64)
  """
  label, enable = (jnp.asarray(x, jnp.int32) for x in (label, enable))

  def advance(carry, t):
    weights, neurons, registers, votes = carry
    weights, trace = tick(
      config, weights, neurons, registers, t, pixels, flips, label, enable
    )
    vote = one_hot(trace.spikes.winner, len(votes))
    votes += jnp.where(t >= config.first_vote, vote, 0)
    return (weights, trace.neurons, step(registers), votes), trace

  flips, after = flip_bytes(generators.input, len(pixels))
  zeros = tuple(jnp.zeros(n, jnp.int32) for n in config.layer_sizes[1:])
  neurons = Neurons(zeros[:-1], zeros, zeros[:-1])
  carry = tuple(weights), neurons, generators, zeros[-1]
  ticks = jnp.arange(config.num_steps, dtype=jnp.int32)
  carry, trace = jax.lax.scan(advance, carry, ticks)
  weights, neurons, generators, votes = carry
  generators = generators._replace(input=after)
  response = Response(votes, neurons.drives[-1])
  return Presentation(weights, generators, response, trace)
