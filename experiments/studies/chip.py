"""The chip with fewer bits of weights and thresholds."""

from experiments.studies import Study
from experiments.studies import Sweep

# One sample after another, with the rate of a minibatch divided by its size.
_DIGITS = {
  'layer_sizes': (64, 64, 10),
  'batch_size': 1,
  'learning_rate': 1 / 32,
}
_FASHION = {'batch_size': 1, 'learning_rate': 1 / 256, 'num_epochs': 5}


def _sweeps(base, num_seeds, *bits):
  """Sweeps pairs of bits of weights and of thresholds."""
  return tuple(
    Sweep(
      {
        'method': ('bp', 'chip'),
        'weight_bits': (weights,),
        'fraction_bits': (thresholds,),
      },
      num_seeds,
      base,
    )
    for weights, thresholds in bits
  )


STUDY = Study(
  question='How many bits do weights and thresholds of the chip need?',
  sweeps={
    'digits': (
      *_sweeps(_DIGITS, 10, (6, (5, 4)), (8, (7, 6)), (9, (8, 7))),
      *_sweeps(_DIGITS, 10, (10, 8), (10, (9, 8)), (12, 10), (16, 11)),
      *_sweeps(_DIGITS, 20, (10, (10, 9))),
    ),
    'fashion_mnist': _sweeps(
      _FASHION, 3, (8, (7, 6)), (10, (9, 8)), (12, 10), (12, (12, 11))
    ),
  },
  columns=('weight_bits', 'fraction_bits'),
  rows=('weight_bits', 'fraction_bits'),
  across='metric',
  metrics=('test_accuracy', 'test_accuracy_largest', 'test_accuracy_rate'),
  figure='points',
)
