"""One to four hidden layers with equal numbers of parameters."""

from experiments.analysis import comparisons
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

# Hidden layers of equal width, as many parameters as 784-256-10 within 0.5 %.
_SHALLOW = (
  (784, 256, 10),
  (784, 204, 204, 10),
  (784, 177, 177, 177, 10),
)
_DEEPEST = (784, 159, 159, 159, 159, 10)
_TRAINS = {'num_steps': (16, 64), 'sampler': ('bernoulli', 'sobol')}


def _numbers(records):
  runs = records['fashion_mnist']
  runs = runs.assign(depth=[len(sizes) - 2 for sizes in runs['layer_sizes']])
  ann, _ = frames.split_baseline(runs)
  return comparisons.numbers(
    ann, 'ann_depth{depth}', {'': comparisons.ACCURACY}
  ) | comparisons.numbers(
    runs,
    '{sampler}_minus_ann_t{num_steps}_depth{depth}',
  )


STUDY = Study(
  question='Does accuracy fall behind the ANN as networks become deeper?',
  sweeps={
    'fashion_mnist': (
      Sweep({'layer_sizes': _SHALLOW, **_TRAINS}),
      Sweep({'layer_sizes': (_DEEPEST,), 'learning_rate': (0.2,), **_TRAINS}),
    ),
  },
  numbers=_numbers,
  claims=(
    Claim(
      'With one to four hidden layers and Sobol trains of 64 ticks, '
      'Fashion-MNIST accuracy is within 1 point of the ANN of the same depth.',
      tuple(f'sobol_minus_ann_t64_depth{depth}' for depth in range(1, 5)),
      within=1,
    ),
  ),
  text="""
Networks have one to four hidden layers of equal width, with as many parameters
as 784-256-10 within half a percent. Each depth has the learning rate that is
best for its ANN on held-out images: 0.5, and 0.2 with four hidden layers
([tuning](tuning.md)).

With Sobol trains depth costs at most a few tenths of a point. With 64
ticks the difference to the ANN of the same depth is
{sobol_minus_ann_t64_depth1} points with one hidden layer, and
{sobol_minus_ann_t64_depth2}, {sobol_minus_ann_t64_depth3} and
{sobol_minus_ann_t64_depth4} with two to four. With Bernoulli trains of 16 ticks
the difference is {bernoulli_minus_ann_t16_depth1} with one and
{bernoulli_minus_ann_t16_depth4} with four. Depth does not improve the ANN
either: {ann_depth1} % with one and {ann_depth4} % with four hidden layers.
""",
)
