"""Configuration of the chip, and the constants that follow from it."""

import dataclasses
import math

import numpy as np

from ssnn_jax import checks
from ssnn_jax import types

GENERATORS = ('xorshift', 'lfsr', 'sobol')
SHARINGS = ('layer', 'mask', 'neuron')
MEMBRANES = ('shift', 'mean')
ENABLES = ('row', 'synapse', 'all')
RATE_BITS = 16  # of the rate of enable bits
ADDRESS_BITS = 8  # of the table of Gumbel quantiles


@dataclasses.dataclass(frozen=True)
class ChipConfig:
  """Sizes, numbers of bits and random words of a chip.

  A signed weight of layer l, and a potential of the neurons that it feeds,
  count units of 2^-F_l. The chip adds, compares and shifts integers only.

  Attributes:
    layer_sizes: neurons of each layer, from the inputs to the classes.
    num_steps: T, ticks of a presentation.
    weight_bits: bits of a weight, with its sign; weights saturate.
    fraction_bits: F, bits after the binary point of weights and potentials,
      which are bits of thresholds, too; one number for all layers of weights,
      or one for each.
    generator: random words of 32 bits from 'xorshift' registers, from an 'lfsr'
      (shift register with feedback, 16 steps a tick), or from a 'sobol'
      sequence of the tick, flipped by an xorshift register that steps once a
      presentation; winners and enable bits then have xorshift registers.
    sharing: whether a word serves all neurons of a layer and role ('layer'),
      serves all but each neuron inverts a fixed choice of its bits ('mask', by
      wires and inverters alone), or each 'neuron' has a generator of its own.
    membrane: average of the drive: running mean by shifts, which weighs later
      ticks more ('shift'), or the exact mean, rounded ('mean').
    max_shift: largest shift of the running mean, for a leaky membrane; None has
      no limit.
    enable: whether one random bit enables the updates of a 'row' of synapses,
      of a 'synapse', or of 'all' rows of a layer in a tick.
    settle: ticks before the output layer votes; None is T / 8, as noisy votes
      must be many. There are no votes before a spike has passed all layers.

  Raises:
    UserError: if a field is out of range.
  """

  layer_sizes: tuple[int, ...]
  num_steps: int = 64
  weight_bits: int = 12
  fraction_bits: int | tuple[int, ...] = 10
  generator: str = 'sobol'
  sharing: str = 'layer'
  membrane: str = 'shift'
  max_shift: int | None = None
  enable: str = 'row'
  settle: int | None = None

  def __post_init__(self):
    for name, (is_valid, expected) in _RANGES.items():
      checks.check_field(self, name, is_valid(getattr(self, name)), expected)
    bits = self.fraction_bits
    is_valid = checks.is_integer(bits) or len(bits) == self.num_layers
    expected = f'one number, or one for each of {self.num_layers} layers'
    checks.check_field(self, 'fraction_bits', is_valid, expected)
    is_valid = self.num_layers <= self.num_steps
    expected = f'at least {self.num_layers}, the layers that a spike passes'
    checks.check_field(self, 'num_steps', is_valid, expected)
    last = self.num_steps - 1
    is_valid = self.settle is None or _is_each(self.settle, 0, last)
    expected = f'None, or 0 to {last} ticks'
    checks.check_field(self, 'settle', is_valid, expected)

  @property
  def num_layers(self) -> int:
    """L, number of layers of weights."""
    return len(self.layer_sizes) - 1

  @property
  def fractions(self) -> tuple[int, ...]:
    """F_l of each layer of weights."""
    bits = self.fraction_bits
    return (bits,) * self.num_layers if checks.is_integer(bits) else bits

  @property
  def settle_ticks(self) -> int:
    """Ticks at the start of a presentation without votes."""
    settle = self.num_steps // 8 if self.settle is None else self.settle
    return max(settle, self.num_layers)

  @property
  def gumbel_table(self) -> np.ndarray:
    """Noise of the winner, `[256]` int32, in units of the last potential.

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

    An error of 1 makes an error spike in each of T ticks, and each moves a
    weight by 2^-F_l, if the enable bit lets it.
    """
    return tuple(2.0**bits / self.num_steps for bits in self.fractions)

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


def _is_each(value, smallest, largest):
  """Returns whether all numbers are whole, and within a range."""
  values = value if isinstance(value, tuple) else (value,)
  return all(checks.is_integer(v) and smallest <= v <= largest for v in values)


def _one_of(choices):
  return choices.__contains__, 'one of ' + ', '.join(choices)


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
  'fraction_bits': (lambda value: _is_each(value, 1, 14), '1 to 14 bits'),
  'generator': _one_of(GENERATORS),
  'sharing': _one_of(SHARINGS),
  'membrane': _one_of(MEMBRANES),
  'max_shift': (
    lambda value: value is None or _is_each(value, 0, 16),
    'None, or 0 to 16 bits',
  ),
  'enable': _one_of(ENABLES),
}
