"""The chip with fewer bits of weights, and with fewer ticks."""

from experiments.studies import Study
from experiments.studies import Sweep

# One sample after another, with the rate of a minibatch divided by its size.
_DIGITS = {
  'layer_sizes': (64, 64, 10),
  'batch_size': 1,
  'learning_rate': 1 / 32,
}
_FASHION = {'batch_size': 1, 'learning_rate': 1 / 256, 'num_epochs': 5}


def _sweep(base, num_seeds, weight_bits, fraction_bits, *num_steps):
  grid = {
    'method': ('bp', 'chip'),
    'weight_bits': (weight_bits,),
    'fraction_bits': (fraction_bits,),
    'num_steps': num_steps or (64,),
  }
  return Sweep(grid, num_seeds, base)


STUDY = Study(
  question='How many bits of weights and how many ticks does the chip need?',
  sweeps={
    'digits': (
      _sweep(_DIGITS, 10, 8, (8, 7)),
      _sweep(_DIGITS, 10, 10, (10, 9)),
      _sweep(_DIGITS, 10, 12, (11, 10)),
    ),
    'fashion_mnist': (
      _sweep(_FASHION, 3, 8, (8, 7)),
      _sweep(_FASHION, 3, 10, (10, 9)),
      _sweep(_FASHION, 3, 12, (12, 11), 16, 32, 64),
      _sweep(_FASHION, 3, 12, (13, 11)),
    ),
  },
  columns=('weight_bits', 'fraction_bits', 'num_steps'),
  rows=('weight_bits', 'fraction_bits', 'num_steps'),
  across='metric',
  metrics=('test_accuracy', 'test_accuracy_largest', 'test_accuracy_rate'),
  figure='points',
)
