"""Configuration of the chip, and the constants that follow from it."""

import dataclasses
import math

import numpy as np

from ssnn_jax import checks
from ssnn_jax import types
from ssnn_jax.config import NetworkConfig

PIXEL_BITS = 8  # of an input, and of its threshold
RATE_BITS = 16  # of the rate of enable bits
ADDRESS_BITS = 8  # of the table of Gumbel quantiles
# Error spikes of a neuron in a tick, at most: with fewer the large errors of
# short trains would not be sent before the presentation ends.
MAX_ERROR_SPIKES = 3
GAIN = 4.0  # error spikes for one unit of error, of hidden neurons


@dataclasses.dataclass(frozen=True)
class ChipConfig:
  """Sizes and numbers of bits of a chip.

  A signed weight of layer l, and the drive of the neurons that it feeds, count
  units of 2^-F_l. The chip adds, compares and shifts integers only.

  Attributes:
    layer_sizes: neurons of each layer, from the inputs to the classes.
    num_steps: T, ticks of a presentation.
    weight_bits: bits of a weight, with its sign; weights saturate.
    fraction_bits: F, bits after the binary point of weights; one number for all
      layers of weights, or one for each.

  Raises:
    UserError: if a field is out of range.
  """

  layer_sizes: tuple[int, ...]
  num_steps: int = 64
  weight_bits: int = 12
  fraction_bits: int | tuple[int, ...] = 10

  def __post_init__(self):
    for name, (is_valid, expected) in _RANGES.items():
      checks.check_field(self, name, is_valid(getattr(self, name)), expected)
    bits = self.fraction_bits
    is_valid = checks.is_integer(bits) or len(bits) == self.num_layers
    expected = f'one number, or one for each of {self.num_layers} layers'
    checks.check_field(self, 'fraction_bits', is_valid, expected)
    expected = f'more than {2 * self.num_layers - 1} ticks, after which errors '
    expected += 'reach the first layer'
    checks.check_field(self, 'num_steps', self.error_steps[0] > 0, expected)
    most = (2**31 - 1) // self._largest_step
    is_valid = self.num_steps <= most
    expected = f'at most {most} ticks, so that sums of weights have 32 bits'
    checks.check_field(self, 'num_steps', is_valid, expected)

  @property
  def network(self) -> NetworkConfig:
    """The network of the same layers, whose ANN the chip is compared with."""
    return NetworkConfig(self.layer_sizes, num_steps=self.num_steps)

  @property
  def gains(self) -> tuple[float, ...]:
    """Error gain of each layer; the output layer has gain 1."""
    return (*(GAIN,) * (self.num_layers - 1), 1.0)

  @property
  def output_steps(self) -> int:
    """Ticks of a presentation in which the output layer integrates.

    A spike passes one layer in a tick.
    """
    return self.num_steps - self.num_layers + 1

  @property
  def error_steps(self) -> tuple[int, ...]:
    """Ticks of a presentation with errors, for each layer of weights."""
    layers = range(self.num_layers)
    return tuple(self.num_steps - 2 * self.num_layers + 1 + k for k in layers)

  @property
  def first_vote(self) -> int:
    """First tick whose winner is counted: the first half knows too little."""
    return max(self.num_layers, self.num_steps // 2)

  @property
  def num_layers(self) -> int:
    """L, number of layers of weights."""
    return len(self.layer_sizes) - 1

  @property
  def weights_shapes(self) -> tuple[tuple[int, int], ...]:
    """Shape of the weights of each layer, with the row of biases."""
    sizes = self.layer_sizes
    return tuple((rows + 1, cols) for rows, cols in zip(sizes, sizes[1:]))

  @property
  def fractions(self) -> tuple[int, ...]:
    """F_l of each layer of weights."""
    bits = self.fraction_bits
    return (bits,) * self.num_layers if checks.is_integer(bits) else bits

  @property
  def worths(self) -> tuple[int, ...]:
    """W_l, the error that one error spike of each hidden layer sends.

    It is 1 / gain_l in the unit of the error currents that arrive, which is
    2^-F_{l+1} / gain_{l+1}.
    """
    gains = self.gains
    layers = zip(self.fractions[1:], gains[1:], gains)
    return tuple(int(2**bits * above / gain) for bits, above, gain in layers)

  @property
  def gumbel_table(self) -> np.ndarray:
    """Noise of the winner, `[256]` int32, in units of the last layer.

    Entry a is the quantile (a + 1/2) / 256 of the Gumbel distribution. All are
    moved up by the same constant, so that none is negative: the winner does not
    change.
    """
    size, unit = 1 << ADDRESS_BITS, 1 << self.fractions[-1]
    quantiles = [-math.log(-math.log((a + 0.5) / size)) for a in range(size)]
    noise = [round(unit * (q - quantiles[0])) for q in quantiles]
    return np.array(noise, np.int32)

  @property
  def updates(self) -> tuple[float, ...]:
    """Updates of each layer in a tick for a learning rate of 1 of a sample.

    An error of 1 makes gain_l error spikes in each tick with errors, and each
    moves a weight by 2^-F_l, if the enable bit lets it.
    """
    layers = zip(self.fractions, self.gains, self.error_steps)
    return tuple(2.0**bits / (gain * ticks) for bits, gain, ticks in layers)

  def enable_rates(self, rate: float) -> tuple[int, ...]:
    """Returns the rates of enable bits, in units of 2^-16, for a learning rate.

    It raises a `UserError` if a layer needs more than one update in a tick.
    """
    rates = [rate * updates for updates in self.updates]
    if max(rates) > 1:
      raise types.UserError(
        f'learning_rate is {rate:g} for a sample, which takes {max(rates):g} '
        'updates of 2^-fraction_bits in a tick; expected at most '
        f'{rate / max(rates):g} for one update.'
      )
    return tuple(round(rate * (1 << RATE_BITS)) for rate in rates)

  @property
  def _largest_step(self):
    """By how much a sum of a neuron grows in a tick, at most."""
    inputs, *hidden, _ = self.layer_sizes
    spikes = (MAX_ERROR_SPIKES * size for size in hidden)
    weights = max(inputs, *spikes, 1) + 1  # with the bias
    return (weights << self.weight_bits - 1) + int(self.gumbel_table[-1])


def _is_each(value, smallest, largest):
  """Returns whether all numbers are whole, and within a range."""
  values = value if isinstance(value, tuple) else (value,)
  return all(checks.is_integer(v) and smallest <= v <= largest for v in values)


_RANGES = {
  'layer_sizes': (
    lambda sizes: (
      isinstance(sizes, tuple)
      and len(sizes) >= 2
      and _is_each(sizes, 1, 1 << 16)
    ),
    'two numbers of neurons or more, as (64, 32, 10)',
  ),
  'num_steps': (lambda value: _is_each(value, 1, 1 << 16), '1 to 65536 ticks'),
  'weight_bits': (lambda value: _is_each(value, 2, 16), '2 to 16 bits'),
  # With 3 bits half an error spike is a whole number.
  'fraction_bits': (lambda value: _is_each(value, 3, 14), '3 to 14 bits'),
}
