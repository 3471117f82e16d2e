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
_ADDED = 10  # the first seed that was added for the claim on digits
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
  name = '{dataset}_w{weight_bits}_f{fraction_bits}'
  return comparisons.numbers(
    runs, f'{name}{{metric}}', _METRICS
  ) | comparisons.added_numbers(runs, _ADDED, name)


STUDY = Study(
  question='How many bits do weights and thresholds of the chip need?',
  sweeps={
    'digits': (
      *_sweeps(10, DIGITS, (6, 5, 4), (8, 7, 6), (9, 8, 7), (10, 9, 8)),
      *_sweeps(20, DIGITS, (10, 10, 9)),
      *_sweeps(10, DIGITS, (10, 8), (12, 10), (16, 11)),
    ),
    'fashion_mnist': _sweeps(
      3, FASHION_MNIST, (8, 7, 6), (10, 9, 8), (12, 10), (12, 12, 11)
    ),
  },
  numbers=_numbers,
  claims=(
    Claim(
      'On digits the chip with weights of 10 bits, thresholds of 10 and 9 bits '
      'and one random word for each layer and role is within 1 point of the '
      'ANN, with the spike-count readout.',
      ('digits_w10_f10_9_added',),
      within=1,
    ),
    Claim(
      'On Fashion-MNIST the chip with weights of 12 bits, thresholds of 12 and '
      '11 bits and one random word for each layer and role is within 1 point '
      'of the ANN of the same schedule, with the spike-count readout.',
      ('fashion_mnist_w12_f12_11',),
      within=1,
    ),
  ),
  text="""
[The chip](../../docs/chip.md) computes with integers. Its weights have a unit
of 2<sup>-F</sup>, where F is the number of bits of its thresholds: `10-9` are
10 bits in the first layer and 9 in the second. One random word of a Sobol
sequence serves all neurons of a layer and role, and an enable bit each row of
synapses. The ANN and the chip learn from one sample after another, with the
same learning rate and schedule, T = 64.

**Digits**, 64-64-10. With weights of 10 bits and thresholds of 10 and 9 the
chip is {digits_w10_f10_9} points from the ANN with the spike-count readout,
{digits_w10_f10_9_by_largest} by counts of the largest potential and
{digits_w10_f10_9_by_ann} if its weights are read as an ANN. More bits change
little: {digits_w16_f11} points with 16 and 11 bits. With 8 bits the difference
is {digits_w8_f7_6}, with 6 bits {digits_w6_f5_4}.

**Fashion-MNIST**, all 60,000 images, 784-256-10, 5 epochs. The first layer
learns in small steps, and needs a finer unit: with weights of 12 bits and
thresholds of 12 and 11 the difference is {fashion_mnist_w12_f12_11} points
({fashion_mnist_w12_f12_11_by_largest} by counts of the largest potential),
with thresholds of 10 bits {fashion_mnist_w12_f10}. Weights of 10 and 8 bits are
{fashion_mnist_w10_f9_8} and {fashion_mnist_w8_f7_6} points from the ANN.

Numbers of bits were chosen with the test images of these data sets and seeds 0
to 9; the claim on digits is tested by ten added seeds alone,
{digits_w10_f10_9_added} points.
""",
)
