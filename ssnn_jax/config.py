"""Configuration of a network, spiking or not."""

from collections.abc import Sequence
import dataclasses
import math
import numbers

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import spikes
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane as membrane_lib
from ssnn_jax.spikes import thresholds
from ssnn_jax.types import check_field

SIGNALS = ('spikes', 'rates')
REPRESENTATIONS = ('auto', 'dense', 'packed')
OUTPUT_ERRORS = ('winner', 'softmax', 'argmax')
DEFAULT_WINDOW = 32


def _is_integer(value):
  return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_count(value):
  return _is_integer(value) and value >= 1


def _is_real(value):
  return isinstance(value, numbers.Real)


@dataclasses.dataclass(frozen=True)
class ReadConfig:
  """Periphery of a crossbar in both reads; ideal by default.

  Names are those of aihwkit, except that resolutions are in bits: b bits are
  2**b - 1 levels from minus the bound to the bound, one of which is 0.

  Attributes:
    inp_bits: DAC resolution of the inputs of the array in a window (spikes per
      tick, or errors); None is infinite.
    inp_bound: largest input; larger inputs are clipped.
    out_bits: ADC resolution of the mean current of a window; None is infinite.
    out_bound: largest current, before the read gain; larger currents are
      clipped.
    out_noise: read noise: standard deviation of the current in each tick. The
      mean over a window of n ticks has a standard deviation smaller by sqrt(n).

  Raises:
    UserError: if a field is out of range.
  """

  inp_bits: int | None = None
  inp_bound: float = math.inf
  out_bits: int | None = None
  out_bound: float = math.inf
  out_noise: float = 0.0

  def __post_init__(self):
    for kind in ('inp', 'out'):
      self._check_converter(f'{kind}_bits', f'{kind}_bound')
    is_valid = 0 <= self.out_noise < math.inf
    check_field(self, 'out_noise', is_valid, 'a number, 0 or more')

  def _check_converter(self, bits_field, bound_field):
    bits, bound = getattr(self, bits_field), getattr(self, bound_field)
    check_field(self, bound_field, bound > 0, 'a number above 0')
    is_valid = bits is None or (_is_integer(bits) and 2 <= bits <= 24)
    check_field(
      self, bits_field, is_valid, 'a whole number from 2 to 24, or None'
    )
    is_valid = bits is None or bound < math.inf
    expected = f'None, as {bound_field} is infinite: set {bound_field}, too'
    check_field(self, bits_field, is_valid, expected)

  @property
  def is_ideal(self) -> bool:
    """Whether the periphery is ideal."""
    return self == ReadConfig()


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
  """Architecture of a network and its use of spikes.

  One configuration builds a spiking network (`network.ssnn`) and the ANN that
  it is compared with (`baselines.ann`), which ignores the fields of spikes.

  Attributes:
    layer_sizes: neurons of each layer, from the inputs to the classes.
    num_steps: T, ticks of a presentation.
    window: n, ticks between two reads of a membrane, 1 to T; None is 32, or T
      if T is shorter.
    firing_function: 'clip', 'hard_sigmoid', or a `FiringFunction`.
    integration: 'mean' averages the drive over all ticks so far, 'leaky'
      forgets with time constant `tau`, 'memoryless' holds the drive of one
      window; or a `Membrane`.
    tau: time constant of 'leaky', in ticks.
    gain: error spikes per tick for one unit of error, in the hidden layers; one
      number for all hidden layers, or one for each.
    input_gain: factor on the first layer's reads, for sparse inputs.
    dropout: probability that a hidden unit is silent for a presentation.
    forward: input of the membranes: 'spikes', or exact 'rates'.
    backward: input of the transposed reads: 'spikes' or 'rates'.
    update: signal that changes weights: 'spikes' (coincidences) or 'rates'
      (products of rates).
    output_errors: error spikes of the output layer. 'winner' compares the
      winner of each tick with the target; 'softmax' samples the exact
      softmax(v) - target, as hidden layers sample their errors; 'argmax'
      compares the class of highest potential with the target.
    delay: windows by which errors lag the potentials that they are computed
      from, 0 or 1. With 1, an error spike never depends on a presynaptic spike
      that it coincides with; the first window has no errors, and counts are
      divided by the remaining ticks.
    sampler: source of the thresholds: 'bernoulli' (a keyed hash), 'sobol' (a
      low-discrepancy sequence) or 'threefry' (`jax.random`, the slow
      reference).
    representation: how coincidences are counted: 'dense' is a matrix product
      over ticks, 'packed' counts bits of words, 'auto' is packed on CPU and
      dense on other platforms. The counts are equal.
    kernels: whether compiled kernels are used, on CPU, where they are compiled
      (`python -m ssnn_jax.spikes.compile_kernels`). Spikes and counts agree;
      without kernels a network can be exported to other platforms.
    reads: periphery of the crossbars in both reads.

  Raises:
    UserError: if a field is out of range.
  """

  layer_sizes: tuple[int, ...]
  num_steps: int = 64
  window: int | None = None
  firing_function: str | firing.FiringFunction = 'clip'
  integration: str | membrane_lib.Membrane = 'mean'
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
    self._check_layers()
    self._check_time()
    self._check_gains()
    for field, choices in _CHOICES.items():
      value = getattr(self, field)
      if field not in _OWN or isinstance(value, str):
        expected = 'one of ' + ', '.join(choices) + _OWN.get(field, '')
        check_field(self, field, value in choices, expected)
    if not isinstance(self.firing_function, str):
      _check_firing_function(self)
    if not isinstance(self.integration, str):
      _check_membrane(self)

  def _check_layers(self):
    sizes = self.layer_sizes
    is_sequence = isinstance(sizes, Sequence | np.ndarray)
    check_field(
      self,
      'layer_sizes',
      is_sequence and len(sizes) >= 2 and all(map(_is_count, sizes)),
      'at least two whole numbers (inputs and classes), each 1 or more',
    )
    object.__setattr__(self, 'layer_sizes', tuple(map(int, sizes)))

  def _check_time(self):
    num_steps, window = self.num_steps, self.window
    check_field(self, 'num_steps', _is_count(num_steps), '1 tick or more')
    is_valid = window is None or (_is_count(window) and window <= num_steps)
    check_field(
      self, 'window', is_valid, f'1 tick up to num_steps = {num_steps}'
    )
    check_field(self, 'tau', 0 < self.tau < math.inf, 'a positive number')
    check_field(self, 'delay', self.delay in (0, 1), '0 or 1 window')
    check_field(
      self,
      'delay',
      self.delay * self.schedule.window < num_steps,
      f'0 for a presentation of one window ({num_steps} ticks), or a shorter '
      'window',
    )

  def _check_gains(self):
    num_hidden = len(self.layer_sizes) - 2
    is_valid = _is_real(self.gain) or len(self.gain) == num_hidden
    expected = f'one number, or one for each of the {num_hidden} hidden layers'
    check_field(self, 'gain', is_valid, expected)
    is_valid = all(0 < gain < math.inf for gain in self.gains)
    check_field(self, 'gain', is_valid, 'positive numbers')
    is_valid = 0 < self.input_gain < math.inf
    check_field(self, 'input_gain', is_valid, 'a positive number')
    check_field(self, 'dropout', 0 <= self.dropout < 1, '0 or more and below 1')

  @property
  def schedule(self) -> spikes.Schedule:
    """Division of the presentation into windows."""
    window = self.window or min(DEFAULT_WINDOW, self.num_steps)
    return spikes.Schedule(self.num_steps, window)

  @property
  def error_steps(self) -> int:
    """Ticks of a presentation that have errors."""
    return self.num_steps - self.delay * self.schedule.window

  @property
  def gains(self) -> tuple[float, ...]:
    """Error gain of each layer; the output layer has gain 1."""
    num_hidden = len(self.layer_sizes) - 2
    is_shared = _is_real(self.gain)
    gains = (self.gain,) * num_hidden if is_shared else tuple(self.gain)
    return (*gains, 1.0)

  @property
  def read_gains(self) -> tuple[float, ...]:
    """Read gain of each layer: the input gain, then 1 / (1 - dropout)."""
    num_hidden = len(self.layer_sizes) - 2
    return (self.input_gain, *(1.0 / (1.0 - self.dropout),) * num_hidden)


