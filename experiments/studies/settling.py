"""Ticks and spikes until bipolar networks are silent, by caps and errors."""

from experiments.studies import Study

_MEASURE = 'python -m experiments.measurements.settling --dataset=fashion_mnist'
_SETTING = (
  'layers',
  'layer_sizes',
  'num_steps',
  'cap',
  'error_cap',
  'error_start',
)

STUDY = Study(
  question=(
    'When is a network silent, and how many spikes does it send for one that '
    'stays?'
  ),
  commands=(
    f'{_MEASURE} --hidden_sizes=256 --num_steps=8,16,64',
    f'{_MEASURE} --hidden_sizes=159,159,159,159 --num_steps=16',
    f'{_MEASURE} --layers=conv16k5s2,conv32k5s2,10 --num_steps=16',
  ),
  columns=_SETTING,
  rows=_SETTING,
  across='metric',
  metrics=(
    'error_ratio',
    'forward_ratio',
    'error_spikes',
    'coincidences',
    'median_silence',
    'last_silence',
  ),
  baseline=None,
  # The others are in the CSV file.
  shown={'num_steps': '16', 'cap': '1'},
  drawn={'metric': 'error_ratio'},
  figure='points',
)
