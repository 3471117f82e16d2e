"""Noise of the spikes of grey pixels, and membranes that average it."""

import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import titles
from experiments.config.grids import Sweep

_MEMBRANES = ('mean', 'memoryless')
_METRICS = {
  'minus_ann': comparisons.minus(),
  'minus_ann_by_ann': comparisons.minus('test_accuracy_rate'),
  'by_potential': comparisons.mean('test_accuracy_potential', 100),
  'error': comparisons.mean('update_error'),
}


def _numbers(records):
  runs = records['digits']
  return comparisons.numbers(
    runs, '{integration}_{metric}_t{num_steps}', _METRICS
  ) | comparisons.numbers(
    frames.split_baseline(runs)[1],
    '{integration}_error_t{num_steps}_over_t64',
    {'': comparisons.ratio('update_error')},
    num_steps=64,
  )


def _ratios(lines):
  """Divides the variance of a spike, x (1 - x), by the squared rate."""
  return lines['mean'] / lines['mean_square'] - 1


def _table_of_images(lines):
  cells = {
    'images': lines['dataset'].map(titles.title),
    'mean rate E[x]': lines['mean'].map('{:.3f}'.format),
    'signal E[x^2]': lines['mean_square'].map('{:.3f}'.format),
    'noise / signal': _ratios(lines).map('{:.2f}'.format),
  }
  return [pd.DataFrame(cells)]


def _numbers_of_images(records):
  (lines,) = records.values()
  return {
    f'noise_{name}': statistics.Number(ratio)
    for name, ratio in zip(lines['dataset'], _ratios(lines))
  }


_IMAGES = Study(
  commands={
    'images': (
      'python -m experiments.measurements.pixel_noise '
      '--datasets=digits,mnist,fashion_mnist,emnist47.npz',
    )
  },
  table=_table_of_images,
  numbers=_numbers_of_images,
  text="""
A pixel of grey value x spikes with the rate x, so that the number of its spikes
in a Bernoulli train of T ticks has the variance T x (1 - x): black and white
pixels are exact, grey ones are not. The ratio of noise to signal, E[x (1 - x)]
/ E[x^2] over all pixels of the training images, divided by T, is the squared
relative error of the input with Bernoulli trains. [datasets](datasets.md)
compares it with the trains that each data set needs.
""",
)
STUDY = Study(
  question=(
    'How noisy are the spikes of grey pixels, and do neurons then need memory '
    'between windows?'
  ),
  parts={'images': _IMAGES},
  sweeps={
    'digits': (
      Sweep(
        {
          'pixel_range': ((0.3, 0.7),),
          'window': (1,),
          'integration': _MEMBRANES,
          'num_steps': (4, 16, 64, 256),
        },
        base={'learning_rate': 0.5},
      ),
    ),
  },
  numbers=_numbers,
  claims=(
    Claim(
      'On grey digits with windows of one tick, the update error of memoryless '
      'membranes does not fall with T: with 256 ticks it is more than 0.9 of '
      'the error with 64 ticks.',
      ('memoryless_error_t256_over_t64',),
      above=0.9,
      unit='ratio',
    ),
  ),
  text="""
Digits are compressed to rates from 0.3 to 0.7, so that the potential of a
single tick is mostly noise, and windows have one tick. The learning rate of 0.5
is the best of the ANN on these images ([tuning](tuning.md)).

The update error of memoryless membranes stays at {memoryless_error_t256:.1f},
with 256 ticks {memoryless_error_t256_over_t64:.2f} of the error with 64, and
their weights, with the ANN readout, stay
{memoryless_minus_ann_by_ann_t256:abs .0f} points below the ANN. Only the
spike-count readout, which averages over ticks, improves with T. With running
means the update error halves with every four times the ticks
({mean_error_t256_over_t64:.2f} from 64 to 256), and with 256 ticks the
spike-count readout comes within {mean_minus_ann_t256:abs .1f} points of the
ANN. A chip with short windows thus needs membranes that average over windows;
with windows of 8 or more ticks memory hardly matters ([windows](windows.md)).
""",
)
