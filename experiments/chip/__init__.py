"""Commands of the chip in Verilog."""
