"""The rules of the chip: one tick, one sample, and samples, in integers.

All registers are read at the start of a tick and written at its end. Layer l of
weights, from 0, connects N_l neurons, and a bias that spikes at every tick, to
N_{l+1} neurons. Everything is int32, but pixels (uint8), weights between
samples (int16), registers of random words (uint32) and forward spikes (bool).
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax.chip.config import ADDRESS_BITS
from ssnn_jax.chip.config import MAX_ERROR_SPIKES
from ssnn_jax.chip.config import PIXEL_BITS
from ssnn_jax.chip.config import RATE_BITS
from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.trains import sobol

WORD_BITS = 32
_BYTES = WORD_BITS // ADDRESS_BITS
_GOLDEN = 0x9E37  # 2^16 times the golden ratio, its fraction
_LANES = 16  # rows that share a word
_MANY_WEIGHTS = 1 << 14  # of a layer: few of its rows move in a tick
_one_hot = functools.partial(jax.nn.one_hot, dtype=jnp.int32)

Weights = tuple[jax.Array, ...]  # [N_l + 1, N_{l+1}] int16; last row: biases


class Generators(NamedTuple):
  """Xorshift registers of random words, uint32 and not 0.

  They run on from sample to sample. The input register steps once for each 16
  rows, in the same steps in all ticks of a sample; all others after every tick.
  """

  input: jax.Array  #: [] flips the Sobol points of the inputs
  winner: jax.Array  #: [ceil(C / 4)]: four classes share a word
  enable: jax.Array  #: [L] of each layer of weights


class Trace(NamedTuple):
  """What happens in one tick; of a sample, with a leading axis T.

  Sums are those after the tick, and start each presentation at 0.
  """

  forward: tuple[jax.Array, ...]  #: x_l, [N_l] bool of inputs and hidden layers
  errors: tuple[jax.Array, ...]  #: e_l, [N_{l+1}], -3 to 3; -1 to 1 of classes
  winner: jax.Array  #: class that wins the tick
  currents: tuple[jax.Array, ...]  #: g_l, [N_{l+1}] of each hidden layer
  residues: tuple[jax.Array, ...]  #: m_l, [N_{l+1}] of each hidden layer
  drives: tuple[jax.Array, ...]  #: D_l, [N_{l+1}] of each layer of weights
  unsent: tuple[jax.Array, ...]  #: a_l, [N_{l+1}] of each hidden layer


class Response(NamedTuple):
  """What a sample has caused; with an axis `[B]` of several samples."""

  votes: jax.Array  #: [C] ticks won by each class
  drive: jax.Array  #: [C] of the output layer, at the end
  spikes: tuple[jax.Array, ...]  #: [N_l] forward spikes of each neuron
  errors: tuple[jax.Array, ...]  #: [N_{l+1}] error spikes, of both signs


class Presentation(NamedTuple):
  """State of the chip after one sample or several, and what they gave."""

  weights: Weights
  generators: Generators
  response: Response
  trace: Trace | None  #: of one sample


def init_generators(config: ChipConfig, key: jax.Array) -> Generators:
  """Samples the registers of a new chip, not 0; consumes the key."""
  num_winner = -(-config.layer_sizes[-1] // _BYTES)
  bits = jax.random.bits(key, 1 + num_winner + config.num_layers, jnp.uint32)
  bits = jnp.maximum(bits, 1)
  return Generators(bits[0], bits[1 : num_winner + 1], bits[num_winner + 1 :])


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


def _draw(config, generators, pixels, enable):
  """Returns what is random in each tick of a sample, and the registers after.

  In a tick, these are the `[N_0]` bool spikes of the inputs, the `[C]` int32
  Gumbel noise of the classes, and the `[N_l + 1]` bool rows that may move.

  If all inputs had the same Sobol points, they would spike in the same ticks:
  drives would swing, and a neuron cannot take back the spikes of a swing. So a
  byte of each input flips its points: 16 rows share a word, turned by two bits
  more for each. Each row inverts bits of the enable word: multiples of the
  golden ratio, which are evenly distributed.
  """
  advance = lambda words, _: (jax.tree.map(_xorshift, words), words)
  num_words = len(pixels) // _LANES + 1  # the bias is a row, too
  after, words = jax.lax.scan(advance, generators.input, length=num_words)
  turns = jnp.arange(0, WORD_BITS, WORD_BITS // _LANES, dtype=jnp.uint32)[None]
  words = words[:, None]
  turned = words << turns | words >> (WORD_BITS - turns) % WORD_BITS
  flips = jnp.int32(turned >> (WORD_BITS - PIXEL_BITS)).ravel()[: len(pixels)]
  bits = np.bitwise_count(np.arange(config.num_steps)[:, None] & sobol_rows())
  points = jnp.asarray((bits & 1) @ (1 << np.arange(PIXEL_BITS)), jnp.int32)
  # A rate is p / 255 in units of 1 / 256, so that 255 spikes in every tick.
  rates = jnp.int32(pixels) + (jnp.int32(pixels) >> (PIXEL_BITS - 1))
  inputs = (flips[None] ^ points[:, None]) < rates[None]

  generators, words = jax.lax.scan(advance, generators, length=config.num_steps)
  word, byte = np.divmod(np.arange(config.layer_sizes[-1]), _BYTES)
  shifts = jnp.asarray(ADDRESS_BITS * byte, jnp.uint32)[None]
  addresses = words.winner[:, word] >> shifts & ((1 << ADDRESS_BITS) - 1)
  noise = jnp.asarray(config.gumbel_table)[addresses]
  enabled = []
  for layer, (rows, _) in enumerate(config.weights_shapes):
    masks = np.uint32(np.arange(1, rows + 1) * _GOLDEN % (1 << RATE_BITS))
    upper = words.enable[:, layer, None] >> (WORD_BITS - RATE_BITS)
    enabled.append(jnp.int32(upper ^ masks[None]) < enable[layer])
  return (inputs, noise, tuple(enabled)), generators._replace(input=after)


def _move(config, weights, rows, errors):
  """Subtracts `[J]` error spikes from rows, `[I + 1]` bool, of `[I + 1, J]`.

  Few rows of many weights move in a tick: a loop over them takes a fraction of
  the time of an update of all.
  """
  limit = 1 << (config.weight_bits - 1)
  clip = lambda own: jnp.clip(own, -limit, limit - 1)
  if weights.size < _MANY_WEIGHTS:
    return clip(weights - jnp.where(rows[:, None], errors[None], 0))
  rows = jnp.pad(rows & jnp.any(errors != 0), (0, -len(rows) % WORD_BITS))
  places = jnp.arange(WORD_BITS, dtype=jnp.uint32)[None]
  bits = jnp.uint32(rows).reshape(-1, WORD_BITS) << places

  def move_row(state):
    words, weights = state
    index = jnp.argmax(words != 0)
    first = words[index] & -words[index]  # the lowest bit that is set
    row = WORD_BITS * index + jnp.int32(jax.lax.population_count(first - 1))
    moved = clip(weights[row] - errors)
    weights = jax.lax.dynamic_update_index_in_dim(weights, moved, row, axis=0)
    return words.at[index].add(-first), weights

  state = jnp.sum(bits, axis=1, dtype=jnp.uint32), weights
  is_open = lambda state: jnp.any(state[0] != 0)
  return jax.lax.while_loop(is_open, move_row, state)[1]


def _tick(config, weights, sums, t, draws, label):
  """Advances the chip by one tick, t from 0: emit, then integrate.

  The weights are int32, the sums m, D and a. Returns the rows of each layer
  that move by the error spikes of this tick, and what happened in it.
  """
  (inputs, noise, enabled), (m_sums, drives, a_sums) = draws, sums
  num_layers, num_classes = config.num_layers, config.layer_sizes[-1]
  most = jnp.arange(MAX_ERROR_SPIKES, dtype=jnp.int32)

  # Emit: every neuron spikes, forward and backward, from its own state alone.
  forward, errors = [inputs], []
  for m, a, bits, worth in zip(m_sums, a_sums, config.fractions, config.worths):
    forward.append(m > 1 << (bits - 1))
    fires = jnp.abs(a)[None] > (2 * most[:, None] + 1) * (worth // 2)
    errors.append(jnp.sign(a) * jnp.sum(jnp.int32(fires), axis=0))
  # D / k is the mean drive: its softmax is sampled without a division. Only
  # errors need the noise; without a label the largest drive wins.
  has_label = (label >= 0) & (label < num_classes)
  ticks = jnp.maximum(t - (num_layers - 1), 1)
  noise = jnp.where(has_label, ticks * noise, 0)
  winner = jnp.int32(jnp.argmax(drives[-1] + noise))
  error = _one_hot(winner, num_classes) - _one_hot(label, num_classes)
  errors.append(jnp.where(has_label & (t >= num_layers), error, 0))

  # Integrate: every neuron receives the spikes of the layers next to it.
  with_bias = [jnp.append(x, True) for x in forward]
  received = [
    jnp.where(t >= layer, jnp.int32(x) @ w, 0)
    for layer, (w, x) in enumerate(zip(weights, with_bias))
  ]
  drives = list(map(jnp.add, drives, received))
  residues, unsent, currents = [], [], []
  for layer, (m, a) in enumerate(zip(m_sums, a_sums)):
    one, sent = 1 << config.fractions[layer], jnp.int32(forward[layer + 1])
    residues.append(m + received[layer] - one * sent)
    g = weights[layer + 1][:-1] @ errors[layer + 1]
    is_open = (drives[layer] > 0) & (drives[layer] < one * (t + 1 - layer))
    rest = a - config.worths[layer] * errors[layer]
    unsent.append(rest + jnp.where(is_open, g, 0))
    currents.append(g)
  rows = tuple(map(jnp.logical_and, with_bias, enabled))
  layers = map(tuple, (forward, errors, currents, residues, drives, unsent))
  forward, errors, *others = layers
  return rows, Trace(forward, errors, winner, *others)


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
    >>> present = jax.jit(chip.present, static_argnums=0)
    >>> after = present(config, weights, generators, pixels, 3, enable)
    >>> int(after.response.votes.sum())  # of 64 ticks, half of which vote
    32
  """
  label, enable = (jnp.asarray(x, jnp.int32) for x in (label, enable))
  move_all = lambda *moves: tuple(map(functools.partial(_move, config), *moves))

  def advance(carry, now):
    # Weights move before the next tick reads them, in place: those that are
    # read before they move would be copied in every tick.
    *moves, sums = carry
    weights = move_all(*moves)
    rows, trace = _tick(config, weights, sums, *now, label)
    return (weights, rows, trace.errors, trace[-3:]), trace

  draws, generators = _draw(config, generators, pixels, enable)
  zeros = tuple(jnp.zeros(n, jnp.int32) for n in config.layer_sizes[1:])
  rows = tuple(jnp.zeros(len(own), bool) for own in weights)
  sums = zeros[:-1], zeros, zeros[:-1]
  carry = tuple(map(jnp.int32, weights)), rows, zeros, sums
  ticks = jnp.arange(config.num_steps, dtype=jnp.int32)
  (*moves, sums), trace = jax.lax.scan(advance, carry, (ticks, draws))
  votes = _one_hot(trace.winner[config.first_vote :], len(zeros[-1]))
  count = lambda x: jnp.sum(jnp.abs(jnp.int32(x)), axis=0)
  return Presentation(
    tuple(map(jnp.int16, move_all(*moves))),
    generators,
    Response(
      jnp.sum(votes, axis=0),
      sums[1][-1],
      tuple(map(count, trace.forward)),
      tuple(map(count, trace.errors)),
    ),
    trace,
  )


def present_samples(
  config: ChipConfig,
  weights: Weights,
  generators: Generators,
  pixels: jax.Array,
  labels: jax.Array | int,
  enable: jax.Array,
) -> Presentation:
  """Presents `[B]` samples one after another; the weights change all the time.

  Labels are those of each sample, or one of all, and so are `[L]` rates. Under
  `jax.vmap`, one chip follows the other.
  """
  labels = jnp.broadcast_to(jnp.asarray(labels, jnp.int32), len(pixels))
  shape = len(pixels), config.num_layers
  enable = jnp.broadcast_to(jnp.asarray(enable, jnp.int32), shape)

  def advance(state, sample):
    weights, generators, response, _ = present(config, *state, *sample)
    return (weights, generators), response

  # The batched loop over rows would copy all weights for each row.
  @jax.custom_batching.sequential_vmap
  def run(weights, generators, *samples):
    return jax.lax.scan(advance, (weights, generators), samples)

  state, response = run(weights, generators, pixels, labels, enable)
  return Presentation(*state, response, trace=None)
