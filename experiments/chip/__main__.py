"""Commands of the chip in Verilog.

  python -m experiments.chip write    writes the Verilog of a chip
  python -m experiments.chip compare  simulates it, and compares it with JAX
  python -m experiments.chip stream   trains its twin on signals in time
  python -m experiments.chip fpga     builds the bitstream for a board
  python -m experiments.chip host     trains the chip on a board

Each command has its own `--help`.
"""

import runpy
import sys

if __name__ == '__main__':
  name = ''.join(sys.argv[1:2])
  if name not in ('write', 'compare', 'stream', 'fpga', 'host'):
    sys.exit(__doc__.strip())
  del sys.argv[1]
  runpy.run_module(f'experiments.chip.{name}', None, '__main__', True)
