"""Size and speed of the chip on the FPGA of a board."""

from experiments.studies import Study

_BUILD = 'python -m experiments.rtl fpga'
_TEN = '--weight_bits=10 --fraction_bits=10,9'

STUDY = Study(
  question=(
    'Which chips fit a board that people own, and how fast do they learn?'
  ),
  commands=(
    f'{_BUILD} --layer_sizes=64,16,10 {_TEN} --folder=build/64-16-10',
    f'{_BUILD} --layer_sizes=64,64,10 {_TEN} --folder=build/64-64-10',
    f'{_BUILD} --layer_sizes=784,64,10 --weight_bits=10 --fraction_bits=11,9 '
    '--board=ulx3s_25f --clock_mhz=60 --folder=build/784-64-10',
    f'{_BUILD} --layer_sizes=784,256,10 --weight_bits=12 '
    '--fraction_bits=13,11 --clock_mhz=80 --folder=build/784-256-10',
  ),
  columns=('layer_sizes', 'weight_bits', 'num_steps', 'board', 'clock_mhz'),
  rows=('layer_sizes', 'weight_bits', 'board'),
  across='metric',
  metrics=(
    'luts',
    'flip_flops',
    'block_rams',
    'max_mhz',
    'clocks_per_sample',
    'samples_per_second',
  ),
  baseline=None,
  drawn={'metric': 'block_rams'},
  figure='points',
)
