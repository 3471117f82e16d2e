"""Real time compared with the tuned ANN and with the fast simulation."""

from matplotlib import figure
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import experiment
from experiments.config import titles
from experiments.config.grids import Sweep
from experiments.studies import datasets

MARGIN = 0.3  # points
_NUM_SEEDS = 10
_LENGTHS = (16, 32, 64)
_READOUTS = {
  'counts': comparisons.minus(),
  'largest': comparisons.minus('test_accuracy_largest'),
  'ann': comparisons.minus('test_accuracy_rate'),
}
_PANELS = {
  figures.difference_label(column): comparisons.minus(column)
  for column in ('test_accuracy', 'test_accuracy_largest', 'test_accuracy_rate')
}


def _make_sweeps(dataset):
  """Makes the sweeps of a data set, with the settings tuned for its ANN."""
  tuned = datasets.SHARED | datasets.TUNED[dataset]
  grids = [
    {'timing': (timing,), 'sampler': (sampler,), 'num_steps': _LENGTHS}
    for timing in ('realtime', 'buffered')
    for sampler in ('sobol', 'bernoulli')
  ]
  return tuple(Sweep(grid, _NUM_SEEDS, tuned) for grid in grids)


def _name(runs):
  """Adds the name of the data set, and one of timing and trains."""
  timings = {'realtime': 'real time', 'buffered': 'fast simulation'}
  curves = runs['timing'].map(timings) + ', ' + runs['sampler'].map(str)
  return runs.assign(dataset=runs['dataset'].map(experiment.slug), curve=curves)


def _numbers(records):
  runs = _name(comparisons.join(records))
  ann, spiking = frames.split_baseline(runs)
  name = '{dataset}_{timing}_{sampler}'
  return (
    comparisons.numbers(ann, '{dataset}_ann', {'': comparisons.ACCURACY})
    | comparisons.numbers(
      runs, f'{name}_t{{num_steps}}_by_{{metric}}', _READOUTS
    )
    | comparisons.numbers(
      spiking, f'{name}_minus_fast_t{{num_steps}}', timing='buffered'
    )
  )


def _draw(runs: pd.DataFrame) -> figure.Figure:
  """Draws accuracy minus that of the ANN against T, by three readouts."""
  return figures.draw(_name(runs), 'num_steps', 'curve', _PANELS, MARGIN)


def _claim(dataset):
  return Claim(
    'In real time with Sobol trains of 32 and 64 ticks, accuracy on '
    f'{titles.title(dataset)} is within 0.3 points of the tuned ANN.',
    tuple(f'{dataset}_realtime_sobol_t{t}_by_counts' for t in (32, 64)),
    within=MARGIN,
  )


STUDY = Study(
  question=(
    'How many ticks does learning in real time need to match the tuned ANN?'
  ),
  sweeps={name: _make_sweeps(name) for name in datasets.TUNED},
  figure=_draw,
  numbers=_numbers,
  claims=tuple(map(_claim, datasets.TUNED)),
)
