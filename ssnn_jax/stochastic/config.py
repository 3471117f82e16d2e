"""Configuration of a network of stochastic neurons."""

import dataclasses
import functools

import jax
import numpy as np

from ssnn_jax import trains
from ssnn_jax import types
from ssnn_jax.checks import COUNT
from ssnn_jax.checks import POSITIVE
from ssnn_jax.checks import check_field
from ssnn_jax.checks import is_count
from ssnn_jax.checks import is_finite
from ssnn_jax.checks import is_positive
from ssnn_jax.checks import is_real
from ssnn_jax.stochastic import layers as layers_lib

SIGNALS = 'forward', 'backward', 'update', 'winners'
WINNERS = ('softmax', 'race')
TIMINGS = ('phased', 'window', 'leaky')


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
    num_steps: T, ticks of the spike trains.
    sampler: 'sobol' (a Sobol sequence of thresholds), 'bernoulli' (independent
      ones), or a `trains.Sampler`. None is 'sobol'.
    winner: how the output layer chooses the winner of a
      tick, with which it compares the target. 'softmax' draws it from the exact
      softmax; 'race' simulates a race that ends by lateral inhibition.
    exact: what is exact instead of spikes: 'forward', the input of the forward
      reads; 'backward', that of the transposed reads; 'update', where products
      of rates change the weights instead of coincidences; and 'winners', whose
      errors are then sampled as those of hidden layers.
    input_gain: factor on the first layer's reads, for sparse inputs.
    dropout: probability that a hidden unit is silent for a presentation.
    read_noise: standard deviation of the current of both reads in each tick.
    timing: when neurons work. 'phased': layer after layer, for T
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
  sampler: str | trains.Sampler | None = None
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

  def _list_checks(self):
    """Yields what each field must be: name, whether it is, and the words."""
    yield 'winner', self.winner in WINNERS, f'one of {", ".join(WINNERS)}'
    samplers = list(trains.SAMPLERS)
    if not isinstance(self.sampler, trains.Sampler):
      expected = f'one of {", ".join(samplers)}, or a Sampler'
      yield 'sampler', self.sampler in (None, *samplers), expected
    is_valid = set(self.exact) <= {*SIGNALS}
    yield 'exact', is_valid, f'a tuple of names among {", ".join(SIGNALS)}'
    yield 'num_steps', is_count(self.num_steps), COUNT
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
  def read_gains(self) -> tuple[float, ...]:
    """Read gain of each layer: the input gain, then 1 / (1 - dropout)."""
    num_hidden = len(self.layer_sizes) - 2
    return (self.input_gain, *(1.0 / (1.0 - self.dropout),) * num_hidden)

  def init(self, key: jax.Array) -> types.Params:
    """Draws the initial parameters, as `types.init_layers`."""
    return types.init_layers(
      key, [wiring.weights_shape for wiring in self.wirings]
    )
