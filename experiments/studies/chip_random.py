"""Random words of the chip: generators, sharing, and enable bits."""

from experiments.analysis import comparisons
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep
from experiments.studies import chip_bits

DIGITS = chip_bits.DIGITS | {'weight_bits': 10, 'fraction_bits': (10, 9)}
# A part of Fashion-MNIST: all other training images are for evaluation.
PART = chip_bits.FASHION_MNIST | {
  'hold_out': 5 / 6,
  'weight_bits': 12,
  'fraction_bits': (12, 11),
}
_LAYERS = ('layer', 'mask')
_XORSHIFT = {
  'generator': ('xorshift',),
  'sharing': (*_LAYERS, 'neuron'),
}
_SOBOL = (
  {'generator': ('sobol',), 'sharing': _LAYERS},
  {
    'generator': ('sobol',),
    'sharing': ('layer',),
    'enable': ('synapse', 'all'),
  },
)


def make_sweeps(num_seeds, base, *grids):
  """Makes a sweep of the ANN and the chip for each grid."""
  return tuple(
    Sweep(chip_bits.METHODS | grid, num_seeds, base) for grid in grids
  )


def _numbers(records):
  runs = comparisons.join(records)
  name = '{dataset}_{generator}_{sharing}_{enable}'
  return comparisons.numbers(runs, name)


STUDY = Study(
  question=(
    'Which random words does the chip need, and how many neurons may share one?'
  ),
  sweeps={
    'digits': make_sweeps(
      10,
      DIGITS,
      _XORSHIFT,
      {'generator': ('lfsr',), 'sharing': (*_LAYERS, 'neuron')},
      *_SOBOL,
    ),
    'fashion_mnist': make_sweeps(
      3,
      PART,
      _XORSHIFT,
      {'generator': ('lfsr',), 'sharing': _LAYERS},
      *_SOBOL,
    ),
  },
  numbers=_numbers,
  claims=(
    Claim(
      'On a part of Fashion-MNIST one enable bit for all rows costs more than '
      '3 points of accuracy, compared with the ANN.',
      ('fashion_mnist_sobol_layer_all',),
      below=-3,
    ),
  ),
  text="""
A chip needs a random word for each neuron, role and tick. Here one word serves
all neurons of a layer (`layer`), serves them with a choice of its bits inverted
in each neuron (`mask`), or each neuron has a generator (`neuron`). Words come
from xorshift or linear-feedback shift registers, or from a Sobol sequence of
the tick, which is flipped once a presentation. An enable bit makes the learning
rate; there is one for each `row` of synapses, for each `synapse`, or for `all`
rows of a layer.

**Digits**, 64-64-10, weights of 10 bits: all are alike. With one word for a
layer the chip is {digits_xorshift_layer_row} (xorshift),
{digits_lfsr_layer_row} (LFSR) and {digits_sobol_layer_row} points (Sobol) from
the ANN; with a xorshift generator for each neuron {digits_xorshift_neuron_row}.

**A part of Fashion-MNIST**, 10,000 images, 5 epochs, weights of 12 bits. With
one word for a layer the differences are {fashion_mnist_xorshift_layer_row}
(xorshift), {fashion_mnist_lfsr_layer_row} (LFSR) and
{fashion_mnist_sobol_layer_row} (Sobol), with a xorshift generator for each
neuron {fashion_mnist_xorshift_neuron_row}. With an enable bit for each synapse
the difference is {fashion_mnist_sobol_layer_synapse}, with one for all rows
{fashion_mnist_sobol_layer_all}: the noise of all synapses is then common.
""",
)
