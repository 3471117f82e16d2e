"""Configuration of the periphery of a crossbar."""

import dataclasses
import math

from ssnn_jax.types import POSITIVE
from ssnn_jax.types import check_field
from ssnn_jax.types import is_finite
from ssnn_jax.types import is_integer
from ssnn_jax.types import is_positive


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
    is_valid = is_finite(self.out_noise) and self.out_noise >= 0
    check_field(self, 'out_noise', is_valid, 'a number, 0 or more')

  def _check_converter(self, bits_field, bound_field):
    bits, bound = getattr(self, bits_field), getattr(self, bound_field)
    is_valid = is_positive(bound) or bound == math.inf
    check_field(self, bound_field, is_valid, POSITIVE)
    is_valid = bits is None or (is_integer(bits) and 2 <= bits <= 24)
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
