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
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import integrate_and_fire
from ssnn_jax.neuron import membrane as membrane_lib

TIMINGS = ('buffered', 'realtime')
NEURONS = ('integrate_and_fire', 'stochastic')
SIGNALS = ('forward', 'backward', 'update')
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
    window: n, ticks between two reads of a membrane. Buffered: T, or a multiple
      of 32; None is T. In real time: 1.
    timing: 'buffered' works through the layers one after another in each
      window, and pairs the trains of the same window: the fast simulation.
      'realtime' advances all layers at once from the state of their neurons,
      as a chip does.
    neuron: how hidden neurons make spikes. 'integrate_and_fire', in real time:
      from what they have received and not yet sent, without random numbers.
      'stochastic': drawn at the rates of potentials and errors. None is
      'integrate_and_fire' in real time, and 'stochastic' buffered.
    firing_function: 'clip', or of stochastic neurons a `neuron.FiringFunction`.
    integration: 'mean' averages the drive over all ticks so far; or, of
      stochastic neurons, a `neuron.Membrane`, such as `neuron.leaky(tau)`.
    gain: error spikes per tick for one unit of error, in the hidden layers; one
      number for all hidden layers, or one for each. None is 4 for neurons that
      integrate and fire, 1 for stochastic ones.
    input_gain: factor on the first layer's reads, for sparse inputs.
    dropout: probability that a hidden unit is silent for a presentation.
    rates: what is exact instead of spikes: 'forward', the input of the
      membranes; 'backward', the input of the transposed reads; 'update', where
      products of rates change the weights instead of coincidences.
    winner: how the output layer chooses the winner of a tick, with which it
      compares the target. 'softmax' draws one winner from the exact softmax,
      'race' simulates a race that ends by lateral inhibition. With 'exact'
      winners are those of 'softmax', but errors are sampled from the exact
      softmax(v) - target, as those of hidden layers.
    sampler: thresholds of the trains: 'sobol' (a Sobol sequence), 'bernoulli'
      (independent, a keyed hash), or a `spikes.Sampler`.
    kernels: whether compiled kernels are used, on CPU; they are compiled when
      they are first needed. Spikes and counts agree; without kernels a network
      can be exported to other platforms.
    read_noise: standard deviation of the current of both reads in each tick;
      the mean over a window of n ticks has one smaller by sqrt(n).

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
  window: int | None = None
  timing: str = 'buffered'
  neuron: str | None = None
  firing_function: str | firing.FiringFunction = 'clip'
  integration: str | membrane_lib.Membrane = 'mean'
  gain: float | tuple[float, ...] | None = None
  input_gain: float = 1.0
  dropout: float = 0.0
  rates: tuple[str, ...] = ()
  winner: str = 'softmax'
  sampler: str | spikes.Sampler = 'sobol'
  kernels: bool = True
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
    for name, choices, kind in _CHOICES:
      value = getattr(self, name)
      is_valid = isinstance(value, kind) if kind else False
      is_valid = is_valid or (isinstance(value, str) and value in choices)
      expected = f'one of {", ".join(choices)}'
      expected += f', or a {kind.__name__}' if kind else ''
      check_field(self, name, is_valid, expected)
    is_valid = self.neuron in (None, *NEURONS)
    expected = f'None, or one of {", ".join(NEURONS)}'
    check_field(self, 'neuron', is_valid, expected)
    is_valid = self.timing == 'realtime' or self.neuron != NEURONS[0]
    expected = "stochastic, or timing='realtime'"
    check_field(self, 'neuron', is_valid, expected)
    if not self.is_stochastic:
      for name, only in (('firing_function', 'clip'), ('integration', 'mean')):
        is_valid = getattr(self, name) == only
        check_field(self, name, is_valid, f"{only}, or neuron='stochastic'")
    is_valid = isinstance(self.rates, tuple) and set(self.rates) <= {*SIGNALS}
    expected = f'a tuple of names among {", ".join(SIGNALS)}'
    check_field(self, 'rates', is_valid, expected)
    is_valid = isinstance(self.kernels, bool | np.bool_)
    check_field(self, 'kernels', is_valid, 'True or False')
    for name, check in _CHECKS.items():
      if not isinstance(getattr(self, name), str):
        is_valid, expected = check(getattr(self, name))
        check_field(self, name, is_valid, expected)

  def _check_time(self):
    num_steps, window = self.num_steps, self.window
    expected = f'1 to {MAX_COUNT} ticks'
    check_field(self, 'num_steps', is_count(num_steps), expected)
    if self.timing == 'realtime':
      check_field(self, 'window', window in (None, 1), '1 tick, in real time')
      start = max(self.error_starts)
      expected = (
        f'more than {start} ticks, after which errors reach the first layer'
      )
      check_field(self, 'num_steps', start < num_steps, expected)
      return
    is_valid = window in (None, num_steps) or (
      is_count(window) and window < num_steps and window % 32 == 0
    )
    expected = f'{num_steps} ticks, a smaller multiple of 32, or real time'
    check_field(self, 'window', is_valid, expected)

  def _check_numbers(self):
    num_hidden = len(self.layer_sizes) - 2
    is_valid = (
      self.gain is None
      or is_real(self.gain)
      or (isinstance(self.gain, tuple) and len(self.gain) == num_hidden)
    )
    expected = f'one number, or one for each of the {num_hidden} hidden layers'
    check_field(self, 'gain', is_valid, expected)
    is_valid = all(map(is_positive, self.gains))
    check_field(self, 'gain', is_valid, 'positive 32-bit numbers')
    check_field(self, 'input_gain', is_positive(self.input_gain), POSITIVE)
    is_valid = is_real(self.dropout) and 0 <= self.dropout < 1
    check_field(self, 'dropout', is_valid, '0 or more and below 1')
    is_valid = is_finite(self.read_noise) and self.read_noise >= 0
    check_field(self, 'read_noise', is_valid, 'a number, 0 or more')

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
    default = 1 if self.timing == 'realtime' else self.num_steps
    return spikes.Schedule(self.num_steps, self.window or default)

  @property
  def is_stochastic(self) -> bool:
    """Whether hidden neurons sample their spikes."""
    return self.timing == 'buffered' or self.neuron == 'stochastic'

  @property
  def starts(self) -> tuple[int, ...]:
    """First window with spikes, for each layer of neurons, inputs first."""
    layers = range(len(self.layer_sizes))
    # A spike passes one layer in a window, forward and back.
    return tuple(layer * (self.timing == 'realtime') for layer in layers)

  @property
  def active_steps(self) -> tuple[int, ...]:
    """Ticks in which each layer of neurons fires, inputs first."""
    return tuple(self.num_steps - start for start in self.starts)

  @property
  def error_starts(self) -> tuple[int, ...]:
    """First window with errors, for each layer of weights."""
    num_layers = len(self.layer_sizes) - 1
    if self.timing == 'realtime':
      return tuple(range(2 * num_layers - 1, num_layers - 1, -1))
    return (0,) * num_layers

  @property
  def error_steps(self) -> tuple[int, ...]:
    """Ticks of a presentation with errors, for each layer of weights."""
    return tuple(self.num_steps - start for start in self.error_starts)

  @property
  def first_vote(self) -> int:
    """First tick whose winner is counted.

    In real time the first ticks know little of the inputs: half of them do not
    vote. Errors do not wait.
    """
    if self.timing != 'realtime':
      return 0
    return max(len(self.layer_sizes) - 1, self.num_steps // 2)

  @property
  def gains(self) -> tuple[float, ...]:
    """Error gain of each layer; the output layer has gain 1."""
    num_hidden = len(self.layer_sizes) - 2
    gain = self.gain
    if gain is None:
      gain = 1.0 if self.is_stochastic else 4.0
    gains = (gain,) * num_hidden if is_real(gain) else gain
    return (*gains, 1.0)

  @property
  def most_error_spikes(self) -> tuple[int, ...]:
    """Error spikes of a neuron in a tick, at most, of each layer of weights."""
    most = 1 if self.is_stochastic else integrate_and_fire.MAX_ERROR_SPIKES
    return (*(most,) * (len(self.layer_sizes) - 2), 1)

  @property
  def read_gains(self) -> tuple[float, ...]:
    """Read gain of each layer: the input gain, then 1 / (1 - dropout)."""
    num_hidden = len(self.layer_sizes) - 2
    return (self.input_gain, *(1.0 / (1.0 - self.dropout),) * num_hidden)


def _check_firing_function(function):
  """Evaluates a firing function, as a rate above 1 would be a wrong spike."""
  with jax.ensure_compile_time_eval():  # also while jax traces
    potential = jnp.linspace(-8.0, 8.0, 1025)
    rates, gates = (np.asarray(own(potential)) for own in function)
  is_valid = rates.shape == gates.shape == potential.shape
  is_valid = is_valid and rates.min() >= 0.0 and rates.max() <= 1.0
  expected = 'a probability in [0, 1] and a finite derivative, everywhere'
  return is_valid and np.isfinite(gates).all(), expected


def _check_membrane(membrane):
  """Traces a membrane, as one potential would be broadcast to all neurons."""
  ticks = jax.ShapeDtypeStruct((), jnp.int32)
  window = spikes.Window(ticks, ticks, ticks)
  drive = jax.ShapeDtypeStruct((3,), jnp.float32)

  def step(drive, window):
    state = membrane.init(3)
    after = membrane.integrate(state, drive, window)
    return state, after, membrane.read(after, window)

  *states, potential = jax.eval_shape(step, drive, window)
  before, after = (
    jax.tree.map(lambda x: (x.shape, x.dtype), own) for own in states
  )
  is_valid = before == after and potential.shape == drive.shape
  expected = 'functions that keep the form of a state, and read a potential'
  return is_valid, f'{expected} of each neuron'


def _check_sampler(sampler):
  """Traces a sampler, as floats would be compared as the threshold 0."""

  def draw(key, word):
    source = spikes.Source(
      key, word, word[None], spikes.Role.INPUT, 0, 3, sampler
    )
    return sampler.thresholds(source, word)

  key = jax.ShapeDtypeStruct((3,), jnp.uint32)
  drawn = jax.eval_shape(draw, key, jax.ShapeDtypeStruct((), jnp.int32))
  is_valid = (drawn.shape, drawn.dtype) == ((32, 3), jnp.uint16)
  return is_valid, 'thresholds of a word, [32, N] uint16'


_CHOICES = (
  ('timing', TIMINGS, None),
  ('winner', WINNERS, None),
  ('firing_function', firing.FIRING_FUNCTIONS, firing.FiringFunction),
  ('integration', membrane_lib.MEMBRANES, membrane_lib.Membrane),
  ('sampler', spikes.SAMPLERS, spikes.Sampler),
)
_CHECKS = {
  'firing_function': _check_firing_function,
  'integration': _check_membrane,
  'sampler': _check_sampler,
}
