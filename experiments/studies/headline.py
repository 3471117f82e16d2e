"""Random and low-discrepancy spike trains compared with the tuned ANN."""

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

MARGIN = 0.3  # points
_NARROW, _WIDE = None, (784, 800, 10)
# Tuned for the ANN on held-out images: see the study `tuning`.
_TUNED = {
  'num_epochs': 20,
  'dropout': 0.1,
  'weight_decay': 1e-4,
  'eval_every': 5,
}
_SAMPLERS = ('bernoulli', 'sobol')
_READOUTS = {
  'counts': comparisons.minus(),
  'ann': comparisons.minus('test_accuracy_rate'),
}


def _draw(runs):
  """Draws networks with the default hidden layer."""
  narrow = frames.select(runs, layer_sizes=_NARROW)
  return comparisons.draw_lengths(narrow, MARGIN)


def _numbers(records):
  runs = records['fashion_mnist']
  runs = runs.assign(
    width=['wide_' if sizes == _WIDE else '' for sizes in runs['layer_sizes']],
    trains=runs['sampler'].replace('bernoulli', 'random'),
  )
  ann, spiking = frames.split_baseline(runs)
  numbers = comparisons.numbers
  return (
    numbers(ann, '{width}ann', {'': comparisons.ACCURACY})
    | numbers(
      runs, '{width}{trains}_minus_ann_t{num_steps}_by_{metric}', _READOUTS
    )
    | numbers(
      spiking,
      '{width}{trains}_minus_random_t{num_steps}',
      trains='random',
    )
  )


STUDY = Study(
  question=(
    'How long must spike trains be to match the tuned ANN on Fashion-MNIST?'
  ),
  sweeps={
    'fashion_mnist': (
      Sweep(
        {'num_steps': (4, 16, 64), 'sampler': _SAMPLERS},
        num_seeds=20,
        base=_TUNED,
      ),
      Sweep(
        {'num_steps': (16,), 'sampler': ('sobol',)}, num_seeds=40, base=_TUNED
      ),
      Sweep(
        {
          'layer_sizes': (_WIDE,),
          'num_steps': (64,),
          'sampler': _SAMPLERS,
        },
        base=_TUNED,
      ),
    ),
  },
  figure=_draw,
  numbers=_numbers,
  claims=(
    Claim(
      'With low-discrepancy trains of 16 or more ticks, Fashion-MNIST accuracy '
      'is within 0.3 points of the tuned ANN.',
      ('sobol_minus_ann_t16_by_counts', 'sobol_minus_ann_t64_by_counts'),
      within=MARGIN,
    ),
    Claim(
      'With random trains of 64 ticks, Fashion-MNIST accuracy is lower than '
      'that of the tuned ANN.',
      ('random_minus_ann_t64_by_counts',),
      below=0,
    ),
    Claim(
      'With low-discrepancy trains of 64 ticks and 800 hidden neurons, '
      'Fashion-MNIST accuracy is within 0.3 points of the ANN.',
      ('wide_sobol_minus_ann_t64_by_counts',),
      within=MARGIN,
    ),
    Claim(
      'At T = 4, 16 and 64, low-discrepancy trains are more accurate than '
      'random trains on Fashion-MNIST.',
      tuple(f'sobol_minus_random_t{t}' for t in (4, 16, 64)),
      above=0,
    ),
  ),
  text="""
Both networks have 784-256-10 neurons, 20 epochs, a learning rate that falls
from 0.5 to 0, dropout of 0.1 and a weight decay of 0.0001, the best of 36
settings of the ANN on held-out images ([tuning](tuning.md)).

With low-discrepancy trains of 64 ticks the difference to the ANN is
{sobol_minus_ann_t64_by_counts} points, and with random trains
{random_minus_ann_t64_by_counts} points, most of which is noise of the readout:
the same weights read as an ANN are {random_minus_ann_t64_by_ann} points from
the ANN.

Published accuracies of fully connected spiking networks, in percent:
[SMDP](https://github.com/SZU-ADDG/SMDP), 784-800-10, `88.9 ± 1.0` over 20 runs;
[TSSL-BP](https://github.com/stonezwr/TSSL-BP), 784-400-400-10 with 5 ticks,
`89.75 ± 0.03`; [Desire BP](https://ar5iv.labs.arxiv.org/html/2211.05412), three
layers, `87.56`. Encoding, schedule and regularizer differ, so that these
numbers are not a controlled comparison.
""",
)
