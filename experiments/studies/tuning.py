"""Learning rates and regularizers, chosen on held-out training samples."""

from collections.abc import Sequence

from matplotlib import figure
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis import grid_table
from experiments.analysis import panels
from experiments.analysis import statistics
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_FIELDS = ('learning_rate', 'dropout', 'weight_decay')
_NOT_OF_CURVES = (*_FIELDS, 'eval_every')
_SHOWN = 0.06  # drawn accuracies are at most this far below the best
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
_GRID = {
  'method': ('bp',),
  'dropout': (0.0, 0.1, 0.2, 0.3),
  'weight_decay': (0.0, 1e-4, 1e-3),
  'learning_rate': _THREE_RATES,
}


def choose(settings: Sequence[pd.DataFrame]) -> pd.DataFrame:
  """Chooses the setting of highest mean accuracy, then lowest learning rate."""

  def rank(setting):
    return -setting['test_accuracy'].mean(), _rate(setting)

  return min(settings, key=rank)


def best_rates(runs: pd.DataFrame) -> dict[str, float]:
  """Returns the learning rate of the best setting of each method."""
  return {
    method: _rate(choose(frames.settings(own)))
    for method, own in runs.groupby('method')
  }


def _rate(setting):
  return frames.field(setting, 'learning_rate')


def table(runs: pd.DataFrame) -> list[pd.DataFrame]:
  """Makes the table of held-out accuracies, with the best settings marked."""
  groups = comparisons.name_curves(runs, *_NOT_OF_CURVES).groupby('curve')
  best = {choose(frames.settings(own)).index[0] for _, own in groups}
  made = grid_table.make(runs)
  fields = [name for name in made if name in frames.FIELDS]
  made = made[[*fields, 'accuracy', 'seeds']]
  marks = [
    'best' if setting.index[0] in best else ''
    for setting in frames.settings(runs)
  ]
  return [made.assign(best=marks)]


def draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws held-out accuracy, by the best regularizers at each learning rate."""
  best = []
  named = comparisons.name_curves(runs, *_NOT_OF_CURVES)
  for _, curve in named.groupby('curve'):
    own = [
      choose(frames.settings(rate))
      for _, rate in curve.groupby('learning_rate')
    ]
    lowest = max(x['test_accuracy'].mean() for x in own) - _SHOWN
    best += [x for x in own if x['test_accuracy'].mean() > lowest]
  metrics = {panels.label_accuracy(runs): comparisons.ACCURACY}
  return comparisons.draw(
    pd.concat(best), 'learning_rate', 'curve', metrics, ann='curve'
  )


def _numbers(records):
  digits, fashion = records['digits'], records['fashion_mnist']
  plain = frames.select(digits, pixel_range=(0.0, 1.0))
  groups = {
    f'{name}_{method}': own
    for name, runs in (
      ('digits', plain),
      ('grey', frames.select(digits, pixel_range=(0.3, 0.7))),
      ('fashion', frames.select(fashion, num_epochs=10, layer_sizes=None)),
    )
    for method, own in runs.groupby('method')
  } | {
    '_'.join(map(str, sizes)): own
    for sizes, own in fashion.groupby('layer_sizes')
  }
  best = {name: choose(frames.settings(own)) for name, own in groups.items()}
  found = {
    f'{name}_rate': statistics.Number(_rate(setting))
    for name, setting in best.items()
  }
  long = frames.select(fashion, num_epochs=20, layer_sizes=None)
  for dataset, runs in (('fashion', long), ('mnist', records['mnist'])):
    tuned = choose(frames.settings(runs))
    for name in _FIELDS:
      number = statistics.Number(frames.field(tuned, name))
      found[f'{dataset}_tuned_{name}'] = number
  own = best['digits_surrogate_gradient']
  of_ann = frames.select(
    plain,
    method='surrogate_gradient',
    learning_rate=_rate(best['digits_bp']),
  )
  name = 'digits_surrogate_own_minus_ann_rate'
  return found | {name: statistics.paired_difference(own, of_ann)}


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
      Sweep(_GRID, num_seeds=3, base={**_HELD_OUT, 'num_epochs': 20}),
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
    'mnist': (Sweep(_GRID, num_seeds=3, base={**_HELD_OUT, 'num_epochs': 20}),),
    # A file of EMNIST images of 47 classes, in a split of its own.
    'emnist47': (
      Sweep(
        _GRID,
        num_seeds=2,
        base={**_HELD_OUT, 'batch_size': 128, 'num_epochs': 10},
      ),
    ),
    'n_mnist': (
      Sweep(
        {
          'method': ('bp',),
          'dropout': (0.0, 0.2, 0.4),
          'learning_rate': (0.05, 0.1, 0.2),
        },
        num_seeds=10,
        base={**_HELD_OUT, 'folds': 10},
      ),
    ),
  },
  table=table,
  figure=draw,
  numbers=_numbers,
  text="""
All hyperparameters were chosen once, on a fifth of the training samples held
out; no choice used the test samples. The learning rate falls from its initial
value to 0. The figure shows the settings within 6 points of the best of their
curve.

The best rate of the ANN, {digits_bp_rate:g} on digits and {fashion_bp_rate:g}
on Fashion-MNIST, is used for `ssnn`, `rpu` and `feedback_alignment` at every T.
The two methods whose update does not estimate the gradient of BP were tuned
over the same rates. `bp_stdp` is best with the rates of the ANN
({digits_bp_stdp_rate:g} and {fashion_bp_stdp_rate:g}), `surrogate_gradient`
with {digits_surrogate_gradient_rate:g} on both data sets; on digits this rate
is {digits_surrogate_own_minus_ann_rate} points better than the rate of the ANN.
All methods thus use the rate of the ANN.

With 20 epochs on Fashion-MNIST, the best of 36 settings of the ANN has a rate
of {fashion_tuned_learning_rate:g}, dropout of {fashion_tuned_dropout:g} and a
weight decay of {fashion_tuned_weight_decay:g} ([headline](headline.md)), and on
MNIST {mnist_tuned_learning_rate:g}, {mnist_tuned_dropout:g} and
{mnist_tuned_weight_decay:g}. With four hidden layers the
best rate is {784_159_159_159_159_10_rate:g} ([depth](depth.md)); on grey digits
it is {grey_bp_rate:g} ([grey_pixels](grey_pixels.md)).
""",
)
