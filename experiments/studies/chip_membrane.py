"""Membranes of the chip: exact mean, shifts and leak."""

from experiments.analysis import comparisons
from experiments.analysis.study import Study
from experiments.studies import chip_random

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
    'digits': chip_random.make_sweeps(10, chip_random.DIGITS, *_GRIDS),
    'fashion_mnist': chip_random.make_sweeps(3, chip_random.PART, *_GRIDS),
  },
  numbers=_numbers,
  text="""
A potential is the mean of the drive in all ticks so far. The chip needs no
division for it: in tick t it moves by the difference divided by a power of two,
2<sup>a</sup> with a = floor(log<sub>2</sub> t), so that later ticks weigh more
than in the exact mean. `max_shift` is the largest a; then the membrane leaks,
with a time constant of 2<sup>a</sup> ticks. With weights of 12 bits it has
{chip_gates.membrane_shift_12:.0f} transistors, and one with an exact mean
{chip_gates.membrane_mean_12:.0f} ([chip_gates](chip_gates.md)).

On digits the shifts are {digits_shift_none} points from the ANN and the exact
mean {digits_mean_none}; with shifts of at most 3 and 1 bits the difference is
{digits_shift_3} and {digits_shift_1}. On a part of Fashion-MNIST (10,000
images, 5 epochs) it is {fashion_mnist_shift_none} with shifts,
{fashion_mnist_mean_none} with the exact mean, and {fashion_mnist_shift_3} and
{fashion_mnist_shift_1} with at most 3 and 1 bits.
""",
)
