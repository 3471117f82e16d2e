"""Learning rates and regularizers, chosen on held-out training samples."""

from collections.abc import Mapping

import pandas as pd

from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.analysis import tuning
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_HELD_OUT = {'hold_out': 0.2}
_METHODS = ('bp', 'bp_stdp', 'surrogate_gradient')
_RATES = (0.1, 0.2, 0.5, 1.0, 2.0)
_THREE_RATES = (0.2, 0.5, 1.0)
_LAYERS = (
  (784, 256, 10),
  (784, 204, 204, 10),
  (784, 177, 177, 177, 10),
  (784, 159, 159, 159, 159, 10),
)
_WIDE = (784, 800, 10)


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Lists the best settings, and what the ANN's rate costs another method."""
  found = {}
  digits, fashion = records['digits'], records['fashion_mnist']
  plain = frames.select(digits, pixel_range=(0.0, 1.0))
  short = frames.select(fashion, num_epochs=10, layer_sizes=None)
  for name, runs in {'digits': plain, 'fashion': short}.items():
    for method, rate in tuning.pick(runs).items():
      found[f'{name}_{method}_rate'] = statistics.Number(rate)
  grey = frames.select(digits, pixel_range=(0.3, 0.7))
  found['grey_rate'] = statistics.Number(tuning.pick(grey)['bp'])
  long = frames.select(fashion, num_epochs=20, layer_sizes=None)
  best = tuning.choose(frames.settings(long))
  for name in ('learning_rate', 'dropout', 'weight_decay'):
    found[f'tuned_{name}'] = statistics.Number(frames.field(best, name))
  found['tuned_accuracy'] = statistics.percent(best)
  for sizes in (*_LAYERS, _WIDE):
    rate = tuning.pick(frames.select(fashion, layer_sizes=sizes))['bp']
    found[f'rate_{"_".join(map(str, sizes))}'] = statistics.Number(rate)
  rates = tuning.pick(plain)
  own, of_ann = (
    frames.select(plain, method='surrogate_gradient', learning_rate=rates[name])
    for name in ('surrogate_gradient', 'bp')
  )
  found['digits_surrogate_own_minus_ann_rate'] = statistics.paired_difference(
    own, of_ann
  )
  return found


STUDY = Study(
  question=(
    'Which learning rates and regularizers are best on held-out training '
    'samples?'
  ),
  sweeps={
    'digits': (
      Sweep(
        {'method': _METHODS, 'learning_rate': _RATES},
        base={**_HELD_OUT, 'num_steps': 32},
      ),
      Sweep(
        {'method': ('bp',), 'learning_rate': (0.02, 0.05, *_RATES)},
        base={**_HELD_OUT, 'pixel_range': (0.3, 0.7)},
      ),
    ),
    'fashion_mnist': (
      Sweep(
        {'method': _METHODS, 'learning_rate': _RATES},
        num_seeds=3,
        base={**_HELD_OUT, 'num_steps': 16},
      ),
      Sweep(
        {
          'method': ('bp',),
          'dropout': (0.0, 0.1, 0.2, 0.3),
          'weight_decay': (0.0, 1e-4, 1e-3),
          'learning_rate': _THREE_RATES,
        },
        num_seeds=3,
        base={**_HELD_OUT, 'num_epochs': 20},
      ),
      Sweep(
        {'method': ('bp',), 'learning_rate': _THREE_RATES},
        num_seeds=3,
        base={
          **_HELD_OUT,
          'layer_sizes': _WIDE,
          'num_epochs': 20,
          'dropout': 0.1,
          'weight_decay': 1e-4,
          'eval_every': 5,
        },
      ),
      Sweep(
        {
          'method': ('bp',),
          'layer_sizes': _LAYERS,
          'learning_rate': _THREE_RATES,
        },
        num_seeds=3,
        base=_HELD_OUT,
      ),
    ),
  },
  table=tuning.table,
  figure=tuning.draw,
  numbers=numbers,
  text="""
All hyperparameters were chosen once, on a fifth of the training samples held
out; no choice used the test samples. The learning rate falls from its initial
value to 0. The batch size, epochs, learning rate and input gain of event
recordings were chosen for the ANN with 64 ticks in the same way; their trials
are not recorded.

The best rate of the ANN, {digits_bp_rate:g} on digits and {fashion_bp_rate:g}
on Fashion-MNIST, serves `ssnn`, `rpu` and `feedback_alignment` at every T. The
two methods whose update does not estimate the gradient of BP had the same
trials. `bp_stdp` is best with the rates of the ANN ({digits_bp_stdp_rate:g} and
{fashion_bp_stdp_rate:g}), `surrogate_gradient` with
{digits_surrogate_gradient_rate:g} on both data sets; on digits this rate is
{digits_surrogate_own_minus_ann_rate} points better than the rate of the ANN. So
all methods use the rate of the ANN.

With 20 epochs on Fashion-MNIST, the best of 36 settings of the ANN has a rate
of {tuned_learning_rate:g}, dropout of {tuned_dropout:g} and a weight decay of
{tuned_weight_decay:g}; it is used in [headline](headline.md). With four hidden
layers the best rate is {rate_784_159_159_159_159_10:g}, with one to three
{rate_784_256_10:g} ([depth](depth.md)); on grey digits it is {grey_rate:g}
([grey_pixels](grey_pixels.md)).
""",
)
