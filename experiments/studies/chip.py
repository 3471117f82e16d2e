"""The chip: bits of its weights, ticks, and what it takes of a board."""

from experiments.studies import Study
from experiments.studies import Sweep

# One sample after another, with the rate of a minibatch divided by its size.
_DIGITS = {'batch_size': 1, 'learning_rate': 1 / 32}
_FASHION = {'batch_size': 1, 'learning_rate': 1 / 256, 'num_epochs': 5}


def _sweep(
  base, num_seeds, layer_sizes, weight_bits, fraction_bits, *num_steps
):
  grid = {
    'method': ('bp', 'chip'),
    'layer_sizes': (layer_sizes,),
    'weight_bits': (weight_bits,),
    'fraction_bits': (fraction_bits,),
    'num_steps': num_steps or (64,),
  }
  return Sweep(grid, num_seeds, base)


def _digits(*setting):
  return _sweep(_DIGITS, 10, *setting)


def _fashion(*setting):
  return _sweep(_FASHION, 5, *setting)


STUDY = Study(
  question=(
    'How many bits and ticks does the chip need, and which board holds it?'
  ),
  sweeps={
    'digits': (
      _digits((64, 16, 10), 10, (10, 8)),
      _digits((64, 64, 10), 8, (8, 6)),
      _digits((64, 64, 10), 10, (10, 9)),
      _digits((64, 64, 10), 12, (11, 10)),
    ),
    'fashion_mnist': (
      _fashion((784, 64, 10), 10, (12, 9)),
      _fashion((784, 256, 10), 8, (10, 7)),
      _fashion((784, 256, 10), 10, (12, 9)),
      _fashion((784, 256, 10), 12, (13, 11), 16),
      _fashion((784, 256, 10), 12, (14, 11), 32, 64),
    ),
  },
  columns=('layer_sizes', 'weight_bits', 'fraction_bits', 'num_steps'),
  rows=('layer_sizes', 'weight_bits', 'num_steps'),
  across='metric',
  metrics=(
    'test_accuracy',
    'luts',
    'block_rams',
    'max_mhz',
    'clock_mhz',
    'clocks_per_sample',
    'samples_per_second',
  ),
  figure='block_rams',
)
