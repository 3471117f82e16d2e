"""Dense layers."""

import dataclasses

from ssnn_jax.layers.wiring import Wiring
from ssnn_jax.types import COUNT
from ssnn_jax.types import check_field
from ssnn_jax.types import is_count


@dataclasses.dataclass(frozen=True)
class Dense:
  """A layer whose neurons are connected to all inputs.

  Attributes:
    units: number of neurons.

  Raises:
    UserError: if it is not a whole number, 1 or more, below 2**31.
  """

  units: int

  def __post_init__(self):
    check_field(self, 'units', is_count(self.units), COUNT)
    object.__setattr__(self, 'units', int(self.units))

  def connect(self, input_shape: tuple[int, ...]) -> Wiring:
    """Connects the layer to inputs of any shape."""
    return Wiring(input_shape, output_shape=(self.units,))
