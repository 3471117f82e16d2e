"""Learning of the chip: the settled network in integers, sample by sample.

The chip is a network of neurons that take back spikes (`spiking.fire` of
ceiling 1). Its weights w are integers in units of 2^-F, and so are its input
currents D; counts X of spikes are integers anyway. So are the errors E of
classes; those of hidden neurons are in units of 2^-U, with U the F of the last
layer, and 0 for classes:

  D = X w                      X = clip((D + 2^(F-1)) >> F, 0, T)
  E = N_c - T [label]          E = leading digits of w E, if 0 < D < T 2^F
  S = (rate E + 2^(U-1)) >> U  rate = learning rate * 2^(F + 12) / T^2
  w -= (X S + u) >> 12

saturating, once a sample, when it has settled. u is a random fraction that a
row shares, with bits of its own for each column. N_c winners of T ticks are a
systematic sample of a table of exponentials. All random bits of a sample are
two words of one xorshift register. Moments of signals are samples, whose inputs
may be traces (`trace_signals`).
"""

from collections.abc import Sequence
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssnn_jax import checks
from ssnn_jax import powers
from ssnn_jax import types
from ssnn_jax.trains import encoding

ROUND_BITS = 12  # of u, and below the unit of a change
RATE_BITS = 16
STEP_BITS = 20  # of S, with its sign
EXP_BITS, STEPS_PER_NAT = 10, 32  # of the table of exponentials
TRACE_BITS = 17  # of a trace, below 1: a word of 18 bits holds it
#: Entry k is exp(-k / 32), `[256]` int32 in units of its largest.
EXPONENTIALS = np.int32(
  np.rint((2**EXP_BITS - 1) * np.exp(-np.arange(256) / STEPS_PER_NAT))
)
_ROW, _COLUMN = 0x9E37, 0x6A09  # odd numbers, whose multiples look random


@dataclasses.dataclass(frozen=True)
class Config:
  """A network that the chip has.

  Attributes:
    layer_sizes: neurons of each layer, from the inputs to the classes.
    num_steps: T, steps of a rate, a power of 2, and winners of a sample.
    digits: leading signed binary digits of an error of a hidden neuron.
    weight_bits: bits of a weight, with its sign.
    fraction_bits: F, bits after the binary point of weights and biases; one
      number for all layers of weights, or one for each.

  Raises:
    UserError: if a field is out of range.
  """

  layer_sizes: tuple[int, ...]
  num_steps: int = 8
  digits: int = 2
  weight_bits: int = 12
  fraction_bits: int | tuple[int, ...] = 10

  def __post_init__(self):
    # Values are hashable, as programs are cached by them.
    for name, value in list(vars(self).items()):
      is_one = checks.is_integer(value)
      value = int(value) if is_one else tuple(map(int, value))
      object.__setattr__(self, name, value)
    for name, is_valid, expected in self._list_checks():
      checks.check_field(self, name, is_valid, f'{expected}, on the chip')

  def _list_checks(self):
    """Yields what each field must be: name, whether it is, and the words."""
    sizes, steps, bits = self.layer_sizes, self.num_steps, self.weight_bits
    is_valid = 3 <= len(sizes) <= 5 and 1 <= min(sizes) and sizes[-1] <= 240
    is_valid = is_valid and sizes[0] < 2**14 and max(sizes[1:-1]) < 1024
    expected = 'one to three hidden layers of up to 1,023 neurons, up to 16,383'
    yield 'layer_sizes', is_valid, f'{expected} inputs and 240 classes'
    is_power = checks.is_count(steps, 2) and steps & (steps - 1) == 0
    is_power = is_power and steps <= 128
    yield 'num_steps', is_power, 'a power of 2 from 2 to 128'
    is_valid = checks.is_count(bits, 2) and bits <= 16
    yield 'weight_bits', is_valid, '2 to 16 bits'
    is_valid = len(self.fractions) == len(sizes) - 1
    is_valid = is_valid and all(3 <= own <= 14 for own in self.fractions)
    is_valid = is_valid and steps * 2 ** self.fractions[-1] >= STEPS_PER_NAT
    expected = f'3 to 14 bits, one number or one for each of {len(sizes) - 1} '
    expected += 'layers, of classes 4 if num_steps is 2'
    yield 'fraction_bits', is_valid, expected
    yield 'digits', self.digits in (1, 2), '1 or 2'
    # Sums have 32 bits here.
    sums = bits + steps.bit_length() - 1 + max(sizes[:-1]).bit_length()
    yield 'weight_bits', sums <= 32, 'fewer, for so many inputs and steps'
    for fraction, columns in zip(self.fractions[1:-1], sizes[2:-1]):
      low, high = fraction, _error_bits(self) - fraction
      is_valid = bits - 1 + max(low, high) + (columns - 1).bit_length() <= 31
      yield 'weight_bits', is_valid, 'fewer, with several hidden layers'
    is_valid = _error_bits(self) - self.fractions[-1] + RATE_BITS <= 32
    yield 'fraction_bits', is_valid, 'more of the classes'

  @property
  def fractions(self) -> tuple[int, ...]:
    """F of each layer of weights."""
    bits = self.fraction_bits
    is_one = checks.is_integer(bits)
    return (bits,) * (len(self.layer_sizes) - 1) if is_one else bits

  def init(self, key: jax.Array) -> types.Params:
    """Draws initial parameters, as `types.init_layers`, before rounding."""
    sizes = self.layer_sizes
    return types.init_layers(key, list(zip(sizes, sizes[1:])))


