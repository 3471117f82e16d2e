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


def _sweep(base, num_seeds, bits, *num_steps):
  """Sweeps T; weights are between -1/2 and 1/2, and -1 and 1 in the last."""
  grid = {
    'method': ('bp', 'chip'),
    'weight_bits': (bits,),
    'fraction_bits': ((bits, bits - 1),),
    'num_steps': num_steps,
  }
  return Sweep(grid, num_seeds, base)


STUDY = Study(
  question='How many bits of weights and how many ticks does the chip need?',
  sweeps={
    'digits': tuple(_sweep(_DIGITS, 10, bits, 64) for bits in (8, 10, 12)),
    'fashion_mnist': (
      *(_sweep(_FASHION, 3, bits, 64) for bits in (8, 10)),
      _sweep(_FASHION, 3, 12, 16, 32, 64),
    ),
  },
  columns=('weight_bits', 'fraction_bits', 'num_steps'),
  rows=('weight_bits', 'fraction_bits', 'num_steps'),
  across='metric',
  metrics=('test_accuracy', 'test_accuracy_largest', 'test_accuracy_rate'),
  figure='points',
)
