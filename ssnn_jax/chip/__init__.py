"""The chip: the settled network in integers, which learns sample by sample.

The twin of hardware: `make_device` trains a network as the Verilog in `rtl`
does, bit by bit.
"""

from ssnn_jax.chip.learning import check_config
from ssnn_jax.chip.learning import integer_rates
from ssnn_jax.chip.learning import make_device
from ssnn_jax.chip.learning import present
from ssnn_jax.chip.learning import trace_signals

__all__ = (
  'check_config',
  'integer_rates',
  'make_device',
  'present',
  'trace_signals',
)
