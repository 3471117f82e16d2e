"""Configuration of the chip, and the constants that follow from it."""

import dataclasses
import math

import numpy as np

from ssnn_jax import checks
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

  Raises:
    UserError: if a field is out of range.
  """

  layer_sizes: tuple[int, ...]  #: neurons, from the inputs to the classes
  num_steps: int = 64  #: T, ticks of a presentation
  weight_bits: int = 12  #: of a weight, with its sign; weights saturate
  #: F, bits after the binary point of weights; one number, or one a layer
  fraction_bits: int | tuple[int, ...] = 10

  def __post_init__(self):
    def check(name, smallest, largest, expected, is_valid=True):
      values = np.ravel(np.array(getattr(self, name), object))
      in_range = all(
        checks.is_integer(x) and smallest <= x <= largest for x in values
      )
      checks.check_field(self, name, in_range and is_valid, expected)

    sizes, bits = self.layer_sizes, self.fraction_bits
    is_list = isinstance(sizes, tuple) and len(sizes) >= 2
    expected = 'two numbers of neurons or more, as (64, 32, 10)'
    check('layer_sizes', 1, 1 << 16, expected, is_list)
    check('weight_bits', 2, 16, '2 to 16 bits')
    # With 3 bits half an error spike is a whole number.
    expected = f'3 to 14 bits, one number, or {self.num_layers} for the layers'
    is_each = checks.is_integer(bits) or len(bits) == self.num_layers
    check('fraction_bits', 3, 14, expected, is_each)
    # Later ticks have errors of all layers; sums of weights have 32 bits.
    rows = [sizes[0], *(MAX_ERROR_SPIKES * size for size in sizes[1:-1]), 1]
    largest = (max(rows) + 1) << self.weight_bits - 1
    most = (2**31 - 1) // (largest + int(self.gumbel_table[-1]))
    first, most = 2 * self.num_layers, min(most, 1 << 16)
    check('num_steps', first, most, f'{first} to {most} ticks, in these layers')

  @property
  def network(self) -> NetworkConfig:
    """The network of the same layers, whose ANN the chip is compared with."""
    return NetworkConfig(self.layer_sizes, num_steps=self.num_steps)

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
  def gains(self) -> tuple[float, ...]:
    """Error gain of each layer; the output layer has gain 1."""
    return (*(GAIN,) * (self.num_layers - 1), 1.0)

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
  def first_vote(self) -> int:
    """First tick that votes: the first half knows too little."""
    return max(self.num_layers, self.num_steps // 2)

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

    An error of 1 makes gain_l error spikes in each tick with errors, the last
    T - 2 L + 1 + l, and each moves a weight by 2^-F_l, if its row is enabled.
    """
    first = self.num_steps - 2 * self.num_layers + 1
    layers = enumerate(zip(self.fractions, self.gains), start=first)
    return tuple(2.0**bits / (gain * ticks) for ticks, (bits, gain) in layers)
