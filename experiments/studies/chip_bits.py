"""The chip with fewer bits of weights and thresholds."""

from experiments.analysis import comparisons
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import methods
from experiments.config.grids import Sweep

METHODS = {'method': (methods.ANN, methods.CHIP)}
# One sample after another, with the rate of a minibatch divided by its size.
DIGITS = {
  'layer_sizes': (64, 64, 10),
  'batch_size': 1,
  'learning_rate': 1 / 32,
}
FASHION_MNIST = {'batch_size': 1, 'learning_rate': 1 / 256, 'num_epochs': 5}
_METRICS = {
  '': comparisons.minus(),
  '_by_largest': comparisons.minus('test_accuracy_largest'),
  '_by_ann': comparisons.minus('test_accuracy_rate'),
}


def _sweeps(num_seeds, base, *bits):
  """Makes a sweep for each number of bits of weights, and of thresholds."""
  return tuple(
    Sweep(
      METHODS | {'weight_bits': (weights,), 'fraction_bits': (thresholds,)},
      num_seeds,
      base,
    )
    for weights, *thresholds in bits
    for thresholds in [tuple(thresholds)]
  )


def _numbers(records):
  runs = comparisons.join(records)
  name = '{dataset}_w{weight_bits}_f{fraction_bits}{metric}'
  return comparisons.numbers(runs, name, _METRICS)


STUDY = Study(
  question='How many bits do weights and thresholds of the chip need?',
  sweeps={
    'digits': _sweeps(
      10,
      DIGITS,
      (6, 5, 4),
      (8, 7, 6),
      (9, 8, 7),
      (10, 9, 8),
      (10, 10, 9),
      (10, 8),
      (12, 10),
      (16, 11),
    ),  # fmt: skip
    'fashion_mnist': _sweeps(
      3, FASHION_MNIST, (8, 7, 6), (10, 9, 8), (12, 10), (12, 12, 11)
    ),
  },
  numbers=_numbers,
  claims=(
    Claim(
      'On digits the chip with weights of 10 bits, thresholds of 10 and 9 bits '
      'and one random word for each layer and role is within 1 point of the '
      'ANN, by winner counts.',
      ('digits_w10_f10_9',),
      within=1,
    ),
    Claim(
      'On Fashion-MNIST the chip with weights of 12 bits, thresholds of 12 and '
      '11 bits and one random word for each layer and role is within 1 point '
      'of the ANN of the same schedule, by winner counts.',
      ('fashion_mnist_w12_f12_11',),
      within=1,
    ),
  ),
  text="""
Weights of the chip count units of 2 to the power of minus the bits of
thresholds.
""",
)
