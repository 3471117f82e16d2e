"""Runs one of the commands of the chip in Verilog."""

import runpy
import sys

import experiments.rtl

if __name__ == '__main__':
  name = ''.join(sys.argv[1:2])
  if name in ('write', 'compare', 'fpga', 'host'):
    del sys.argv[1]
    runpy.run_module(
      f'experiments.rtl.{name}', run_name='__main__', alter_sys=1
    )
  elif name in ('--help', '--helpfull', '-h'):
    print(experiments.rtl.__doc__, end='')
  else:
    sys.exit(
      f'error: {name or "no command"} is not a command; choose write, '
      'compare, fpga or host.'
    )
