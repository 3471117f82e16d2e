"""One to four hidden layers with equally many parameters."""

from collections.abc import Mapping

import pandas as pd

from experiments.analysis import frames
from experiments.analysis import statistics
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
_NAMES = {'bernoulli': 'random', 'sobol': 'sobol'}


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Computes accuracies and differences to the ANN of the same depth."""
  runs, found = records['fashion_mnist'], {}
  for setting in frames.settings(runs):
    depth = len(frames.field(setting, 'layer_sizes')) - 2
    if frames.field(setting, 'method') == 'bp':
      found[f'ann_depth{depth}'] = statistics.percent(setting)
      continue
    sampler = _NAMES[frames.field(setting, 'sampler')]
    t = frames.field(setting, 'num_steps')
    found[f'{sampler}_minus_ann_t{t}_depth{depth}'] = (
      statistics.paired_difference(setting, frames.find_baseline(setting, runs))
    )
  return found


STUDY = Study(
  question='Does accuracy fall behind the ANN as networks become deeper?',
  sweeps={
    'fashion_mnist': (
      Sweep({'layer_sizes': _SHALLOW, **_TRAINS}),
      Sweep({'layer_sizes': (_DEEPEST,), 'learning_rate': (0.2,), **_TRAINS}),
    ),
  },
  numbers=numbers,
  claims=(
    Claim(
      'With one to four hidden layers and low-discrepancy trains of 64 ticks, '
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

With low-discrepancy trains depth costs at most a few tenths of a point. With 64
ticks the difference to the ANN of the same depth is
{sobol_minus_ann_t64_depth1} points with one hidden layer, and
{sobol_minus_ann_t64_depth2}, {sobol_minus_ann_t64_depth3} and
{sobol_minus_ann_t64_depth4} with two to four. With random trains of 16 ticks it
is {random_minus_ann_t16_depth1} with one and {random_minus_ann_t16_depth4} with
four. More layers do not make the ANN more accurate either: {ann_depth1} % with
one and {ann_depth4} % with four hidden layers.
""",
)
