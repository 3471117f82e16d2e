"""Real time compared with the tuned ANN and with the fast simulation."""

from collections.abc import Mapping

from matplotlib import figure
import pandas as pd

from experiments.analysis import comparisons
from experiments.analysis import figures
from experiments.analysis import frames
from experiments.analysis import records as records_lib
from experiments.analysis.claims import Claim
from experiments.analysis.study import Study
from experiments.config import experiment
from experiments.config import methods
from experiments.config import titles
from experiments.config.grids import Sweep
from experiments.studies import datasets

MARGIN = 0.3  # points
_NUM_SEEDS = 10
_READOUTS = {
  'counts': comparisons.minus(),
  'largest': comparisons.minus('test_accuracy_largest'),
  'ann': comparisons.minus('test_accuracy_rate'),
}
_PANELS = {
  figures.difference_label(column): comparisons.minus(column)
  for column in ('test_accuracy', 'test_accuracy_largest', 'test_accuracy_rate')
}


def _make_sweeps(
  dataset, samplers=('sobol', 'bernoulli'), lengths=(16, 32, 64)
):
  """Makes the sweeps of a data set, with the settings tuned for its ANN."""
  tuned = datasets.SHARED | datasets.TUNED[dataset]
  grids = [
    {'timing': (timing,), 'sampler': (sampler,), 'num_steps': lengths}
    for timing in ('realtime', 'buffered')
    for sampler in samplers
  ]
  return tuple(Sweep(grid, _NUM_SEEDS, tuned) for grid in grids)


def select_realtime(
  records: Mapping[str, records_lib.Record],
) -> dict[str, pd.DataFrame]:
  """Selects the runs in real time, and the ANN, of each record."""
  selected = {}
  for name, (_, runs) in records.items():
    is_ann = runs['method'] == methods.ANN
    selected[name] = runs[is_ann | (runs['timing'] == 'realtime')]
  return selected


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
  sweeps={
    'mnist': _make_sweeps('mnist'),
    'fashion_mnist': _make_sweeps('fashion_mnist', ('sobol',), (16, 32)),
  },
  figure=_draw,
  numbers=_numbers,
  claims=tuple(map(_claim, datasets.TUNED)),
)