def _error_bits(config):
  """Returns the bits of a hidden error, with its sign: at most 2 T max |w|."""
  return config.weight_bits + config.num_steps.bit_length() + 1


def make_device(
  config: Config,
  learning_rate: jax.Array | float,
  schedule: optax.Schedule | None = None,
) -> types.Device:
  """Builds the chip as a device: integers that learn sample by sample.

  `init` rounds the initial weights to those of the chip, and `learn` presents
  the samples of a minibatch one after another.

  Args:
    config: the network, with weight_bits.
    learning_rate: step size for the gradient of one sample. It is part of the
      state, so that runs with different rates can share a compiled program.
    schedule: factor on the learning rate, as a function of the number of
      minibatches so far; None is constant.

  Raises:
    UserError: if the chip has no such rate.
  """
  largest = (2**RATE_BITS - 1) / max(_units(config))
  if not isinstance(learning_rate, jax.Array) and learning_rate > largest:
    raise types.UserError(
      f'learning_rate is {learning_rate:g} for a sample; expected at most '
      f'{largest:g}, whose integer has {RATE_BITS} bits on the chip.'
    )

  def init(key, params):
    word = jax.random.bits(key) | jnp.uint32(1)
    rate = jnp.float32(learning_rate)
    state = types.DeviceState(jnp.int32(0), rate, word)
    return quantize(config, params), state

  def learn(network, keys, carry, inputs, labels):
    del network, keys  # the random words run on
    params, state = carry
    checks.check_array('labels', labels)
    checks.check_labels(labels, (len(inputs),), config.layer_sizes[-1])
    rates = integer_rates(config, state, schedule)

    def step(carry, sample):
      params, word, inference = present(config, *carry, rates, *sample)
      return (params, word), inference

    (params, word), inference = jax.lax.scan(
      step, (params, state.hardware), (inputs, labels)
    )
    count = state.num_updates + 1
    state = state._replace(hardware=word, num_updates=count)
    return (params, state), inference

  return types.Device(init, learn)


def quantize(config: Config, params: types.Params) -> types.Params:
  """Rounds parameters to the weights of the chip, multiples of 2^-F."""
  limit = 2 ** (config.weight_bits - 1)

  def on_grid(values, bits):
    steps = jnp.clip(jnp.round(values * 2.0**bits), -limit, limit - 1)
    return steps * 2.0**-bits

  return tuple(
    types.LayerParams(*(on_grid(values, bits) for values in layer))
    for layer, bits in zip(params, config.fractions, strict=True)
  )


@functools.lru_cache(maxsize=64)  # programs are cached by their functions
def make_network(config: Config, axis_name: str | None = None) -> types.Network:
  """Builds the settled network, which `make_device` teaches.

  Its winners are those of a phase of 0; a device learns, so that it has no
  loss.

  Args:
    config: the network.
    axis_name: axis of a mesh whose accelerators share a batch.
  """
  del axis_name  # samples are settled one by one

  def infer(params, key, inputs):
    del key
    checks.check_params(config, params)
    weights = _integer_weights(config, quantize(config, params))

    def settle(counts):
      _, drives = _settle(config, weights, counts)
      return _infer(config, drives[-1], jnp.uint32(0))[1]

    return jax.vmap(settle)(_encode(config, inputs))

  return types.Network(
    config.init, infer, None, readout='potential', kind='chip', config=config
  )


