"""Configuration of a network, spiking or not."""

from collections.abc import Sequence
import contextlib
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from ssnn_jax import layers as layers_lib
from ssnn_jax import spikes
from ssnn_jax import summaries
from ssnn_jax.checks import MAX_COUNT
from ssnn_jax.checks import POSITIVE
from ssnn_jax.checks import check_field
from ssnn_jax.checks import is_count
from ssnn_jax.checks import is_positive
from ssnn_jax.checks import is_real
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane as membrane_lib
from ssnn_jax.neuron.periphery import ReadConfig
from ssnn_jax.neuron.wta import RaceConfig

SIGNALS = ('spikes', 'rates')
REPRESENTATIONS = ('auto', 'dense', 'packed')
OUTPUT_ERRORS = ('winner', 'softmax', 'argmax')
TIMINGS = ('buffered', 'realtime')
WINNERS = ('softmax', 'race')
UPDATE_EVERY = ('presentation', 'window')


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
    window: n, ticks between two reads of a membrane, 1 to T; None is 1 in real
      time, otherwise T.
    timing: 'buffered' works through the layers one after another in each
      window, and pairs the trains of the same window: the fast simulation.
      'realtime' advances all layers at once from the state of their neurons,
      as a chip does.
    firing_function: 'clip', 'hard_sigmoid', or a `FiringFunction`.
    integration: 'mean' averages the drive over all ticks so far, 'ramp' weighs
      later ticks more, for real time, 'leaky' forgets with time constant `tau`,
      'memoryless' holds the drive of one window; or a `Membrane`.
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
    winner: how the output layer chooses the winner of a tick: 'softmax' draws
      one winner from the exact softmax, 'race' simulates a race that ends by
      lateral inhibition. Errors depend on winners with
      `output_errors='winner'` only.
    race: parameters of the race.
    update_every: when coincidences change the weights: after the
      'presentation', or after each 'window' of it (real time only).
    settle: ticks before the output layer votes, in real time only: its winners
      are counted from this tick on, as the potentials of the first ticks know
      little of the inputs. Errors do not wait. None: T / 2. The output has no
      winners, and no votes, before a spike passed all layers.
    sampler: generator of the thresholds: 'bernoulli' (independent, a keyed
      hash), 'sobol' (a Sobol sequence), 'lfsr' (a shift register for
      each neuron), 'lfsr_shared' (one for each layer), or a `spikes.Sampler`.
    representation: how coincidences are counted: 'dense' is a matrix product
      over ticks, 'packed' counts bits of words, 'auto' is packed on CPU and
      dense on other platforms. The counts are equal.
    kernels: whether compiled kernels are used, on CPU; they are compiled when
      they are first needed. Spikes and counts agree; without kernels a network
      can be exported to other platforms.
    reads: periphery of the crossbars in both reads.

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
  winner: str = 'softmax'
  race: RaceConfig = RaceConfig()
  update_every: str = 'presentation'
  settle: int | None = None
  sampler: str | spikes.Sampler = 'sobol'
  representation: str = 'auto'
  kernels: bool = True
  reads: ReadConfig = ReadConfig()

  def __post_init__(self):
    for name, value in list(vars(self).items()):
      if isinstance(value, jax.Array | np.ndarray):
        object.__setattr__(self, name, np.asarray(value).tolist())
    object.__setattr__(self, 'layer_sizes', layers_lib.find_sizes(self))
    self._check_time()
    self._check_gains()
    for field, choices in _CHOICES.items():
      value = getattr(self, field)
      if field not in _OWN or isinstance(value, str):
        expected = 'one of ' + ', '.join(choices) + _OWN.get(field, '')
        check_field(self, field, value in choices, expected)
    for field, kind in (('race', RaceConfig), ('reads', ReadConfig)):
      is_valid = isinstance(getattr(self, field), kind)
      check_field(self, field, is_valid, f'a {kind.__name__}')
    is_valid = isinstance(self.kernels, bool | np.bool_)
    check_field(self, 'kernels', is_valid, 'True or False')
    if not isinstance(self.firing_function, str):
      _check_firing_function(self)
    if not isinstance(self.integration, str):
      _check_membrane(self)
    if not isinstance(self.sampler, str):
      _check_sampler(self)

  def __str__(self):
    """Summarizes layers, weights, time and what differs from the defaults."""
    wirings, own = self.wirings, self.layers or ()
    weights = sum(wiring.num_weights + wiring.num_columns for wiring in wirings)
    sizes = '-'.join(map(str, self.layer_sizes))
    lines = []
    for index, wiring in enumerate(wirings):
      kind = type(own[index]).__name__ if own else 'Dense'
      inputs, outputs = wiring.input_shape, wiring.output_shape
      lines.append(
        f'layer {index + 1}: {kind}, {list(inputs)} -> {list(outputs)} neurons,'
        f' weights {list(wiring.weights_shape)}'
      )
    schedule, sampler = self.schedule, self.sampler
    trains = sampler if isinstance(sampler, str) else 'own'
    lines.append(
      f'T = {self.num_steps} ticks, windows of n = {schedule.window}, '
      f'{self.timing}, {trains} trains'
    )
    shown = 'layer_sizes', 'layers', 'input_shape', 'num_steps', 'window'
    changes = summaries.describe_changes(self, (*shown, 'timing', 'sampler'))
    if changes:
      lines.append(', '.join(changes))
    title = f'{sizes} neurons, {weights:,} weights and biases'
    return summaries.lay_out(title, lines)

  def _check_time(self):
    num_steps, window = self.num_steps, self.window
    is_realtime = self.timing == 'realtime'
    expected = f'1 to {MAX_COUNT} ticks'
    check_field(self, 'num_steps', is_count(num_steps), expected)
    is_valid = window is None or (is_count(window) and window <= num_steps)
    is_valid = is_valid and (
      window in (None, num_steps)
      or spikes.TICKS_PER_WORD % window == 0
      or window % spikes.TICKS_PER_WORD == 0
    )
    expected = (
      f'a divisor or a multiple of {spikes.TICKS_PER_WORD} ticks up to '
      f'num_steps = {num_steps}, or {num_steps}'
    )
    check_field(self, 'window', is_valid, expected)
    check_field(self, 'tau', is_positive(self.tau), POSITIVE)
    if not is_realtime:
      expected = "'presentation', as timing is not 'realtime'"
      is_valid = self.update_every == 'presentation'
      check_field(self, 'update_every', is_valid, expected)
      expected = "None, as timing is not 'realtime'"
      check_field(self, 'settle', self.settle is None, expected)
      return
    start = max(self.error_starts)
    latency = f'the {start} windows after which errors reach the first layer'
    is_valid = start * self.schedule.window < num_steps
    if start < num_steps:
      name, expected = 'window', f'at most {(num_steps - 1) // start}'
    else:
      name, expected = 'num_steps', f'more than {start}'
    check_field(self, name, is_valid, f'{expected} ticks, for {latency}')
    is_valid = self.settle is None or (
      is_count(self.settle, smallest=0) and self.settle < num_steps
    )
    expected = f'None, or 0 to {num_steps - 1} ticks'
    check_field(self, 'settle', is_valid, expected)

  def _check_gains(self):
    num_hidden = len(self.layer_sizes) - 2
    is_list = isinstance(self.gain, Sequence) and not isinstance(self.gain, str)
    is_valid = is_real(self.gain) or (is_list and len(self.gain) == num_hidden)
    expected = f'one number, or one for each of the {num_hidden} hidden layers'
    check_field(self, 'gain', is_valid, expected)
    if is_list:
      object.__setattr__(self, 'gain', tuple(self.gain))  # hashable
    is_valid = all(map(is_positive, self.gains))
    check_field(self, 'gain', is_valid, 'positive 32-bit numbers')
    is_valid = is_positive(self.input_gain)
    check_field(self, 'input_gain', is_valid, POSITIVE)
    is_valid = is_real(self.dropout) and 0 <= self.dropout < 1
    check_field(self, 'dropout', is_valid, '0 or more and below 1')

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
    window = self.window or default
    return spikes.Schedule(
      self.num_steps, window, is_split=self.update_every == 'window'
    )

  @property
  def updates_per_presentation(self) -> int:
    """Updates of the weights in a presentation."""
    is_online = self.update_every == 'window'
    return self.schedule.num_windows if is_online else 1

  @property
  def starts(self) -> tuple[int, ...]:
    """First window with spikes, for each layer of neurons, inputs first."""
    layers = range(len(self.layer_sizes))
    # A spike passes one layer in a window, forward and back.
    return tuple(layer * (self.timing == 'realtime') for layer in layers)

  @property
  def active_steps(self) -> tuple[int, ...]:
    """Ticks in which each layer of neurons fires, inputs first."""
    window = self.schedule.window
    return tuple(self.num_steps - window * start for start in self.starts)

  @property
  def error_starts(self) -> tuple[int, ...]:
    """First window with errors, for each layer of weights."""
    num_layers = len(self.layer_sizes) - 1
    if self.timing == 'realtime':
      return tuple(range(2 * num_layers - 1, num_layers - 1, -1))
    return (0,) * num_layers

  @property
  def settle_ticks(self) -> int:
    """Ticks at the start of a presentation without votes."""
    if self.timing != 'realtime':
      return 0
    latency = (len(self.layer_sizes) - 1) * self.schedule.window
    settle = self.num_steps // 2 if self.settle is None else self.settle
    return max(latency, settle)

  @property
  def error_steps(self) -> tuple[int, ...]:
    """Ticks of a presentation with errors, for each layer of weights."""
    window = self.schedule.window
    return tuple(self.num_steps - window * i for i in self.error_starts)

  @property
  def gains(self) -> tuple[float, ...]:
    """Error gain of each layer; the output layer has gain 1."""
    num_hidden = len(self.layer_sizes) - 2
    is_shared = is_real(self.gain)
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
  'timing': TIMINGS,
  'output_errors': OUTPUT_ERRORS,
  'winner': WINNERS,
  'update_every': UPDATE_EVERY,
  'sampler': tuple(spikes.SAMPLERS),
  'representation': REPRESENTATIONS,
}
# Fields that also accept an object of the user's own.
_OWN = {
  'firing_function': ', or a neuron.FiringFunction',
  'integration': ', or a neuron.Membrane',
  'sampler': ', or a spikes.Sampler',
}


