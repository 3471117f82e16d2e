"""The chip: a settled network in integers, which learns sample by sample.

The twin of hardware: `make_device` trains a network as the Verilog in `rtl`
does, bit by bit.
"""

from ssnn_jax.chip.learning import Config as Config
from ssnn_jax.chip.learning import integer_rates as integer_rates
from ssnn_jax.chip.learning import make_device as make_device
from ssnn_jax.chip.learning import make_network as make_network
from ssnn_jax.chip.learning import present as present
from ssnn_jax.chip.learning import trace_signals as trace_signals
