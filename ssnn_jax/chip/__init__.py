"""The chip: learning by spikes in integers, one sample after another.

The golden reference of hardware: `rules` says what each register of the chip
does in one tick, in integers only, and the Verilog does the same bit by bit.

- `config`: sizes and numbers of bits, `ChipConfig`.
- `rules`: one sample and one tick, and registers of random words.
- `samples`: samples one after another, by the rules or a compiled `kernel`.
- `network`: the chip as a `Network`, for training and evaluation.
- `verilog`: the chip in SystemVerilog, the modules in `rtl`.
- `cosimulation`: simulation of the Verilog by verilator.
"""

from ssnn_jax.chip.config import ChipConfig
from ssnn_jax.chip.network import dequantize
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
  'encode',
  'init_generators',
  'init_weights',
  'make_device',
  'make_network',
  'make_observe',
  'present',
)