def _check_firing_function(config):
  """Evaluates a user's firing function on a grid of potentials."""
  function = config.firing_function
  is_valid = isinstance(function, firing.FiringFunction)
  expected = 'one of ' + ', '.join(firing.FIRING_FUNCTIONS)
  expected += ', or a neuron.FiringFunction'
  check_field(config, 'firing_function', is_valid, expected)
  with jax.ensure_compile_time_eval():  # also while jax traces
    potential = jnp.linspace(-8.0, 8.0, 1025)
    with _explained(config, 'firing_function', 'functions of potentials'):
      rates = jnp.asarray(function.probability(potential))
      gates = jnp.asarray(function.derivative(potential))
    is_valid = bool(jnp.all((rates >= 0.0) & (rates <= 1.0)))
    is_finite = bool(jnp.all(jnp.isfinite(gates)))
  expected = 'a probability in [0, 1] everywhere'
  check_field(config, 'firing_function', is_valid, expected)
  expected = 'a derivative that is finite everywhere'
  check_field(config, 'firing_function', is_finite, expected)
  is_valid = rates.shape == gates.shape == potential.shape
  expected = (
    'a probability and a derivative of the shape of the potential, '
    f'{potential.shape}, not {rates.shape} and {gates.shape}'
  )
  check_field(config, 'firing_function', is_valid, expected)