def integer_rates(
  config: Config,
  state: types.DeviceState,
  schedule: optax.Schedule | None,
) -> jax.Array:
  """Returns the `[L]` int32 rates of the next minibatch."""
  rate = state.current_rate(schedule)
  rates = jnp.round(rate * jnp.array(_units(config)))
  return rates.astype(jnp.int32)


def _units(config):
  """Returns the integer rates of a learning rate of 1."""
  unit = 2.0**ROUND_BITS / config.num_steps**2
  return [2.0**bits * unit for bits in config.fractions]


def trace_signals(
  signals: jax.Array | np.ndarray, shifts: Sequence[int], num_steps: int
) -> jax.Array:
  """Computes traces of signals as inputs, moment by moment from rest.

  They are `ssnn_jax.trace` of the counts of the channels, in the integers of
  the chip: of D decays 1 - 2^-k and I channels, all I of the first decay first.

  Args:
    signals: `[B, L, I]` signals, as images.
    shifts: the k of each decay.
    num_steps: T.

  Returns:
    `[B, L, D I]` float32 rates, multiples of 1 / T.

  Raises:
    UserError: if a shift is out of range.

  Example:
    >>> step = np.array([[[0.0], [1.0], [1.0], [1.0]]])
    >>> ssnn_jax.chip.trace_signals(step, shifts=(0, 1, 3), num_steps=8)[0] * 8
    Array([[0., 0., 0.],
           [8., 4., 1.],
           [8., 6., 2.],
           [8., 7., 3.]], dtype=float32)
  """
  check_shifts(shifts, num_steps)
  encode = lambda rates: jnp.floor(num_steps * rates + 0.5) / num_steps
  rates = encode(encoding.rate_encode(signals)).reshape(signals.shape)
  gains = 2.0 ** -np.array(shifts, np.float32)[None, :, None]
  unit = 2.0**-TRACE_BITS

  def leak(before, now):
    leaked = jnp.floor(gains * before / unit + 0.5) * unit
    after = before - leaked + gains * now[..., None, :]
    return after, after

  samples, _, channels = rates.shape
  start = jnp.zeros((samples, len(shifts), channels))
  _, traces = jax.lax.scan(leak, start, jnp.moveaxis(rates, 1, 0))
  return encode(jnp.moveaxis(traces, 0, 1).reshape(*rates.shape[:2], -1))


def check_shifts(shifts: Sequence[int], num_steps: int) -> None:
  """Refuses decays that the chip has not; raises `UserError`."""
  most = TRACE_BITS - (num_steps.bit_length() - 1)  # of which a spike is seen
  is_valid = all(checks.is_count(k, 0) and k <= most for k in shifts)
  if not is_valid or len({*shifts}) < len(shifts):
    raise types.UserError(
      f'shifts are {tuple(shifts)}; expected different k of decays '
      f'1 - 2^-k, from 0 to {most} with {num_steps} steps.'
    )


def present(
  config: Config,
  params: types.Params,
  word: jax.Array,
  rates: jax.Array,
  inputs: jax.Array,
  label: jax.Array,
) -> tuple[types.Params, jax.Array, types.Inference]:
  """Presents one sample, and learns from it.

  Args:
    config: the network.
    params: its parameters, multiples of 2^-F.
    word: uint32 register of random bits.
    rates: `[L]` int32 rates.
    inputs: `[N_0]` rates of the inputs, or a recording.
    label: its class; one that is none, as -1, does not learn.

  Returns:
    The parameters, the register, the winners and the potential.
  """
  checks.check_params(config, params)
  num_steps, weights = config.num_steps, _integer_weights(config, params)
  counts, drives = _settle(config, weights, _encode(config, inputs[None])[0])
  first = _step(word)
  word = _step(first)
  winners, inference = _infer(config, drives[-1], first >> 16)
  is_class = (label >= 0) & (label < len(winners))
  target = num_steps * jax.nn.one_hot(label, len(winners), dtype=jnp.int32)
  error, unit_bits = jnp.where(is_class, winners - target, 0), 0
  learned = []
  for layer in reversed(range(len(weights))):
    own, bits = weights[layer], config.fractions[layer]
    step = _divide(rates[layer], error, unit_bits)
    step = jnp.clip(step, -(2 ** (STEP_BITS - 1)), 2 ** (STEP_BITS - 1) - 1)
    rows, columns = (np.arange(1, size + 1) for size in own.shape)
    masks = (rows * _ROW)[:, None] ^ (columns * _COLUMN)[None]
    random = jnp.int32(word >> 8 * layer) ^ jnp.asarray(masks, jnp.int32)
    random = (random & 0xFFFF) >> 16 - ROUND_BITS
    change = counts[layer][:, None] * step[None] + random >> ROUND_BITS
    if layer:  # with the weights before they change
      below = _send_back(config, own[:-1], error, layer)
      drive, most = drives[layer - 1], num_steps << config.fractions[layer - 1]
      error = jnp.where((drive > 0) & (drive < most), below, 0)
      unit_bits = config.fractions[-1]
    limit = 2 ** (config.weight_bits - 1)
    moved = jnp.clip(own - change, -limit, limit - 1)
    moved = moved.astype(jnp.float32) / 2.0**bits
    learned.append(types.LayerParams(moved[:-1], moved[-1]))
  return tuple(learned[::-1]), word, inference


