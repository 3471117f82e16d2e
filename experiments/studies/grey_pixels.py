"""Membranes with windows of one tick on images without black or white."""

from collections.abc import Mapping

import pandas as pd

from experiments.analysis import frames
from experiments.analysis import statistics
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config.grids import Sweep

_MEMBRANES = ('mean', 'memoryless')
_STEPS = (4, 16, 64, 256)


def numbers(
  records: Mapping[str, pd.DataFrame],
) -> dict[str, statistics.Number]:
  """Computes accuracies, differences to the ANN and errors over T."""
  runs, found = records['digits'], {}
  ann, _ = frames.split_baseline(runs)
  ann_by_ann = ann.assign(test_accuracy_rate=ann['test_accuracy'])
  for name in _MEMBRANES:
    by_length = {
      t: frames.select(runs, method='ssnn', integration=name, num_steps=t)
      for t in _STEPS
    }
    for t, setting in by_length.items():
      found[f'{name}_by_potential_t{t}'] = statistics.percent(
        setting, 'test_accuracy_potential'
      )
      found[f'{name}_error_t{t}'] = statistics.over_seeds(
        setting, 'update_error'
      )
      found[f'{name}_minus_ann_t{t}'] = statistics.paired_difference(
        setting, ann
      )
      found[f'{name}_minus_ann_t{t}_by_ann'] = statistics.paired_difference(
        setting, ann_by_ann, 'test_accuracy_rate'
      )
    found[f'{name}_error_t256_over_t64'] = statistics.ratio(
      by_length[256], by_length[64], 'update_error'
    )
  return found


STUDY = Study(
  question='Do neurons need memory between windows if inputs are noisy?',
  sweeps={
    'digits': (
      Sweep(
        {
          'pixel_range': ((0.3, 0.7),),
          'window': (1,),
          'integration': _MEMBRANES,
          'num_steps': _STEPS,
        },
        base={'learning_rate': 0.5},
      ),
    ),
  },
  numbers=numbers,
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

Memoryless membranes do not profit from longer trains. Their update error stays
at {memoryless_error_t256:.1f}, with 256 ticks
{memoryless_error_t256_over_t64:.2f} of the error with 64. Read by the potential
of the last tick the network has {memoryless_by_potential_t4:.0f} % with 4 ticks
and {memoryless_by_potential_t256:.0f} % with 256, and its weights, read as an
ANN, stay {memoryless_minus_ann_t256_by_ann:abs .0f} points below the ANN. Only
winner counts, which average over ticks, improve.

With running means the update error halves with every four times the ticks
({mean_error_t256_over_t64:.2f} from 64 to 256). With 256 ticks, the weights
come within {mean_minus_ann_t256_by_ann:abs .1f} points of the ANN, and winner
counts within {mean_minus_ann_t256:abs .1f} points. So a chip with short windows
needs membranes that remember; with windows of 8 or more ticks memory hardly
matters ([windows](windows.md)).
""",
)