def _check_membrane(config):
  """Traces one window of a user's membrane and checks the shapes."""
  membrane, num_neurons = config.integration, 3
  is_valid = isinstance(membrane, membrane_lib.Membrane)
  expected = 'one of ' + ', '.join(membrane_lib.MEMBRANES)
  check_field(
    config, 'integration', is_valid, expected + ', or a neuron.Membrane'
  )
  drive = jax.ShapeDtypeStruct((num_neurons,), jnp.float32)
  ticks = jax.ShapeDtypeStruct((), jnp.int32)
  mask = jax.ShapeDtypeStruct((1,), jnp.uint32)
  window = spikes.Window(mask=mask, length=ticks, elapsed=ticks)
  explained = functools.partial(_explained, config, 'integration')
  with explained('init(num_neurons)'):
    state = jax.eval_shape(lambda: membrane.init(num_neurons))
  with explained('integrate(state, drive, window)'):
    after = jax.eval_shape(membrane.integrate, state, drive, window)
  with explained('read(state, window)'):
    potential = jax.eval_shape(membrane.read, state, window)
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


def _check_sampler(config):
  """Traces one word of a user's sampler and checks the shape."""
  sampler, size = config.sampler, 3
  is_valid = isinstance(sampler, spikes.Sampler)
  expected = 'one of ' + ', '.join(spikes.SAMPLERS) + ', or a spikes.Sampler'
  check_field(config, 'sampler', is_valid, expected)

  def draw(key):
    word = jnp.zeros(1, jnp.int32)
    own = key, word[0], word, spikes.Role.INPUT, 0, size, sampler
    return sampler.thresholds(spikes.Source(*own), word[0])

  with _explained(config, 'sampler', 'thresholds(source, word)'):
    drawn = jax.eval_shape(draw, jax.ShapeDtypeStruct((3,), jnp.uint32))
  ticks = jax.ShapeDtypeStruct((spikes.TICKS_PER_WORD, size), jnp.uint16)
  expected = (
    f'thresholds of the ticks of a word, {_shapes(ticks)} for {size} neurons, '
    f'not {_shapes(drawn)}'
  )
  check_field(config, 'sampler', _shapes(drawn) == _shapes(ticks), expected)


@contextlib.contextmanager
def _explained(config, name, functions):
  """Converts the errors of a user's functions, which are of any type."""
  try:
    yield
  except Exception as error:
    reason = str(error).partition('\n')[0].rstrip('.') or type(error).__name__
    expected = f'{functions} that jax can trace ({reason})'
    check_field(config, name, False, expected)


def _shapes(tree):
  return jax.tree.map(lambda leaf: f'{leaf.dtype}{list(leaf.shape)}', tree)
