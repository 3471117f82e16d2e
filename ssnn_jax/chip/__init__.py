"""The chip: learning by spikes in integers, one sample after another.

The golden reference of hardware: `rules` says what each register of the chip
does in one tick, in integers only, and the Verilog in `rtl` does the same bit
by bit.
"""

from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.chip.network import dequantize
from ssnn_jax.chip.network import enable_rates
from ssnn_jax.chip.network import encode
from ssnn_jax.chip.network import init_weights
from ssnn_jax.chip.network import make_device
from ssnn_jax.chip.network import make_network
from ssnn_jax.chip.network import make_observe
from ssnn_jax.chip.rules import init_generators
from ssnn_jax.chip.rules import present

__all__ = (
  'ChipConfig',
  'dequantize',
  'enable_rates',
  'encode',
  'init_generators',
  'init_weights',
  'make_device',
  'make_network',
  'make_observe',
  'present',
)