_CHOICES = {
  'firing_function': tuple(firing.FIRING_FUNCTIONS),
  'integration': membrane_lib.MEMBRANES,
  'forward': SIGNALS,
  'backward': SIGNALS,
  'update': SIGNALS,
  'output_errors': OUTPUT_ERRORS,
  'sampler': tuple(thresholds.SAMPLERS),
  'representation': REPRESENTATIONS,
}
# Fields that also accept an object of the user's own.
_OWN = {
  'firing_function': ', or a neuron.FiringFunction',
  'integration': ', or a neuron.Membrane',
}


def _check_firing_function(config):
  """Evaluates a user's firing function on a grid of potentials."""
  function = config.firing_function
  is_valid = isinstance(function, firing.FiringFunction)
  expected = 'one of ' + ', '.join(firing.FIRING_FUNCTIONS)
  expected += _OWN['firing_function']
  check_field(config, 'firing_function', is_valid, expected)
  with jax.ensure_compile_time_eval():  # also while jax traces
    rates = function.probability(jnp.linspace(-8.0, 8.0, 1025))
    is_valid = bool(jnp.all((rates >= 0.0) & (rates <= 1.0)))
  expected = 'a probability in [0, 1] everywhere'
  check_field(config, 'firing_function', is_valid, expected)


def _check_membrane(config):
  """Traces one window of a user's membrane and checks the shapes."""
  membrane, num_neurons = config.integration, 3
  is_valid = isinstance(membrane, membrane_lib.Membrane)
  expected = 'one of ' + ', '.join(membrane_lib.MEMBRANES)
  check_field(config, 'integration', is_valid, expected + _OWN['integration'])
  drive = jax.ShapeDtypeStruct((num_neurons,), jnp.float32)
  ticks = jax.ShapeDtypeStruct((), jnp.int32)
  mask = jax.ShapeDtypeStruct((1,), jnp.uint32)
  window = spikes.Window(mask=mask, length=ticks, elapsed=ticks)
  try:
    state = jax.eval_shape(lambda: membrane.init(num_neurons))
    after = jax.eval_shape(membrane.integrate, state, drive, window)
    potential = jax.eval_shape(membrane.read, state, window)
  except (TypeError, ValueError) as error:
    reason = str(error).partition('\n')[0].rstrip('.')
    expected = f'functions of one window that jax can trace ({reason})'
    check_field(config, 'integration', False, expected)
  expected = (
    'an integrate function that returns a state of the shapes and dtypes of '
    f'init, {_shapes(state)} for {num_neurons} neurons, not {_shapes(after)}'
  )
  check_field(config, 'integration', _shapes(after) == _shapes(state), expected)
  expected = (
    'a read function that returns one float32 potential for each neuron, '
    f'{_shapes(drive)}, not {_shapes(potential)}'
  )
  check_field(
    config, 'integration', _shapes(potential) == _shapes(drive), expected
  )


def _shapes(tree):
  return jax.tree.map(lambda leaf: f'{leaf.dtype}{list(leaf.shape)}', tree)
