"""Membranes of the chip: exact mean, shifts and leak."""

from experiments.analysis import comparisons
from experiments.analysis.study import Study
from experiments.studies import chip_bits
from experiments.studies import chip_random

_DIGITS = {'weight_bits': 10, 'fraction_bits': (10, 9)}
_FASHION_MNIST = {'weight_bits': 12, 'fraction_bits': (12, 11)}
_GRIDS = (
  {'membrane': ('mean',), 'max_shift': (None,)},
  {'membrane': ('shift',), 'max_shift': (None, 4, 3, 2, 1)},
)


def _numbers(records):
  runs = comparisons.join(records)
  return comparisons.numbers(runs, '{dataset}_{membrane}_{max_shift}')


STUDY = Study(
  question='How may the chip average the drive of a neuron?',
  sweeps={
    'digits': chip_random.make_sweeps(10, chip_bits.DIGITS | _DIGITS, *_GRIDS),
    'fashion_mnist': chip_random.make_sweeps(
      3, chip_random.PART | _FASHION_MNIST, *_GRIDS
    ),
  },
  numbers=_numbers,
  text="""
Membranes of the chip, in training and evaluation.
""",
)
