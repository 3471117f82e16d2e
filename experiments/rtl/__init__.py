"""Commands of the chip in Verilog.

  python -m experiments.rtl write    writes the Verilog of a chip
  python -m experiments.rtl compare  simulates it, and compares it with JAX

Each command has its own `--help`.
"""
