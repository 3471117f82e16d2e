"""Configuration of a network, spiking or not."""

from collections.abc import Sequence
import dataclasses

import numpy as np

from ssnn_jax import spikes
from ssnn_jax.layers import checks as layer_checks
from ssnn_jax.layers import wiring
from ssnn_jax.layers.dense import Dense
from ssnn_jax.neuron import checks
from ssnn_jax.neuron import firing
from ssnn_jax.neuron import membrane as membrane_lib
from ssnn_jax.neuron.race import RaceConfig
from ssnn_jax.read_config import ReadConfig
from ssnn_jax.spikes import thresholds
from ssnn_jax.types import MAX_COUNT
from ssnn_jax.types import POSITIVE
from ssnn_jax.types import check_field
from ssnn_jax.types import is_count
from ssnn_jax.types import is_positive
from ssnn_jax.types import is_real

SIGNALS = ('spikes', 'rates')
REPRESENTATIONS = ('auto', 'dense', 'packed')
OUTPUT_ERRORS = ('winner', 'softmax', 'argmax')
TIMINGS = ('buffered', 'realtime')
WINNERS = ('softmax', 'race')
UPDATE_EVERY = ('presentation', 'window')
DEFAULT_WINDOW = 32  # of buffered timing


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
      time, otherwise 32, or T if T is shorter.
    timing: 'buffered' works through the layers one after another in each
      window, and pairs the trains of the same window: the fast simulation.
      'realtime' advances all layers at once from the state of their neurons
      (`simulation.realtime`), as a chip does.
    settle: ticks of a presentation before the output layer votes, in real time;
      None is a default chosen by measurement.
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
    winner: how the output layer chooses the winner of a tick: 'softmax' draws
      one winner from the exact softmax, 'race' simulates a race that ends by
      lateral inhibition. Errors depend on winners with
      `output_errors='winner'` only.
    race: parameters of the race.
    update_every: when coincidences change the weights: after the
      'presentation', or after each 'window' of it (real time only).
    delay: windows by which errors lag the potentials that they are computed
      from, 0 or 1. With 1, an error spike never depends on a presynaptic spike
      that it coincides with; the first window has no errors, and counts are
      divided by the remaining ticks. For buffered timing only: in real time
      errors lag by the depth of the network.
    sampler: source of the thresholds: 'bernoulli' (a keyed hash), 'sobol' (a
      low-discrepancy sequence) or 'threefry' (`jax.random`, the slow
      reference).
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
  layers: tuple[wiring.Layer, ...] | None = dataclasses.field(
    default=None, kw_only=True
  )
  input_shape: tuple[int, ...] | None = dataclasses.field(
    default=None, kw_only=True
  )
  num_steps: int = 64
  window: int | None = None
  timing: str = 'buffered'
  settle: int | None = dataclasses.field(default=None, kw_only=True)
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
  delay: int = 0
  sampler: str = 'bernoulli'
  representation: str = 'auto'
  kernels: bool = True
  reads: ReadConfig = ReadConfig()

  def __post_init__(self):
    object.__setattr__(self, 'layer_sizes', layer_checks.find_sizes(self))
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
      checks.check_firing_function(self)
    if not isinstance(self.integration, str):
      checks.check_membrane(self)

  def _check_time(self):
    num_steps, window = self.num_steps, self.window
    expected = f'1 to {MAX_COUNT} ticks'
    check_field(self, 'num_steps', is_count(num_steps), expected)
    is_valid = window is None or (is_count(window) and window <= num_steps)
    check_field(
      self, 'window', is_valid, f'1 tick up to num_steps = {num_steps}'
    )
    settle = self.settle
    is_valid = settle is None or (is_count(settle, 0) and settle < num_steps)
    expected = f'0 ticks up to one less than num_steps = {num_steps}'
    check_field(self, 'settle', is_valid, expected)
    check_field(self, 'tau', is_positive(self.tau), POSITIVE)
    self._check_delay()
    if self.timing != 'realtime':
      expected = "'presentation', as timing is not 'realtime'"
      is_valid = self.update_every == 'presentation'
      check_field(self, 'update_every', is_valid, expected)

  def _check_delay(self):
    check_field(self, 'delay', self.delay in (0, 1), '0 or 1 window')
    num_steps, start = self.num_steps, max(self.error_starts)
    is_valid = self.delay == 0 or self.winner == 'softmax'
    check_field(self, 'delay', is_valid, "0, as winner is not 'softmax'")
    has_errors = start * self.schedule.window < num_steps
    if self.timing != 'realtime':
      expected = (
        f'0 for a presentation of one window ({num_steps} ticks), or a '
      )
      check_field(self, 'delay', has_errors, expected + 'shorter window')
      return
    check_field(self, 'delay', self.delay == 0, "0, as timing is 'realtime'")
    latency = f'the {start} windows after which errors reach the first layer'
    expected = f'more ticks than {latency}'
    check_field(self, 'num_steps', num_steps > start, expected)
    check_field(
      self,
      'window',
      has_errors,
      f'a shorter window: num_steps = {num_steps} ticks must be longer than '
      f'{latency}',
    )

  def _check_gains(self):
    num_hidden = len(self.layer_sizes) - 2
    is_list = isinstance(self.gain, Sequence) and not isinstance(self.gain, str)
    is_valid = is_real(self.gain) or (is_list and len(self.gain) == num_hidden)
    expected = f'one number, or one for each of the {num_hidden} hidden layers'
    check_field(self, 'gain', is_valid, expected)
    is_valid = all(map(is_positive, self.gains))
    check_field(self, 'gain', is_valid, 'positive 32-bit numbers')
    is_valid = is_positive(self.input_gain)
    check_field(self, 'input_gain', is_valid, POSITIVE)
    is_valid = is_real(self.dropout) and 0 <= self.dropout < 1
    check_field(self, 'dropout', is_valid, '0 or more and below 1')

  @property
  def wirings(self) -> tuple[wiring.Wiring, ...]:
    """Wiring of each layer of weights."""
    if self.layers is not None:
      return wiring.connect(self.layers, self.input_shape)
    dense = tuple(map(Dense, self.layer_sizes[1:]))
    return wiring.connect(dense, self.layer_sizes[:1])

  @property
  def defers_trains(self) -> bool:
    """Whether the trains of a window are drawn a few words at a time."""
    is_long = self.schedule.window > spikes.TICKS_PER_WORD
    return is_long and self.timing == 'buffered'

  @property
  def schedule(self) -> spikes.Schedule:
    """Division of the presentation into windows."""
    default = 1 if self.timing == 'realtime' else DEFAULT_WINDOW
    window = self.window or min(default, self.num_steps)
    return spikes.Schedule(
      self.num_steps, window, is_split=self.update_every == 'window'
    )

  @property
  def updates_per_presentation(self) -> int:
    """Updates of the weights in a presentation."""
    is_online = self.update_every == 'window'
    return self.schedule.num_windows if is_online else 1

  @property
  def active_steps(self) -> tuple[int, ...]:
    """Ticks in which each layer of neurons fires, inputs first."""
    lag = self.schedule.window if self.timing == 'realtime' else 0
    return tuple(
      self.num_steps - layer * lag for layer in range(len(self.layer_sizes))
    )

  @property
  def error_starts(self) -> tuple[int, ...]:
    """First window with errors, for each layer of weights."""
    num_layers = len(self.layer_sizes) - 1
    if self.timing == 'realtime':
      # A spike passes one layer in a window, forward and back.
      return tuple(range(2 * num_layers - 1, num_layers - 1, -1))
    return (self.delay,) * num_layers

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
  'sampler': tuple(thresholds.SAMPLERS),
  'representation': REPRESENTATIONS,
}
# Fields that also accept an object of the user's own.
_OWN = {
  'firing_function': ', or a neuron.FiringFunction',
  'integration': ', or a neuron.Membrane',
}
