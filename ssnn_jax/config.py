"""What defines a network, spiking or not."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from ssnn_jax import spikes
from ssnn_jax import types
from ssnn_jax.neuron import firing
from ssnn_jax.spikes import thresholds

SIGNALS = ('spikes', 'rates')
INTEGRATIONS = ('mean', 'leaky', 'memoryless')
REPRESENTATIONS = ('auto', 'dense', 'packed')
OUTPUT_ERRORS = ('winner', 'softmax', 'argmax')
DEFAULT_WINDOW = 32


@dataclasses.dataclass(frozen=True)
class ReadConfig:
  """The periphery of an array; by default a perfect one.

  Names are those of aihwkit, but for resolutions, which are in bits: b bits
  make 2**b - 1 levels from minus the bound to the bound, one of which is 0.

  Attributes:
    inp_bits: resolution of what is driven into the array in a window, spikes
      per tick or errors; None is infinite.
    inp_bound: largest input that can be driven.
    out_bits: resolution of the mean current that is read in a window; None is
      infinite.
    out_bound: largest current that can be read; what is beyond is cut. It is
      that of the array, before a read gain.
    out_noise: standard deviation of the current in each tick; the mean over a
      window of n ticks has it divided by the square root of n.

  Raises:
    UserError: if a parameter is impossible.
  """

  inp_bits: int | None = None
  inp_bound: float = math.inf
  out_bits: int | None = None
  out_bound: float = math.inf
  out_noise: float = 0.0

  def __post_init__(self):
    for kind in ('inp', 'out'):
      bits, bound = (getattr(self, f'{kind}_{x}') for x in ('bits', 'bound'))
      if not bound > 0:
        raise _mistake(f'{kind}_bound', bound, 'a number above 0')
      is_whole = isinstance(bits, int)
      if bits is not None and not (is_whole and 2 <= bits <= 24):
        raise _mistake(
          f'{kind}_bits', bits, 'a whole number from 2 to 24, or none'
        )
      if bits is not None and bound == math.inf:
        expected = f'none, as {kind}_bound is infinite: give that, too'
        raise _mistake(f'{kind}_bits', bits, expected)
    if not 0 <= self.out_noise < math.inf:
      raise _mistake('out_noise', self.out_noise, 'a number from 0 up')

  @property
  def is_perfect(self) -> bool:
    """Whether the periphery changes nothing."""
    return self == ReadConfig()


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
  """A network's architecture and how its spikes are used.

  The same configuration builds a spiking network (`network.ssnn`) and the ANN
  beside it (`reference.ann`), which reads the fields that concern it.

  Attributes:
    layer_sizes: neurons of each layer, from the inputs to the classes.
    num_steps: T, ticks of a presentation.
    window: n, ticks between two reads of a membrane, 1 to T; None is 32, or T
      if that is shorter.
    firing_function: 'clip', 'hard_sigmoid', or a `firing.FiringFunction` of
      your own.
    integration: what a membrane keeps of earlier windows: 'mean' averages over
      all ticks so far, 'leaky' forgets with time constant `tau`, 'memoryless'
      keeps nothing.
    tau: time constant of 'leaky', in ticks.
    gain: error spikes per tick for one unit of error, in the hidden layers;
      one for all, or one for each.
    input_gain: factor on what the first layer reads from sparse inputs.
    dropout: probability that a hidden unit is silent for a presentation.
    forward: what drives a membrane: 'spikes', or the exact 'rates' instead.
    backward: what the transposed read carries: 'spikes' or 'rates'.
    update: what changes a weight: 'spikes' (coincidences) or 'rates'
      (products).
    output_errors: what the error spikes of the output layer are: 'winner' is
      the winner of each tick against the target, 'softmax' samples the exact
      softmax(v) - target, as the streams of hidden layers sample their errors;
      'argmax' has the class of highest potential win all ticks of a window.
    delay: windows by which errors lag behind the potentials that they are made
      of, 0 or 1; so that no error meets a spike that has caused it. The first
      window then has none, and the update is scaled to make up for it.
    sampler: where thresholds come from: 'bernoulli' (a keyed hash), 'sobol' (a
      low-discrepancy sequence) or 'threefry' (`jax.random`, the slow
      reference).
    representation: how coincidences are counted: 'dense' is a matrix product
      over ticks, 'packed' counts bits of words, 'auto' is packed on CPU and
      dense elsewhere. The counts are the same integers.
    kernels: whether compiled kernels are used, on CPU, where they are compiled
      (`python -m ssnn_jax.spikes.compile_kernels`). Spikes and counts agree;
      without kernels a network can be exported to other platforms.
    reads: what is between arrays and neurons in both reads, forward and
      transposed.

  Raises:
    UserError: if a field is out of range.
  """

  layer_sizes: tuple[int, ...]
  num_steps: int = 64
  window: int | None = None
  firing_function: str | firing.FiringFunction = 'clip'
  integration: str = 'mean'
  tau: float = 16.0
  gain: float | tuple[float, ...] = 1.0
  input_gain: float = 1.0
  dropout: float = 0.0
  forward: str = 'spikes'
  backward: str = 'spikes'
  update: str = 'spikes'
  output_errors: str = 'winner'
  delay: int = 0
  sampler: str = 'bernoulli'
  representation: str = 'auto'
  kernels: bool = True
  reads: ReadConfig = ReadConfig()

  def __post_init__(self):
    sizes = self.layer_sizes
    _check(
      'layer_sizes',
      sizes,
      len(sizes) >= 2 and all(map(_is_count, sizes)),
      'at least two whole numbers (inputs and classes), each 1 or more',
    )
    _check(
      'num_steps', self.num_steps, _is_count(self.num_steps), '1 tick or more'
    )
    _check(
      'window',
      self.window,
      self.window is None
      or (_is_count(self.window) and self.window <= self.num_steps),
      f'1 tick up to num_steps = {self.num_steps}',
    )
    _check('tau', self.tau, 0 < self.tau < math.inf, 'a positive number')
    _check(
      'gain',
      self.gain,
      isinstance(self.gain, float | int) or len(self.gain) == len(sizes) - 2,
      f'one number, or one for each of the {len(sizes) - 2} hidden layers',
    )
    _check(
      'gain',
      self.gain,
      all(0 < gain < math.inf for gain in self.gains),
      'positive numbers',
    )
    _check(
      'input_gain',
      self.input_gain,
      0 < self.input_gain < math.inf,
      'a positive number',
    )
    _check(
      'dropout', self.dropout, 0 <= self.dropout < 1, '0 or more and below 1'
    )
    _check('delay', self.delay, self.delay in (0, 1), '0 or 1 window')
    _check(
      'delay',
      self.delay,
      self.delay * self.schedule.window < self.num_steps,
      f'0 for a presentation of one window ({self.num_steps} ticks), or a '
      'shorter window',
    )
    for field, choices in _CHOICES.items():
      value = getattr(self, field)
      if isinstance(value, firing.FiringFunction):
        is_valid = _is_probability(value.probability)
        _check(field, value, is_valid, 'a probability in [0, 1] everywhere')
      else:
        expected = 'one of ' + ', '.join(choices)
        if field == 'firing_function':
          expected += ', or a firing.FiringFunction'
        _check(field, value, value in choices, expected)

  @property
  def schedule(self) -> spikes.Schedule:
    """The cut of the presentation into windows."""
    window = self.window or min(DEFAULT_WINDOW, self.num_steps)
    return spikes.Schedule(self.num_steps, window)

  @property
  def error_steps(self) -> int:
    """Ticks of a presentation in which there are errors."""
    return self.num_steps - self.delay * self.schedule.window

  @property
  def gains(self) -> tuple[float, ...]:
    """The error gain of each layer; that of the output layer is 1."""
    num_hidden = len(self.layer_sizes) - 2
    one_for_all = isinstance(self.gain, float | int)
    gains = (self.gain,) * num_hidden if one_for_all else tuple(self.gain)
    return (*gains, 1.0)

  @property
  def read_gains(self) -> tuple[float, ...]:
    """The gain of each layer's reads; it makes up for units dropped before."""
    num_hidden = len(self.layer_sizes) - 2
    return (self.input_gain, *(1.0 / (1.0 - self.dropout),) * num_hidden)


_CHOICES = {
  'firing_function': tuple(firing.FIRING_FUNCTIONS),
  'integration': INTEGRATIONS,
  'forward': SIGNALS,
  'backward': SIGNALS,
  'update': SIGNALS,
  'output_errors': OUTPUT_ERRORS,
  'sampler': tuple(thresholds.SAMPLERS),
  'representation': REPRESENTATIONS,
}


def _is_probability(function):
  """Tries a function where potentials may be; also while jax traces."""
  with jax.ensure_compile_time_eval():
    rates = function(jnp.linspace(-8.0, 8.0, 1025))
    return bool(jnp.all((rates >= 0.0) & (rates <= 1.0)))


def _is_count(value):
  return isinstance(value, int) and value >= 1


def _check(field, value, is_valid, expected):
  if not is_valid:
    raise types.UserError(f'{field} is {value}; expected {expected}.')


def _mistake(name, value, expected):
  return types.UserError(f'{name} is {value}; expected {expected}.')