def _encode(config, inputs):
  """Returns the `[B, I]` int32 counts of images or recordings."""
  num_steps = config.num_steps
  encoded = encoding.encode(inputs, num_steps)
  if encoded.rates.shape[1] != config.layer_sizes[0]:
    raise types.UserError(
      f'inputs have {encoded.rates.shape[1]} values of a sample, but '
      f'layer_sizes starts with {config.layer_sizes[0]}; make the two agree.'
    )
  if encoded.train is not None:
    return _integers(encoded.rates * num_steps)
  return _integers(jnp.floor(num_steps * encoded.rates + 0.5))


def _settle(config, weights, inputs):
  """Returns the counts of all layers, with the bias, and their currents."""
  counts, drives = [inputs], []
  for own, bits in zip(weights, config.fractions):
    counts[-1] = jnp.append(counts[-1], config.num_steps)  # the bias
    drives.append(counts[-1] @ own)
    rounded = drives[-1] + 2 ** (bits - 1) >> bits
    counts.append(jnp.clip(rounded, 0, config.num_steps))
  return counts, drives


def _infer(config, drives, phase):
  """Returns the winners of the currents of the classes, and the readouts."""
  winners = count_winners(config, drives, phase)
  unit = config.num_steps * 2.0 ** config.fractions[-1]
  potential = drives.astype(jnp.float32) / unit
  return winners, types.Inference(winners.astype(jnp.float32), potential)


def _integer_weights(config, params):
  """Returns the weights of each layer, and at last its biases, as integers."""
  return [
    _integers(jnp.concatenate([own.weights, own.biases[None]]) * 2.0**bits)
    for own, bits in zip(params, config.fractions)
  ]


def _send_back(config, weights, error, layer):
  """Returns the errors that a layer sends to the neurons below it."""
  is_last = layer == len(config.fractions) - 1  # whose errors have no fraction
  sums = _divide(weights, error, 0 if is_last else config.fractions[layer])
  most = 2 ** (_error_bits(config) - 2)
  sums = jnp.clip(sums, -most, most).astype(jnp.float32)
  return _integers(powers.leading_digits(sums, config.digits))


def _divide(factors, error, num_bits):
  """Returns the product of factors and an error over 2^num_bits, rounded."""
  high, low = error >> num_bits, error & 2**num_bits - 1  # of 32 bits together
  half = 2**num_bits >> 1
  return jnp.dot(factors, high) + (jnp.dot(factors, low) + half >> num_bits)


def count_winners(
  config: Config, drives: jax.Array, phase: jax.Array
) -> jax.Array:
  """Returns the `[C]` int32 winners of T ticks by a systematic sample.

  Args:
    config: the network.
    drives: `[C]` int32 D.
    phase: uint32 of 16 bits, the place of the first winner.
  """
  num_steps, bits = config.num_steps, config.fractions[-1]
  # In 32nds of a nat of D / T.
  shift = num_steps.bit_length() - 1 + bits - (STEPS_PER_NAT.bit_length() - 1)
  below = jnp.max(drives) - drives >> shift
  table = jnp.asarray(EXPONENTIALS)
  worth = jnp.where(below > 255, 0, table[jnp.minimum(below, 255)])
  total, phase = jnp.sum(worth), jnp.int32(phase)
  first = total * (phase >> 8) + (total * (phase & 255) >> 8) >> 8
  starts = jnp.arange(num_steps) * total + first
  ends = jnp.cumsum(worth) * num_steps
  return jnp.diff(jnp.sum(starts[None] < ends[:, None], axis=1), prepend=0)


def _integers(values):
  return jnp.round(values).astype(jnp.int32)


def _step(word):
  """Steps a register: G. Marsaglia, "Xorshift RNGs" (2003)."""
  word ^= word << 13
  word ^= word >> 17
  return word ^ word << 5
