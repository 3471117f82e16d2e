"""Configuration of a network, spiking or not."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import layers as layers_lib
from ssnn_jax import spikes
from ssnn_jax.checks import MAX_COUNT
from ssnn_jax.checks import POSITIVE
from ssnn_jax.checks import check_field
from ssnn_jax.checks import is_count
from ssnn_jax.checks import is_finite
from ssnn_jax.checks import is_positive
from ssnn_jax.checks import is_real

NEURONS = ('bipolar', 'stochastic')
SIGNALS = {
  'bipolar': ('inputs', 'forward', 'backward'),
  'stochastic': ('forward', 'backward', 'update'),
}
WINNERS = ('softmax', 'race', 'exact')


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
  """Architecture of a network and its use of spikes.

  One configuration builds a spiking network (`network.ssnn`) and the ANN that
  it is compared with (`baselines.ann`), which ignores the fields of spikes.

  Attributes:
    layer_sizes: neurons of each layer, from the inputs to the classes. Alone it
      describes a dense network; with `layers` it follows from them.
    layers: layers of weights, first layer first, such as `layers.Conv`; the
      last has a neuron for each class.
    input_shape: shape of the inputs of `layers`, of images height and width,
      and channels if there are several.
    num_steps: T, ticks of a presentation.
    neuron: 'bipolar' neurons take back spikes, and settle (`spiking`);
      'stochastic' neurons draw their spikes at the rates of potentials and
      errors, layer after layer.
    ceiling: c, largest rate of hidden bipolar neurons, in spikes per tick.
    gain: error spikes per tick for one unit of error, in the hidden layers; one
      number for all hidden layers, or one for each. None is 4 for bipolar
      neurons, 1 for stochastic ones.
    sampler: trains of the inputs, and of stochastic neurons: 'sobol' (a Sobol
      sequence of thresholds), 'bernoulli' (independent ones), or a
      `spikes.Sampler`; for inputs of bipolar neurons also 'regular' (evenly
      spaced spikes, without random numbers), which is their default. None is
      'regular' or, of stochastic neurons, 'sobol'.
    weight_bits: bits of the weights of bipolar neurons, with their sign, which
      are multiples of 2^-fraction_bits; None is float32.
    fraction_bits: F, bits after the binary point of weights and biases; one
      number for all layers of weights, or one for each.
    winner: how the output layer chooses the winner of a tick, with which it
      compares the target. 'softmax' draws one winner from the exact softmax;
      'race', of stochastic neurons, simulates a race that ends by lateral
      inhibition. With 'exact' winners are those of 'softmax', but errors are
      the exact softmax(v) - target; stochastic neurons sample these, as those
      of hidden layers.
    rates: what is exact instead of spikes. Of bipolar neurons 'inputs',
      'forward', the rates of hidden neurons, and 'backward', their errors. Of
      stochastic ones 'forward', the input of the forward reads; 'backward',
      that of the transposed reads; 'update', where products of rates change the
      weights instead of coincidences.
    input_gain: factor on the first layer's reads, for sparse inputs.
    dropout: probability that a hidden unit is silent for a presentation.
    window: n, ticks between two reads of the potential of stochastic neurons,
      the mean of the drive over all ticks so far: T, or a multiple of 32; None
      is T.
    read_noise: standard deviation of the current of both reads of stochastic
      neurons in each tick; the mean over a window of n ticks has one smaller by
      sqrt(n).

  Raises:
    UserError: if a field is out of range.
  """

  layer_sizes: tuple[int, ...] | None = None
  layers: tuple[layers_lib.Layer, ...] | None = dataclasses.field(
    default=None, kw_only=True
  )
  input_shape: tuple[int, ...] | None = dataclasses.field(
    default=None, kw_only=True
  )
  num_steps: int = 64
  neuron: str = 'bipolar'
  ceiling: float = 1.0
  gain: float | tuple[float, ...] | None = None
  sampler: str | spikes.Sampler | None = None
  weight_bits: int | None = None
  fraction_bits: int | tuple[int, ...] = 10
  winner: str = 'softmax'
  rates: tuple[str, ...] = ()
  input_gain: float = 1.0
  dropout: float = 0.0
  window: int | None = None
  read_noise: float = 0.0

  def __post_init__(self):
    # Values are hashable, as programs are cached by them.
    for name, value in list(vars(self).items()):
      if isinstance(value, jax.Array | np.ndarray):
        value = np.asarray(value).tolist()
      if isinstance(value, list):
        value = tuple(value)
      object.__setattr__(self, name, value)
    sizes = layers_lib.find_sizes(
      self.layer_sizes, self.layers, self.input_shape
    )
    object.__setattr__(self, 'layer_sizes', sizes)
    self._check_choices()
    self._check_time()
    self._check_numbers()

  def _check_choices(self):
    for name, choices in (('neuron', NEURONS), ('winner', WINNERS)):
      is_valid = getattr(self, name) in choices
      check_field(self, name, is_valid, f'one of {", ".join(choices)}')
    sampler, samplers = self.sampler, ('regular', *spikes.SAMPLERS)
    if isinstance(sampler, spikes.Sampler):
      is_valid = _draws_thresholds(sampler)
      expected = 'thresholds of a word, [32, N] uint16'
    else:
      is_valid = sampler in (None, *samplers)
      expected = f'one of {", ".join(samplers)}, or a Sampler'
    check_field(self, 'sampler', is_valid, expected)
    is_bipolar, defaults = self.neuron == 'bipolar', _DEFAULTS
    for name in _STOCHASTIC if is_bipolar else _BIPOLAR:
      other = NEURONS[is_bipolar]
      expected = f"{defaults[name]}, or neuron='{other}'"
      check_field(self, name, getattr(self, name) == defaults[name], expected)
    is_valid = not is_bipolar or self.winner != 'race'
    expected = "softmax or exact, or neuron='stochastic'"
    check_field(self, 'winner', is_valid, expected)
    is_valid = is_bipolar or self.sampler != 'regular'
    expected = "sobol or bernoulli, or neuron='bipolar'"
    check_field(self, 'sampler', is_valid, expected)
    signals = SIGNALS[self.neuron]
    is_valid = isinstance(self.rates, tuple) and set(self.rates) <= {*signals}
    expected = f'a tuple of names among {", ".join(signals)}'
    check_field(self, 'rates', is_valid, expected)

  def _check_time(self):
    num_steps, window = self.num_steps, self.window
    # Counts of bipolar neurons are float32.
    most = 2**23 if self.neuron == 'bipolar' else MAX_COUNT
    is_valid = is_count(num_steps) and num_steps <= most
    check_field(self, 'num_steps', is_valid, f'1 to {most} ticks')
    is_valid = window in (None, num_steps) or (
      is_count(window) and window < num_steps and window % 32 == 0
    )
    expected = f'{num_steps} ticks, or a smaller multiple of 32'
    check_field(self, 'window', is_valid, expected)

  def _check_numbers(self):
    num_layers = len(self.layer_sizes) - 1
    for name, number, kind in (
      ('gain', num_layers - 1, 'hidden layers'),
      ('fraction_bits', num_layers, 'layers of weights'),
    ):
      value = getattr(self, name)
      is_valid = is_real(value) or (value is None and name == 'gain')
      is_valid |= isinstance(value, tuple) and len(value) == number
      expected = f'one number, or one for each of the {number} {kind}'
      check_field(self, name, is_valid, expected)
    is_valid = all(map(is_positive, self.gains))
    check_field(self, 'gain', is_valid, 'positive 32-bit numbers')
    for name in ('input_gain', 'ceiling'):
      check_field(self, name, is_positive(getattr(self, name)), POSITIVE)
    expected = f'{0.5 / self.num_steps:g} or more, so that neurons can fire'
    is_valid = self.ceiling * self.num_steps >= 0.5
    check_field(self, 'ceiling', is_valid, expected)
    is_valid = is_real(self.dropout) and 0 <= self.dropout < 1
    check_field(self, 'dropout', is_valid, '0 or more and below 1')
    is_valid = is_finite(self.read_noise) and self.read_noise >= 0
    check_field(self, 'read_noise', is_valid, 'a number, 0 or more')
    bits = self.weight_bits
    is_valid = bits is None or (is_count(bits, 2) and bits <= 24)
    check_field(self, 'weight_bits', is_valid, '2 to 24 bits, or None')
    is_default = self.fraction_bits == _DEFAULTS['fraction_bits']
    is_valid = is_default or bits is not None
    expected = 'none without weight_bits, as weights are float32'
    check_field(self, 'fraction_bits', is_valid, expected)
    is_valid = all(is_count(bits, 0) and bits <= 24 for bits in self.fractions)
    check_field(self, 'fraction_bits', is_valid, '0 to 24 bits')

  @property
  def wirings(self) -> tuple[layers_lib.Wiring, ...]:
    """Wiring of each layer of weights."""
    if self.layers is not None:
      return layers_lib.connect(self.layers, self.input_shape)
    dense = tuple(map(layers_lib.Dense, self.layer_sizes[1:]))
    return layers_lib.connect(dense, self.layer_sizes[:1])

  @property
  def schedule(self) -> spikes.Schedule:
    """Division of the presentation into windows."""
    return spikes.Schedule(self.num_steps, self.window or self.num_steps)

  @property
  def input_sampler(self) -> str | spikes.Sampler:
    """Sampler of the trains: of the inputs, and of stochastic neurons."""
    defaults = {'bipolar': 'regular', 'stochastic': 'sobol'}
    return self.sampler or defaults[self.neuron]

  @property
  def fractions(self) -> tuple[int, ...]:
    """F of each layer of weights."""
    bits = self.fraction_bits
    return (bits,) * (len(self.layer_sizes) - 1) if is_real(bits) else bits

  @property
  def gains(self) -> tuple[float, ...]:
    """Error gain of each layer; the output layer has gain 1."""
    num_hidden = len(self.layer_sizes) - 2
    gain = self.gain
    if gain is None:
      gain = 4.0 if self.neuron == 'bipolar' else 1.0
    gains = (gain,) * num_hidden if is_real(gain) else gain
    return (*gains, 1.0)

  @property
  def read_gains(self) -> tuple[float, ...]:
    """Read gain of each layer: the input gain, then 1 / (1 - dropout)."""
    num_hidden = len(self.layer_sizes) - 2
    return (self.input_gain, *(1.0 / (1.0 - self.dropout),) * num_hidden)


def _draws_thresholds(sampler):
  """Traces a sampler, as floats would be compared as the threshold 0."""

  def draw(key, word):
    source = spikes.Source(
      key, word, word[None], spikes.Role.INPUT, 0, 3, sampler
    )
    return sampler.thresholds(source, word)

  key = jax.ShapeDtypeStruct((3,), jnp.uint32)
  drawn = jax.eval_shape(draw, key, jax.ShapeDtypeStruct((), jnp.int32))
  return (drawn.shape, drawn.dtype) == ((32, 3), jnp.uint16)


# Fields of one kind of neuron alone.
_BIPOLAR = ('ceiling', 'weight_bits')
_STOCHASTIC = 'window', 'read_noise'
_DEFAULTS = {
  field.name: field.default for field in dataclasses.fields(NetworkConfig)
}
