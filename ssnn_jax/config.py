"""Configuration of a network of stochastic neurons, or of the chip."""

import dataclasses
import functools

import jax
import numpy as np

from ssnn_jax import layers as layers_lib
from ssnn_jax import spiking
from ssnn_jax import trains
from ssnn_jax.checks import MAX_COUNT
from ssnn_jax.checks import POSITIVE
from ssnn_jax.checks import check_field
from ssnn_jax.checks import is_count
from ssnn_jax.checks import is_finite
from ssnn_jax.checks import is_positive
from ssnn_jax.checks import is_real

NEURONS = ('bipolar', 'stochastic')
SIGNALS = 'forward', 'backward', 'update', 'winners'
WINNERS = ('softmax', 'race')
TIMINGS = ('phased', 'window', 'leaky')
_OF_BIPOLAR = 'digits', 'input_steps', 'num_winners', 'weight_bits'
_OF_STOCHASTIC = (
  'sampler', 'exact', 'dropout', 'read_noise', 'winner', 'timing', 'forgetting',
  'counted',
)  # fmt: skip
_MOST = 2**23  # counts are float32


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
  """Architecture of a network and its use of spikes.

  One configuration builds a spiking network (`network.ssnn`) and the ANN that
  it is compared with (`network.ann`, which says what fields it uses).

  Attributes:
    layer_sizes: neurons of each layer, from the inputs to the classes. Alone it
      describes a dense network; with `layers` it follows from them.
    layers: layers of weights, first layer first, such as `layers.Conv`; the
      last has a neuron for each class.
    input_shape: shape of the inputs of `layers`, of images height and width,
      and channels if there are several.
    num_steps: T, ticks of the trains of stochastic neurons, and of recordings;
      N, the steps of the rates of bipolar ones, which are multiples of 1 / N.
    neuron: 'stochastic' neurons draw their spikes at the rates of potentials
      and errors, at the times of `timing`; 'bipolar' ones are those of the chip
      (`spiking.fire` of ceiling 1), which take back spikes, and settle.
    digits: leading signed digits of an error that bipolar neurons send.
    input_steps: steps of the rates of images, for bipolar neurons; None is 32,
      or num_steps if that is more. Recordings have num_steps.
    num_winners: winners of a sample, in the output layer of bipolar neurons.
    sampler: trains of stochastic neurons: 'sobol' (a Sobol sequence of
      thresholds), 'bernoulli' (independent ones), or a `trains.Sampler`. None
      is 'sobol'. Inputs of bipolar neurons are evenly spaced spikes.
    weight_bits: bits of the weights of bipolar neurons, with their sign, which
      are multiples of 2^-fraction_bits; None is float32.
    fraction_bits: F, bits after the binary point of weights and biases; one
      number for all layers of weights, or one for each.
    winner: how the output layer of stochastic neurons chooses the winner of a
      tick, with which it compares the target. 'softmax' draws it from the exact
      softmax; 'race' simulates a race that ends by lateral inhibition.
    exact: what is exact instead of spikes, of stochastic neurons: 'forward',
      the input of the forward reads; 'backward', that of the transposed reads;
      'update', where products of rates change the weights instead of
      coincidences; and 'winners', whose errors are then sampled as those of
      hidden layers.
    input_gain: factor on the first layer's reads, for sparse inputs.
    dropout: probability that a hidden unit is silent for a presentation.
    read_noise: standard deviation of the current of both reads of stochastic
      neurons in each tick.
    timing: when stochastic neurons work. 'phased': layer after layer, for T
      ticks each; 'window': all at once, in cycles of T ticks, which settle to
      'phased', by which it is trained; 'leaky': all at once, in T ticks for
      both directions together (`stochastic`).
    forgetting: k of 'leaky', whose averages give tick t, from 0, the weight
      k / (t + k): what came early counts less, the more so the larger k is.
    counted: share of the ticks of 'leaky', the last ones, whose coincidences
      and winners count.

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
  neuron: str = 'stochastic'
  digits: int = 2
  input_steps: int | None = None
  num_winners: int = spiking.NUM_WINNERS
  sampler: str | trains.Sampler | None = None
  weight_bits: int | None = None
  fraction_bits: int | tuple[int, ...] = 10
  winner: str = 'softmax'
  exact: tuple[str, ...] = ()
  input_gain: float = 1.0
  dropout: float = 0.0
  read_noise: float = 0.0
  timing: str = 'phased'
  forgetting: float = 8.0
  counted: float = 0.5

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
    for name, is_valid, expected in self._list_checks():
      check_field(self, name, is_valid, expected)
    if self.neuron == 'bipolar':
      spiking.check_neurons(self.num_steps, 1.0, 0.0, self.digits)

  def _list_checks(self):
    """Yields what each field must be: name, whether it is, and the words."""
    yield 'neuron', self.neuron in NEURONS, f'one of {", ".join(NEURONS)}'
    yield 'winner', self.winner in WINNERS, f'one of {", ".join(WINNERS)}'
    is_bipolar, samplers = self.neuron == 'bipolar', list(trains.SAMPLERS)
    if not isinstance(self.sampler, trains.Sampler):
      expected = f'one of {", ".join(samplers)}, or a Sampler'
      yield 'sampler', self.sampler in (None, *samplers), expected
    other = f"neuron='{NEURONS[is_bipolar]}'"
    for name in _OF_STOCHASTIC if is_bipolar else _OF_BIPOLAR:
      default = getattr(NetworkConfig, name)
      yield name, getattr(self, name) == default, f'{default}, or {other}'
    is_valid = is_bipolar or not any(own.is_residual for own in self.wirings)
    yield 'layers', is_valid, f'none with residual connections, or {other}'
    is_valid = set(self.exact) <= {*SIGNALS}
    yield 'exact', is_valid, f'a tuple of names among {", ".join(SIGNALS)}'
    most = _MOST if is_bipolar else MAX_COUNT
    is_valid = is_count(self.num_steps) and self.num_steps <= most
    yield 'num_steps', is_valid, f'1 to {most}'
    steps, winners = self.input_steps, self.num_winners
    is_valid = steps is None or (is_count(steps) and steps <= _MOST)
    yield 'input_steps', is_valid, f'1 to {_MOST}, or None'
    is_valid = is_count(winners) and winners <= spiking.MOST_WINNERS
    yield 'num_winners', is_valid, f'1 to {spiking.MOST_WINNERS}'
    yield 'input_gain', is_positive(self.input_gain), POSITIVE
    is_valid = is_real(self.dropout) and 0 <= self.dropout < 1
    yield 'dropout', is_valid, '0 or more and below 1'
    is_valid = is_finite(self.read_noise) and self.read_noise >= 0
    yield 'read_noise', is_valid, 'a finite number, 0 or more'
    yield 'timing', self.timing in TIMINGS, f'one of {", ".join(TIMINGS)}'
    is_valid = self.timing != 'leaky' or not self.exact
    yield 'exact', is_valid, "none of timing='leaky', or timing='phased'"
    is_valid = is_finite(self.forgetting) and self.forgetting >= 1
    yield 'forgetting', is_valid, 'a finite number, 1 or more'
    is_valid = is_real(self.counted) and 0 < self.counted <= 1
    yield 'counted', is_valid, 'above 0, up to 1'
    bits = self.weight_bits
    is_valid = bits is None or (is_count(bits, 2) and bits <= 24)
    yield 'weight_bits', is_valid, '2 to 24 bits, or None'
    is_valid = bits is not None or self.fraction_bits == 10
    yield 'fraction_bits', is_valid, '10 without weight_bits, as floats have'
    is_valid = len(self.fractions) == len(self.wirings)
    is_valid = is_valid and all(
      is_count(x, 0) and x <= 32 for x in self.fractions
    )
    expected = (
      f'0 to 32 bits, one number or one for each of {len(self.wirings)}'
    )
    yield 'fraction_bits', is_valid, f'{expected} layers'

  @functools.cached_property
  def wirings(self) -> tuple[layers_lib.Wiring, ...]:
    """Wiring of each layer of weights."""
    layers = self.layers or tuple(map(layers_lib.Dense, self.layer_sizes[1:]))
    return layers_lib.connect(layers, self.input_shape or self.layer_sizes[:1])

  @property
  def train_sampler(self) -> trains.Sampler:
    """Sampler of trains that are drawn."""
    sampler = self.sampler or 'sobol'
    if isinstance(sampler, trains.Sampler):
      return sampler
    return trains.SAMPLERS[sampler]

  @property
  def fractions(self) -> tuple[int, ...]:
    """F of each layer of weights."""
    bits = self.fraction_bits
    return (bits,) * (len(self.layer_sizes) - 1) if is_real(bits) else bits

  @property
  def steps_of_inputs(self) -> int:
    """Steps of the rates of images."""
    if self.neuron == 'stochastic':
      return self.num_steps
    return self.input_steps or max(self.num_steps, spiking.INPUT_STEPS)

  @property
  def winners_of_sample(self) -> int:
    """Winners of a sample; of stochastic neurons one in each tick."""
    is_bipolar = self.neuron == 'bipolar'
    return self.num_winners if is_bipolar else self.num_steps

  @property
  def read_gains(self) -> tuple[float, ...]:
    """Read gain of each layer: the input gain, then 1 / (1 - dropout)."""
    num_hidden = len(self.layer_sizes) - 2
    return (self.input_gain, *(1.0 / (1.0 - self.dropout),) * num_hidden)
